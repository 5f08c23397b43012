// What the page says to people: one table per question. The server's own message stands beside it, never instead.

export const REMOTE = "remote"; // the component this page belongs to

const REASONS = {
  unhealthy: "The health check says that it does not work.",
  script_failed: "The script that does the work ended with an error.",
  timeout: "It took longer than it may, and was stopped.",
  interrupted: "The host was interrupted in the middle of it, for example by a power cut.",
  cannot_start: "The host could not start the script. It may be short of disk space, memory or processes.",
  rollback_failed: "Putting the previous version back did not work either. Somebody has to look at the device.",
  script_missing: "The host has no script for this.",
  script_unsafe: "The host refuses to run the script, because others than its administrator could have changed it.",
  invalid_request: "The host did not accept the request as it was written.",
  unknown_component: "Nobody knows a component of this name.",
  invalid_message: "The server could not understand what was asked.",
  no_release: "There is no release that could be installed.",
  up_to_date: "There is nothing newer to install.",
  remote_first: "dunebugger-remote has to be updated first.",
  under_way: "Something else is under way for this component.",
  volume_missing: "The folder shared with the host is not there: the container was started without its volume.",
  not_writable: "The folder shared with the host cannot be written to.",
  coordinator_not_running:
    "The update coordinator on the host is not running, so nobody takes the request. On the device, "
    + "`sudo systemctl start dunebugger-update-coordinator` starts it.",
  no_answer: "The host has not answered in time. It may still be working; its answer is shown when it comes.",
  request_lost: "The request disappeared without an answer. On the device, `sudo update-coordinator history` tells more.",
  cannot_write: "The folder shared with the host is full, or its disk is ill.",
  cannot_keep: "The server cannot write to its own folder, so it did not begin. The disk may be full.",
};

const ACTIONS = { update: "Update", rollback: "Roll back", health: "Health check" };

const UNDER_WAY = {
  update: (version) => `Updating to ${version}`,
  rollback: () => "Putting the previous version back",
  health: () => "Checking its health",
};

const STATES = {
  submitted: "handed over, waiting for the host",
  received: "the host has the request",
  validated: "accepted, waiting for its turn",
  running: "the script is running",
  failed: "did not work, being undone",
};

const HOW = { heartbeat: "heartbeat", "health check": "health check", update: "updated", itself: "serves this page" };

export const RUNNING = {
  true: { icon: "good", text: "Running" },
  false: { icon: "bad", text: "Not running" },
  null: { icon: "unknown", text: "Not known whether it runs" },
};

/** Why something did not succeed, as a sentence; "" where there is nothing to explain. */
export function reasonWords(reason) {
  if (!reason) return "";
  return Object.hasOwn(REASONS, reason) ? REASONS[reason] : `The reason given is “${reason}”.`;
}

/** What was asked, in the history. */
export function askedWords({ action, version, automatic }) {
  if (automatic) return "Health check after it";
  return `${actionWords(action)}${version ? ` to ${version}` : ""}`;
}

export function actionWords(action) {
  return Object.hasOwn(ACTIONS, action ?? "") ? ACTIONS[action] : String(action ?? "Request");
}

export function stateWords(state) {
  return Object.hasOwn(STATES, state ?? "") ? STATES[state] : String(state ?? "");
}

export function howWords(how, running) {
  if (how === "heartbeat" && running === false) return "no heartbeat";
  return how && Object.hasOwn(HOW, how) ? HOW[how] : (how ?? "");
}

const HEADLINES = {
  update: (label, version) => `Updating ${label} to ${version}`,
  rollback: (label) => `Rolling ${label} back`,
  health: (label) => `Checking the health of ${label}`,
};

/** The same as a headline, with the component's name in it. */
export function headlineWords({ action, version, state }, label) {
  if (state === "failed" && action !== "health") return `Undoing the update of ${label}`;
  const words = Object.hasOwn(HEADLINES, action ?? "") ? HEADLINES[action] : () => `${actionWords(action)}: ${label}`;
  return words(label, version ?? "the latest version");
}

/** "Updating to 1.1.0", or that it is being undone. */
export function underWayWords({ action, version, state }, before) {
  if (state === "failed" && action === "update") {
    return `${version ?? "The new version"} did not work: putting ${before ?? "the previous version"} back`;
  }
  const words = Object.hasOwn(UNDER_WAY, action ?? "") ? UNDER_WAY[action] : () => actionWords(action);
  return words(version ?? "the latest version");
}

const ENDED = {
  "update succeeded": ({ version }) => ["good", `Updated to ${version ?? "the latest version"}`],
  "update rolled_back": ({ version, current }) => [
    "warn",
    `${version ?? "The new version"} did not work, ${current ?? "the version before it"} was put back`,
  ],
  "update failed": ({ version }) => ["bad", `The update${version ? ` to ${version}` : ""} did not succeed`],
  "update refused": ({ version }) => ["bad", `The update${version ? ` to ${version}` : ""} was not begun`],
  "rollback succeeded": ({ current }) => ["good", current ? `${current} is back` : "The previous version is back"],
  "rollback failed": () => ["bad", "The previous version could not be put back"],
  "rollback refused": () => ["bad", "The roll back was not begun"],
  "health succeeded": () => ["good", "It is healthy"],
  "health failed": () => ["bad", "It is not healthy"],
  "health refused": () => ["bad", "Its health could not be checked"],
};

const SPECIAL = {
  up_to_date: () => ["good", "It is up to date already"],
  rollback_failed: ({ version }) => [
    "bad",
    `${version ?? "The new version"} did not work, and the version before could not be put back`,
  ],
  no_answer: ({ action }) => ["warn", `No answer yet to the ${actionWords(action).toLowerCase()}`],
};
// Of a health request these say that nobody looked; the component may well be in order.
const NOT_LOOKED = new Set([
  "coordinator_not_running", "volume_missing", "not_writable", "cannot_keep", "script_missing", "script_unsafe",
  "cannot_start", "interrupted", "invalid_request", "invalid_message", "unknown_component", "under_way",
]);

/** How something ended: its tone (good, warn, bad, busy) and a title; `entry` is a result or a line of the history. */
export function endWords(entry) {
  if (entry.success === null || entry.success === undefined) return { tone: "busy", title: underWayWords(entry) };
  if (entry.dry_run) return { tone: entry.success ? "good" : "bad", title: "Tried, without changing anything" };
  const special = entry.action === "rollback" && entry.reason === "rollback_failed" ? null : entry.reason;
  const [tone, title] = Object.hasOwn(SPECIAL, special ?? "") ? SPECIAL[special](entry) : ended(entry);
  return { tone, title };
}

function ended(entry) {
  const unseen = entry.action === "health" && !entry.success && NOT_LOOKED.has(entry.reason);
  const state = unseen ? "refused" : (entry.state ?? (entry.success ? "succeeded" : "refused"));
  const words = ENDED[`${entry.action} ${state}`];
  if (words) return words(entry);
  const what = actionWords(entry.action);
  return entry.success ? ["good", `${what} succeeded`] : ["bad", `${what} did not succeed`];
}

/** "a, b and c". */
export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
