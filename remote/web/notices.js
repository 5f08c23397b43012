// What became of something, wherever on the page one is: good news goes by itself, the rest stays until it is put away.

import { element, icon } from "./dom.js";

const GOOD_NEWS_MS = 8000;
const MOST = 4;

export class Notices {
  #shown = new Map(); // key -> node

  constructor(container) {
    this.container = container;
  }

  /** @param {{key: string, tone: string, title: string, text?: string,
                action?: {words: string, does: function}}} notice
      `key` names what it is about: a newer notice takes the place of an older one */
  show({ key, tone, title, text = "", action = null }) {
    this.putAway(key);
    const close = element("button", {
      type: "button", class: "close", "aria-label": `Put away: ${title}`, onclick: () => this.putAway(key),
    }, icon("close"));
    const act = action && element("button", { type: "button", class: "small", onclick: action.does }, action.words);
    const body = element("div", {}, element("b", { text: title }), text, act);
    const node = element("div", {
      class: `notice ${tone}`, role: tone === "bad" ? "alert" : "status", "data-testid": "notice", "data-tone": tone,
    }, icon(tone === "new" ? "new" : tone), body, close);
    this.#shown.set(key, node);
    this.container.append(node);
    this.#makeRoom();
    if (tone === "good") this.#leaveAlone(key, node);
    for (const oldest of [...this.#shown.keys()].slice(0, -MOST)) this.putAway(oldest);
  }

  // What lies at the end of the page can be scrolled out from under a notice that stays, and so can what has the focus.
  #makeRoom() {
    const height = this.#shown.size ? `${this.container.offsetHeight}px` : "";
    document.body.style.paddingBottom = height;
    document.documentElement.style.scrollPaddingBottom = height;
  }

  // Whoever is reading it, or has the focus in it, is given the time.
  #leaveAlone(key, node) {
    setTimeout(() => {
      if (this.#shown.get(key) !== node) return;
      if (node.matches(":hover, :focus-within")) this.#leaveAlone(key, node);
      else this.putAway(key);
    }, GOOD_NEWS_MS);
  }

  /** Takes a notice away, if it is there. */
  putAway(key) {
    this.#shown.get(key)?.remove();
    this.#shown.delete(key);
    this.#makeRoom();
  }
}
