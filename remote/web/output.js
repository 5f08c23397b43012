// What a script has said, in a box that follows its end unless somebody has scrolled up to read.

import { button, element } from "./dom.js";

const NEAR_PX = 24;

/** What a script says to people; where it is, it says to the bar. */
function spoken(text) {
  return text.replace(/^(PHASE|PROGRESS):.*(\n|$)/gm, "");
}

/** The two streams as blocks, for output that does not grow any more. */
export function printed(output, error, label) {
  const pre = element("pre", { tabindex: "0", role: "group", "aria-label": label });
  for (const [stream, text] of [["stdout", output], ["stderr", error]]) {
    if (spoken(text ?? "")) pre.append(element("span", { class: stream, text: spoken(text) }));
  }
  return pre.childElementCount ? pre : null;
}

/** The growing output of one script. */
export class Output {
  #shown = [];
  #following = true;

  constructor(label) {
    // No live region: a script says hundreds of lines, and a screen reader would say nothing else.
    this.pre = element("pre", { tabindex: "0", role: "group", "aria-label": label, "data-testid": "output" });
    this.follow = button("Follow the end", () => this.#end(), { class: "small follow", hidden: true });
    this.node = element("div", { class: "output", hidden: true }, this.pre, this.follow);
    this.pre.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.pre;
      this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      this.follow.hidden = this.#following;
    });
  }

  update(chunks) {
    if (chunks === this.#shown) return;
    this.node.hidden = !chunks.some((chunk) => spoken(chunk.text));
    chunks.forEach((chunk, index) => this.#put(chunk, index));
    while (this.pre.childElementCount > chunks.length) this.pre.lastChild.remove();
    this.#shown = chunks;
    if (this.#following) this.pre.scrollTop = this.pre.scrollHeight;
  }

  // What grew is appended, not replaced: a selection somebody makes in it survives.
  #put(chunk, index) {
    const known = this.#shown[index];
    if (known === chunk) return;
    const span = this.pre.children[index] ?? this.pre.appendChild(element("span"));
    span.className = chunk.stream;
    const [before, text] = [spoken(known?.text ?? ""), spoken(chunk.text)];
    if (known?.stream === chunk.stream && text.startsWith(before)) {
      span.append(text.slice(before.length));
    } else {
      span.textContent = text;
    }
  }

  #end() {
    this.pre.scrollTop = this.pre.scrollHeight;
    this.pre.focus({ preventScroll: true });
  }
}
