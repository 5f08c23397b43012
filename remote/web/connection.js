// One WebSocket that comes back by itself, and goes on after the last event that was seen.

import { knock, protocols } from "./session.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
const OPENING_MS = 10000;
const QUIET_MS = 25000; // after so long without a word we ask whether somebody is there
const ANSWER_MS = 8000; // and so long we wait for the answer

export class Connection {
  #socket = null;
  #last = null; // the number of the last event seen
  #attempts = 0;
  #timer = null; // of the next attempt
  #pulse = null; // of the next heartbeat, or of giving up on it
  #stopped = true;
  #greeted = false; // whether this connection has been let in
  #run = 0; // an attempt that was overtaken by another one must not touch anything

  /**
   * @param {{onMessage: (message: object) => void, onPhase: (phase: object) => void,
   *          longestWait?: () => number|null}} listeners  `longestWait` in ms, where coming back is urgent
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

  /** Does not wait for the next attempt. */
  now() {
    if (!this.#stopped && this.#socket === null) this.#attempt();
  }

  /** Sends a message; false when there is no connection. */
  send(subject, body) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ subject, body, source: "web", destination: "controller" }));
    return true;
  }

  async #attempt() {
    this.#close();
    const run = this.#run;
    this.#attempts += 1;
    this.onPhase({ phase: "connecting" });
    const answer = await knock();
    if (run !== this.#run || this.#stopped) return;
    if (answer === "refused") {
      this.#stopped = true;
      this.onPhase({ phase: "refused" });
    } else if (answer === "away") {
      this.#wait("The server does not answer");
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
    this.#pulse = setTimeout(() => this.#lose("The server does not answer"), OPENING_MS);
    socket.addEventListener("message", (event) => socket === this.#socket && this.#hear(event.data));
    socket.addEventListener("close", () => {
      if (socket === this.#socket) this.#lose(this.#greeted ? "Connection lost" : "The server refuses to connect");
    });
  }

  #hear(text) {
    const message = parsed(text);
    this.#rest();
    if (message === null) return;
    if (message.subject === "connected") this.#greet(message.body ?? {});
    if (Number.isInteger(message.seq)) this.#last = Math.max(this.#last ?? 0, message.seq);
    this.onMessage(message);
  }

  #greet({ seq }) {
    this.#greeted = true;
    this.#attempts = 0;
    // A server that was started again may count from the beginning.
    if (Number.isInteger(seq) && (this.#last === null || seq < this.#last)) this.#last = seq;
    this.onPhase({ phase: "open" });
  }

  #lose(why) {
    this.#close();
    this.#wait(why);
  }

  #wait(why) {
    if (this.#stopped) return;
    const growing = FIRST_WAIT_MS * 2 ** Math.max(0, this.#attempts - 1);
    const longest = Math.min(this.longestWait() ?? LONGEST_WAIT_MS, growing);
    // Between half and all of it: a crowd of pages must not come back in step.
    const wait = Math.max(FIRST_WAIT_MS / 2, longest * (0.5 + Math.random() / 2));
    this.#timer = setTimeout(() => this.#attempt(), wait);
    this.onPhase({ phase: "waiting", until: Date.now() + wait, why });
  }

  // The tab is looked at again, or the network is back: no time to lose.
  #wake() {
    if (this.#socket === null) this.now();
    else this.#feel(ANSWER_MS / 2);
  }

  // A connection can be dead without anybody having been told; only an answer proves that it is not.
  #rest() {
    clearTimeout(this.#pulse);
    this.#pulse = setTimeout(() => this.#feel(ANSWER_MS), QUIET_MS);
  }

  #feel(patience) {
    clearTimeout(this.#pulse);
    this.#pulse = setTimeout(() => this.#lose("Connection lost"), patience);
    this.send("controller.heartbeat");
  }

  #close() {
    this.#run += 1;
    this.#greeted = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#pulse);
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
