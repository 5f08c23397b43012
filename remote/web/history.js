// Request history, newest first; each row opens to its details.

import { element, icon, setChildren, setText } from "./dom.js";
import { outputBlock } from "./output.js";
import { exact, showTime } from "./times.js";
import { describeResult, reasonText, requestText } from "./texts.js";

const PAGE = 15;

export class History {
  #rows = new Map(); // request_id -> {content, node}: an unchanged row keeps its node, open or not
  #limit = PAGE;

  constructor({ rows, none, more, filter }) {
    Object.assign(this, { rows, none, more, filter });
    filter.addEventListener("change", () => this.#show());
    more.addEventListener("click", () => {
      const next = this.rows.childElementCount;
      this.#limit += PAGE;
      this.#show();
      this.rows.children[next]?.querySelector("summary").focus(); // the button may be hidden now
    });
  }

  update(state) {
    if (state.history === null) return;
    if (state.history === this.entries && state.components === this.components) return;
    this.entries = state.history;
    this.components = state.components;
    this.#updateFilter();
    this.#show();
  }

  #updateFilter() {
    const names = new Set([...Object.keys(this.components), ...this.entries.map((entry) => entry.component)]);
    const options = [...names].filter(Boolean)
      .map((name) => element("option", { value: name, text: this.#label(name) }));
    const content = (list) => list.map(({ value, text }) => `${value} ${text}`).join();
    if (content([...this.filter.options].slice(1)) === content(options)) return;
    const chosen = this.filter.value;
    this.filter.replaceChildren(this.filter.options[0], ...options);
    this.filter.value = names.has(chosen) ? chosen : "";
  }

  #show() {
    if (!this.entries) return;
    const wanted = this.entries.filter((entry) => !this.filter.value || entry.component === this.filter.value);
    const rows = wanted.slice(0, this.#limit).map((entry) => this.#row(entry));
    setChildren(this.rows, rows);
    this.none.hidden = wanted.length > 0;
    this.more.hidden = wanted.length <= this.#limit;
    setText(this.more, `Show more (${wanted.length - rows.length})`);
  }

  #label(name) {
    return this.components[name]?.display_name ?? name;
  }

  #row(entry) {
    const content = JSON.stringify([entry, this.#label(entry.component)]);
    const known = this.#rows.get(entry.request_id);
    if (known?.content === content) return known.node;
    const names = { "data-testid": "history-row", "data-request": entry.request_id };
    const node = element("li", names, this.#details(entry));
    node.firstChild.open = known?.node.firstChild.open ?? false;
    this.#rows.set(entry.request_id, { content, node });
    return node;
  }

  #details(entry) {
    const { tone, title } = describeResult(entry);
    const when = element("time", { class: "when" });
    showTime(when, entry.asked_at);
    return element(
      "details", { class: "row" },
      element("summary", {},
        element("span", { class: `how ${tone}` }, icon(tone), element("span", { text: title })),
        element("span", { class: "who", text: this.#label(entry.component) }),
        element("span", { class: "what", text: requestText(entry) }),
        when, icon("chevron", "turn")),
      details(entry),
    );
  }
}

function details(entry) {
  const reason = reasonText(entry.reason);
  const output = outputBlock(entry.output, entry.error, "Output of the script");
  const finished = entry.finished_at ? `, finished ${exact(entry.finished_at)}` : "";
  return element(
    "div", { class: "row-body" },
    reason ? element("p", { class: "lead", "data-testid": "reason", text: reason }) : null,
    entry.message ? element("p", { class: reason ? "soft" : "lead", text: entry.message }) : null,
    output ? element("div", {}, element("h3", { text: "Script output" }), output) : null,
    element("p", { class: "id" },
      `Requested ${exact(entry.asked_at)}${finished}`, element("br"), `Request ${entry.request_id}`),
  );
}
