// Texts for states, actions, reasons and results. The server's message is shown beside them, not replaced.

export const REMOTE = "remote"; // the component that serves this page

export const REASONS = {
  unhealthy: "The health check failed.",
  script_failed: "The script ended with an error.",
  timeout: "It exceeded its time limit and was stopped.",
  interrupted: "The host was interrupted during the request, for example by a power cut.",
  cannot_start: "The host could not start the script. It may be short of disk space, memory or processes.",
  rollback_failed: "The rollback to the previous version failed, too. Check the device.",
  internal_error: "The update coordinator on the host failed repeatedly at this request. Its log shows why.",
  script_missing: "The host has no script for this.",
  script_unsafe: "The host does not run the script, because users other than its administrator can change it.",
  invalid_request: "The host rejected the request as invalid.",
  unknown_component: "There is no component with this name.",
  no_release: "There is no release to install.",
  up_to_date: "There is nothing newer to install.",
  remote_first: "dunebugger-remote must be updated first.",
  under_way: "Another request for this component is in progress.",
  volume_missing: "The folder shared with the host does not exist: the container was started without its volume.",
  not_writable: "The folder shared with the host cannot be written to.",
  coordinator_not_running:
    "The update coordinator on the host is not running. On the device, "
    + "`sudo systemctl start dunebugger-update-coordinator` starts it.",
  no_answer: "The host has not answered in time. It may still be working; its answer is shown when it arrives.",
  request_lost: "The request disappeared without an answer. On the host, `sudo update-coordinator history` shows more.",
  cannot_follow:
    "The server could not follow the request. It may still be in progress; "
    + "`sudo update-coordinator history` on the host shows its result.",
  cannot_write: "The folder shared with the host is full, or its disk fails.",
  cannot_keep: "The server cannot write to its state folder, so the request was not sent. The disk may be full.",
};

export const ACTIONS = { update: "Update", rollback: "Roll back", health: "Health check" };

export const UNDER_WAY = {
  update: (version) => `Updating to ${version}`,
  rollback: () => "Restoring the previous version",
  health: () => "Checking its health",
};

export const STATES = {
  submitted: "submitted, waiting for the host",
  received: "received by the host",
  validated: "accepted, waiting for its turn",
  running: "the script is running",
  failed: "failed, rolling back",
  succeeded: "succeeded",
  rolled_back: "the previous version was restored",
};

export const HOW = {
  heartbeat: "heartbeat",
  "health check": "health check",
  update: "updated",
  itself: "serves this page",
};

export const RUNNING = {
  true: { icon: "good", text: "Running" },
  false: { icon: "bad", text: "Not running" },
  null: { icon: "unknown", text: "Not known whether it runs" },
};

/** Returns the explanation of a reason, as a sentence; "" without a reason. */
export function reasonText(reason) {
  if (!reason) return "";
  return Object.hasOwn(REASONS, reason) ? REASONS[reason] : `The reason is “${reason}”.`;
}

/** Returns the text of a request in the history. */
export function requestText({ action, version, automatic }) {
  if (automatic) return "Automatic health check";
  return `${actionText(action)}${version ? ` to ${version}` : ""}`;
}

export function actionText(action) {
  return Object.hasOwn(ACTIONS, action ?? "") ? ACTIONS[action] : String(action ?? "Request");
}

export function stateText(state) {
  return Object.hasOwn(STATES, state ?? "") ? STATES[state] : String(state ?? "");
}

export function sourceText(how, running) {
  if (how === "heartbeat" && running === false) return "no heartbeat";
  return how && Object.hasOwn(HOW, how) ? HOW[how] : (how ?? "");
}

export const HEADLINES = {
  update: (label, version) => `Updating ${label} to ${version}`,
  rollback: (label) => `Rolling ${label} back`,
  health: (label) => `Checking the health of ${label}`,
};

