"""The cards: what each component is, runs and could become."""

from __future__ import annotations

import re

import message_bodies as bodies
import pytest
from playwright.sync_api import expect


def test_a_component_with_a_newer_release_shows_both_versions(page):
    """A component that can be updated shows what is installed, what is the latest, and says that there is an update."""
    core = page.open().card("core")
    expect(core.root.get_by_role("heading", name="dunebugger-core")).to_be_visible()
    expect(core.current).to_have_text("1.0.0")
    expect(core.latest).to_have_text("1.1.0")
    expect(core.pill).to_have_text("Update available")
    expect(core.button("update")).to_have_text("Update to 1.1.0")


def test_a_component_without_a_newer_release_offers_no_update(page):
    """A component that is up to date says so, and has no button to update it."""
    scheduler = page.open().card("scheduler")
    expect(scheduler.pill).to_have_text("Up to date")
    expect(scheduler.button("update")).to_be_hidden()
    expect(scheduler.button("rollback")).to_be_enabled()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"running": True, "running_how": "heartbeat"}, r"Running\s*heartbeat just now"),
        ({"running": False, "running_how": "heartbeat"}, r"Not running\s*no heartbeat just now"),
        ({"running": True, "running_how": "health check"}, r"Running\s*health check just now"),
        ({"running": None, "running_how": None, "running_since": None}, r"Not known whether it runs\s*$"),
    ],
)
def test_whether_it_runs_is_told_in_words(page, server, change, words):
    """Whether a component runs is said in words, with how and when that became known."""
    server.components["core"].update(change)
    expect(page.open().card("core").running).to_have_text(re.compile(words))


def test_what_changes_without_being_asked_is_shown(page, server):
    """A component that stops running is shown as such at once, also in the headline."""
    page.open()
    server.event(
        "component_running", {"component": "core", "running": False, "at": bodies.ago(seconds=1), "how": "heartbeat"}
    )
    expect(page.card("core").running).to_contain_text("Not running")
    expect(page.headline).to_have_text("dunebugger-core is not running")


def test_release_notes_open_to_their_structure(page):
    """The notes of a release open to headings, lists, code and links that tell their target nothing."""
    notes = page.open().card("core").notes
    notes.locator("summary").click()
    expect(notes.get_by_role("heading", name="Mended")).to_be_visible()
    expect(notes.locator("ul li").first).to_have_text("Sequences can be edited while one is playing")
    link = notes.get_by_role("link", name="the guide")
    expect(link).to_have_attribute("href", "https://example.org/guide")
    expect(link).to_have_attribute("rel", "noopener noreferrer")


def test_why_a_check_failed_is_told(page, server):
    """A check that failed says why on the card, beside what was known before."""
    server.components["core"]["error"] = "GitHub allows no more questions until 14:05"
    core = page.open().card("core")
    expect(core.check_error).to_contain_text("GitHub allows no more questions until 14:05")
    expect(core.latest).to_have_text("1.1.0")


def test_times_are_relative_and_exact(page):
    """A time reads as people say it, and carries the exact one."""
    checked = page.open().card("core").root.locator("time", has_text="12 minutes ago")
    expect(checked).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT"))
    expect(checked).to_have_attribute("title", re.compile(r"\d\d:\d\d:\d\d"))


def test_checking_is_shown_until_the_answer(page, server):
    """Check asks the server to look now, is busy until it has, and shows what it found."""
    page.open().check.click()
    expect(page.check).to_have_text("Looking for updates…")
    assert server.wait_for("updater.check_updates", 2)[1] == {"force": True}
    found = {**server.components, "scheduler": bodies.with_update("scheduler", "0.9.5", current="0.9.4")}
    server.event("update_check_result", {"components": found})
    expect(page.check).to_have_text("Check for updates")
    expect(page.headline).to_have_text("Two updates are ready")


def test_the_others_wait_for_the_remote(page, server):
    """While dunebugger-remote itself has an update, the others' Update says that it has to come first."""
    server.components["remote"] = bodies.with_update("remote", "1.4.0", current="1.3.0")
    core = page.open().card("core")
    expect(core.button("update")).to_be_disabled()
    expect(core.why).to_have_text("Update dunebugger-remote first.")
    expect(core.button("health")).to_be_enabled()
    expect(page.card("remote").button("update")).to_be_enabled()


def test_the_device_is_described(page):
    """What the server knows of the device is shown with its units."""
    system = page.open().system
    for words in ("dune-garden", "dune-pi", "Garden house", "48.3 °C", "12 days 3 hours", "31.2 GB"):
        expect(system).to_contain_text(words)


def test_activity_is_there_for_whoever_wants_it(page, server):
    """What the server logs is a list that stays closed until it is opened, newest first."""
    page.open()
    server.event("log", {"message": "looking at github.com", "level": "info"})
    server.event("log", {"message": "no answer for 30 s", "level": "warning"})
    expect(page.activity.locator("li").first).to_be_hidden()
    page.activity.locator("summary").click()
    expect(page.activity.locator("li").first).to_contain_text("Warning")
    expect(page.activity.locator("li").first).to_contain_text("no answer for 30 s")


def test_unknown_subjects_change_nothing(page, server):
    """A message of a kind that the page does not know is ignored, and so is one that is not an object."""
    page.open()
    server.event("tea.ready", {"cups": 2})
    server.event("update_progress", None)
    server.event("update_result", "done")
    server.event("log", {"message": "still here", "level": "info"})
    expect(page.activity).to_be_visible()
    expect(page.card("core").pill).to_have_text("Update available")


def test_what_serves_the_page_runs_without_an_age(page, server):
    """It runs as surely as the page is there, also after it was checked, and however long the page stays open."""
    page.open()
    standing = {"component": "remote", "running": True, "at": bodies.ago(minutes=3)}
    server.event("component_running", standing | {"how": "health check"})
    expect(page.card("remote").running.locator("time")).to_have_text("3 minutes ago")
    server.event("component_running", standing | {"how": "itself"})
    expect(page.card("remote").running).to_contain_text("serves this page")
    since = page.card("remote").running.locator("time")
    tick = "(node) => import('/static/times.js').then(({ tick }) => { tick(); return node.hidden; })"
    assert since.evaluate(tick) is True
