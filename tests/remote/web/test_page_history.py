"""The history: what was asked, how it ended, and why."""

from __future__ import annotations

import message_bodies as bodies
from playwright.sync_api import expect


def test_the_newest_is_first_with_its_outcome_in_words(page):
    """Each line says the outcome in words, the component, what was asked and when, newest first."""
    rows = page.open().history_rows
    expect(rows).to_have_count(6)
    expect(rows.nth(0)).to_contain_text("It is healthy")
    expect(rows.nth(1)).to_contain_text("1.1.0-rc.2 did not work, the version before it was put back")
    expect(rows.nth(1)).to_contain_text("dunebugger-core")
    expect(rows.nth(1)).to_contain_text("Update to 1.1.0-rc.2")
    expect(rows.nth(1)).to_contain_text("yesterday")


def test_a_line_opens_to_the_whole_story(page):
    """A line opens to the reason in plain words, the message, and what the script said."""
    row = page.open().history_rows.nth(3)
    expect(row.get_by_test_id("reason")).to_be_hidden()
    row.locator("summary").click()
    expect(row.get_by_test_id("reason")).to_have_text("It took longer than it may, and was stopped.")
    expect(row).to_contain_text("update.sh was stopped after 600 s")
    expect(row.locator("pre")).to_contain_text("Fetching")


def test_one_component_can_be_chosen(page):
    """The filter leaves the lines of one component."""
    page.open().history_filter.select_option(label="dunebugger-scheduler")
    expect(page.history_rows).to_have_count(2)
    page.history_filter.select_option(label="All")
    expect(page.history_rows).to_have_count(6)


def test_an_open_line_stays_open_when_something_new_comes(page, server):
    """A line that somebody reads stays open when the history grows above it."""
    page.open().history_rows.nth(1).locator("summary").click()
    result = bodies.result(bodies.new_id())
    server.history = [bodies.entry(request_id=result["request_id"], version="1.1.0"), *server.history]
    server.event("update_result", result)
    expect(page.history_rows).to_have_count(7)
    expect(page.history_rows.nth(2).get_by_test_id("reason")).to_be_visible()


def test_a_long_history_comes_in_pages(page, server):
    """A long history shows its beginning, and more when it is asked for, with the focus on what is new."""
    server.history = [bodies.entry() for _ in range(40)]
    page.open()
    expect(page.history_rows).to_have_count(15)
    page.page.get_by_role("button", name="Show more (25)").click()
    expect(page.history_rows).to_have_count(30)
    expect(page.history_rows.nth(15).locator("summary")).to_be_focused()


def test_what_is_under_way_is_a_line_too(page, server):
    """A request that has not ended stands in the history as what it is."""
    server.history.insert(0, bodies.entry(version="1.1.0", success=None, finished_at=None, state="running"))
    expect(page.open().history_rows.first).to_contain_text("Updating to 1.1.0")


def test_an_empty_history_says_so(page, server):
    """Where nothing has been asked yet, that is said."""
    server.history = []
    page.open()
    expect(page.page.get_by_text("Nothing has been asked of this device yet.")).to_be_visible()
