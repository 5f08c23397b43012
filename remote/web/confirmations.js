// What the page says before it does something: exactly what will happen, and what if it does not work.

import { REMOTE } from "./texts.js";

const AWAY = "This page belongs to it: it will be away for a moment, and come back by itself.";
const KEEP_ON = "You need not wait here: the host goes on when this page is closed.";

const QUESTIONS = {
  update: (name, label, { current, latest }) => ({
    title: `Update ${label} to ${latest ?? "the latest version"}?`,
    lines: [
      `${label} goes from ${current ?? "the version that is installed"} to ${latest ?? "the latest version"}. `
        + "It may stand still for a moment.",
      "Its health is checked afterwards.",
      `If the new version does not work, ${current ?? "the old one"} is put back.`,
      name === REMOTE ? AWAY : KEEP_ON,
    ],
    confirm: `Update to ${latest ?? "the latest version"}`,
    tryOut: true,
  }),
  rollback: (name, label, { current }) => ({
    title: `Roll ${label} back?`,
    lines: [
      `${label} leaves ${current ?? "the version that is installed"} and goes back to the version that was there `
        + "before its latest update.",
      "Its health is checked afterwards.",
      "If there is no version to go back to, nothing is changed.",
      name === REMOTE ? AWAY : KEEP_ON,
    ],
    confirm: "Roll back",
  }),
  health: (_name, label) => ({
    title: `Check the health of ${label}?`,
    lines: [`The host runs the health check of ${label}. Nothing is changed.`],
    confirm: "Check its health",
  }),
};

/** Title, lines and words of the button for what is about to be asked. */
export function question(action, name, component) {
  return QUESTIONS[action](name, component.display_name ?? name, component);
}
