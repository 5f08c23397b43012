// Headline with the overall state, the line below it, and the title of the tab.

import { element, setText } from "./dom.js";
import { showTime } from "./times.js";
import { joinNames, progressHeadline } from "./texts.js";

const COUNTS = ["No updates are", "One update is", "Two updates are", "Three updates are"];

/** Returns the headline: the first entry of the table that applies. */
export function headline(state) {
  return SENTENCES.find(([applies]) => applies(state))[1](state);
}

const SENTENCES = [
  [(s) => s.connection.phase === "refused", () => "Sign in to continue"],
  [(s) => !s.checked && s.connection.phase === "waiting", () => "The device cannot be reached"],
  [(s) => !s.checked && s.connection.phase === "open", () => "Loading…"],
  [(s) => !s.checked, () => "Connecting…"],
  [(s) => activeRequests(s).length > 1, (s) => `${activeRequests(s).length} requests are in progress`],
  [(s) => activeRequests(s).length > 0, (s) => progressHeadline(activeRequests(s)[0], name(s, activeRequests(s)[0]))],
  [(s) => down(s).length > 0, (s) => `${joinNames(down(s))} ${down(s).length > 1 ? "are" : "is"} not running`],
  [(s) => waiting(s).length > 0, (s) => `${COUNTS[waiting(s).length] ?? `${waiting(s).length} updates are`} ready`],
  [(s) => parts(s).length === 0, () => "There are no components"],
  [(s) => parts(s).some((part) => !part.latest || !part.current), () => "Some versions are not known yet"],
  [() => true, () => "Everything is up to date"],
];

/** Returns the title of the tab, with the progress of a request. */
export function title(state) {
  const [entry] = activeRequests(state);
  const percent = typeof entry?.percent === "number" ? ` ${Math.round(entry.percent)} %` : "";
  const progress = entry ? `${name(state, entry)}${percent} · ` : "";
  return `${progress}DuneBugger updates`;
}

/** Renders all three. */
export function showHeadline(state, { heading, subline }) {
  const sentence = headline(state);
  if (heading.textContent !== sentence) heading.replaceChildren(...withLabel(sentence, parts(state)));
  if (document.title !== title(state)) document.title = title(state);
  const device = state.system?.device_id ?? state.system?.os?.hostname ?? "";
  if (!subline.firstChild) subline.append(element("span"), element("time"));
  const [words, time] = subline.children;
  const oldest = oldestCheck(state);
  setText(words, [device, oldest ? "last checked " : ""].filter(Boolean).join(" · "));
  showTime(time, oldest);
}

// Wraps the component's name in an element of its own, which is not broken at its hyphen.
function withLabel(sentence, components) {
  const label = components.map((part) => part.display_name).find((text) => text && sentence.includes(text));
  if (!label) return [sentence];
  const [before, ...after] = sentence.split(label);
  return [before, element("span", { text: label }), after.join(label)];
}

function parts(state) {
  return Object.values(state.components);
}

function activeRequests(state) {
  return Object.values(state.active);
}

function name(state, { component }) {
  return state.components[component]?.display_name ?? component;
}

function waiting(state) {
  return parts(state).filter((part) => part.update_available);
}

function down(state) {
  return Object.entries(state.components).filter(([, part]) => part.running === false)
    .map(([key, part]) => part.display_name ?? key);
}

// The headline is as old as the oldest of the checks.
function oldestCheck(state) {
  const times = parts(state).map((part) => part.last_checked);
  return times.length && times.every(Boolean) ? times.reduce((a, b) => (Date.parse(a) < Date.parse(b) ? a : b)) : null;
}
