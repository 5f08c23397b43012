// What is under way for one component: the state in words, the phase, a bar, the time, and the output as it comes.

import { element, icon, mark, say } from "./dom.js";
import { Output } from "./output.js";
import { now, stopwatch } from "./times.js";
import { stateWords, underWayWords } from "./texts.js";

/** The panel of one request; `update` shows its state, `tick` lets its clock run. */
export class Progress {
  #begun = null;

  /** @param {string} label  the name of the component
      @param {(words: string) => void} announce  reads a change of phase to whoever cannot see it */
  constructor(label, announce) {
    this.label = label;
    this.announce = announce;
    this.title = element("h3");
    this.phase = element("b", { "data-testid": "phase" });
    this.percent = element("span", { "data-testid": "percent" });
    this.elapsed = element("span", { "data-testid": "elapsed" });
    this.fill = element("div", { class: "fill" });
    this.track = element("div", {
      class: "track", role: "progressbar", "aria-label": `Progress of ${label}`,
      "aria-valuemin": "0", "aria-valuemax": "100",
    }, this.fill);
    this.away = element("p", { class: "away", "data-testid": "away", hidden: true });
    this.output = new Output(`Output of the script of ${label}`);
    this.node = element(
      "div", { class: "progress", "data-testid": "progress" },
      element("div", { class: "progress-head" }, icon("busy", "turning"), this.title),
      element("div", { class: "progress-line" }, this.phase, element("span", {}, this.percent, this.elapsed)),
      this.track, this.away, this.output.node,
    );
  }

  /** @param {object} entry  the progress, or what was asked and has not shown up yet
      @param {string|null} begun  when it began (ISO 8601)
      @param {string|null} away  what to say of the missing connection */
  update(entry, begun, away) {
    this.#begun = begun;
    const words = underWayWords(entry, entry.before);
    const state = stateWords(entry.state ?? "submitted");
    const phase = entry.phase && entry.state === "running" ? entry.phase : state;
    if (this.phase.textContent !== phase || this.title.textContent !== words) this.announce(`${words}: ${phase}`);
    say(this.title, words);
    say(this.phase, phase);
    this.#bar(entry, phase);
    this.node.classList.toggle("undoing", entry.state === "failed");
    mark(this.node, "data-state", entry.state ?? "asked");
    this.away.hidden = away === null;
    say(this.away, away ?? "");
    this.output.update(entry.script?.chunks ?? []);
    this.tick();
  }

  tick() {
    say(this.elapsed, this.#begun ? stopwatch(now() - Date.parse(this.#begun)) : "");
  }

  #bar({ percent, state }, phase) {
    // While it is being undone, how far the doing had come says nothing.
    const known = typeof percent === "number" && state !== "failed";
    const value = known ? Math.min(100, Math.max(0, Math.round(percent))) : null;
    this.track.classList.toggle("unknown", !known);
    this.fill.style.width = known ? `${value}%` : "";
    mark(this.track, "aria-valuenow", value);
    mark(this.track, "aria-valuetext", known ? `${value} %, ${phase}` : phase);
    say(this.percent, known ? `${value} % · ` : "");
  }
}
