"""Results of requests: on the card, in a notice, and in the history."""

from __future__ import annotations

import message_bodies as bodies
import pytest
from playwright.sync_api import expect

from protocol.types import Reason
from remote.gateway.errors import FailureCode
from remote.rules import RejectionCode

CONTAINER_SIDE_REASONS = [*FailureCode, *RejectionCode]


def finish(page, server, result):
    """Show an update of core that ends with ``result``."""
    page.open()
    server.event("update_progress", bodies.progress(result["request_id"]))
    expect(page.card("core").progress).to_be_visible()
    server.event("update_result", result)
    expect(page.card("core").progress).to_be_hidden()


def test_result_of_a_successful_update(page, server):
    """The card shows success, and the component is up to date."""
    finish(page, server, bodies.result(bodies.new_id()))
    core = page.card("core")
    expect(core.result).to_contain_text("Updated to 1.1.0")
    expect(core.result).to_have_attribute("data-tone", "good")
    expect(core.current).to_have_text("1.1.0")
    expect(core.pill).to_have_text("Up to date")
    expect(page.headline).to_have_text("Everything is up to date")


def test_result_of_a_rolled_back_update(page, server):
    """The card shows the failed version, the restored one, and the reason."""
    finish(page, server, bodies.rolled_back(bodies.new_id()))
    result = page.card("core").result
    expect(result).to_contain_text("1.1.0 did not work, 1.0.0 was restored")
    expect(result).to_contain_text("The health check failed.")
    expect(page.card("core").current).to_have_text("1.0.0")
    expect(page.card("core").button("update")).to_be_enabled()


def test_result_of_a_failure_has_the_script_output(page, server):
    """The output of a failed script can be opened on the card."""
    finish(page, server, bodies.rolled_back(bodies.new_id()))
    result = page.card("core").result
    result.locator("summary").click()
    expect(result.locator("pre")).to_contain_text("no answer on port 8123")


def test_result_of_a_failed_rollback_warns_the_user(page, server):
    """The card says first that the old version could not be restored."""
    change = {"state": "failed", "reason": "rollback_failed", "current": None}
    finish(page, server, bodies.rolled_back(bodies.new_id(), **change))
    result = page.card("core").result
    expect(result).to_contain_text("1.1.0 did not work, and the version before it could not be restored")
    expect(result).to_contain_text("Check the device")


def test_result_without_a_coordinator_names_the_remedy(page, server):
    """The card says that the coordinator is not running, and how to start it."""
    page.open().request("core", "update")
    server.wait_for("updater.perform_update")
    server.event("update_result", bodies.rejected())
    result = page.card("core").result
    expect(result).to_contain_text("The update to 1.1.0 was not started")
    expect(result).to_contain_text("The update coordinator on the host is not running")
    expect(page.card("core").button("update")).to_be_enabled()


def test_notice_of_a_failure_stays_until_dismissed(page, server):
    """Notices of successes disappear; dismissing the result removes its notice, too."""
    page.page.clock.install()
    finish(page, server, bodies.rolled_back(bodies.new_id()))
    server.event("health_result", health("scheduler", success=True))
    expect(page.notices).to_have_count(2)
    page.page.clock.run_for(60_000)
    expect(page.notices).to_have_count(1)
    expect(page.notices).to_contain_text("1.1.0 did not work")
    page.page.get_by_role("button", name="Dismiss the result of dunebugger-core").click()
    expect(page.card("core").result).to_be_hidden()
    expect(page.notices).to_have_count(0)


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"success": True}, "It is healthy"),
        ({"success": False, "running": False, "reason": "unhealthy"}, "It is not healthy"),
        ({"success": False, "running": None, "reason": "no_answer"}, "No answer yet to the health check"),
        *(
            ({"success": False, "running": None, "reason": reason}, "Its health could not be checked")
            for reason in ("script_missing", "internal_error", "cannot_follow", "rollback_failed", "quota_exceeded")
        ),
        # An answer without a request has no ``running``.
        ({"success": False, "running": ..., "reason": "cannot_write"}, "Its health could not be checked"),
    ],
)
def test_result_of_a_health_check(page, server, change, title):
    """The result is healthy, not healthy, or not checked; the last says nothing about the component."""
    page.open()
    body = health("core", state="succeeded" if change["success"] else "failed", **change)
    server.event("health_result", {name: value for name, value in body.items() if value is not ...})
    expect(page.card("core").result.get_by_role("heading")).to_have_text(title)


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        ("unhealthy", "It is not healthy"),
        ("script_failed", "It is not healthy"),
        ("internal_error", "Its health could not be checked"),
        ("quota_exceeded", "Its health could not be checked"),
    ],
)
def test_history_describes_a_failed_health_check_by_its_reason(page, server, reason, title):
    """An entry of the history has no ``running``; an unknown reason says nothing about the component."""
    change = {"action": "health", "version": None, "success": False, "state": "failed", "reason": reason}
    server.history = [bodies.entry("core", **change)]
    expect(page.open().card("core").last).to_contain_text(title)


