// The access token: where it is kept, and whether the server takes it.

import { learnClock } from "./times.js";

const KEY = "dunebugger.token";
const PATIENCE_MS = 10000;

let inMemory = null; // where the browser keeps nothing for us

/** The token that was entered before, or null. */
export function token() {
  return attempt(() => sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY)) ?? inMemory;
}

/** Keeps a token: until this tab is closed, or on this device. */
export function keep(value, onDevice) {
  forget();
  inMemory = value;
  attempt(() => (onDevice ? localStorage : sessionStorage).setItem(KEY, value));
}

export function forget() {
  inMemory = null;
  attempt(() => sessionStorage.removeItem(KEY));
  attempt(() => localStorage.removeItem(KEY));
}

/** What GET /session says: "welcome", "refused" (the token is missing or wrong), or "away" (no such answer). */
export async function knock() {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  try {
    const answer = await fetch("/session", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    learnClock(answer.headers.get("date"));
    if (answer.ok) return "welcome";
    return answer.status === 401 ? "refused" : "away";
  } catch {
    return "away"; // not reachable, or too slow: both are mended by trying again
  }
}

/** The subprotocols that carry the token: a browser's WebSocket cannot send the Authorization header. */
export function protocols() {
  if (!token()) return ["dunebugger"];
  const bytes = String.fromCharCode(...new TextEncoder().encode(token()));
  const encoded = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["dunebugger", `bearer.${encoded}`];
}

// Storage throws where a browser is set to keep nothing.
function attempt(what) {
  try {
    return what();
  } catch {
    return null;
  }
}
