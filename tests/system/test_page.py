"""Update of remote from the browser: the page's own server is replaced, and the page shows the result."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from installed_host import COMMAND, STATUS
from provisioned_host import TOKEN
from served_host import REPOSITORY, ServedHost

from tests.support.polling import wait_until

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("remote", "remote/web")]

from chromium import chromium
from github_server import GitHubServer
from page_object import UpdatePage
from playwright.sync_api import expect

UPDATE_MS = 120_000
# Records the connection phases of the page, because a phase can be too short to poll. A reload would lose the record.
WATCH = """() => {
  const node = document.querySelector('[data-testid="connection"]');
  window.phases = [node.dataset.phase];
  new MutationObserver(() => window.phases.push(node.dataset.phase)).observe(node, { attributeFilter: ["data-phase"] });
}"""


@pytest.fixture(scope="module")
def github():
    """A fake GitHub server with a release of each component."""
    with GitHubServer() as made:
        for name in ("dunebugger", "dunebugger-scheduler", "dunebugger-remote"):
            made.publish(f"owner/{name}", "1.0.0")
        yield made


@pytest.fixture(scope="module")
def served(make_machine, provisioned_disk, registry, real_images, core_port, github):
    """A host with the real image of remote, release 1.0.0."""
    machine = make_machine(stock=provisioned_disk)
    made = ServedHost(machine, registry, core_port)
    try:
        made.deploy_real_image(github.url)
        yield made
    finally:
        machine.close()


@pytest.fixture
def page_host(served, github):
    """The host with release 1.0.0 of remote, which is the latest until a test publishes another."""
    github.repository(REPOSITORY).releases = []
    github.publish(REPOSITORY, "1.0.0")
    served.reset()
    return served


@pytest.fixture(scope="module")
def browser():
    """A Chromium browser for the module."""
    with chromium() as made:
        yield made


@pytest.fixture
def page(browser, page_host):
    """The page, opened and signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = UpdatePage(context.new_page(), page_host.url)
    made.page.goto(made.address)
    made.sign_in(TOKEN)
    made.connected().page.evaluate(WATCH)
    yield made
    context.close()


def start_update(page: UpdatePage, github: GitHubServer, version: str) -> None:
    """Publish a release of remote, check for updates, confirm the update, and wait for its progress."""
    github.publish(REPOSITORY, version)
    remote = page.card("remote")
    expect(remote.current).to_have_text("1.0.0")
    page.check.click()
    expect(remote.latest).to_have_text(version)
    page.request("remote", "update")
    expect(remote.progress).to_be_visible()


def has_reconnected(page: UpdatePage) -> bool:
    """Return whether the page lost its connection and reconnected without a reload."""
    phases = page.page.evaluate("() => window.phases")
    return phases[0] == phases[-1] == "open" and "waiting" in phases


def test_both_checks_find_no_problem(page_host: ServedHost):
    """The check on the host and the check in the container find no problem."""
    inside = page_host.machine.run("docker", "exec", "dunebugger-remote", "dunebugger-remote", "check", check=False)
    assert "no problems found" in inside.stdout
    outside = page_host.machine.run(COMMAND, "check", check=False)
    assert "dunebugger-remote sees /var/dunebugger/updates/requests" in outside.stdout
    assert "no problems found" in outside.stdout


def test_page_survives_the_update_of_its_own_server(page_host: ServedHost, github: GitHubServer, page: UpdatePage):
    """After the container is replaced, the page reconnects automatically and shows the success."""
    before = page_host.container()
    start_update(page, github, "1.1.0")
    answer = page_host.disk / STATUS.lstrip("/") / f"{page_host.pending_update_id()}.json"
    remote = page.card("remote")
    expect(remote.result).to_contain_text("Updated to 1.1.0", timeout=UPDATE_MS)
    assert has_reconnected(page)
    expect(remote.current).to_have_text("1.1.0")
    expect(page.history_rows.filter(has_text="Updated to 1.1.0")).to_have_count(1)
    assert page_host.container() != before
    assert (page_host.running_version(), page_host.compose_file_version()) == (("1.1.0", "running"), "1.1.0")
    page_host.wait_until_healthy()
    wait_until(lambda: not answer.exists(), "the answer to be taken")


def test_page_shows_the_rollback_of_a_broken_release(page_host: ServedHost, github: GitHubServer, page: UpdatePage):
    """The page reconnects to the restored server and shows that the new release failed."""
    start_update(page, github, "1.2.0")
    remote = page.card("remote")
    expect(remote.result).to_contain_text("1.2.0 did not work, 1.0.0 was restored", timeout=UPDATE_MS)
    assert has_reconnected(page)
    remote.result.locator("summary").click()
    expect(remote.result).to_contain_text("cannot read the configuration /nowhere")
    expect(page.history_rows.filter(has_text="1.2.0 did not work")).to_have_count(1)
    assert (page_host.running_version(), page_host.compose_file_version()) == (("1.0.0", "running"), "1.0.0")


def test_page_shows_an_update_interrupted_by_a_power_cut(page_host: ServedHost, github: GitHubServer, page: UpdatePage):
    """After the boot the page reconnects automatically, and shows the rollback and its cause."""
    start_update(page, github, "1.1.0")
    page_host.wait_for_phase(page_host.pending_update_id(), "start")
    page_host.machine.cut_power()
    page.disconnected()
    page_host.machine.boot()
    result = page.card("remote").result
    expect(result).to_contain_text("1.1.0 did not work, 1.0.0 was restored", timeout=UPDATE_MS)
    expect(result).to_contain_text("interrupted during the request, for example by a power cut")
    expect(page.history_rows.filter(has_text="1.1.0 did not work")).to_have_count(1)
    assert has_reconnected(page)
    assert (page_host.running_version(), page_host.compose_file_version()) == (("1.0.0", "running"), "1.0.0")