@pytest.mark.parametrize("action", ["update", "rollback"])
@pytest.mark.parametrize("reason", ["cannot_follow", "request_lost", "quota_exceeded"])
def test_result_of_a_submitted_request_without_a_state_is_unknown(page, server, action, reason):
    """The host may have executed the request: the page does not say that it was not started."""
    change = {"action": action, "success": False, "state": None, "reason": reason, "output": "", "current": None}
    finish(page, server, bodies.result(bodies.new_id(), **change))
    result = page.card("core").result
    expect(result.get_by_role("heading")).to_have_text(f"It is not known how the {action} ended")
    expect(result).to_have_attribute("data-tone", "warn")


def test_health_result_updates_the_card(page, server):
    """After a failed health check, the component is shown as not running."""
    page.open()
    server.event("health_result", health("core", success=False, running=False, reason="unhealthy"))
    expect(page.card("core").running).to_contain_text("Not running")


def test_automatic_health_success_keeps_the_result_of_the_update(page, server):
    """The card keeps the result of the update, because the user did not request the check."""
    finish(page, server, bodies.rolled_back(bodies.new_id()))
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, action="health", version=None, automatic=True))
    server.event("health_result", health("core", success=True, request_id=request, automatic=True))
    expect(page.card("core").running).to_contain_text("health check")
    expect(page.card("core").result).to_contain_text("1.1.0 did not work")


def test_card_shows_the_latest_requested_result(page, server):
    """The card ignores the automatic check after the update."""
    after = bodies.entry("core", action="health", version=None, automatic=True, success=True, state="succeeded")
    server.history = [after, bodies.entry("core", success=True, state="succeeded", version="1.0.0")]
    expect(page.open().card("core").last).to_contain_text("Updated to 1.0.0")


def test_automatic_health_failure_is_shown(page, server):
    """The failure replaces the result of the update."""
    finish(page, server, bodies.result(bodies.new_id()))
    server.event("health_result", health("core", success=False, running=False, reason="unhealthy", automatic=True))
    expect(page.card("core").result).to_contain_text("It is not healthy")


def test_every_reason_has_a_text(browser, server):
    """The text of each reason, of either side, is a sentence instead of a code."""
    page = browser.new_page()
    page.goto(server.address)
    script = "async (codes) => { const texts = await import('/static/texts.js'); return codes.map(texts.reasonText); }"
    codes = sorted({str(reason) for reason in (*CONTAINER_SIDE_REASONS, *Reason)})
    texts = dict(zip(codes, page.evaluate(script, codes), strict=True))
    page.close()
    assert all(text.endswith(".") for text in texts.values())
    assert [code for code, text in texts.items() if "The reason is" in text] == []


def test_unknown_reason_is_shown_as_its_code(page, server):
    """A reason that the page does not know is shown as its code."""
    finish(page, server, bodies.rolled_back(bodies.new_id(), reason="quota_exceeded"))
    expect(page.card("core").result).to_contain_text("quota_exceeded")


def test_late_progress_does_not_reactivate_a_request(page, server):
    """Progress that arrives after the result is ignored."""
    request = bodies.new_id()
    finish(page, server, bodies.result(request))
    server.event("update_progress", bodies.progress(request, percent=99))
    server.event("log", {"message": "after it", "level": "info"})
    expect(page.activity).to_be_visible()
    expect(page.card("core").progress).to_be_hidden()


def health(name, *, success, **change):
    """Return a ``health_result`` body."""
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
