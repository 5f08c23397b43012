"""Component cards: versions, health, release notes and actions."""

from __future__ import annotations

import re

import message_bodies as bodies
import pytest
from playwright.sync_api import expect


def test_card_shows_both_versions_of_an_available_update(page):
    """The card has the installed and the latest version, and says that an update is available."""
    core = page.open().card("core")
    expect(core.root.get_by_role("heading", name="dunebugger-core")).to_be_visible()
    expect(core.current).to_have_text("1.0.0")
    expect(core.latest).to_have_text("1.1.0")
    expect(core.pill).to_have_text("Update available")
    expect(core.button("update")).to_have_text("Update to 1.1.0")


def test_card_without_an_update_has_no_update_button(page):
    """The card of a component that is up to date says so."""
    scheduler = page.open().card("scheduler")
    expect(scheduler.pill).to_have_text("Up to date")
    expect(scheduler.button("update")).to_be_hidden()
    expect(scheduler.button("rollback")).to_be_enabled()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"running": True, "running_how": "heartbeat"}, r"Running\s*heartbeat just now"),
        ({"running": False, "running_how": "heartbeat"}, r"Not running\s*no heartbeat just now"),
        ({"running": True, "running_how": "health check"}, r"Running\s*health check just now"),
        ({"running": None, "running_how": None, "running_since": None}, r"Not known whether it runs\s*$"),
    ],
)
def test_card_shows_health_as_text(page, server, change, text):
    """State, source and time of the health status are shown as text."""
    server.components["core"].update(change)
    expect(page.open().card("core").running).to_have_text(re.compile(text))


def test_card_shows_health_changes_immediately(page, server):
    """A component that stops is shown on its card and in the headline."""
    page.open()
    server.event(
        "component_running", {"component": "core", "running": False, "at": bodies.ago(seconds=1), "how": "heartbeat"}
    )
    expect(page.card("core").running).to_contain_text("Not running")
    expect(page.headline).to_have_text("dunebugger-core is not running")


def test_card_renders_release_notes(page):
    """Release notes have headings, lists, and links without referrer."""
    notes = page.open().card("core").notes
    notes.locator("summary").click()
    expect(notes.get_by_role("heading", name="Fixed")).to_be_visible()
    expect(notes.locator("ul li").first).to_have_text("Sequences can be edited while one is playing")
    link = notes.get_by_role("link", name="the guide")
    expect(link).to_have_attribute("href", "https://example.org/guide")
    expect(link).to_have_attribute("rel", "noopener noreferrer")


def test_card_shows_the_error_of_a_failed_check(page, server):
    """The card shows the error and the last known versions."""
    server.components["core"]["error"] = "GitHub allows no more requests until 14:05"
    core = page.open().card("core")
    expect(core.check_error).to_contain_text("GitHub allows no more requests until 14:05")
    expect(core.latest).to_have_text("1.1.0")


def test_card_times_are_relative_with_an_exact_title(page):
    """The text is a relative time; the title is the exact time."""
    checked = page.open().card("core").root.locator("time", has_text="12 minutes ago")
    expect(checked).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT"))
    expect(checked).to_have_attribute("title", re.compile(r"\d\d:\d\d:\d\d"))


def test_check_button_is_busy_until_the_answer(page, server):
    """The button requests a forced check, and the page shows its result."""
    page.open().check.click()
    expect(page.check).to_have_text("Checking for updates…")
    assert server.wait_for("updater.check_updates", 2)[1] == {"force": True}
    found = {**server.components, "scheduler": bodies.with_update("scheduler", "0.9.5", current="0.9.4")}
    server.event("update_check_result", {"components": found})
    expect(page.check).to_have_text("Check for updates")
    expect(page.headline).to_have_text("Two updates are ready")


def test_card_update_is_disabled_until_remote_is_updated(page, server):
    """While dunebugger-remote has an update, the other cards name it as the reason."""
    server.components["remote"] = bodies.with_update("remote", "1.4.0", current="1.3.0")
    core = page.open().card("core")
    expect(core.button("update")).to_be_disabled()
    expect(core.why).to_have_text("Update dunebugger-remote first.")
    expect(core.button("health")).to_be_enabled()
    expect(page.card("remote").button("update")).to_be_enabled()


def test_page_shows_device_information(page):
    """The device information has units."""
    system = page.open().system
    for text in ("dune-garden", "dune-pi", "Garden house", "48.3 °C", "12 days 3 hours", "31.2 GB"):
        expect(system).to_contain_text(text)


def test_page_lists_log_messages_as_activity(page, server):
    """The list is collapsed at first, and sorted newest first."""
    page.open()
    server.event("log", {"message": "checking github.com", "level": "info"})
    server.event("log", {"message": "no answer for 30 s", "level": "warning"})
    expect(page.activity.locator("li").first).to_be_hidden()
    page.activity.locator("summary").click()
    expect(page.activity.locator("li").first).to_contain_text("Warning")
    expect(page.activity.locator("li").first).to_contain_text("no answer for 30 s")


def test_page_ignores_unknown_subjects(page, server):
    """A message with an unknown subject, or that is not an object, is ignored."""
    page.open()
    server.event("unknown.subject", {"count": 2})
    server.event("update_progress", None)
    server.event("update_result", "done")
    server.event("log", {"message": "after them", "level": "info"})
    expect(page.activity).to_be_visible()
    expect(page.card("core").pill).to_have_text("Update available")


def test_card_of_the_serving_component_has_no_age(page, server):
    """The health of the component that serves the page has no time, also after a check and a timer tick."""
    page.open()
    status = {"component": "remote", "running": True, "at": bodies.ago(minutes=3)}
    server.event("component_running", status | {"how": "health check"})
    expect(page.card("remote").running.locator("time")).to_have_text("3 minutes ago")
    server.event("component_running", status | {"how": "itself"})
    expect(page.card("remote").running).to_contain_text("serves this page")
    since = page.card("remote").running.locator("time")
    tick = "(node) => import('/static/times.js').then(({ tick }) => { tick(); return node.hidden; })"
    assert since.evaluate(tick) is True
