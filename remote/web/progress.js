// Progress panel of one request: state, phase, bar, elapsed time and output.

import { element, icon, setAttribute, setText } from "./dom.js";
import { Output } from "./output.js";
import { now, stopwatch } from "./times.js";
import { progressTitle, stateText } from "./texts.js";

/** Progress panel; `update` shows the state, `tick` the elapsed time. */
export class Progress {
  #startedAt = null;

  /** @param {string} label  the name of the component
      @param {(text: string) => void} announce  announces a change of phase to screen readers */
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

  /** @param {object} entry  the progress, or a request without progress yet
      @param {string|null} startedAt  ISO 8601
      @param {string|null} away  the text about a missing connection */
  update(entry, startedAt, away) {
    this.#startedAt = startedAt;
    const title = progressTitle(entry, entry.previousVersion);
    const state = stateText(entry.state ?? "submitted");
    const phase = entry.phase && entry.state === "running" ? entry.phase : state;
    if (this.phase.textContent !== phase || this.title.textContent !== title) this.announce(`${title}: ${phase}`);
    setText(this.title, title);
    setText(this.phase, phase);
    this.#bar(entry, phase);
    this.node.classList.toggle("undoing", entry.state === "failed");
    setAttribute(this.node, "data-state", entry.state ?? "submitted");
    this.away.hidden = away === null;
    setText(this.away, away ?? "");
    this.output.update(entry.script?.chunks ?? []);
    this.tick();
  }

  tick() {
    setText(this.elapsed, this.#startedAt ? stopwatch(now() - Date.parse(this.#startedAt)) : "");
  }

  #bar({ percent, state }, phase) {
    // During a rollback, the percentage of the update is meaningless.
    const known = typeof percent === "number" && state !== "failed";
    const value = known ? Math.min(100, Math.max(0, Math.round(percent))) : null;
    this.track.classList.toggle("unknown", !known);
    this.fill.style.width = known ? `${value}%` : "";
    setAttribute(this.track, "aria-valuenow", value);
    setAttribute(this.track, "aria-valuetext", known ? `${value} %, ${phase}` : phase);
    setText(this.percent, known ? `${value} % · ` : "");
  }
}
