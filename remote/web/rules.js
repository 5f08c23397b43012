// Which actions are possible now: pure functions of the state. The server decides; this avoids rejected requests.

import { actionText, REMOTE } from "./texts.js";

/** Returns the request of a component that is in progress, or was sent and has no progress yet; null if none. */
export function activeRequest(state, name) {
  const running = Object.values(state.active).find((entry) => entry.component === name);
  return running ?? state.requested[name] ?? null;
}

/** Returns the reason why `action` is not possible now, as a sentence; null if it is possible. */
export function disabledReason(state, name, action) {
  const active = activeRequest(state, name);
  if (active) return `${actionText(active.action)} in progress: wait until it has finished.`;
  if (state.connection.phase !== "open") return "Not connected.";
  const remote = state.components[REMOTE];
  if (action === "update" && name !== REMOTE && remote?.update_available) {
    return `Update ${remote.display_name ?? "dunebugger-remote"} first.`;
  }
  return null;
}

/** Whether a disconnect is expected, because the server of the page is being replaced. */
export function isServerBeingReplaced(state) {
  const entry = Object.values(state.active).find(({ component }) => component === REMOTE);
  return entry !== undefined && entry.action !== "health";
}

/** Returns the latest finished request of a component; a good automatic check counts as part of its update. */
export function latestFinished(state, name) {
  const isShown = (entry) => entry.component === name && entry.success !== null && !(entry.automatic && entry.success);
  return (state.history ?? []).find(isShown) ?? null;
}
