// WebSocket that reconnects automatically and resumes after the last received event.

import { checkSession, protocols } from "./session.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
const OPENING_MS = 10000;
const QUIET_MS = 25000; // without a message for this time, a heartbeat is requested
const ANSWER_MS = 8000; // time limit for its answer

export class Connection {
  #socket = null;
  #last = null; // number of the last received event
  #attempts = 0;
  #retryTimer = null;
  #heartbeatTimer = null; // of the next heartbeat, or of its time limit
  #stopped = true;
  #isAccepted = false; // whether the server has accepted this connection
  #generation = 0; // an attempt that a later one replaced must not change anything

  /**
   * @param {{onMessage: (message: object) => void, onPhase: (phase: object) => void,
   *          longestWait?: () => number|null}} listeners  `longestWait`: in ms, while reconnecting is urgent
   */
  constructor({ onMessage, onPhase, longestWait = () => null }) {
    this.onMessage = onMessage;
    this.onPhase = onPhase;
    this.longestWait = longestWait;
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
    window.addEventListener("online", () => this.#wake());
  }

  start() {
    this.#stopped = false;
    this.#attempts = 0;
    return this.#attempt();
  }

  stop() {
    this.#stopped = true;
    this.#close();
  }

  /** Starts the next attempt at once. */
  reconnectNow() {
    if (!this.#stopped && this.#socket === null) this.#attempt();
  }

  /** Sends a message; returns false without a connection. */
  send(subject, body) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ subject, body, source: "web", destination: "controller" }));
    return true;
  }

  async #attempt() {
    this.#close();
    const generation = this.#generation;
    this.#attempts += 1;
    this.onPhase({ phase: "connecting" });
    const answer = await checkSession();
    if (generation !== this.#generation || this.#stopped) return;
    if (answer === "refused") {
      this.#stopped = true;
      this.onPhase({ phase: "refused" });
    } else if (answer === "away") {
      this.#scheduleRetry("The server does not respond");
    } else {
      this.#open();
    }
  }

  #open() {
    const url = new URL("/ws", window.location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.#last !== null) url.searchParams.set("since", this.#last);
    const socket = new WebSocket(url, protocols());
    this.#socket = socket;
    this.#heartbeatTimer = setTimeout(() => this.#disconnect("The server does not respond"), OPENING_MS);
    socket.addEventListener("message", (event) => socket === this.#socket && this.#receive(event.data));
    socket.addEventListener("close", () => {
      if (socket !== this.#socket) return;
      this.#disconnect(this.#isAccepted ? "Connection lost" : "The server rejects the connection");
    });
  }

  #receive(text) {
    const message = parsed(text);
    this.#restartHeartbeat();
    if (message === null) return;
    if (message.subject === "connected") this.#accept(message.body ?? {});
    if (Number.isInteger(message.seq)) this.#last = Math.max(this.#last ?? 0, message.seq);
    this.onMessage(message);
  }

  #accept({ seq }) {
    this.#isAccepted = true;
    this.#attempts = 0;
    // A restarted server may number its events from the beginning.
    if (Number.isInteger(seq) && (this.#last === null || seq < this.#last)) this.#last = seq;
    this.onPhase({ phase: "open" });
  }

  #disconnect(why) {
    this.#close();
    this.#scheduleRetry(why);
  }

  #scheduleRetry(why) {
    if (this.#stopped) return;
    const growing = FIRST_WAIT_MS * 2 ** Math.max(0, this.#attempts - 1);
    const longest = Math.min(this.longestWait() ?? LONGEST_WAIT_MS, growing);
    // Random between half and all of it, so that many pages do not reconnect at the same time.
    const wait = Math.max(FIRST_WAIT_MS / 2, longest * (0.5 + Math.random() / 2));
    this.#retryTimer = setTimeout(() => this.#attempt(), wait);
    this.onPhase({ phase: "waiting", until: Date.now() + wait, why });
  }

  // The tab is visible again, or the network is back: reconnect at once.
  #wake() {
    if (this.#socket === null) this.reconnectNow();
    else this.#requestHeartbeat(ANSWER_MS / 2);
  }

  // A connection can be lost without an event; only an answer proves that it works.
  #restartHeartbeat() {
    clearTimeout(this.#heartbeatTimer);
    this.#heartbeatTimer = setTimeout(() => this.#requestHeartbeat(ANSWER_MS), QUIET_MS);
  }

  #requestHeartbeat(timeout) {
    clearTimeout(this.#heartbeatTimer);
    this.#heartbeatTimer = setTimeout(() => this.#disconnect("Connection lost"), timeout);
    this.send("controller.heartbeat");
  }

  #close() {
    this.#generation += 1;
    this.#isAccepted = false;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#heartbeatTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}

function parsed(text) {
  try {
    const message = JSON.parse(text);
    return message !== null && typeof message === "object" ? message : null;
  } catch {
    return null;
  }
}
