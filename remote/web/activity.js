// Activity log of the server: a list that is closed until it is opened.

import { element, setChildren, setText } from "./dom.js";
import { showTime } from "./times.js";

const LEVELS = { warning: "Warning", error: "Error" };

export class Activity {
  #nodes = new Map(); // line -> node

  constructor({ section, lines, count }) {
    Object.assign(this, { section, lines, count });
  }

  update({ activity }) {
    this.section.hidden = activity.length === 0;
    setText(this.count, activity.length === 1 ? "1 line" : `${activity.length} lines`);
    const nodes = new Map(activity.map((line) => [line, this.#nodes.get(line) ?? row(line)]));
    this.#nodes = nodes;
    setChildren(this.lines, [...nodes.values()]);
  }
}

function row({ message, level, at }) {
  const time = element("time", { class: "soft" });
  showTime(time, at);
  const known = Object.hasOwn(LEVELS, level ?? "") ? LEVELS[level] : null;
  return element("li", { class: known ? level : "info" }, known ? element("b", { text: known }) : null,
    element("span", { text: message }), time);
}
