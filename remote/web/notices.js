// Notifications of results: good ones disappear automatically, the others stay until they are dismissed.

import { element, icon } from "./dom.js";

const GOOD_MS = 8000;
const MAX_SHOWN = 4;

export class Notices {
  #shown = new Map(); // key -> node

  constructor(container) {
    this.container = container;
  }

  /** @param {{key: string, tone: string, title: string, text?: string,
                action?: {text: string, run: function}}} notice
      `key` names the subject: a newer notice replaces an older one */
  show({ key, tone, title, text = "", action = null }) {
    this.remove(key);
    const close = element("button", {
      type: "button", class: "close", "aria-label": `Dismiss: ${title}`, onclick: () => this.remove(key),
    }, icon("close"));
    const act = action && element("button", { type: "button", class: "small", onclick: action.run }, action.text);
    const body = element("div", {}, element("b", { text: title }), text, act);
    const node = element("div", {
      class: `notice ${tone}`, role: tone === "bad" ? "alert" : "status", "data-testid": "notice", "data-tone": tone,
    }, icon(tone === "new" ? "new" : tone), body, close);
    this.#shown.set(key, node);
    this.container.append(node);
    this.#reserveSpace();
    if (tone === "good") this.#removeLater(key, node);
    for (const oldest of [...this.#shown.keys()].slice(0, -MAX_SHOWN)) this.remove(oldest);
  }

  // Reserves space, so that the end of the page and the focused element can be scrolled out from under a notice.
  #reserveSpace() {
    const height = this.#shown.size ? `${this.container.offsetHeight}px` : "";
    document.body.style.paddingBottom = height;
    document.documentElement.style.scrollPaddingBottom = height;
  }

  // A notice with the pointer or the focus on it stays.
  #removeLater(key, node) {
    setTimeout(() => {
      if (this.#shown.get(key) !== node) return;
      if (node.matches(":hover, :focus-within")) this.#removeLater(key, node);
      else this.remove(key);
    }, GOOD_MS);
  }

  /** Removes a notice, if it is shown. */
  remove(key) {
    this.#shown.get(key)?.remove();
    this.#shown.delete(key);
    this.#reserveSpace();
  }
}
