// Times as people say them, by the server's clock: a device without a battery for its clock may be years off.

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const EXACT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const SKEW_MATTERS_MS = 5000; // the Date header has whole seconds and has travelled

const UNITS = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

let skew = 0;

/** Learns the server's clock from the Date header of one of its answers. */
export function learnClock(header) {
  const theirs = Date.parse(header ?? "");
  if (Number.isNaN(theirs)) return;
  const difference = theirs - Date.now();
  skew = Math.abs(difference) > SKEW_MATTERS_MS ? difference : 0;
}

/** Now, in ms, by the server's clock. */
export function now() {
  return Date.now() + skew;
}

/** "3 minutes ago"; null for what is no time. */
export function ago(iso, at = now()) {
  const seconds = (at - Date.parse(iso ?? "")) / 1000;
  if (Number.isNaN(seconds)) return null;
  if (Math.abs(seconds) < 45) return "just now";
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length * 0.75) ?? UNITS.at(-1);
  return RELATIVE.format(-Math.round(seconds / size), unit);
}

/** The same to the second, in the reader's own time zone. */
export function exact(iso) {
  const time = Date.parse(iso ?? "");
  return Number.isNaN(time) ? "" : EXACT.format(time);
}

/** "1:07", "2:00:05": how long something has been going on. */
export function stopwatch(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index ? String(part).padStart(2, "0") : String(part))).join(":");
}

/** "3 days 4 hours": how long something lasts, in its two largest units. */
export function duration(seconds) {
  const steps = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const words = [];
  let rest = Math.max(0, Math.round(seconds));
  for (const [unit, size] of steps) {
    const count = Math.floor(rest / size);
    rest %= size;
    if (count) words.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
    else if (words.length) break;
    if (words.length === 2) break;
  }
  return words.join(" ") || "0 seconds";
}

/** Shows a time in a <time>: relative as text, exact as title. `tick` keeps it true. */
export function showTime(node, iso) {
  const text = ago(iso);
  node.hidden = text === null;
  if (text === null) {
    node.removeAttribute("datetime"); // or the next tick would show it again
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

/** Lets every time on the page grow older. */
export function tick(root = document) {
  for (const node of root.querySelectorAll("time[data-relative]")) showTime(node, node.dateTime);
}
