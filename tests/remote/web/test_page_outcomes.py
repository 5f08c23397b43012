"""How things ended: on the card, in a notice, and in the history, in plain words."""

from __future__ import annotations

import message_bodies as bodies
import pytest
from playwright.sync_api import expect

from protocol.types import Reason
from remote.gateway.errors import Trouble
from remote.rules import Objection

OUR_REASONS = [*Trouble, *Objection]


def finish(page, server, result):
    """An update of core that ends with ``result``."""
    page.open()
    server.event("update_progress", bodies.progress(result["request_id"]))
    expect(page.card("core").progress).to_be_visible()
    server.event("update_result", result)
    expect(page.card("core").progress).to_be_hidden()


def test_an_update_that_worked(page, server):
    """A successful update says so on its card, which then is up to date."""
    finish(page, server, bodies.result(bodies.new_id()))
    core = page.card("core")
    expect(core.result).to_contain_text("Updated to 1.1.0")
    expect(core.result).to_have_attribute("data-tone", "good")
    expect(core.current).to_have_text("1.1.0")
    expect(core.pill).to_have_text("Up to date")
    expect(page.headline).to_have_text("Everything is up to date")


def test_an_update_that_was_rolled_back(page, server):
    """An update that was undone says which version did not work, which was put back, and why."""
    finish(page, server, bodies.rolled_back(bodies.new_id()))
    result = page.card("core").result
    expect(result).to_contain_text("1.1.0 did not work, 1.0.0 was put back")
    expect(result).to_contain_text("The health check says that it does not work.")
    expect(page.card("core").current).to_have_text("1.0.0")
    expect(page.card("core").button("update")).to_be_enabled()


def test_a_failure_tells_what_the_script_said(page, server):
    """The output of a failed script can be opened on the card."""
    finish(page, server, bodies.rolled_back(bodies.new_id()))
    result = page.card("core").result
    result.locator("summary").click()
    expect(result.locator("pre")).to_contain_text("no answer on port 8123")


def test_a_failed_rollback_asks_for_a_person(page, server):
    """When the old version could not be put back either, that is said first."""
    change = {"state": "failed", "reason": "rollback_failed", "current": None}
    finish(page, server, bodies.rolled_back(bodies.new_id(), **change))
    result = page.card("core").result
    expect(result).to_contain_text("1.1.0 did not work, and the version before could not be put back")
    expect(result).to_contain_text("Somebody has to look at the device")


def test_a_coordinator_that_does_not_run(page, server):
    """A request that nobody takes says that the coordinator is not running, and how to start it."""
    page.open().ask("core", "update")
    server.wait_for("updater.perform_update")
    server.event("update_result", bodies.refused())
    result = page.card("core").result
    expect(result).to_contain_text("The update to 1.1.0 was not begun")
    expect(result).to_contain_text("The update coordinator on the host is not running")
    expect(page.card("core").button("update")).to_be_enabled()


def test_a_failure_stays_until_it_is_put_away(page, server):
    """The notice of a failure stays, also when good news goes by itself; putting the result away takes both."""
    page.page.clock.install()
    finish(page, server, bodies.rolled_back(bodies.new_id()))
    server.event("health_result", health("scheduler", success=True))
    expect(page.notices).to_have_count(2)
    page.page.clock.run_for(60_000)
    expect(page.notices).to_have_count(1)
    expect(page.notices).to_contain_text("1.1.0 did not work")
    page.page.get_by_role("button", name="Put away the result of dunebugger-core").click()
    expect(page.card("core").result).to_be_hidden()
    expect(page.notices).to_have_count(0)


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"success": True}, "It is healthy"),
        ({"success": False, "running": False, "reason": "unhealthy"}, "It is not healthy"),
        ({"success": False, "running": None, "reason": "no_answer"}, "No answer yet to the health check"),
        ({"success": False, "running": None, "reason": "script_missing"}, "Its health could not be checked"),
    ],
)
def test_health_in_words(page, server, change, title):
    """A health check ends as healthy, not healthy, or not looked at; the latter says nothing of the component."""
    page.open()
    server.event("health_result", health("core", **change))
    expect(page.card("core").result.get_by_role("heading")).to_have_text(title)


def test_what_a_health_check_found_is_what_runs(page, server):
    """After a health check that failed, the component counts for not running."""
    page.open()
    server.event("health_result", health("core", success=False, running=False, reason="unhealthy"))
    expect(page.card("core").running).to_contain_text("Not running")


def test_a_good_check_after_an_update_leaves_the_updates_result_where_it_is(page, server):
    """Nobody asked for it: what became of the update is what people want to read."""
    finish(page, server, bodies.rolled_back(bodies.new_id()))
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, action="health", version=None, automatic=True))
    server.event("health_result", health("core", success=True, request_id=request, automatic=True))
    expect(page.card("core").running).to_contain_text("health check")
    expect(page.card("core").result).to_contain_text("1.1.0 did not work")


def test_what_a_card_tells_of_the_past_is_not_the_check_after_it(page, server):
    """The latest thing that somebody wanted."""
    after = bodies.entry("core", action="health", version=None, automatic=True, success=True, state="succeeded")
    server.history = [after, bodies.entry("core", success=True, state="succeeded", version="1.0.0")]
    expect(page.open().card("core").last).to_contain_text("Updated to 1.0.0")


def test_a_bad_check_after_an_update_is_news(page, server):
    """Though nobody asked for it."""
    finish(page, server, bodies.result(bodies.new_id()))
    server.event("health_result", health("core", success=False, running=False, reason="unhealthy", automatic=True))
    expect(page.card("core").result).to_contain_text("It is not healthy")


def test_every_reason_has_words(browser, server):
    """Each reason there is, of the coordinator's and of our own, is a sentence and not a code."""
    page = browser.new_page()
    page.goto(server.address)
    script = "async (codes) => { const words = await import('/static/texts.js'); return codes.map(words.reasonWords); }"
    codes = sorted({str(reason) for reason in (*OUR_REASONS, *Reason)})
    said = dict(zip(codes, page.evaluate(script, codes), strict=True))
    page.close()
    assert all(words.endswith(".") for words in said.values())
    assert [code for code, words in said.items() if "The reason given" in words] == []


def test_a_reason_of_the_future_is_shown_as_it_is(page, server):
    """A reason that the page does not know is named, not hidden."""
    finish(page, server, bodies.rolled_back(bodies.new_id(), reason="moon_phase"))
    expect(page.card("core").result).to_contain_text("moon_phase")


def test_a_result_that_was_overtaken_does_not_revive(page, server):
    """Progress that arrives after its result shows nothing more under way."""
    request = bodies.new_id()
    finish(page, server, bodies.result(request))
    server.event("update_progress", bodies.progress(request, percent=99))
    server.event("log", {"message": "after it", "level": "info"})
    expect(page.activity).to_be_visible()
    expect(page.card("core").progress).to_be_hidden()


def health(name, *, success, **change):
    """One ``health_result``."""
    return {
        "component": name,
        "success": success,
        "running": success,
        "message": "Healthy" if success else "Health check failed: health-check.sh ended with exit code 1",
        "at": bodies.ago(seconds=0),
        "how": "health check",
        "reason": None,
        "request_id": bodies.new_id(),
        **change,
    }
