// The cards of the components. A card is built once and then patched: focus, open notes and selections stay.

import { arrange, button, draw, element, icon, mark, say } from "./dom.js";
import { link, notes, safeAddress } from "./release_notes.js";
import { outcome, summary } from "./outcome.js";
import { Progress } from "./progress.js";
import { busy, lastEnded, obstacle, replacingServer } from "./rules.js";
import { showTime } from "./times.js";
import { RUNNING, actionWords, endWords, howWords } from "./texts.js";

const DRAWN = new Set(["core", "scheduler", "remote"]);
const AWAY = "This page's own server is being replaced, so there is no connection for a moment. "
  + "The page will come back by itself when the new version is up.";
const LOST = "Not connected: the host goes on meanwhile, and the page shows how it ended.";

/** All cards. @param {{ask: function, dismiss: function, announce: function}} does */
export class Cards {
  #cards = new Map();

  constructor(container, does) {
    this.container = container;
    this.does = does;
  }

  update(state) {
    const names = Object.keys(state.components);
    for (const name of names) {
      if (!this.#cards.has(name)) this.#cards.set(name, new Card(name, state.components[name], this.does));
    }
    const cards = names.map((name) => this.#cards.get(name));
    arrange(this.container, cards.map((card) => card.node)); // first: what is not on the page cannot be scrolled
    for (const card of cards) card.update(state);
  }

  tick() {
    for (const card of this.#cards.values()) card.tick();
  }
}

class Card {
  #notes = null; // the text that is shown
  #result = null; // the outcome that is shown
  #progress = null;

  constructor(name, { display_name }, does) {
    this.name = name;
    this.label = display_name ?? name;
    this.does = does;
    this.#build();
  }

  update(state) {
    const part = state.components[this.name];
    this.#running(part);
    this.#versions(part);
    this.#releaseNotes(part);
    this.#checked(part);
    this.#actions(state, part);
    this.#working(state);
    this.#ended(state);
  }

  tick() {
    this.#progress?.tick();
  }

  #build() {
    const title = `card-${this.name}`;
    this.runs = element("b", {}, icon("unknown"), element("span"));
    this.how = element("span");
    this.since = element("time");
    const learned = element("span", { class: "soft" }, this.how, " ", this.since);
    this.running = element("p", { class: "running", "data-testid": "running" }, this.runs, learned);
    this.current = element("dd", { "data-testid": "current" });
    this.latest = element("dd", { "data-testid": "latest" });
    this.arrow = icon("arrow");
    this.next = element("div", { class: "next" }, element("dt", { text: "Latest" }), this.latest);
    this.pill = element("p", { class: "pill", "data-testid": "pill" }, icon("good"), element("span"));
    this.notesBody = element("div", { class: "notes-body", tabindex: "0", role: "group" });
    this.notesBody.setAttribute("aria-label", `Release notes of ${this.label}`);
    this.notesTitle = summary("");
    this.notes = element("details", { class: "notes", "data-testid": "notes" }, this.notesTitle, this.notesBody);
    this.release = element("span");
    this.checkedAt = element("time");
    this.checkTrouble = element("p", { class: "check-trouble trouble", "data-testid": "check-error" });
    this.checked = element("span", { class: "soft" }, element("span"), this.checkedAt);
    this.work = element("div", { hidden: true });
    this.result = element("div", { hidden: true });
    this.lastIcon = icon("good");
    this.lastText = element("span");
    this.lastAt = element("time", { class: "soft" });
    this.last = element("p", { class: "last", "data-testid": "last" }, this.lastIcon,
      element("span", {}, this.lastText, " ", this.lastAt));
    this.why = element("p", { class: "why soft", id: `why-${this.name}`, "data-testid": "why" });
    this.buttons = Object.fromEntries(["update", "rollback", "health"].map((action) => [action, this.#button(action)]));
    this.node = element(
      "article", { class: "card panel", "data-component": this.name, "data-testid": "card", "aria-labelledby": title },
      element("div", { class: "card-head" },
        element("span", { class: "badge" }, icon(DRAWN.has(this.name) ? this.name : "part")),
        element("h3", { id: title, text: this.label }), this.running),
      element("dl", { class: "versions" },
        element("div", {}, element("dt", { text: "Installed" }), this.current), this.arrow, this.next),
      this.pill, this.work, this.result,
      element("div", {}, this.notes, element("p", { class: "about" }, this.checked, this.release), this.checkTrouble),
      this.last,
      element("div", { class: "actions" }, ...Object.values(this.buttons)), this.why,
    );
  }

  #button(action) {
    const words = action === "health" ? "Health" : actionWords(action);
    return button(words, () => this.does.ask(this.name, action), {
      class: action === "update" ? "button primary" : "button",
      "aria-label": `${words} ${this.label}`, "aria-describedby": `why-${this.name}`, "data-action": action,
    });
  }

  #running({ running, running_since, running_how }) {
    const { icon: drawing, text } = RUNNING[String(running ?? null)];
    mark(this.running, "data-running", String(running ?? null));
    draw(this.runs.firstChild, drawing);
    say(this.runs.lastChild, text);
    say(this.how, howWords(running_how, running));
    showTime(this.since, running_how === "itself" ? null : running_since); // it runs as surely as this page is here
  }

  #versions({ current, latest, update_available, error }) {
    say(this.current, current ?? "not known");
    this.current.classList.toggle("word", !current);
    const differs = Boolean(update_available) || !latest;
    this.arrow.toggleAttribute("hidden", !differs);
    this.next.hidden = !differs;
    say(this.latest, latest ?? "not known");
    this.latest.classList.toggle("word", !latest);
    const [tone, drawing, text] = update_available ? ["new", "new", "Update available"]
      : latest && current ? ["good", "good", "Up to date"]
        : ["unknown", "unknown", error ? "Could not check" : "Not checked yet"];
    this.pill.className = `pill ${tone}`;
    draw(this.pill.firstChild, drawing);
    say(this.pill.lastChild, text);
  }

  #releaseNotes({ latest, release_notes, release_url }) {
    const address = safeAddress(release_url ?? "");
    const shown = JSON.stringify([latest, release_notes, address]);
    if (shown === this.#notes) return;
    this.#notes = shown;
    this.notes.hidden = !release_notes?.trim();
    this.notesTitle.lastChild.textContent = `What is in ${latest ?? "the latest release"}`;
    this.notesBody.replaceChildren(notes(release_notes ?? ""));
    this.release.replaceChildren();
    if (address) {
      this.release.append(link(address, "Release page", {
        class: "release", "aria-label": `Release page of ${this.label} ${latest ?? ""}`.trim(),
      }));
      this.release.firstChild.append(icon("out"));
    }
  }

  #checked({ last_checked, error }) {
    say(this.checked.firstChild, last_checked ? "Checked " : "Never checked for updates.");
    showTime(this.checkedAt, last_checked);
    this.checkTrouble.hidden = !error;
    say(this.checkTrouble, error ? `The latest check did not succeed: ${error}` : "");
  }

  #actions(state, { latest, update_available }) {
    const reasons = new Set();
    for (const [action, node] of Object.entries(this.buttons)) {
      if (action === "update") {
        node.hidden = !update_available;
        say(node, `Update to ${latest ?? "the latest version"}`);
        mark(node, "aria-label", `Update ${this.label} to ${latest ?? "the latest version"}`);
      }
      const why = obstacle(state, this.name, action);
      mark(node, "aria-disabled", why === null ? null : "true");
      if (why !== null && !node.hidden) reasons.add(why);
    }
    this.why.hidden = reasons.size === 0;
    say(this.why, [...reasons].join(" "));
  }

