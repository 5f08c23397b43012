// What may be done now, and why not: pure questions to the state. The server decides; this spares people a refusal.

import { REMOTE, actionWords } from "./texts.js";

/** What is under way for a component, or was asked for and has not shown up yet. */
export function busy(state, name) {
  const running = Object.values(state.underWay).find((entry) => entry.component === name);
  return running ?? state.asked[name] ?? null;
}

/** Why `action` cannot be asked for `name` now, as a sentence; null when it can. */
export function obstacle(state, name, action) {
  const going = busy(state, name);
  if (going) return `${actionWords(going.action)} under way: one thing at a time.`;
  if (state.connection.phase !== "open") return "Not connected.";
  const remote = state.components[REMOTE];
  if (action === "update" && name !== REMOTE && remote?.update_available) {
    return `Update ${remote.display_name ?? "dunebugger-remote"} first.`;
  }
  return null;
}

/** Whether the loss of the connection is to be expected, because what serves the page is being replaced. */
export function replacingServer(state) {
  const entry = Object.values(state.underWay).find(({ component }) => component === REMOTE);
  return entry !== undefined && entry.action !== "health";
}

/** The last thing that ended for a component, of what the history knows; a good check after an update is part of it. */
export function lastEnded(state, name) {
  const isTold = (entry) => entry.component === name && entry.success !== null && !(entry.automatic && entry.success);
  return (state.history ?? []).find(isTold) ?? null;
}
