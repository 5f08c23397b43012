// State of the page, computed from messages: every function takes a state and returns the next one.

import { appendOutput, emptyOutput } from "./output_tail.js";

const MAX_ACTIVITY = 200;
const MAX_ENDED = 50;

export function initial() {
  return {
    connection: { phase: "connecting" }, // connecting | open | waiting {until, why} | refused
    connections: 0, // number of connections so far: marks what was received before the present one
    version: null, // of the server
    components: {}, // name -> its entry in update_check_result; null values are "not known"
    checked: false, // whether the components are known
    checking: false, // whether a check requested here is running
    requested: {}, // component -> {action, version, at}: requested here, no message yet
    active: {}, // request_id -> update_progress, with `startedAt`, `previousVersion` and the merged `script` output
    ended: [], // request_ids that have a result: late progress must not reactivate them
    lost: {}, // request_id -> component: ended while disconnected; the history has the result
    outcomes: {}, // component -> the result on its card
    dryRun: null, // the latest result of a dry run
    history: null, // newest first; null before it is received
    system: null,
    activity: [], // newest first
    problem: null, // the latest error of the server
  };
}

const RECEIVE = {
  connected(state, { version }) {
    // What was requested before this connection is in `outstanding`, or has ended.
    return { ...state, connections: state.connections + 1, version: version ?? null, requested: {} };
  },

  update_check_result(state, { components }) {
    return { ...state, components: { ...components }, checked: true, checking: false };
  },

  component_running(state, { component, running, at, how }) {
    return withComponent(state, component, { running, running_since: at, running_how: how });
  },

  update_progress(state, body, at) {
    if (state.ended.includes(body.request_id)) return state;
    return progress({ ...state, requested: without(state.requested, body.component) }, body, at);
  },

  update_result(state, body, at) {
    if (body.dry_run) return { ...state, dryRun: { ...body, at }, requested: without(state.requested, body.component) };
    const next = end(state, body, at);
    if (!body.current) return next;
    const latest = state.components[body.component]?.latest;
    const available = latest === body.current ? { update_available: false } : {};
    return withComponent(next, body.component, { current: body.current, ...available });
  },

  health_result(state, body, at) {
    const next = end(state, { ...body, action: "health" }, at);
    if (typeof body.running !== "boolean") return next;
    const { running, at: running_since, how: running_how } = body;
    return withComponent(next, body.component, { running, running_since, running_how });
  },

  outstanding(state, { requests }, at) {
    const known = new Set(requests.map((request) => request.request_id));
    // A request received since the connection may have started after the answer was written: it is not lost.
    const gone = Object.values(state.active)
      .filter((entry) => !known.has(entry.request_id) && entry.connection < state.connections);
    const lost = Object.fromEntries(gone.map((entry) => [entry.request_id, entry.component]));
    const active = without(state.active, ...Object.keys(lost));
    const next = { ...state, active, lost: { ...state.lost, ...lost } };
    return requests.reduce((before, request) => progress(before, request, at), next);
  },

  history(state, { component, requests }) {
    if (component) return state; // the page requests the whole history, and filters it
    const found = requests.filter((entry) => entry.success !== null && Object.hasOwn(state.lost, entry.request_id));
    const outcomes = { ...state.outcomes };
    for (const entry of found.toReversed()) outcomes[entry.component] = { ...entry, at: entry.finished_at };
    return { ...state, history: requests, outcomes, lost: without(state.lost, ...found.map((e) => e.request_id)) };
  },

  system_info(state, { system_info }) {
    return { ...state, system: system_info };
  },

  log(state, { message, level }, at) {
    return { ...state, activity: [{ message, level, at }, ...state.activity].slice(0, MAX_ACTIVITY) };
  },

  error(state, { message, subject }, at) {
    const checking = subject === "updater.check_updates" ? false : state.checking;
    return { ...state, checking, requested: {}, problem: { message, subject, at } };
  },
};

/** Returns the state after `message`, received at `at` (ISO 8601). Unknown subjects change nothing. */
export function receive(state, { subject, body }, at) {
  if (!Object.hasOwn(RECEIVE, subject)) return state;
  const fits = body !== null && typeof body === "object";
  return fits ? RECEIVE[subject](state, body, at) : state;
}

/** Returns the state after a request was sent from here. */
export function request(state, component, action, version, at) {
  const requested = { ...state.requested, [component]: { component, action, version, at } };
  return { ...state, requested, outcomes: without(state.outcomes, component) };
}

export function check(state) {
  return { ...state, checking: true };
}

export function connection(state, phase) {
  const checking = phase.phase === "open" && state.checking;
  return { ...state, connection: phase, checking };
}

export function dismiss(state, component) {
  return { ...state, outcomes: without(state.outcomes, component) };
}

function progress(state, body, at) {
  const { output, error, ...rest } = body;
  const known = state.active[body.request_id];
  const entry = {
    ...rest,
    connection: state.connections,
    startedAt: known?.startedAt ?? body.timestamp ?? at,
    previousVersion: known ? known.previousVersion : (state.components[body.component]?.current ?? null),
    script: appendOutput(known?.script ?? emptyOutput(), output, error),
  };
  const isQuiet = known || body.automatic; // an automatic request does not remove a result that may be read
  const outcomes = isQuiet ? state.outcomes : without(state.outcomes, body.component);
  return { ...state, outcomes, active: { ...state.active, [body.request_id]: entry } };
}

function end(state, body, at) {
  const previousVersion = state.active[body.request_id]?.previousVersion ?? null;
  const outcome = { previousVersion, ...body, at };
  // After no_answer the host may still be working: later messages count.
  const over = body.request_id && body.reason !== "no_answer" ? [body.request_id] : [];
  return {
    ...state,
    requested: without(state.requested, body.component),
    active: without(state.active, body.request_id),
    ended: [...state.ended, ...over].slice(-MAX_ENDED),
    // An automatic check is shown only if it failed: the update's result stays.
    outcomes: body.automatic && body.success ? state.outcomes : { ...state.outcomes, [body.component]: outcome },
  };
}

function withComponent(state, name, change) {
  if (!Object.hasOwn(state.components, name)) return state;
  return { ...state, components: { ...state.components, [name]: { ...state.components[name], ...change } } };
}

function without(table, ...keys) {
  return Object.fromEntries(Object.entries(table).filter(([key]) => !keys.includes(key)));
}
