// How something ended, on the card of its component: until somebody puts it away or begins something new.

import { element, icon } from "./dom.js";
import { printed } from "./output.js";
import { endWords, reasonWords } from "./texts.js";

const LATE = "The answer came late, when nobody was waiting for it any more.";

/** The panel of a result. */
export function outcome(entry, label, onDismiss) {
  const { tone, title } = endWords(entry);
  const close = element("button", {
    type: "button", class: "close", "aria-label": `Put away the result of ${label}`, onclick: onDismiss,
  }, icon("close"));
  const bad = tone !== "good";
  const said = printed(entry.output, entry.error, `Output of the script of ${label}`);
  return element(
    "div", { class: `outcome ${tone}`, "data-testid": "result", "data-tone": tone },
    element("div", { class: "outcome-head" }, icon(tone), element("h3", { text: title }), close),
    bad && reasonWords(entry.reason) ? element("p", { text: reasonWords(entry.reason) }) : null,
    entry.message ? element("p", { class: "said", text: entry.message }) : null,
    entry.late ? element("p", { class: "said", text: LATE }) : null,
    said ? element("details", {}, summary("What the script said"), said) : null,
  );
}

/** The head of something that opens. */
export function summary(text) {
  return element("summary", {}, icon("chevron", "turn"), text);
}
