// Entry point: messages change the state, the state is rendered, and buttons send messages.

import { Activity } from "./activity.js";
import { Cards } from "./cards.js";
import { Connection } from "./connection.js";
import { Dialog } from "./dialogs.js";
import { icon, setAttribute, setIcon, setText } from "./dom.js";
import { showHeadline } from "./headline.js";
import { History } from "./history.js";
import { Notices } from "./notices.js";
import { confirmation } from "./confirmations.js";
import { disabledReason, isServerBeingReplaced } from "./rules.js";
import { SignIn } from "./sign_in.js";
import * as store from "./store.js";
import { showSystem } from "./system.js";
import { now, tick } from "./times.js";
import { describeResult, reasonText, REMOTE } from "./texts.js";

const URGENT_MS = 3000; // the longest pause between attempts while the server is being replaced

const part = (id) => document.getElementById(id);
const iso = () => new Date(now()).toISOString();

let state = store.initial();
let confirming = null; // what the open dialog confirms: {name, action}
let isRenderScheduled = false;

const connection = new Connection({
  onMessage: receiveMessage,
  onPhase: (phase) => setState(store.connection(state, phase)),
  longestWait: () => (isServerBeingReplaced(state) ? URGENT_MS : null),
});
const notices = new Notices(part("notices"));
const dialog = new Dialog(part("dialog"));
const cards = new Cards(part("cards"), {
  confirm: confirmAction,
  dismiss(name) {
    notices.remove(`outcome ${name}`);
    setState(store.dismiss(state, name));
  },
  announce: (text) => setText(part("announcer"), text),
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
  onOut: () => window.location.reload(), // removes everything that was shown from the memory of the page
});

// Side effects of a message, beyond the change of the state.
const SIDE_EFFECTS = {
  connected({ version }, before) {
    ["updater.outstanding", "updater.history"].forEach((subject) => connection.send(subject));
    connection.send("updater.check_updates", "null");
    connection.send("controller.system_info", "refresh");
    if (before.version !== null && version && version !== before.version) offerReload(version);
  },
  update_result: () => connection.send("updater.history"),
  health_result: () => connection.send("updater.history"),
  error({ message }) {
    notices.show({ key: "error", tone: "bad", title: "The server reports an error", text: message });
  },
};

function receiveMessage(message) {
  const before = state;
  setState(store.receive(state, message, iso()));
  if (state !== before) SIDE_EFFECTS[message.subject]?.(message.body, before);
  for (const [name, outcome] of Object.entries(state.outcomes)) {
    if (outcome !== before.outcomes[name]) notifyOutcome(name, outcome);
  }
  if (state.dryRun !== before.dryRun) showDryRun(state.dryRun);
}

function setState(next) {
  state = next;
  if (isRenderScheduled) return;
  isRenderScheduled = true;
  // A hidden tab gets no animation frames, but its title must be current.
  if (document.hidden) setTimeout(render, 0);
  else requestAnimationFrame(render);
}

function render() {
  isRenderScheduled = false;
  showConnection();
  showHeadline(state, { heading: part("headline"), subline: part("subline") });
  part("content").hidden = !state.checked || state.connection.phase === "refused";
  cards.update(state);
  history.update(state);
  activity.update(state);
  showSystem(state, document.querySelector(".system"), part("facts"));
  signIn.update(state);
  showCheck();
  setText(part("version"), state.version ? `dunebugger-remote ${state.version}` : "");
  if (dialog.isOpen && confirming) dialog.disable(disabledReason(state, confirming.name, confirming.action));
}

const PHASES = {
  connecting: () => "Connecting…",
  open: () => "Connected",
  refused: () => "Not signed in",
  waiting: ({ why }) => (`${isServerBeingReplaced(state) ? "The server is being replaced" : why}. Reconnecting`),
};

function showConnection() {
  const { phase } = state.connection;
  setAttribute(document.querySelector(".connection"), "data-phase", phase);
  setText(part("connection-words"), PHASES[phase](state.connection));
  showCountdown();
  part("connect-now").hidden = phase !== "waiting";
}

// Outside of the live region, as a screen reader would read every second.
function showCountdown() {
  const { phase, until } = state.connection;
  const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
  setText(part("countdown"), phase === "waiting" ? ` in ${seconds} s…` : "");
}

function showCheck() {
  const node = part("check");
  node.hidden = !state.checked || state.connection.phase === "refused";
  const idle = state.connection.phase === "open" && !state.checking;
  setAttribute(node, "aria-disabled", idle ? null : "true");
  setText(node.lastChild, state.checking ? "Checking for updates…" : "Check for updates");
  node.firstChild.classList.toggle("turning", state.checking);
}

function confirmAction(name, action) {
  const component = state.components[name];
  confirming = { name, action };
  const texts = confirmation(action, name, component);
  dialog.open(texts, {
    onConfirm() {
      const body = action === "update" ? { component: name, dry_run: false } : { component: name };
      if (!connection.send(texts.subject, body)) return;
      setState(store.request(state, name, action, action === "update" ? component.latest : null, iso()));
    },
    onDryRun: () => connection.send(texts.subject, { component: name, dry_run: true }),
  });
}

function notifyOutcome(name, outcome) {
  const label = state.components[name]?.display_name ?? name;
  const { tone, title } = describeResult(outcome);
  const text = tone === "good" ? "" : reasonText(outcome.reason) || outcome.message || "";
  notices.show({ key: `outcome ${name}`, tone, title: `${label}: ${title}`, text });
}

function showDryRun({ component, success, message, reason }) {
  const text = message || reasonText(reason) || (success ? "It would be done." : "It would not be done.");
  if (confirming?.name === component) dialog.showDryRun(text, success ? "good" : "bad");
}

function offerReload(version) {
  notices.show({
    key: "reload", tone: "new", title: `dunebugger-${REMOTE} ${version} is running now`,
    text: "This page was loaded from the previous version.",
    action: { text: "Load the new page", run: () => window.location.reload() },
  });
}

const check = part("check");
check.prepend(icon("check"));
setIcon(check.firstChild, "check");
check.addEventListener("click", () => {
  if (check.getAttribute("aria-disabled") === "true") return;
  if (connection.send("updater.check_updates", { force: true })) setState(store.check(state));
});
part("connect-now").addEventListener("click", () => connection.reconnectNow());

setInterval(() => {
  showCountdown();
  cards.tick();
  tick();
}, 1000);

connection.start();