/** Returns the headline for a request in progress, with the component's name. */
export function progressHeadline({ action, version, state }, label) {
  if (state === "failed" && action !== "health") return `Undoing the update of ${label}`;
  const words = Object.hasOwn(HEADLINES, action ?? "") ? HEADLINES[action] : () => `${actionText(action)}: ${label}`;
  return words(label, version ?? "the latest version");
}

/** Returns the title for a request in progress, such as "Updating to 1.1.0". */
export function progressTitle({ action, version, state }, previousVersion) {
  if (state === "failed" && action === "update") {
    return `${version ?? "The new version"} did not work: restoring ${previousVersion ?? "the previous version"}`;
  }
  const words = Object.hasOwn(UNDER_WAY, action ?? "") ? UNDER_WAY[action] : () => actionText(action);
  return words(version ?? "the latest version");
}

const NOT_CHECKED = () => ["bad", "Its health could not be checked"];

// "action state" of a finished request. Without a state of the host: "refused" if no request was submitted or it was
// withdrawn, else "unknown".
export const ENDED = {
  "update succeeded": ({ version }) => ["good", `Updated to ${version ?? "the latest version"}`],
  "update rolled_back": ({ version, current }) => [
    "warn",
    `${version ?? "The new version"} did not work, ${current ?? "the version before it"} was restored`,
  ],
  "update failed": ({ version }) => ["bad", `The update${version ? ` to ${version}` : ""} did not succeed`],
  "update refused": ({ version }) => ["bad", `The update${version ? ` to ${version}` : ""} was not started`],
  "update unknown": () => ["warn", "It is not known how the update ended"],
  "rollback succeeded": ({ current }) => ["good", `${current ?? "The previous version"} was restored`],
  "rollback failed": () => ["bad", "The previous version could not be restored"],
  "rollback refused": () => ["bad", "The rollback was not started"],
  "rollback unknown": () => ["warn", "It is not known how the rollback ended"],
  "health succeeded": () => ["good", "It is healthy"],
  "health failed": () => ["bad", "It is not healthy"],
  "health refused": NOT_CHECKED,
  "health unknown": NOT_CHECKED,
};

// Results with a title for their reason: "action reason", or the reason alone for every action.
const SPECIAL = {
  "update up_to_date": () => ["good", "It is already up to date"],
  "update rollback_failed": ({ version }) => [
    "bad",
    `${version ?? "The new version"} did not work, and the version before it could not be restored`,
  ],
  no_answer: ({ action }) => ["warn", `No answer yet to the ${actionText(action).toLowerCase()}`],
};
// Reasons of a failed health check that show that the component does not run. Only the history needs them: a
// health_result says it in `running`.
export const NOT_RUNNING = ["unhealthy", "script_failed"];

/** Returns tone (good, warn, bad, busy) and title of a result or a history entry. */
export function describeResult(entry) {
  if (entry.success === null || entry.success === undefined) return { tone: "busy", title: progressTitle(entry) };
  if (entry.dry_run) return { tone: entry.success ? "good" : "bad", title: "Dry run, nothing was changed" };
  const special = [`${entry.action} ${entry.reason}`, `${entry.reason}`].find((key) => Object.hasOwn(SPECIAL, key));
  const [tone, title] = special ? SPECIAL[special](entry) : ended(entry);
  return { tone, title };
}

function ended(entry) {
  const words = ENDED[`${entry.action} ${endState(entry)}`];
  if (words) return words(entry);
  const what = actionText(entry.action);
  return entry.success ? ["good", `${what} succeeded`] : ["bad", `${what} did not succeed`];
}

function endState({ action, success, state, reason, running, request_id }) {
  const none = request_id && reason !== "coordinator_not_running" ? "unknown" : "refused";
  if (success) return state ?? "succeeded";
  if (action !== "health") return state ?? none;
  // An unknown reason says nothing about the component.
  const isDown = running === undefined ? NOT_RUNNING.includes(reason) : running === false;
  return isDown ? "failed" : none;
}

/** Returns "a, b and c". */
export function joinNames(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
