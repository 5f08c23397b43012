"""The page with real serve, coordinator and scripts, and the fake release server."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.polling import wait_until


@pytest.fixture
def real(serving):
    """Server and coordinator are running; core has an update to 1.1.0, scheduler an update to a broken version."""
    serving.github.publish("owner/core", "1.1.0", notes="- **faster**")
    serving.github.publish("owner/scheduler", "2.0.0+broken")
    serving.host.start()
    serving.start()
    return serving


def test_update_from_check_to_success(new_page, serving):
    """The user checks, updates and confirms with the buttons, and sees progress and result."""
    serving.github.publish("owner/core", "1.0.0")
    serving.github.publish("owner/scheduler", "1.0.0")
    serving.host.start()
    serving.start()
    page = new_page(serving).open()
    core = page.card("core")
    expect(core.pill).to_have_text("Up to date")
    serving.github.publish("owner/core", "1.1.0", notes="- **faster**")
    page.check.click()
    expect(core.latest).to_have_text("1.1.0")
    serving.pause()
    page.request("core", "update")
    expect(core.phase).to_have_text("download")
    expect(core.bar).to_have_attribute("aria-valuenow", "20")
    expect(core.output).to_contain_text("fetching 1.1.0")
    expect(core.output).to_contain_text("a warning of 1.1.0")
    serving.resume()
    expect(core.result).to_contain_text("Updated to 1.1.0")
    expect(core.current).to_have_text("1.1.0")
    expect(core.pill).to_have_text("Up to date")
    expect(core.running).to_contain_text("health check")
    expect(page.history_rows.filter(has_text="Updated to 1.1.0")).to_have_count(1)
    assert serving.installed() == "1.1.0"


def test_update_that_fails_is_shown_as_rolled_back(new_page, real):
    """Card and history show the rollback, and the automatic health check does not hide it."""
    page = new_page(real).open()
    scheduler = page.card("scheduler")
    page.request("scheduler", "update")
    expect(scheduler.result).to_contain_text("2.0.0+broken did not work, 1.0.0 was restored")
    expect(scheduler.running).to_contain_text("health check")
    expect(scheduler.result).to_contain_text("2.0.0+broken did not work, 1.0.0 was restored")
    expect(scheduler.button("update")).to_be_enabled()
    expect(page.history_rows.filter(has_text="2.0.0+broken did not work")).to_have_count(1)
    assert real.installed("scheduler") == "1.0.0"


def test_update_without_a_coordinator_names_the_remedy(new_page, real):
    """The request is withdrawn; once the coordinator is running, the same button works."""
    real.stop()
    real.sections["gateway"]["pickup_s"] = 0.5
    real.start()
    real.host.stop()
    page = new_page(real).open()
    core = page.card("core")
    page.request("core", "update")
    expect(core.result).to_contain_text("The update coordinator on the host is not running")
    expect(core.result).to_contain_text("nothing was changed")
    real.host.start()
    page.request("core", "update")
    expect(core.result).to_contain_text("Updated to 1.1.0")


def test_update_without_a_volume_is_reported_at_once(new_page, real):
    """The card shows the missing volume as the reason."""
    real.host.stop()
    real.host.requests.rmdir()
    page = new_page(real).open()
    page.request("core", "update")
    expect(page.card("core").result).to_contain_text("started without its volume")


def test_update_is_shown_after_a_reload(new_page, real):
    """Phase, bar and output are restored, then the result."""
    page = new_page(real).open()
    core = page.card("core")
    real.pause()
    page.request("core", "update")
    expect(core.phase).to_have_text("download")
    page.page.reload()
    page.connected()
    expect(core.phase).to_have_text("download")
    expect(core.bar).to_have_attribute("aria-valuenow", "20")
    expect(core.output).to_contain_text("fetching 1.1.0")
    expect(core.button("update")).to_be_disabled()
    real.resume()
    expect(core.result).to_contain_text("Updated to 1.1.0")


def test_update_of_the_server_is_shown_after_its_restart(new_page, serving):
    """The page expects the disconnect, reconnects, and shows the result."""
    serving.add_remote_component("1.0.0")
    serving.github.publish("owner/remote", "1.1.0")
    serving.github.publish("owner/core", "1.1.0")
    serving.host.start()
    serving.start()
    page = new_page(serving).open()
    remote, core = page.card("remote"), page.card("core")
    expect(core.why).to_contain_text("Update dunebugger-remote first")
    expect(core.button("update")).to_be_disabled()
    serving.pause("remote")
    page.request("remote", "update")
    expect(remote.phase).to_have_text("download")
    serving.kill()
    expect(remote.away).to_be_visible()
    serving.resume("remote")
    wait_until(lambda: serving.installed("remote") == "1.1.0", "the update of remote")
    serving.environment["DUNEBUGGER_REMOTE_VERSION"] = "1.1.0"
    serving.start()
    page.connected()
    expect(remote.result).to_contain_text("Updated to 1.1.0")
    expect(remote.current).to_have_text("1.1.0")
    expect(core.button("update")).to_be_enabled()


def test_device_information_of_the_real_server(new_page, real):
    """Real device information fits on a phone."""
    page = new_page(real, viewport={"width": 360, "height": 780}).open()
    for text in ("Processors", "Memory", "Kernel", "Host name"):
        expect(page.system).to_contain_text(text)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 360
    rows = page.system.locator("dd").evaluate_all("nodes => nodes.map((node) => node.getBoundingClientRect().height)")
    assert max(rows) < 120


def test_rollback_and_health_buttons(new_page, real):
    """The buttons for rollback and health work after an update."""
    page = new_page(real).open()
    core = page.card("core")
    page.request("core", "update")
    healthy = page.history_rows.filter(has_text="It is healthy")  # of the automatic check after update and rollback
    expect(core.result).to_contain_text("Updated to 1.1.0")
    expect(healthy).to_have_count(1)
    page.request("core", "rollback")
    expect(core.result).to_contain_text("1.0.0 was restored")
    expect(healthy).to_have_count(2)
    assert real.installed() == "1.0.0"
    page.request("core", "health")
    expect(core.result).to_contain_text("It is healthy")


def test_dry_run_shows_what_would_happen(new_page, real):
    """The dialog shows the text of the dry run; no script runs."""
    page = new_page(real).open()
    page.card("core").button("update").click()
    page.try_out.click()
    expect(page.tried).to_contain_text("would update dunebugger-core from 1.0.0 to 1.1.0")
    assert real.host.runs() == []


def test_sign_in_to_the_real_server(new_page, real):
    """A wrong token is rejected, the right one connects and survives a reload."""
    real.stop()
    real.require_token()
    real.start()
    page = new_page(real)
    page.page.goto(page.address)
    expect(page.sign_in_form).to_be_visible()
    page.sign_in("not-the-token-at-all")
    expect(page.sign_in_form).to_contain_text("This token is wrong")
    page.sign_in(real.token)
    page.connected()
    expect(page.card("core").current).to_have_text("1.0.0")
    page.page.reload()
    page.connected()
    expect(page.sign_in_form).to_be_hidden()
