// Wires it all: messages make the state, the state makes the page, and what people press becomes a message.

import { Activity } from "./activity.js";
import { Cards } from "./cards.js";
import { Connection } from "./connection.js";
import { Dialog } from "./dialogs.js";
import { draw, icon, mark, say } from "./dom.js";
import { showHeadline } from "./headline.js";
import { History } from "./history.js";
import { Notices } from "./notices.js";
import { question } from "./confirmations.js";
import { obstacle, replacingServer } from "./rules.js";
import { SignIn } from "./sign_in.js";
import * as store from "./store.js";
import { showSystem } from "./system.js";
import { now, tick } from "./times.js";
import { REMOTE, endWords, reasonWords } from "./texts.js";

const URGENT_MS = 3000; // the longest wait while the server is being replaced

const part = (id) => document.getElementById(id);
const iso = () => new Date(now()).toISOString();

let state = store.initial();
let asking = null; // what the open dialog is about: {name, action}
let drawn = false; // whether a drawing is due

const connection = new Connection({
  onMessage: hear,
  onPhase: (phase) => become(store.connection(state, phase)),
  longestWait: () => (replacingServer(state) ? URGENT_MS : null),
});
const notices = new Notices(part("notices"));
const dialog = new Dialog(part("dialog"));
const cards = new Cards(part("cards"), {
  ask,
  dismiss(name) {
    notices.putAway(`outcome ${name}`);
    become(store.dismiss(state, name));
  },
  announce: (words) => say(part("announcer"), words),
});
const history = new History({
  rows: part("history-rows"), none: part("history-none"), more: part("history-more"), filter: part("history-filter"),
});
const activity = new Activity({
  section: document.querySelector(".activity"), lines: part("activity-lines"), count: part("activity-count"),
});
const signIn = new SignIn({
  form: part("sign-in"),
  out: part("sign-out"),
  onToken: () => connection.start(),
  onOut: () => window.location.reload(), // nothing of what was shown stays in the memory of the page
});

// What follows a message, beyond the state it makes.
const FOLLOWS = {
  connected({ version }, before) {
    ["updater.outstanding", "updater.history"].forEach((subject) => connection.send(subject));
    connection.send("updater.check_updates", "null");
    connection.send("controller.system_info", "refresh");
    if (before.version !== null && version && version !== before.version) offerReload(version);
  },
  update_result: () => connection.send("updater.history"),
  health_result: () => connection.send("updater.history"),
  error({ message }) {
    notices.show({ key: "error", tone: "bad", title: "The server could not do that", text: message });
  },
};

function hear(message) {
  const before = state;
  become(store.receive(state, message, iso()));
  if (state !== before) FOLLOWS[message.subject]?.(message.body, before);
  for (const [name, outcome] of Object.entries(state.outcomes)) {
    if (outcome !== before.outcomes[name]) tellOutcome(name, outcome);
  }
  if (state.tried !== before.tried) tellTrial(state.tried);
}

function become(next) {
  state = next;
  if (drawn) return;
  drawn = true;
  // A tab that nobody looks at gets no animation frames, but its title should be true.
  if (document.hidden) setTimeout(show, 0);
  else requestAnimationFrame(show);
}

function show() {
  drawn = false;
  showConnection();
  showHeadline(state, { heading: part("headline"), subline: part("subline") });
  part("content").hidden = !state.checked || state.connection.phase === "refused";
  cards.update(state);
  history.update(state);
  activity.update(state);
  showSystem(state, document.querySelector(".system"), part("facts"));
  signIn.update(state);
  showCheck();
  say(part("version"), state.version ? `dunebugger-remote ${state.version}` : "");
  if (dialog.isOpen && asking) dialog.forbid(obstacle(state, asking.name, asking.action));
}

const PHASES = {
  connecting: () => "Connecting…",
  open: () => "Connected",
  refused: () => "Not signed in",
  waiting: ({ why }) => (`${replacingServer(state) ? "Being replaced" : why}. Reconnecting`),
};

function showConnection() {
  const { phase } = state.connection;
  mark(document.querySelector(".connection"), "data-phase", phase);
  say(part("connection-words"), PHASES[phase](state.connection));
  showCountdown();
  part("connect-now").hidden = phase !== "waiting";
}

// Outside of the live region, which would read every second aloud.
function showCountdown() {
  const { phase, until } = state.connection;
  const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
  say(part("countdown"), phase === "waiting" ? ` in ${seconds} s…` : "");
}

function showCheck() {
  const node = part("check");
  node.hidden = !state.checked || state.connection.phase === "refused";
  const idle = state.connection.phase === "open" && !state.checking;
  mark(node, "aria-disabled", idle ? null : "true");
  say(node.lastChild, state.checking ? "Looking for updates…" : "Check for updates");
  node.firstChild.classList.toggle("turning", state.checking);
}

function ask(name, action) {
  const component = state.components[name];
  asking = { name, action };
  dialog.open(question(action, name, component), {
    onConfirm() {
      const body = action === "update" ? { component: name, dry_run: false } : { component: name };
      if (!connection.send(SUBJECTS[action], body)) return;
      become(store.ask(state, name, action, action === "update" ? component.latest : null, iso()));
    },
    onTry: () => connection.send("updater.perform_update", { component: name, dry_run: true }),
  });
}

const SUBJECTS = { update: "updater.perform_update", rollback: "updater.rollback", health: "updater.health" };

function tellOutcome(name, outcome) {
  const label = state.components[name]?.display_name ?? name;
  const { tone, title } = endWords(outcome);
  const text = tone === "good" ? "" : reasonWords(outcome.reason) || outcome.message || "";
  notices.show({ key: `outcome ${name}`, tone, title: `${label}: ${title}`, text });
}

function tellTrial({ component, success, message, reason }) {
  const text = message || reasonWords(reason) || (success ? "It would be done." : "It would not be done.");
  if (asking?.name === component) dialog.showTrial(text, success ? "good" : "bad");
}

function offerReload(version) {
  notices.show({
    key: "reload", tone: "new", title: `dunebugger-${REMOTE} ${version} is running now`,
    text: "What you see was loaded from the version before.",
    action: { words: "Load the new page", does: () => window.location.reload() },
  });
}

const check = part("check");
check.prepend(icon("check"));
draw(check.firstChild, "check");
check.addEventListener("click", () => {
  if (check.getAttribute("aria-disabled") === "true") return;
  if (connection.send("updater.check_updates", { force: true })) become(store.check(state));
});
part("connect-now").addEventListener("click", () => connection.now());

setInterval(() => {
  showCountdown();
  cards.tick();
  tick();
}, 1000);

connection.start();
