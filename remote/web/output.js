// Script output, in a box that follows the end of the output unless the user has scrolled up.

import { button, element } from "./dom.js";

const NEAR_PX = 24;

/** Returns the output without the lines that control the progress bar. */
function withoutProgressLines(text) {
  return text.replace(/^(PHASE|PROGRESS):.*(\n|$)/gm, "");
}

/** Returns both streams as blocks, for output that no longer grows; null if there is none. */
export function outputBlock(output, error, label) {
  const pre = element("pre", { tabindex: "0", role: "group", "aria-label": label });
  for (const [stream, text] of [["stdout", output], ["stderr", error]]) {
    const shown = withoutProgressLines(text ?? "");
    if (shown) pre.append(element("span", { class: stream, text: shown }));
  }
  return pre.childElementCount ? pre : null;
}

/** Growing output of one script. */
export class Output {
  #shown = [];
  #following = true;

  constructor(label) {
    // Not a live region: a screen reader would read hundreds of lines.
    this.pre = element("pre", { tabindex: "0", role: "group", "aria-label": label, "data-testid": "output" });
    this.follow = button("Scroll to the end", () => this.#scrollToEnd(), { class: "small follow", hidden: true });
    this.node = element("div", { class: "output", hidden: true }, this.pre, this.follow);
    this.pre.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.pre;
      this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      this.follow.hidden = this.#following;
    });
  }

  update(chunks) {
    if (chunks === this.#shown) return;
    this.node.hidden = !chunks.some((chunk) => withoutProgressLines(chunk.text));
    chunks.forEach((chunk, index) => this.#updateChunk(chunk, index));
    while (this.pre.childElementCount > chunks.length) this.pre.lastChild.remove();
    this.#shown = chunks;
    if (this.#following) this.pre.scrollTop = this.pre.scrollHeight;
  }

  // New text is appended, not replaced, so that a selection stays.
  #updateChunk(chunk, index) {
    const known = this.#shown[index];
    if (known === chunk) return;
    const span = this.pre.children[index] ?? this.pre.appendChild(element("span"));
    span.className = chunk.stream;
    const [before, text] = [withoutProgressLines(known?.text ?? ""), withoutProgressLines(chunk.text)];
    if (known?.stream === chunk.stream && text.startsWith(before)) {
      span.append(text.slice(before.length));
    } else {
      span.textContent = text;
    }
  }

  #scrollToEnd() {
    this.pre.scrollTop = this.pre.scrollHeight;
    this.pre.focus({ preventScroll: true });
  }
}
