"""Progress of requests: texts, bar and output."""

from __future__ import annotations

import re

import message_bodies as bodies
from playwright.sync_api import expect

GAP = "node => Math.round(node.scrollHeight - node.scrollTop - node.clientHeight)"  # scroll distance to the end


def test_progress_shows_percentage_phase_and_output(page, server):
    """Bar, phase and output follow the messages."""
    page.open()
    core, request = page.card("core"), bodies.new_id()
    server.event("update_progress", bodies.progress(request, phase="download", percent=20, output="Fetching\n"))
    expect(core.progress).to_contain_text("Updating to 1.1.0")
    expect(core.phase).to_have_text("download")
    expect(core.bar).to_have_attribute("aria-valuenow", "20")
    server.event(
        "update_progress", bodies.progress(request, phase="install", percent=65, output="Fetching\nUnpacking\n")
    )
    expect(core.phase).to_have_text("install")
    expect(core.bar).to_have_attribute("aria-valuenow", "65")
    expect(core.output).to_have_text("Fetching\nUnpacking\n", use_inner_text=False)


def test_progress_without_percentage_is_indeterminate(page, server):
    """Without a percentage, the bar has no value."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), state="validated"))
    core = page.card("core")
    expect(core.phase).to_have_text("accepted, waiting for its turn")
    expect(core.bar).not_to_have_attribute("aria-valuenow", re.compile(".*"))


def test_progress_shows_an_unknown_state_as_its_code(page, server):
    """A state of a newer coordinator is shown as it was sent."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), state="paused", phase="download"))
    expect(page.card("core").phase).to_have_text("paused")
    expect(page.card("core").progress).to_contain_text("Updating to 1.1.0")


def test_progress_marks_stderr(page, server):
    """Stderr is marked by a text, not only by a colour."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), output="Fetching\n", error="no route\n"))
    stderr = page.card("core").output.locator(".stderr")
    expect(stderr).to_have_text("no route")
    label = stderr.evaluate("node => getComputedStyle(node, '::before').content")
    assert label == '"stderr"'


def test_output_hides_phase_and_progress_lines(page, server):
    """PHASE and PROGRESS lines are hidden, also in the result."""
    page.open()
    request = bodies.new_id()
    output = "PHASE:download\nFetching\nPROGRESS:20\nPROGRESS:40\n"
    server.event("update_progress", bodies.progress(request, phase="download", percent=40, output=output))
    expect(page.card("core").output).to_have_text("Fetching\n", use_inner_text=False)
    server.event("update_progress", bodies.progress(request, percent=80, output=f"{output}PROGRESS:80\nUnpacking\n"))
    expect(page.card("core").output).to_have_text("Fetching\nUnpacking\n", use_inner_text=False)
    server.event("update_result", bodies.result(request, output=f"{output}PHASE:start\nDone\n"))
    shown = page.card("core").result.locator("pre")
    expect(shown).to_have_text("Fetching\nDone\n", use_inner_text=False)


def test_output_is_merged_from_messages(page, server):
    """Messages contain only the end of the output; the page shows all of it, each line once."""
    page.open()
    request, lines = bodies.new_id(), [f"line {number:04d}\n" for number in range(900)]
    for upto in range(100, 901, 100):
        server.event("update_progress", bodies.progress(request, output="".join(lines[:upto])[-4096:]))
    expect(page.card("core").output).to_contain_text("line 0899")
    assert page.card("core").output.text_content() == "".join(lines)


def test_output_follows_its_end_unless_scrolled(page, server):
    """The output stays at its end unless the user scrolled up; a button returns to the end."""
    page.open()
    request, text = bodies.new_id(), "".join(f"line {number}\n" for number in range(200))
    output = page.card("core").output
    server.event("update_progress", bodies.progress(request, output=text))
    expect(output).to_contain_text("line 199")
    assert output.evaluate(GAP) < 5
    output.evaluate("node => { node.scrollTop = 40; }")
    follow = page.card("core").root.get_by_role("button", name="Scroll to the end")
    expect(follow).to_be_visible()
    server.event("update_progress", bodies.progress(request, output=text + "one more\n"))
    expect(output).to_contain_text("one more")
    assert output.evaluate("node => node.scrollTop") == 40
    follow.click()
    expect(follow).to_be_hidden()
    assert output.evaluate(GAP) < 5


def test_progress_before_the_list_of_outstanding_requests_is_kept(page, server):
    """Progress that arrives before the list of outstanding requests stays."""
    server.early_progress = bodies.progress(bodies.new_id(), percent=5)
    page.open()
    server.wait_for("updater.history")  # the page requests the history after the outstanding requests
    server.event("log", {"message": "after it", "level": "info"})
    expect(page.activity).to_be_visible()
    expect(page.card("core").progress).to_be_visible()


def test_progress_shows_a_rollback(page, server):
    """Progress of a rollback after a failed update names the restored version, and has no percentage."""
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, percent=80))
    server.event("update_progress", bodies.progress(request, state="failed", percent=80))
    core = page.card("core")
    expect(core.progress).to_contain_text("1.1.0 did not work: restoring 1.0.0")
    expect(core.bar).not_to_have_attribute("aria-valuenow", re.compile(".*"))


def test_progress_is_restored_after_a_reload(page, server):
    """A page that is loaded during an update shows it with its start time."""
    request = bodies.new_id()
    server.outstanding = [bodies.progress(request, phase="install", percent=40, output="Unpacking\n")]
    server.history.insert(
        0, bodies.entry(request_id=request, success=None, finished_at=None, asked_at=bodies.ago(seconds=75))
    )
    page.open()
    page.page.reload()
    page.connected()
    core = page.card("core")
    expect(core.phase).to_have_text("install")
    expect(core.output).to_contain_text("Unpacking")
    expect(core.root.get_by_test_id("elapsed")).to_have_text(re.compile(r"^1:(1[5-9]|[2-5]\d)$"))
    expect(page.headline).to_have_text("Updating dunebugger-core to 1.1.0")


def test_output_starts_at_its_end_after_a_reload(page, server):
    """Long output is shown from its end."""
    server.early_progress = bodies.progress(
        bodies.new_id(), output="".join(f"line {number}\n" for number in range(200))
    )
    server.outstanding = [server.early_progress]
    output = page.open().card("core").output
    expect(output).to_contain_text("line 199")
    assert output.evaluate(GAP) < 5


def test_tab_title_shows_the_progress(page, server):
    """The tab title has component and percentage."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), percent=40))
    expect(page.page).to_have_title("dunebugger-core 40 % · DuneBugger updates")


def test_progress_is_shown_per_component(page, server):
    """Two concurrent requests have their own bars."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), percent=10))
    server.event("update_progress", bodies.progress(bodies.new_id(), "scheduler", action="health", percent=70))
    expect(page.card("core").bar).to_have_attribute("aria-valuenow", "10")
    expect(page.card("scheduler").bar).to_have_attribute("aria-valuenow", "70")


def test_progress_announces_phases_only(page, server):
    """A screen reader gets the phases, not the output."""
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, phase="download", output="one\n"))
    announcer = page.page.locator("#announcer")
    expect(announcer).to_have_text("Updating to 1.1.0: download")
    server.event("update_progress", bodies.progress(request, phase="download", output="one\ntwo\n"))
    expect(page.card("core").output).to_contain_text("two")
    expect(announcer).to_have_text("Updating to 1.1.0: download")
    assert page.card("core").output.evaluate("node => node.closest('[aria-live], [role=status], [role=log]')") is None
