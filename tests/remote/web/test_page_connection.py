"""Connection: its visible state, reconnecting, and resuming after the last event."""

from __future__ import annotations

import message_bodies as bodies
import pytest
from playwright.sync_api import expect

# Without its timers the page never reconnects automatically, so that only the action of the test can reconnect it.
STOP_TIMERS = "() => { for (let id = 1; id < 100000; id += 1) clearTimeout(id); }"


def test_connection_lost_shows_a_countdown(page, server):
    """The page shows the time of the next attempt; the button Now starts it at once."""
    page.open()
    server.go_offline()
    expect(page.connection).to_contain_text("Reconnecting in")
    expect(page.card("core").button("update")).to_be_disabled()
    expect(page.card("core").why).to_have_text("Not connected.")
    page.page.evaluate(STOP_TIMERS)
    server.go_online()
    page.now.click()
    page.connected()
    expect(page.card("core").button("update")).to_be_enabled()


def test_connection_is_restored_without_interaction(page, server):
    """The page reconnects automatically."""
    page.open()
    server.go_offline()
    page.disconnected()
    server.go_online()
    page.connected()


def test_connection_resumes_after_the_last_event(page, server):
    """The page sends the number of its last event, and shows the missed events."""
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, percent=30))
    expect(page.card("core").progress).to_be_visible()
    seen = len(server._events)
    server.go_offline()
    page.disconnected()
    server.event("update_result", bodies.rolled_back(request))
    server.go_online()
    page.connected()
    assert server.sinces == [None, str(seen)]
    expect(page.card("core").result).to_contain_text("1.1.0 did not work, 1.0.0 was restored")


def test_connection_reloads_everything_after_a_gap(page, server):
    """If missed events are no longer available, the page requests the whole state."""
    page.open()
    expect(page.card("scheduler").current).to_have_text("0.9.4")
    server.go_offline()
    page.disconnected()
    server.components["scheduler"] = bodies.component("scheduler", current="0.9.5", latest="0.9.5")
    server.go_online(complete=False)
    expect(page.card("scheduler").current).to_have_text("0.9.5")


def test_connection_accepts_restarted_event_numbers(page, server):
    """After a restart that reset the event numbers, the page uses the new ones."""
    page.open()
    for number in range(20):
        server.event("log", {"message": f"before {number}", "level": "info"})
    expect(page.activity.locator("li")).to_have_count(20)
    server.go_offline()
    page.disconnected()
    server._events.clear()
    server.go_online(complete=False)
    page.connected()
    server.wait_for("updater.check_updates", 2)
    expect(page.card("core").pill).to_be_visible()
    server.go_offline()
    page.disconnected()
    server.go_online()
    page.connected()
    assert int(server.sinces[-1]) < 5


@pytest.fixture
def interrupted_update(page, server):
    """Disconnect the page during the update of its own server; return the request id."""
    server.components["remote"] = bodies.with_update("remote", "1.4.0", current="1.3.0")
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, "remote", version="1.4.0", phase="restart"))
    expect(page.card("remote").progress).to_be_visible()
    server.go_offline()
    page.disconnected()
    return request


def test_connection_lost_during_an_update_of_the_server_is_expected(page, interrupted_update):
    """The page shows that its server is being replaced, and keeps the progress."""
    remote = page.card("remote")
    expect(remote.away).to_contain_text("The page reconnects automatically when the new version is running.")
    expect(remote.phase).to_have_text("restart")


def test_connection_restored_shows_the_result_of_the_servers_update(page, server, interrupted_update):
    """After the replacement, the page shows the result."""
    server.components["remote"] = bodies.component("remote", current="1.4.0", latest="1.4.0", running_how="itself")
    server.go_online(version="1.4.0")
    page.connected()
    server.event("update_result", bodies.result(interrupted_update, "remote", version="1.4.0", current="1.4.0"))
    expect(page.card("remote").result).to_contain_text("Updated to 1.4.0")
    expect(page.card("remote").away).to_be_hidden()


def test_history_supplies_results_of_lost_events(page, server, interrupted_update):
    """A result whose event was lost is taken from the history."""
    server.history.insert(0, bodies.entry("remote", request_id=interrupted_update, version="1.4.0"))
    server.go_online(complete=False, version="1.4.0")
    page.connected()
    expect(page.card("remote").result).to_contain_text("Updated to 1.4.0")
    expect(page.card("remote").progress).to_be_hidden()


def test_page_offers_a_reload_after_a_server_update(page, server):
    """After the server has a new version, the page offers a reload and does not force it."""
    page.open()
    server.go_offline()
    page.disconnected()
    server.go_online(version="1.4.0")
    page.connected()
    expect(page.notices).to_contain_text("dunebugger-remote 1.4.0 is running now")
    with page.page.expect_navigation():
        page.page.get_by_role("button", name="Load the new page").click()
    page.connected()
    expect(page.notices).to_have_count(0)


def test_connection_retries_when_the_network_is_back(page, server):
    """The browser's online event starts an attempt at once."""
    page.open()
    server.go_offline()
    expect(page.connection).to_contain_text("Reconnecting in")
    page.page.evaluate(STOP_TIMERS)
    server.go_online()
    page.page.evaluate("() => window.dispatchEvent(new Event('online'))")
    page.connected()


def test_page_reconnects_when_no_messages_arrive(page, server):
    """Without messages and without an answer to a heartbeat, the page reconnects."""
    page.page.clock.install()
    page.open()
    expect(page.card("core").pill).to_be_visible()
    server.is_silent = True
    page.page.clock.run_for(60_000)
    server.is_silent = False
    page.page.clock.resume()
    page.connected()
    assert len(server.sinces) > 1


def test_connection_pauses_between_attempts_are_bounded(page, server):
    """The pause grows from a second to half a minute, or stays below three seconds while that is urgent (I16)."""
    page.open()
    server.go_offline()
    page.disconnected()
    script = """async (longest) => {
        const { Connection } = await import("/static/connection.js");
        const pauses = [];
        await new Promise((resolve) => {
            const connection = new Connection({
                onMessage() {},
                onPhase({ phase, until }) {
                    if (phase !== "waiting") return;
                    pauses.push(until - Date.now());
                    if (pauses.length < 12) setTimeout(() => connection.reconnectNow());
                    else resolve(connection.stop());
                },
                longestWait: () => longest,
            });
            connection.start();
        });
        return pauses;
    }"""
    pauses = page.page.evaluate(script, None)
    assert pauses[0] <= 1_000
    assert all(pauses[attempt] <= 1_000 * 2**attempt for attempt in range(5))
    assert all(15_000 - 50 <= pause <= 30_000 for pause in pauses[5:])
    assert max(page.page.evaluate(script, 3_000)) <= 3_000
