// Confirmation dialog. A native <dialog> traps the focus, closes on Esc, and restores the focus.

import { button, element, setAttribute, setText } from "./dom.js";

/** The one dialog of the page. */
export class Dialog {
  #onConfirm = null;
  #isDryRunPending = false;

  constructor(node) {
    this.node = node;
    // A click on the backdrop targets the dialog itself, not its content.
    node.addEventListener("click", (event) => event.target === node && this.#isOutside(event) && node.close());
    node.addEventListener("close", () => { this.#onConfirm = null; });
  }

  /** @param {{title: string, lines: string[], confirm: string, dryRun?: boolean}} texts
      @param {{onConfirm: () => void, onDryRun: () => void}} handlers */
  open({ title, lines, confirm, dryRun = false }, { onConfirm, onDryRun }) {
    this.#onConfirm = onConfirm;
    this.#isDryRunPending = false;
    this.dryRunResult = element("p", { class: "tried", role: "status", "data-testid": "tried" });
    this.dryRunResult.hidden = true;
    this.why = element("p", { class: "why soft", id: "dialog-why", hidden: true });
    // The focus is on Cancel: an accidental second Enter must not start an update.
    const cancel = button("Cancel", () => this.node.close(), { autofocus: true, "data-testid": "cancel" });
    this.yes = button(confirm, () => this.#confirm(), {
      class: "button primary", "data-testid": "confirm", "aria-describedby": "dialog-why",
    });
    this.dryRunButton = dryRun ? button("Try without changing anything", () => this.#startDryRun(onDryRun), {
      class: "button aside", "data-testid": "try",
    }) : null;
    this.node.replaceChildren(
      element("h2", { id: "dialog-title", text: title }),
      element("ul", { id: "dialog-lines" }, ...lines.map((line) => element("li", { text: line }))),
      this.dryRunResult, this.why,
      element("div", { class: "dialog-actions" }, ...[this.dryRunButton, cancel, this.yes].filter(Boolean)),
    );
    this.node.showModal();
    cancel.focus();
  }

  get isOpen() {
    return this.node.open;
  }

  /** Disables the confirmation while there is a reason; null enables it. */
  disable(why) {
    for (const node of [this.yes, this.dryRunButton].filter(Boolean)) {
      setAttribute(node, "aria-disabled", why === null ? null : "true");
    }
    this.why.hidden = why === null;
    setText(this.why, why ?? "");
  }

  /** Shows the result of the dry run; returns false if none is pending. */
  showDryRun(message, tone) {
    if (!this.#isDryRunPending) return false;
    this.#isDryRunPending = false;
    this.#showMessage(message, tone);
    return true;
  }

  #startDryRun(onDryRun) {
    this.#isDryRunPending = true;
    this.#showMessage("Trying…", "");
    onDryRun();
  }

  #showMessage(text, tone) {
    this.dryRunResult.hidden = false;
    this.dryRunResult.className = `tried ${tone}`.trim();
    setText(this.dryRunResult, text);
  }

  #confirm() {
    const confirmed = this.#onConfirm;
    this.node.close();
    confirmed?.();
  }

  // Enter on a button fires a click at 0,0: only a pointer click can be outside.
  #isOutside({ clientX, clientY, detail }) {
    const { left, right, top, bottom } = this.node.getBoundingClientRect();
    return detail > 0 && (clientX < left || clientX > right || clientY < top || clientY > bottom);
  }
}
