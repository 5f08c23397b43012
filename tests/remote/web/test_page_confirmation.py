"""Confirmation dialog: its texts, keyboard use, and the messages that are sent."""

from __future__ import annotations

import message_bodies as bodies
from playwright.sync_api import expect


def test_confirmation_describes_the_update(page):
    """The dialog names both versions, and what happens if the new one fails."""
    page.open().card("core").button("update").click()
    expect(page.dialog).to_contain_text("dunebugger-core is updated from 1.0.0 to 1.1.0")
    expect(page.dialog).to_contain_text("If the new version does not work, 1.0.0 is restored")


def test_confirmation_cancelled_sends_nothing(page, server):
    """The Cancel button sends no message to the server."""
    page.open().card("core").button("update").click()
    page.cancel.click()
    expect(page.dialog).to_be_hidden()
    page.request("core", "health")
    server.wait_for("updater.health")
    assert "updater.perform_update" not in [message["subject"] for message in server.received]


def test_confirmation_works_by_keyboard(page, server):
    """Tab reaches Update, Enter opens the dialog with the focus on Cancel, and Tab and Enter confirm it."""
    page.open()
    keyboard = page.page.keyboard
    update = page.card("core").button("update")
    for _ in range(30):
        keyboard.press("Tab")
        if update.evaluate("node => node === document.activeElement"):
            break
    expect(update).to_be_focused()
    keyboard.press("Enter")
    expect(page.cancel).to_be_focused()
    keyboard.press("Tab")
    expect(page.confirm).to_be_focused()
    keyboard.press("Enter")
    assert server.wait_for("updater.perform_update") == [{"component": "core", "dry_run": False}]
    expect(page.dialog).to_be_hidden()


def test_confirmation_escape_restores_the_focus(page):
    """Esc closes the dialog, and the focus returns to the button that opened it."""
    update = page.open().card("core").button("update")
    update.focus()
    page.page.keyboard.press("Enter")
    expect(page.dialog).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(page.dialog).to_be_hidden()
    expect(update).to_be_focused()


def test_page_first_tab_stop_is_the_skip_link(page):
    """The first tab stop skips the header."""
    page.open().page.keyboard.press("Tab")
    skip = page.page.get_by_role("link", name="Skip to the components")
    expect(skip).to_be_focused()
    page.page.keyboard.press("Enter")
    expect(page.page.locator("main")).to_be_focused()


def test_confirmation_dry_run_shows_its_result(page, server):
    """The button sends a dry run, and its message appears in the dialog."""
    page.open().card("core").button("update").click()
    page.try_out.click()
    assert server.wait_for("updater.perform_update") == [{"component": "core", "dry_run": True}]
    server.event(
        "update_result", bodies.result(None, dry_run=True, message="would update core from 1.0.0 to 1.1.0", state=None)
    )
    expect(page.tried).to_have_text("would update core from 1.0.0 to 1.1.0")
    expect(page.confirm).to_be_enabled()
    expect(page.card("core").current).to_have_text("1.0.0")


def test_confirmation_dry_run_failure_is_shown_in_the_dialog(page, server):
    """The card does not show the failure, because it is not the result of an update."""
    page.open().card("core").button("update").click()
    page.try_out.click()
    rejected = bodies.rejected(dry_run=True)
    server.event("update_result", rejected)
    expect(page.tried).to_have_text(rejected["message"])
    expect(page.card("core").result).to_have_count(0)


def test_confirmation_is_disabled_when_another_client_starts_an_update(page, server):
    """The confirm button of an open dialog is disabled, and the dialog shows the reason."""
    page.open().card("core").button("update").click()
    server.event("update_progress", bodies.progress(bodies.new_id()))
    expect(page.confirm).to_be_disabled()
    expect(page.dialog).to_contain_text("Update in progress")


def test_card_is_busy_immediately_after_the_confirmation(page, server):
    """The buttons are disabled with a reason before the server answers."""
    page.open().request("core", "rollback")
    assert server.wait_for("updater.rollback") == [{"component": "core"}]
    core = page.card("core")
    expect(core.progress).to_contain_text("Restoring the previous version")
    for action in ("update", "rollback", "health"):
        expect(core.button(action)).to_be_disabled()
    expect(core.why).to_have_text("Roll back in progress: wait until it has finished.")
    expect(page.card("scheduler").button("health")).to_be_enabled()


def test_page_shows_errors_of_the_server(page, server):
    """The error is shown unchanged, and the card is no longer busy."""
    page.open().request("core", "health")
    expect(page.card("core").progress).to_be_visible()
    server.event("error", {"message": "cannot read the message: too many messages", "subject": "updater.health"})
    expect(page.notices).to_contain_text("cannot read the message: too many messages")
    expect(page.card("core").button("health")).to_be_enabled()


def test_buttons_have_accessible_names_with_the_component(page):
    """Every button names its component to screen readers."""
    page.open()
    for name in ("Update dunebugger-core to 1.1.0", "Roll back dunebugger-core", "Health dunebugger-scheduler"):
        expect(page.page.get_by_role("button", name=name)).to_be_visible()
