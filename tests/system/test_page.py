"""A person updates remote in the browser: its own server is replaced, and the page tells how that ended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from deadline import until
from household import TOKEN
from installed_host import COMMAND, STATUS
from served_household import REPOSITORY, ServedHousehold

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("remote", "remote/web")]

from chromium import chromium
from github_server import GitHubServer
from page_object import UpdatePage
from playwright.sync_api import expect

UPDATE_MS = 120_000
# Notes what the page says of its connection: a phase may be over before anybody looks. A reload would forget it.
WATCH = """() => {
  const node = document.querySelector('[data-testid="connection"]');
  window.phases = [node.dataset.phase];
  new MutationObserver(() => window.phases.push(node.dataset.phase)).observe(node, { attributeFilter: ["data-phase"] });
}"""


@pytest.fixture(scope="module")
def github():
    """A server that has a release of each component."""
    with GitHubServer() as made:
        for name in ("dunebugger", "dunebugger-scheduler", "dunebugger-remote"):
            made.publish(f"owner/{name}", "1.0.0")
        yield made


@pytest.fixture(scope="module")
def served(make_machine, furnished, registry, real_images, core_port, github):
    """A household whose remote is the real image, release 1.0.0."""
    machine = make_machine(stock=furnished)
    made = ServedHousehold(machine, registry, core_port)
    try:
        made.move_in(github.url)
        yield made
    finally:
        machine.close()


@pytest.fixture
def home(served, github):
    """The household at release 1.0.0, which is the latest until a test publishes another."""
    github.repository(REPOSITORY).releases = []
    github.publish(REPOSITORY, "1.0.0")
    served.come_home()
    return served


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    with chromium() as made:
        yield made


@pytest.fixture
def page(browser, home):
    """The page, open and signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = UpdatePage(context.new_page(), home.url)
    made.page.goto(made.address)
    made.sign_in(TOKEN)
    made.connected().page.evaluate(WATCH)
    yield made
    context.close()


def ask_for(page: UpdatePage, github: GitHubServer, version: str) -> None:
    """Publish a release of remote, find it, press Update and confirm, and see that it is under way."""
    github.publish(REPOSITORY, version)
    remote = page.card("remote")
    expect(remote.current).to_have_text("1.0.0")
    page.check.click()
    expect(remote.latest).to_have_text(version)
    page.ask("remote", "update")
    expect(remote.progress).to_be_visible()


def has_come_back(page: UpdatePage) -> bool:
    """Whether the page lost its connection and found a new one, without having been loaded again."""
    phases = page.page.evaluate("() => window.phases")
    return phases[0] == phases[-1] == "open" and "waiting" in phases


def test_all_is_well(home: ServedHousehold):
    """Both checks, the operator's and the one inside, find what they look for."""
    inside = home.machine.run("docker", "exec", "dunebugger-remote", "dunebugger-remote", "check", check=False)
    assert "no problems found" in inside.stdout
    outside = home.machine.run(COMMAND, "check", check=False)
    assert "dunebugger-remote sees /var/dunebugger/updates/requests" in outside.stdout
    assert "no problems found" in outside.stdout


def test_an_update_replaces_the_server_of_the_page(home: ServedHousehold, github: GitHubServer, page: UpdatePage):
    """Update is pressed, the container is replaced, and the page comes back by itself and shows that it worked."""
    before = home.container()
    ask_for(page, github, "1.1.0")
    answer = home.disk / STATUS.lstrip("/") / f"{home.asked()}.json"
    remote = page.card("remote")
    expect(remote.result).to_contain_text("Updated to 1.1.0", timeout=UPDATE_MS)
    assert has_come_back(page)
    expect(remote.current).to_have_text("1.1.0")
    expect(page.history_rows.filter(has_text="Updated to 1.1.0")).to_have_count(1)
    assert home.container() != before
    assert (home.running(), home.named()) == (("1.1.0", "running"), "1.1.0")
    home.await_healthy()
    until(lambda: not answer.exists(), "the answer to be taken")


def test_a_release_that_does_not_start_is_put_back(home: ServedHousehold, github: GitHubServer, page: UpdatePage):
    """The page comes back with the server that it had, and says that the new one did not work."""
    ask_for(page, github, "1.2.0")
    remote = page.card("remote")
    expect(remote.result).to_contain_text("1.2.0 did not work, 1.0.0 was put back", timeout=UPDATE_MS)
    assert has_come_back(page)
    remote.result.locator("summary").click()
    expect(remote.result).to_contain_text("cannot read the configuration /nowhere")
    expect(page.history_rows.filter(has_text="1.2.0 did not work")).to_have_count(1)
    assert (home.running(), home.named()) == (("1.0.0", "running"), "1.0.0")


def test_a_power_cut_in_the_middle_is_told(home: ServedHousehold, github: GitHubServer, page: UpdatePage):
    """After the boot the page comes back by itself, and says what was put back and why."""
    ask_for(page, github, "1.1.0")
    home.await_phase(home.asked(), "start")
    home.machine.cut_power()
    page.disconnected()
    home.machine.boot()
    result = page.card("remote").result
    expect(result).to_contain_text("1.1.0 did not work, 1.0.0 was put back", timeout=UPDATE_MS)
    expect(result).to_contain_text("interrupted during the request, for example by a power cut")
    expect(page.history_rows.filter(has_text="1.1.0 did not work")).to_have_count(1)
    assert has_come_back(page)
    assert (home.running(), home.named()) == (("1.0.0", "running"), "1.0.0")
