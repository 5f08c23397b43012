// Result panel of a request on its component's card, until it is dismissed or a new request starts.

import { element, icon } from "./dom.js";
import { outputBlock } from "./output.js";
import { describeResult, reasonText } from "./texts.js";

const LATE = "The answer came after the time limit.";

/** Returns the panel of a result. */
export function outcome(entry, label, onDismiss) {
  const { tone, title } = describeResult(entry);
  const close = element("button", {
    type: "button", class: "close", "aria-label": `Dismiss the result of ${label}`, onclick: onDismiss,
  }, icon("close"));
  const bad = tone !== "good";
  const output = outputBlock(entry.output, entry.error, `Output of the script of ${label}`);
  return element(
    "div", { class: `outcome ${tone}`, "data-testid": "result", "data-tone": tone },
    element("div", { class: "outcome-head" }, icon(tone), element("h3", { text: title }), close),
    bad && reasonText(entry.reason) ? element("p", { text: reasonText(entry.reason) }) : null,
    entry.message ? element("p", { class: "said", text: entry.message }) : null,
    entry.late ? element("p", { class: "said", text: LATE }) : null,
    output ? element("details", {}, summary("Script output"), output) : null,
  );
}

/** Returns the summary of a <details>. */
export function summary(text) {
  return element("summary", {}, icon("chevron", "turn"), text);
}