  #working(state) {
    const entry = busy(state, this.name);
    mark(this.node, "data-busy", entry !== null);
    this.work.hidden = entry === null;
    if (entry === null) {
      this.work.replaceChildren();
      this.#progress = null;
      return;
    }
    if (this.#progress === null) {
      this.#progress = new Progress(this.label, this.does.announce);
      this.work.append(this.#progress.node);
    }
    const noted = (state.history ?? []).find(({ request_id }) => request_id === entry.request_id);
    const replaced = replacingServer(state) && this.name === "remote";
    const away = state.connection.phase === "open" ? null : (replaced ? AWAY : LOST);
    this.#progress.update(entry, noted?.asked_at ?? entry.begun ?? entry.at, away);
  }

  #ended(state) {
    const entry = busy(state, this.name) ? null : (state.outcomes[this.name] ?? null);
    if (entry !== this.#result) {
      this.#result = entry;
      this.result.hidden = entry === null;
      this.result.replaceChildren(...(entry ? [outcome(entry, this.label, () => this.does.dismiss(this.name))] : []));
    }
    const last = entry || busy(state, this.name) ? null : lastEnded(state, this.name);
    this.last.hidden = last === null;
    if (last === null) return;
    const { tone, title } = endWords(last);
    this.last.className = `last ${tone}`;
    draw(this.lastIcon, tone);
    say(this.lastText, title);
    showTime(this.lastAt, last.finished_at);
  }
}
