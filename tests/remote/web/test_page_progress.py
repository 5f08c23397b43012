"""What is under way: words, bar and output as they come."""

from __future__ import annotations

import re

import message_bodies as bodies
from playwright.sync_api import expect

GAP = "node => Math.round(node.scrollHeight - node.scrollTop - node.clientHeight)"  # how far from its end


def test_progress_moves_with_its_phase_and_output(page, server):
    """The bar, the phase and the output follow what the server tells."""
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


def test_a_bar_without_a_number_claims_none(page, server):
    """While the script has told no percentage, the bar has no value."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), state="validated"))
    core = page.card("core")
    expect(core.phase).to_have_text("accepted, waiting for its turn")
    expect(core.bar).not_to_have_attribute("aria-valuenow", re.compile(".*"))


def test_errors_of_the_script_are_told_apart(page, server):
    """What the script says on stderr is marked as such, with a word and not with a colour alone."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), output="Fetching\n", error="no route\n"))
    stderr = page.card("core").output.locator(".stderr")
    expect(stderr).to_have_text("no route")
    label = stderr.evaluate("node => getComputedStyle(node, '::before').content")
    assert label == '"stderr"'


def test_the_output_is_what_a_script_says_to_people(page, server):
    """Its lines for the bar are in the bar alone; also in what is shown of it afterwards."""
    page.open()
    request = bodies.new_id()
    said = "PHASE:download\nFetching\nPROGRESS:20\nPROGRESS:40\n"
    server.event("update_progress", bodies.progress(request, phase="download", percent=40, output=said))
    expect(page.card("core").output).to_have_text("Fetching\n", use_inner_text=False)
    server.event("update_progress", bodies.progress(request, percent=80, output=f"{said}PROGRESS:80\nUnpacking\n"))
    expect(page.card("core").output).to_have_text("Fetching\nUnpacking\n", use_inner_text=False)
    server.event("update_result", bodies.result(request, output=f"{said}PHASE:start\nDone\n"))
    shown = page.card("core").result.locator("pre")
    expect(shown).to_have_text("Fetching\nDone\n", use_inner_text=False)


def test_output_longer_than_a_message_is_put_together(page, server):
    """Messages carry only the end of the output; the page shows all of it, each line once."""
    page.open()
    request, lines = bodies.new_id(), [f"line {number:04d}\n" for number in range(900)]
    for upto in range(100, 901, 100):
        server.event("update_progress", bodies.progress(request, output="".join(lines[:upto])[-4096:]))
    expect(page.card("core").output).to_contain_text("line 0899")
    assert page.card("core").output.text_content() == "".join(lines)


def test_the_output_follows_its_end_unless_somebody_reads(page, server):
    """The output stays at its end as it grows, but not when somebody has scrolled up; a button goes back to the end."""
    page.open()
    request, text = bodies.new_id(), "".join(f"line {number}\n" for number in range(200))
    output = page.card("core").output
    server.event("update_progress", bodies.progress(request, output=text))
    expect(output).to_contain_text("line 199")
    assert output.evaluate(GAP) < 5
    output.evaluate("node => { node.scrollTop = 40; }")
    follow = page.card("core").root.get_by_role("button", name="Follow the end")
    expect(follow).to_be_visible()
    server.event("update_progress", bodies.progress(request, output=text + "one more\n"))
    expect(output).to_contain_text("one more")
    assert output.evaluate("node => node.scrollTop") == 40
    follow.click()
    expect(follow).to_be_hidden()
    assert output.evaluate(GAP) < 5


def test_what_begins_while_the_page_asks_is_not_lost(page, server):
    """Progress that overtakes the answer to what is under way is not taken for ended because of that answer."""
    server.overtaking = bodies.progress(bodies.new_id(), percent=5)
    page.open()
    server.wait_for("updater.history")  # asked, and so answered, after what is under way
    server.event("log", {"message": "after it", "level": "info"})
    expect(page.activity).to_be_visible()
    expect(page.card("core").progress).to_be_visible()


def test_undoing_is_told_as_such(page, server):
    """A failed update that is being rolled back says which version is put back, and claims no percentage."""
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, percent=80))
    server.event("update_progress", bodies.progress(request, state="failed", percent=80))
    core = page.card("core")
    expect(core.progress).to_contain_text("1.1.0 did not work: putting 1.0.0 back")
    expect(core.bar).not_to_have_attribute("aria-valuenow", re.compile(".*"))


def test_a_reload_in_the_middle_shows_the_progress_again(page, server):
    """A page that is loaded while an update is under way shows it, and since when."""
    request = bodies.new_id()
    server.under_way = [bodies.progress(request, phase="install", percent=40, output="Unpacking\n")]
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


def test_a_page_that_is_loaded_late_shows_the_end_of_the_output(page, server):
    """Long output that is there when the page is loaded is shown from its end, which is what is going on."""
    server.overtaking = bodies.progress(bodies.new_id(), output="".join(f"line {number}\n" for number in range(200)))
    server.under_way = [server.overtaking]
    output = page.open().card("core").output
    expect(output).to_contain_text("line 199")
    assert output.evaluate(GAP) < 5


def test_the_tab_tells_how_far_it_is(page, server):
    """The title of the tab carries what is under way, for whoever looks at another one."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), percent=40))
    expect(page.page).to_have_title("dunebugger-core 40 % · DuneBugger updates")


def test_two_components_are_shown_each_in_its_card(page, server):
    """Two things under way at the same time each have their own bar."""
    page.open()
    server.event("update_progress", bodies.progress(bodies.new_id(), percent=10))
    server.event("update_progress", bodies.progress(bodies.new_id(), "scheduler", action="health", percent=70))
    expect(page.card("core").bar).to_have_attribute("aria-valuenow", "10")
    expect(page.card("scheduler").bar).to_have_attribute("aria-valuenow", "70")


def test_only_a_change_of_phase_is_read_aloud(page, server):
    """A screen reader hears the phase, not every line of output."""
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, phase="download", output="one\n"))
    announcer = page.page.locator("#announcer")
    expect(announcer).to_have_text("Updating to 1.1.0: download")
    server.event("update_progress", bodies.progress(request, phase="download", output="one\ntwo\n"))
    expect(page.card("core").output).to_contain_text("two")
    expect(announcer).to_have_text("Updating to 1.1.0: download")
    assert page.card("core").output.evaluate("node => node.closest('[aria-live], [role=status], [role=log]')") is None
