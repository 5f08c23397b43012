// Component cards. A card is built once and then updated in place: focus, open notes and selections stay.

import { button, element, icon, setAttribute, setChildren, setIcon, setText } from "./dom.js";
import { link, renderNotes, safeUrl } from "./release_notes.js";
import { outcome, summary } from "./outcome.js";
import { Progress } from "./progress.js";
import { activeRequest, disabledReason, isServerBeingReplaced, latestFinished } from "./rules.js";
import { showTime } from "./times.js";
import { describeResult, RUNNING, sourceText } from "./texts.js";

const WITH_ICON = new Set(["core", "scheduler", "remote"]);
export const BUTTONS = { update: "Update", rollback: "Roll back", health: "Health" };
const AWAY = "The server of this page is being replaced. "
  + "The page reconnects automatically when the new version is running.";
const LOST = "Not connected. The host continues, and the page shows the result after reconnecting.";

/** All cards. @param {{confirm: function, dismiss: function, announce: function}} handlers */
export class Cards {
  #cards = new Map();

  constructor(container, handlers) {
    this.container = container;
    this.handlers = handlers;
  }

  update(state) {
    const names = Object.keys(state.components);
    for (const name of names) {
      if (!this.#cards.has(name)) this.#cards.set(name, new Card(name, state.components[name], this.handlers));
    }
    const cards = names.map((name) => this.#cards.get(name));
    setChildren(this.container, cards.map((card) => card.node)); // first: it cannot be scrolled outside the document
    for (const card of cards) card.update(state);
  }

  tick() {
    for (const card of this.#cards.values()) card.tick();
  }
}

class Card {
  #notes = null; // the text shown
  #result = null; // the outcome shown
  #progress = null;

  constructor(name, { display_name }, handlers) {
    this.name = name;
    this.label = display_name ?? name;
    this.handlers = handlers;
    this.#build();
  }

  update(state) {
    const part = state.components[this.name];
    this.#showHealth(part);
    this.#showVersions(part);
    this.#showReleaseNotes(part);
    this.#showCheck(part);
    this.#showActions(state, part);
    this.#showProgress(state);
    this.#showOutcome(state);
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
    this.buttons = Object.fromEntries(Object.keys(BUTTONS).map((action) => [action, this.#button(action)]));
    this.node = element(
      "article", { class: "card panel", "data-component": this.name, "data-testid": "card", "aria-labelledby": title },
      element("div", { class: "card-head" },
        element("span", { class: "badge" }, icon(WITH_ICON.has(this.name) ? this.name : "part")),
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
    const label = BUTTONS[action];
    return button(label, () => this.handlers.confirm(this.name, action), {
      class: action === "update" ? "button primary" : "button",
      "aria-label": `${label} ${this.label}`, "aria-describedby": `why-${this.name}`, "data-action": action,
    });
  }

  #showHealth({ running, running_since, running_how }) {
    const { icon: drawing, text } = RUNNING[String(running ?? null)];
    setAttribute(this.running, "data-running", String(running ?? null));
    setIcon(this.runs.firstChild, drawing);
    setText(this.runs.lastChild, text);
    setText(this.how, sourceText(running_how, running));
    showTime(this.since, running_how === "itself" ? null : running_since); // this page itself shows that it runs
  }

  #showVersions({ current, latest, update_available, error }) {
    setText(this.current, current ?? "not known");
    this.current.classList.toggle("word", !current);
    const differs = Boolean(update_available) || !latest;
    this.arrow.toggleAttribute("hidden", !differs);
    this.next.hidden = !differs;
    setText(this.latest, latest ?? "not known");
    this.latest.classList.toggle("word", !latest);
    const [tone, drawing, text] = update_available ? ["new", "new", "Update available"]
      : latest && current ? ["good", "good", "Up to date"]
        : ["unknown", "unknown", error ? "Could not check" : "Not checked yet"];
    this.pill.className = `pill ${tone}`;
    setIcon(this.pill.firstChild, drawing);
    setText(this.pill.lastChild, text);
  }

  #showReleaseNotes({ latest, release_notes, release_url }) {
    const address = safeUrl(release_url ?? "");
    const shown = JSON.stringify([latest, release_notes, address]);
    if (shown === this.#notes) return;
    this.#notes = shown;
    this.notes.hidden = !release_notes?.trim();
    this.notesTitle.lastChild.textContent = `What is in ${latest ?? "the latest release"}`;
    this.notesBody.replaceChildren(renderNotes(release_notes ?? ""));
    this.release.replaceChildren();
    if (address) {
      this.release.append(link(address, "Release page", {
        class: "release", "aria-label": `Release page of ${this.label} ${latest ?? ""}`.trim(),
      }));
      this.release.firstChild.append(icon("out"));
    }
  }

  #showCheck({ last_checked, error }) {
    setText(this.checked.firstChild, last_checked ? "Checked " : "Never checked for updates.");
    showTime(this.checkedAt, last_checked);
    this.checkTrouble.hidden = !error;
    setText(this.checkTrouble, error ? `The latest check failed: ${error}` : "");
  }

  #showActions(state, { latest, update_available }) {
    const reasons = new Set();
    for (const [action, node] of Object.entries(this.buttons)) {
      if (action === "update") {
        node.hidden = !update_available;
        setText(node, `Update to ${latest ?? "the latest version"}`);
        setAttribute(node, "aria-label", `Update ${this.label} to ${latest ?? "the latest version"}`);
      }
      const why = disabledReason(state, this.name, action);
      setAttribute(node, "aria-disabled", why === null ? null : "true");
      if (why !== null && !node.hidden) reasons.add(why);
    }
    this.why.hidden = reasons.size === 0;
    setText(this.why, [...reasons].join(" "));
  }

  #showProgress(state) {
    const entry = activeRequest(state, this.name);
    setAttribute(this.node, "data-busy", entry !== null);
    this.work.hidden = entry === null;
    if (entry === null) {
      this.work.replaceChildren();
      this.#progress = null;
      return;
    }
    if (this.#progress === null) {
      this.#progress = new Progress(this.label, this.handlers.announce);
      this.work.append(this.#progress.node);
    }
    const recorded = (state.history ?? []).find(({ request_id }) => request_id === entry.request_id);
    const replaced = isServerBeingReplaced(state) && this.name === "remote";
    const away = state.connection.phase === "open" ? null : (replaced ? AWAY : LOST);
    this.#progress.update(entry, recorded?.asked_at ?? entry.startedAt ?? entry.at, away);
  }

  #showOutcome(state) {
    const entry = activeRequest(state, this.name) ? null : (state.outcomes[this.name] ?? null);
    if (entry !== this.#result) {
      this.#result = entry;
      this.result.hidden = entry === null;
      const dismiss = () => this.handlers.dismiss(this.name);
      this.result.replaceChildren(...(entry ? [outcome(entry, this.label, dismiss)] : []));
    }
    const last = entry || activeRequest(state, this.name) ? null : latestFinished(state, this.name);
    this.last.hidden = last === null;
    if (last === null) return;
    const { tone, title } = describeResult(last);
    this.last.className = `last ${tone}`;
    setIcon(this.lastIcon, tone);
    setText(this.lastText, title);
    showTime(this.lastAt, last.finished_at);
  }
}
