// Relative times, by the server's clock: a device without a real-time clock may be years off.

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const EXACT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const SKEW_MATTERS_MS = 5000; // the Date header has whole seconds, plus the network delay

const UNITS = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

let skew = 0;

/** Sets the clock from the Date header of a response. */
export function setServerClock(header) {
  const serverTime = Date.parse(header ?? "");
  if (Number.isNaN(serverTime)) return;
  const difference = serverTime - Date.now();
  skew = Math.abs(difference) > SKEW_MATTERS_MS ? difference : 0;
}

/** Returns the present time in ms, by the server's clock. */
export function now() {
  return Date.now() + skew;
}

/** Returns "3 minutes ago"; null for an invalid time. */
export function ago(iso, at = now()) {
  const seconds = (at - Date.parse(iso ?? "")) / 1000;
  if (Number.isNaN(seconds)) return null;
  if (Math.abs(seconds) < 45) return "just now";
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length * 0.75) ?? UNITS.at(-1);
  return RELATIVE.format(-Math.round(seconds / size), unit);
}

/** Returns the time to the second, in the local time zone. */
export function exact(iso) {
  const time = Date.parse(iso ?? "");
  return Number.isNaN(time) ? "" : EXACT.format(time);
}

/** Returns an elapsed time such as "1:07" or "2:00:05". */
export function stopwatch(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index ? String(part).padStart(2, "0") : String(part))).join(":");
}

/** Returns a duration in its two largest units, such as "3 days 4 hours". */
export function duration(seconds) {
  const steps = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const parts = [];
  let rest = Math.max(0, Math.round(seconds));
  for (const [unit, size] of steps) {
    const count = Math.floor(rest / size);
    rest %= size;
    if (count) parts.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0 seconds";
}

/** Shows a time in a <time>: relative as text, exact as title. `tick` updates it. */
export function showTime(node, iso) {
  const text = ago(iso);
  node.hidden = text === null;
  if (text === null) {
    node.removeAttribute("datetime"); // otherwise the next tick would show it again
    delete node.dataset.relative;
    return;
  }
  if (node.dateTime !== iso) {
    node.dateTime = iso;
    node.title = exact(iso);
    node.dataset.relative = "";
  }
  if (node.textContent !== text) node.textContent = text;
}

/** Updates all relative times on the page. */
export function tick(root = document) {
  for (const node of root.querySelectorAll("time[data-relative]")) showTime(node, node.dateTime);
}
