// Access token: its storage, and whether the server accepts it.

import { setServerClock } from "./times.js";

const KEY = "dunebugger.token";
const TIMEOUT_MS = 10000;

let inMemory = null; // for browsers without storage

/** Returns the stored token, or null. */
export function token() {
  return withStorage(() => sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY)) ?? inMemory;
}

/** Stores a token: until this tab is closed, or on this device. */
export function storeToken(value, onDevice) {
  removeToken();
  inMemory = value;
  withStorage(() => (onDevice ? localStorage : sessionStorage).setItem(KEY, value));
}

export function removeToken() {
  inMemory = null;
  withStorage(() => sessionStorage.removeItem(KEY));
  withStorage(() => localStorage.removeItem(KEY));
}

/** Asks GET /session: returns "accepted", "refused" (the token is missing or wrong), or "away" (any other answer). */
export async function checkSession() {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  try {
    const answer = await fetch("/session", { headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    setServerClock(answer.headers.get("date"));
    if (answer.ok) return "accepted";
    return answer.status === 401 ? "refused" : "away";
  } catch {
    return "away"; // not reachable, or too slow: both are retried
  }
}

/** Returns the subprotocols with the token: a browser's WebSocket cannot send the Authorization header. */
export function protocols() {
  if (!token()) return ["dunebugger"];
  const bytes = String.fromCharCode(...new TextEncoder().encode(token()));
  const encoded = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["dunebugger", `bearer.${encoded}`];
}

// Storage access throws if the browser blocks it.
function withStorage(access) {
  try {
    return access();
  } catch {
    return null;
  }
}
