"""The connection: always visible, coming back by itself, going on where it was."""

from __future__ import annotations

import message_bodies as bodies
import pytest
from playwright.sync_api import expect

# Without its timers the page never tries again by itself: what connects it then is what the test has done.
STOP_TIMERS = "() => { for (let id = 1; id < 100000; id += 1) clearTimeout(id); }"


def test_a_lost_connection_is_said_and_can_be_hurried(page, server):
    """A lost connection is said in words with the time of the next attempt; Now does not wait for it."""
    page.open()
    server.go_away()
    expect(page.connection).to_contain_text("Reconnecting in")
    expect(page.card("core").button("update")).to_be_disabled()
    expect(page.card("core").why).to_have_text("Not connected.")
    page.page.evaluate(STOP_TIMERS)
    server.come_back()
    page.now.click()
    page.connected()
    expect(page.card("core").button("update")).to_be_enabled()


def test_it_comes_back_by_itself(page, server):
    """Nobody needs to press anything for the connection to come back."""
    page.open()
    server.go_away()
    page.disconnected()
    server.come_back()
    page.connected()


def test_it_goes_on_after_the_last_event(page, server):
    """A page that comes back names the last event it saw, and shows what it has missed."""
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, percent=30))
    expect(page.card("core").progress).to_be_visible()
    seen = len(server._events)
    server.go_away()
    page.disconnected()
    server.event("update_result", bodies.rolled_back(request))
    server.come_back()
    page.connected()
    assert server.sinces == [None, str(seen)]
    expect(page.card("core").result).to_contain_text("1.1.0 did not work, 1.0.0 was put back")


def test_everything_is_asked_again_after_a_gap(page, server):
    """When the server cannot tell all that was missed, the page asks for everything again."""
    page.open()
    expect(page.card("scheduler").current).to_have_text("0.9.4")
    server.go_away()
    page.disconnected()
    server.components["scheduler"] = bodies.component("scheduler", current="0.9.5", latest="0.9.5")
    server.come_back(complete=False)
    expect(page.card("scheduler").current).to_have_text("0.9.5")


def test_a_server_that_counts_from_the_beginning_again(page, server):
    """After a restart that made the numbers of events begin anew, the page goes on with the new ones."""
    page.open()
    for number in range(20):
        server.event("log", {"message": f"before {number}", "level": "info"})
    expect(page.activity.locator("li")).to_have_count(20)
    server.go_away()
    page.disconnected()
    server._events.clear()
    server.come_back(complete=False)
    page.connected()
    server.wait_for("updater.check_updates", 2)
    expect(page.card("core").pill).to_be_visible()
    server.go_away()
    page.disconnected()
    server.come_back()
    page.connected()
    assert int(server.sinces[-1]) < 5


@pytest.fixture
def replaced(page, server):
    """A page whose server goes away in the middle of its own update; the request's id."""
    server.components["remote"] = bodies.with_update("remote", "1.4.0", current="1.3.0")
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, "remote", version="1.4.0", phase="restart"))
    expect(page.card("remote").progress).to_be_visible()
    server.go_away()
    page.disconnected()
    return request


def test_the_server_may_go_away_for_its_own_update(page, replaced):
    """When the page's own server is being replaced, that is said, and the progress stays."""
    remote = page.card("remote")
    expect(remote.away).to_contain_text("The page will come back by itself when the new version is up.")
    expect(remote.phase).to_have_text("restart")


def test_how_its_own_update_ended_is_shown_after_it(page, server, replaced):
    """After its own update the server is there again, and the page shows how it ended."""
    server.components["remote"] = bodies.component("remote", current="1.4.0", latest="1.4.0", running_how="itself")
    server.come_back(version="1.4.0")
    page.connected()
    server.event("update_result", bodies.result(replaced, "remote", version="1.4.0", current="1.4.0"))
    expect(page.card("remote").result).to_contain_text("Updated to 1.4.0")
    expect(page.card("remote").away).to_be_hidden()


def test_the_history_tells_what_no_event_did(page, server, replaced):
    """A result whose event is lost is found in the history, and shown like any other."""
    server.history.insert(0, bodies.entry("remote", request_id=replaced, version="1.4.0"))
    server.come_back(complete=False, version="1.4.0")
    page.connected()
    expect(page.card("remote").result).to_contain_text("Updated to 1.4.0")
    expect(page.card("remote").progress).to_be_hidden()


def test_a_new_server_offers_its_page(page, server):
    """When another version of the server has come up, its own page is offered, not forced on whoever reads."""
    page.open()
    server.go_away()
    page.disconnected()
    server.come_back(version="1.4.0")
    page.connected()
    expect(page.notices).to_contain_text("dunebugger-remote 1.4.0 is running now")
    with page.page.expect_navigation():
        page.page.get_by_role("button", name="Load the new page").click()
    page.connected()
    expect(page.notices).to_have_count(0)


def test_the_network_coming_back_does_not_wait(page, server):
    """When the browser says that the network is back, the next attempt is made at once."""
    page.open()
    server.go_away()
    expect(page.connection).to_contain_text("Reconnecting in")
    page.page.evaluate(STOP_TIMERS)
    server.come_back()
    page.page.evaluate("() => window.dispatchEvent(new Event('online'))")
    page.connected()


def test_a_connection_that_died_in_silence_is_noticed(page, server):
    """When the server has said nothing for long and does not answer, the page connects anew."""
    page.page.clock.install()
    page.open()
    expect(page.card("core").pill).to_be_visible()
    server.mute = True
    page.page.clock.run_for(60_000)
    server.mute = False
    page.page.clock.resume()
    page.connected()
    assert len(server.sinces) > 1
