// The state of the page, made from messages alone: every function takes a state and gives the next one.

import { emptyOutput, extend } from "./output_tail.js";

const ACTIVITY_KEPT = 200;
const ENDED_KEPT = 50;

export function initial() {
  return {
    connection: { phase: "connecting" }, // connecting | open | waiting {until, why} | refused
    connections: 0, // how many there have been: tells what was heard before the present one
    version: null, // of the server
    components: {}, // name -> what update_check_result says of it; null values are "not known"
    checked: false, // whether components have been told at all
    checking: false, // whether a check that somebody asked for here is going on
    asked: {}, // component -> {action, version, at}: asked for here, nothing heard yet
    underWay: {}, // request_id -> update_progress, with `begun`, `before` and the collected `script` output
    ended: [], // request_ids whose result has come: a progress that was overtaken must not revive them
    lost: {}, // request_id -> component: ended while the connection was away; the history will tell how
    outcomes: {}, // component -> the result to show on its card
    tried: null, // the latest result of trying without changing anything
    history: null, // newest first; null before it is known
    system: null,
    activity: [], // newest first
    problem: null, // the latest error the server has told
  };
}

const RECEIVE = {
  connected(state, { version }) {
    // What was asked before this connection is in `outstanding` now, or has ended.
    return { ...state, connections: state.connections + 1, version: version ?? null, asked: {} };
  },

  update_check_result(state, { components }) {
    return { ...state, components: { ...components }, checked: true, checking: false };
  },

  component_running(state, { component, running, at, how }) {
    return withComponent(state, component, { running, running_since: at, running_how: how });
  },

  update_progress(state, body, at) {
    if (state.ended.includes(body.request_id)) return state;
    return progress({ ...state, asked: without(state.asked, body.component) }, body, at);
  },

  update_result(state, body, at) {
    if (body.dry_run) return { ...state, tried: { ...body, at }, asked: without(state.asked, body.component) };
    const next = end(state, body, at);
    if (!body.current) return next;
    const latest = state.components[body.component]?.latest;
    const available = latest === body.current ? { update_available: false } : {};
    return withComponent(next, body.component, { current: body.current, ...available });
  },

  health_result(state, body, at) {
    const next = end(state, { ...body, action: "health", state: body.success ? "succeeded" : "failed" }, at);
    if (typeof body.running !== "boolean") return next;
    const { running, at: running_since, how: running_how } = body;
    return withComponent(next, body.component, { running, running_since, running_how });
  },

  outstanding(state, { requests }, at) {
    const known = new Set(requests.map((request) => request.request_id));
    // What has been heard of since we are connected may have begun after the answer was written: it is not gone.
    const gone = Object.values(state.underWay)
      .filter((entry) => !known.has(entry.request_id) && entry.connection < state.connections);
    const lost = Object.fromEntries(gone.map((entry) => [entry.request_id, entry.component]));
    const underWay = without(state.underWay, ...Object.keys(lost));
    const next = { ...state, underWay, lost: { ...state.lost, ...lost } };
    return requests.reduce((before, request) => progress(before, request, at), next);
  },

  history(state, { component, requests }) {
    if (component) return state; // we ask for all of it, and choose ourselves
    const found = requests.filter((entry) => entry.success !== null && Object.hasOwn(state.lost, entry.request_id));
    const outcomes = { ...state.outcomes };
    for (const entry of found.toReversed()) outcomes[entry.component] = { ...entry, at: entry.finished_at };
    return { ...state, history: requests, outcomes, lost: without(state.lost, ...found.map((e) => e.request_id)) };
  },

  system_info(state, { system_info }) {
    return { ...state, system: system_info };
  },

  log(state, { message, level }, at) {
    return { ...state, activity: [{ message, level, at }, ...state.activity].slice(0, ACTIVITY_KEPT) };
  },

  error(state, { message, subject }, at) {
    const checking = subject === "updater.check_updates" ? false : state.checking;
    return { ...state, checking, asked: {}, problem: { message, subject, at } };
  },
};

/** The state after `message`, which came at `at` (ISO 8601). What nobody knows here changes nothing. */
export function receive(state, { subject, body }, at) {
  if (!Object.hasOwn(RECEIVE, subject)) return state;
  const fits = body !== null && typeof body === "object";
  return fits ? RECEIVE[subject](state, body, at) : state;
}

/** The state after somebody here asked for something. */
export function ask(state, component, action, version, at) {
  const asked = { ...state.asked, [component]: { component, action, version, at } };
  return { ...state, asked, outcomes: without(state.outcomes, component) };
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
  const known = state.underWay[body.request_id];
  const entry = {
    ...rest,
    connection: state.connections,
    begun: known?.begun ?? body.timestamp ?? at,
    before: known ? known.before : (state.components[body.component]?.current ?? null),
    script: extend(known?.script ?? emptyOutput(), output, error),
  };
  const isQuiet = known || body.automatic; // what nobody asked for does not put away what somebody may be reading
  const outcomes = isQuiet ? state.outcomes : without(state.outcomes, body.component);
  return { ...state, outcomes, underWay: { ...state.underWay, [body.request_id]: entry } };
}

function end(state, body, at) {
  const before = state.underWay[body.request_id]?.before ?? null;
  const outcome = { before, ...body, at };
  // The host may still be at work after no_answer: what it tells then is welcome.
  const over = body.request_id && body.reason !== "no_answer" ? [body.request_id] : [];
  return {
    ...state,
    asked: without(state.asked, body.component),
    underWay: without(state.underWay, body.request_id),
    ended: [...state.ended, ...over].slice(-ENDED_KEPT),
    // A check that follows an update by itself is news only when it found something: the update's result stays.
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
