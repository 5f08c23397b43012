"""Tables of the page over the enumerations of both sides are total: a member without a row fails here."""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest
from fake_server import FakeServer

from protocol.types import Action, Reason, State
from remote.api.handlers import SUBJECTS
from remote.events import builders
from remote.gateway.errors import FailureCode
from remote.health.health_registry import HealthSource
from remote.rules import RejectionCode
from tests.support.polling import wait_until

TABLES = {
    "texts.ACTIONS": set(Action),
    "texts.UNDER_WAY": set(Action),
    "texts.HEADLINES": set(Action),
    "texts.STATES": {builders.SUBMITTED, *State},
    "texts.HOW": set(HealthSource),
    "texts.REASONS": {*Reason, *FailureCode, *RejectionCode},
    "texts.ENDED": {
        "update rolled_back",
        *(f"{action} {end}" for action, end in product(Action, ("succeeded", "failed", "refused", "unknown"))),
    },
    "confirmations.CONFIRMATIONS": set(Action),
    "cards.BUTTONS": set(Action),
}


@pytest.fixture(scope="module")
def exported(browser):
    """Evaluate an export of one of the page's modules: the keys of an object, or an array. One page for all tests."""
    server, page = FakeServer(), browser.new_page()
    page.goto(server.start())

    def evaluate(name):
        script = """async ([file, name]) => {
            const table = (await import(`/static/${file}.js`))[name];
            return Array.isArray(table) ? table : Object.keys(table);
        }"""
        return set(page.evaluate(script, name.split(".")))

    yield evaluate
    page.close()
    server.close()


@pytest.mark.parametrize("name", TABLES)
def test_page_table_has_a_row_for_every_member(exported, name):
    """The keys of the table are exactly the members of its enumeration."""
    assert exported(name) == TABLES[name]


def test_page_and_server_agree_which_reasons_show_that_a_component_does_not_run(exported):
    """The history has only the reason of a health check; a result has ``running``, which the server determines."""
    expected = {reason for reason, shows_it in builders.SHOWS_NOT_RUNNING.items() if shows_it}
    assert exported("texts.NOT_RUNNING") == expected


@pytest.mark.parametrize("action", Action)
def test_page_requests_every_action_with_its_subject(page, server, action):
    """The button of each action sends a message that the server handles as this action."""
    page.open().request("core", action)

    def handled():
        handlers = [SUBJECTS[message["subject"]].handle for message in server.received]
        return [handler.keywords["action"] for handler in handlers if isinstance(handler, partial)]

    wait_until(handled, "a message of the button")
    assert handled() == [action]
