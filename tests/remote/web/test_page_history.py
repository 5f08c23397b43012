"""Request history."""

from __future__ import annotations

import message_bodies as bodies
from playwright.sync_api import expect


def test_history_lists_results_newest_first(page):
    """Each row has the result, the component, the request and the time."""
    rows = page.open().history_rows
    expect(rows).to_have_count(6)
    expect(rows.nth(0)).to_contain_text("It is healthy")
    expect(rows.nth(1)).to_contain_text("1.1.0-rc.2 did not work, the version before it was restored")
    expect(rows.nth(1)).to_contain_text("dunebugger-core")
    expect(rows.nth(1)).to_contain_text("Update to 1.1.0-rc.2")
    expect(rows.nth(1)).to_contain_text("yesterday")


def test_history_row_opens_to_details(page):
    """The details have the reason, the message and the script output."""
    row = page.open().history_rows.nth(3)
    expect(row.get_by_test_id("reason")).to_be_hidden()
    row.locator("summary").click()
    expect(row.get_by_test_id("reason")).to_have_text("It exceeded its time limit and was stopped.")
    expect(row).to_contain_text("update.sh was stopped after 600 s")
    expect(row.locator("pre")).to_contain_text("Fetching")


def test_history_can_be_filtered_by_component(page):
    """The filter shows the rows of one component."""
    page.open().history_filter.select_option(label="dunebugger-scheduler")
    expect(page.history_rows).to_have_count(2)
    page.history_filter.select_option(label="All")
    expect(page.history_rows).to_have_count(6)


def test_history_row_stays_open_when_a_row_is_added(page, server):
    """An open row stays open when the history grows."""
    page.open().history_rows.nth(1).locator("summary").click()
    result = bodies.result(bodies.new_id())
    server.history = [bodies.entry(request_id=result["request_id"], version="1.1.0"), *server.history]
    server.event("update_result", result)
    expect(page.history_rows).to_have_count(7)
    expect(page.history_rows.nth(2).get_by_test_id("reason")).to_be_visible()


def test_history_is_paged(page, server):
    """More rows are shown on request, with the focus on the first new one."""
    server.history = [bodies.entry() for _ in range(40)]
    page.open()
    expect(page.history_rows).to_have_count(15)
    page.page.get_by_role("button", name="Show more (25)").click()
    expect(page.history_rows).to_have_count(30)
    expect(page.history_rows.nth(15).locator("summary")).to_be_focused()


def test_history_lists_requests_in_progress(page, server):
    """A request without a result is shown as in progress."""
    server.history.insert(0, bodies.entry(version="1.1.0", success=None, finished_at=None, state="running"))
    expect(page.open().history_rows.first).to_contain_text("Updating to 1.1.0")


def test_empty_history_shows_a_text(page, server):
    """Without requests, the page says so."""
    server.history = []
    page.open()
    expect(page.page.get_by_text("There are no requests yet.")).to_be_visible()
