// Confirmation of an action: what it does, what happens if it fails, and the subject of its message.

import { REMOTE } from "./texts.js";

const AWAY = "This page is part of it: it disconnects for a moment and reconnects automatically.";
const KEEP_ON = "You can close this page: the host continues.";

export const CONFIRMATIONS = {
  update: (name, label, { current, latest }) => ({
    subject: "updater.perform_update",
    title: `Update ${label} to ${latest ?? "the latest version"}?`,
    lines: [
      `${label} is updated from ${current ?? "the installed version"} to ${latest ?? "the latest version"}. `
        + "It may be unavailable for a moment.",
      "Its health is checked afterwards.",
      `If the new version does not work, ${current ?? "the old one"} is restored.`,
      name === REMOTE ? AWAY : KEEP_ON,
    ],
    confirm: `Update to ${latest ?? "the latest version"}`,
    dryRun: true,
  }),
  rollback: (name, label, { current }) => ({
    subject: "updater.rollback",
    title: `Roll ${label} back?`,
    lines: [
      `${label} is restored from ${current ?? "the installed version"} to the version before its latest update.`,
      "Its health is checked afterwards.",
      "If there is no earlier version, nothing is changed.",
      name === REMOTE ? AWAY : KEEP_ON,
    ],
    confirm: "Roll back",
  }),
  health: (_name, label) => ({
    subject: "updater.health",
    title: `Check the health of ${label}?`,
    lines: [`The host runs the health check of ${label}. Nothing is changed.`],
    confirm: "Check its health",
  }),
};

/** Returns subject, title, lines and button text for an action. */
export function confirmation(action, name, component) {
  return CONFIRMATIONS[action](name, component.display_name ?? name, component);
}
