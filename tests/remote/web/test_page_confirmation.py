"""Asking for something: the question before it, by keyboard too, and what is sent."""

from __future__ import annotations

import message_bodies as bodies
from playwright.sync_api import expect


def test_the_question_says_what_will_happen(page):
    """Update asks first, from which version to which, and what if the new one does not work."""
    page.open().card("core").button("update").click()
    expect(page.dialog).to_contain_text("dunebugger-core goes from 1.0.0 to 1.1.0")
    expect(page.dialog).to_contain_text("If the new version does not work, 1.0.0 is put back")


def test_nothing_is_asked_before_the_question_is_answered(page, server):
    """Cancel sends nothing to the server."""
    page.open().card("core").button("update").click()
    page.cancel.click()
    expect(page.dialog).to_be_hidden()
    page.ask("core", "health")
    server.wait_for("updater.health")
    assert "updater.perform_update" not in [message["subject"] for message in server.received]


def test_an_update_needs_only_a_keyboard(page, server):
    """Tab reaches Update, Enter opens the question with the focus on Cancel, and Tab and Enter confirm it."""
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


def test_escape_cancels_and_gives_the_focus_back(page):
    """Esc closes the question, and the focus is on the button that opened it."""
    update = page.open().card("core").button("update")
    update.focus()
    page.page.keyboard.press("Enter")
    expect(page.dialog).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(page.dialog).to_be_hidden()
    expect(update).to_be_focused()


def test_the_first_tab_reaches_the_skip_link(page):
    """The first stop of Tab leads past the head of the page."""
    page.open().page.keyboard.press("Tab")
    skip = page.page.get_by_role("link", name="Skip to the components")
    expect(skip).to_be_focused()
    page.page.keyboard.press("Enter")
    expect(page.page.locator("main")).to_be_focused()


def test_trying_changes_nothing_and_tells_what_would_happen(page, server):
    """Try without changing anything asks for a dry run, and its message stands in the question."""
    page.open().card("core").button("update").click()
    page.try_out.click()
    assert server.wait_for("updater.perform_update") == [{"component": "core", "dry_run": True}]
    server.event(
        "update_result", bodies.result(None, dry_run=True, message="would update core from 1.0.0 to 1.1.0", state=None)
    )
    expect(page.tried).to_have_text("would update core from 1.0.0 to 1.1.0")
    expect(page.confirm).to_be_enabled()
    expect(page.card("core").current).to_have_text("1.0.0")


def test_what_could_not_be_tried_is_told_in_the_question(page, server):
    """It is no outcome of an update: the card knows nothing of it."""
    page.open().card("core").button("update").click()
    page.try_out.click()
    refused = bodies.refused(dry_run=True)
    server.event("update_result", refused)
    expect(page.tried).to_have_text(refused["message"])
    expect(page.card("core").result).to_have_count(0)


def test_what_others_begin_is_not_begun_twice(page, server):
    """When somebody else begins while the question is open, it cannot be confirmed any more, and says why."""
    page.open().card("core").button("update").click()
    server.event("update_progress", bodies.progress(bodies.new_id()))
    expect(page.confirm).to_be_disabled()
    expect(page.dialog).to_contain_text("Update under way")


def test_what_was_asked_is_busy_at_once(page, server):
    """From the confirmation on, the card's buttons wait and say for what, before the server has said a word."""
    page.open().ask("core", "rollback")
    assert server.wait_for("updater.rollback") == [{"component": "core"}]
    core = page.card("core")
    expect(core.progress).to_contain_text("Putting the previous version back")
    for action in ("update", "rollback", "health"):
        expect(core.button(action)).to_be_disabled()
    expect(core.why).to_have_text("Roll back under way: one thing at a time.")
    expect(page.card("scheduler").button("health")).to_be_enabled()


def test_what_the_server_cannot_do_is_told(page, server):
    """An error of the server is shown in its own words, and what waited for it waits no more."""
    page.open().ask("core", "health")
    expect(page.card("core").progress).to_be_visible()
    server.event("error", {"message": "cannot read the message: too many of them", "subject": "updater.health"})
    expect(page.notices).to_contain_text("cannot read the message: too many of them")
    expect(page.card("core").button("health")).to_be_enabled()


def test_buttons_name_their_component(page):
    """Every button says to a screen reader which component it is about."""
    page.open()
    for name in ("Update dunebugger-core to 1.1.0", "Roll back dunebugger-core", "Health dunebugger-scheduler"):
        expect(page.page.get_by_role("button", name=name)).to_be_visible()
