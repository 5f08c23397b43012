// One sentence on how things stand, the quieter one below it, and the title of the tab.

import { element, say } from "./dom.js";
import { showTime } from "./times.js";
import { headlineWords, listed } from "./texts.js";

const COUNTS = ["No updates are", "One update is", "Two updates are", "Three updates are"];

/** The sentence; the first line of the table that applies. */
export function headline(state) {
  return SENTENCES.find(([applies]) => applies(state))[1](state);
}

const SENTENCES = [
  [(s) => s.connection.phase === "refused", () => "Who is there?"],
  [(s) => !s.checked && s.connection.phase === "waiting", () => "The device cannot be reached"],
  [(s) => !s.checked && s.connection.phase === "open", () => "One moment…"],
  [(s) => !s.checked, () => "Connecting…"],
  [(s) => underWay(s).length > 1, (s) => `${underWay(s).length} things are under way`],
  [(s) => underWay(s).length > 0, (s) => headlineWords(underWay(s)[0], name(s, underWay(s)[0]))],
  [(s) => down(s).length > 0, (s) => `${listed(down(s))} ${down(s).length > 1 ? "are" : "is"} not running`],
  [(s) => waiting(s).length > 0, (s) => `${COUNTS[waiting(s).length] ?? `${waiting(s).length} updates are`} ready`],
  [(s) => parts(s).length === 0, () => "There are no components here"],
  [(s) => parts(s).some((part) => !part.latest || !part.current), () => "Not everything is known yet"],
  [() => true, () => "Everything is up to date"],
];

/** The title of the tab: what is going on, for whoever looks at another one meanwhile. */
export function title(state) {
  const [entry] = underWay(state);
  const percent = typeof entry?.percent === "number" ? ` ${Math.round(entry.percent)} %` : "";
  const news = entry ? `${name(state, entry)}${percent} · ` : "";
  return `${news}DuneBugger updates`;
}

/** Shows both. */
export function showHeadline(state, { heading, subline }) {
  const sentence = headline(state);
  if (heading.textContent !== sentence) heading.replaceChildren(...whole(sentence, parts(state)));
  if (document.title !== title(state)) document.title = title(state);
  const device = state.system?.device_id ?? state.system?.os?.hostname ?? "";
  if (!subline.firstChild) subline.append(element("span"), element("time"));
  const [words, time] = subline.children;
  const oldest = oldestCheck(state);
  say(words, [device, oldest ? "last checked " : ""].filter(Boolean).join(" · "));
  showTime(time, oldest);
}

// The sentence with the names of components as elements of their own, which the style keeps in one piece.
function whole(sentence, components) {
  const label = components.map((part) => part.display_name).find((text) => text && sentence.includes(text));
  if (!label) return [sentence];
  const [before, ...after] = sentence.split(label);
  return [before, element("span", { text: label }), after.join(label)];
}

function parts(state) {
  return Object.values(state.components);
}

function underWay(state) {
  return Object.values(state.underWay);
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

// The oldest of all: a sentence on everything is only as young as what it knows least about.
function oldestCheck(state) {
  const times = parts(state).map((part) => part.last_checked);
  return times.length && times.every(Boolean) ? times.reduce((a, b) => (Date.parse(a) < Date.parse(b) ? a : b)) : null;
}
