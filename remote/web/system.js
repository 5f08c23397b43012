// What the device says of itself. Whatever it tells is shown: the unit is told by the end of the name.

import { element } from "./dom.js";
import { duration, exact } from "./times.js";

const GROUPS = { hardware: "Hardware", os: "System", network: "Network", location: "Place" };
const MOST = 14; // facts in a group
const LONGEST = 120; // characters of one

const DEEPEST = 4;
const SHORT = { cpu: "CPU", ram: "RAM", ip: "IP", ips: "IPs", mac: "MAC", os: "OS", id: "id" };

// The end of a name (its unit) -> how the number is said; the first that fits.
const UNITS = [
  [/_bytes$|^(memory|disk|swap)_(total|used|free|available)$/, (value) => size(value)],
  [/_mb$/, (value) => size(value * 1e6)],
  [/_gb$/, (value) => size(value * 1e9)],
  [/_percent$|^percent$/, (value) => `${round(value)} %`],
  [/temperature(_c|_celsius)?$|_c$/, (value) => `${round(value)} °C`],
  [/_mhz$/, (value) => `${round(value)} MHz`],
  [/(^|_)uptime(_s|_seconds)?$|_s$|_seconds$/, (value) => duration(value)],
];
const SUFFIX = /_(bytes|mb|gb|percent|c|celsius|mhz|s|seconds)$/;

/** The facts as groups of label and text; pure. */
export function facts(info) {
  const { device_id: name, location, timestamp } = info;
  const place = typeof location === "string" ? location : null;
  const device = leaves({ name, place, as_of: timestamp ? exact(timestamp) : null });
  const rest = Object.entries(GROUPS).map(([key, title]) => [title, leaves(info[key])]);
  return [["Device", device], ...rest].filter(([, entries]) => entries.length > 0);
}

/** Shows them. */
export function showSystem(state, section, container) {
  section.hidden = state.system === null;
  if (state.system === null || container.shown === state.system) return;
  container.shown = state.system;
  container.replaceChildren(...facts(state.system).map(([title, entries]) => element(
    "div", {}, element("h3", { text: title }),
    element("dl", {}, ...entries.flatMap(([name, value]) => [
      element("dt", { text: name }), element("dd", { text: value }),
    ])),
  )));
}

function leaves(value, path = []) {
  if (value === null || value === undefined || value === "" || path.length > DEEPEST) return [];
  if (typeof value !== "object") return path.length ? [[label(path), text(path, value)]] : [];
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) {
    return value.length ? [[label(path), value.join(", ").slice(0, LONGEST)]] : [];
  }
  const numbered = Array.isArray(value);
  return Object.entries(value).flatMap(([key, item]) => leaves(item, numbered ? path : [...path, key])).slice(0, MOST);
}

function label(path) {
  const words = path.join("_").replace(SUFFIX, "").split("_").filter(Boolean);
  const said = words.map((word) => (Object.hasOwn(SHORT, word) ? SHORT[word] : word)).join(" ");
  return said.charAt(0).toUpperCase() + said.slice(1);
}

function text(path, value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value).slice(0, LONGEST);
  const unit = UNITS.find(([ending]) => ending.test(path.join("_")));
  return unit ? unit[1](value) : String(round(value));
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${round(bytes / 1000 ** power)} ${units[power]}`;
}
