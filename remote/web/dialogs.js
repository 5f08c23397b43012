// The question before something is done. A native <dialog> keeps the focus inside, closes on Esc, and gives it back.

import { button, element, mark, say } from "./dom.js";

/** The one dialog of the page. */
export class Dialog {
  #onConfirm = null;
  #waitsForTrial = false;

  constructor(node) {
    this.node = node;
    // A click on the backdrop is a click on the dialog itself, not on what lies in it.
    node.addEventListener("click", (event) => event.target === node && this.#isOutside(event) && node.close());
    node.addEventListener("close", () => { this.#onConfirm = null; });
  }

  /** @param {{title: string, lines: string[], confirm: string, tryOut?: boolean}} asked
      @param {{onConfirm: () => void, onTry: () => void}} does */
  open({ title, lines, confirm, tryOut = false }, { onConfirm, onTry }) {
    this.#onConfirm = onConfirm;
    this.#waitsForTrial = false;
    this.tried = element("p", { class: "tried", role: "status", "data-testid": "tried" });
    this.tried.hidden = true;
    this.why = element("p", { class: "why soft", id: "dialog-why", hidden: true });
    // The focus is on what does no harm: a second Enter that was meant for nothing must not begin an update.
    const cancel = button("Cancel", () => this.node.close(), { autofocus: true, "data-testid": "cancel" });
    this.yes = button(confirm, () => this.#confirm(), {
      class: "button primary", "data-testid": "confirm", "aria-describedby": "dialog-why",
    });
    this.trial = tryOut ? button("Try without changing anything", () => this.#try(onTry), {
      class: "button aside", "data-testid": "try",
    }) : null;
    this.node.replaceChildren(
      element("h2", { id: "dialog-title", text: title }),
      element("ul", { id: "dialog-lines" }, ...lines.map((line) => element("li", { text: line }))),
      this.tried, this.why,
      element("div", { class: "dialog-actions" }, ...[this.trial, cancel, this.yes].filter(Boolean)),
    );
    this.node.showModal();
    cancel.focus();
  }

  get isOpen() {
    return this.node.open;
  }

  /** Forbids to confirm while there is a reason not to; null when there is none. */
  forbid(why) {
    for (const node of [this.yes, this.trial]) if (node) mark(node, "aria-disabled", why === null ? null : "true");
    this.why.hidden = why === null;
    say(this.why, why ?? "");
  }

  /** Shows what the trial found. */
  showTrial(message, tone) {
    if (!this.#waitsForTrial) return false;
    this.#waitsForTrial = false;
    this.#tell(message, tone);
    return true;
  }

  #try(onTry) {
    this.#waitsForTrial = true;
    this.#tell("Trying…", "");
    onTry();
  }

  #tell(text, tone) {
    this.tried.hidden = false;
    this.tried.className = `tried ${tone}`.trim();
    say(this.tried, text);
  }

  #confirm() {
    const confirmed = this.#onConfirm;
    this.node.close();
    confirmed?.();
  }

  // Enter on a button fires a click at 0,0: only a pointer can be outside.
  #isOutside({ clientX, clientY, detail }) {
    const { left, right, top, bottom } = this.node.getBoundingClientRect();
    return detail > 0 && (clientX < left || clientX > right || clientY < top || clientY > bottom);
  }
}
