// Device information: a table of facts as texts.

import { element } from "./dom.js";
import { duration, exact } from "./times.js";

// Group -> label -> the fact as text; null, undefined or "" if it is not available.
const FACTS = {
  Device: {
    Name: (info) => info.device_id,
    Place: (info) => info.location,
    Model: (info) => info.hardware?.model,
    "As of": (info) => exact(info.timestamp),
  },
  Hardware: {
    Processors: ({ hardware }) => join(" × ", hardware?.cpu?.count, unit(hardware?.cpu?.frequency_mhz, "MHz")),
    Load: ({ hardware }) => join(" · ", unit(hardware?.cpu?.percent, "%"), hardware?.cpu?.load?.map(round).join(", ")),
    Temperature: ({ hardware }) => unit(hardware?.cpu?.temperature_c, "°C"),
    Memory: ({ hardware }) => used(hardware?.memory),
    Swap: ({ hardware }) => used(hardware?.swap),
    Disk: ({ hardware }) => used(hardware?.disk),
  },
  System: {
    Distribution: ({ os }) => os?.distribution,
    Kernel: ({ os }) => join(" ", os?.system, os?.release, os?.machine),
    Python: ({ os }) => os?.python,
    Running: ({ os }) => (Number.isFinite(os?.uptime_s) ? `for ${duration(os.uptime_s)}` : null),
  },
};

/** Returns the facts as groups of label and text; pure. */
export function facts(info) {
  const groups = Object.entries(FACTS).map(([title, group]) => [
    title, Object.entries(group).map(([label, read]) => [label, read(info)]),
  ]);
  return [...groups, ["Network", network(info.network)]]
    .map(([title, entries]) => [title, entries.filter(([, text]) => typeof text === "string" && text !== "")])
    .filter(([, entries]) => entries.length > 0);
}

/** Renders the facts. */
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

// The reachable addresses; loopback and link-local addresses are left out.
function network(info) {
  const interfaces = Object.entries(info?.interfaces ?? {}).map(([name, { addresses }]) => [
    name,
    (addresses ?? []).filter(isReachable).map(({ address }) => address).join(", "),
  ]);
  return [["Host name", info?.host_name], ...interfaces];
}

function isReachable({ kind, address }) {
  return (kind === "ipv4" && !address.startsWith("127.")) || (kind === "ipv6" && !/^(::1$|fe80:)/i.test(address));
}

function used(space) {
  if (!space?.total_bytes) return null;
  return join(" · ", `${size(space.used_bytes)} of ${size(space.total_bytes)}`, unit(space.percent, "%"));
}

function unit(value, name) {
  return Number.isFinite(value) ? `${round(value)} ${name}` : null;
}

function join(between, ...parts) {
  return parts.filter((part) => part !== null && part !== undefined && part !== "").join(between);
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${round(bytes / 1000 ** power)} ${units[power]}`;
}
