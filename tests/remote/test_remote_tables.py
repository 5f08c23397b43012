"""Tables of the container side over enumerations are total: a member without a row fails here."""

from __future__ import annotations

from functools import partial

import pytest

from protocol.types import Action, Reason
from remote import rules
from remote.api.handlers import SUBJECTS
from remote.events import builders, notifier
from remote.health.health_registry import HealthStatus
from remote.installed.versions import InstalledVersion
from remote.inventory import ComponentStatus
from remote.releases.catalogue import ReleaseInfo

REASON_TABLES = {
    "notifier.SCRIPT_MAY_HAVE_RUN": notifier.SCRIPT_MAY_HAVE_RUN,
    "builders.SHOWS_NOT_RUNNING": builders.SHOWS_NOT_RUNNING,
}


@pytest.mark.parametrize("table", REASON_TABLES.values(), ids=REASON_TABLES)
def test_table_has_a_row_for_every_reason(table):
    """The keys of the table are exactly the reasons of the coordinator."""
    assert set(table) == set(Reason)


def test_websocket_has_a_subject_for_every_action():
    """A client can request each action."""
    handlers = [subject.handle for subject in SUBJECTS.values()]
    assert {handler.keywords["action"] for handler in handlers if isinstance(handler, partial)} == set(Action)


@pytest.mark.parametrize("action", Action)
def test_dry_run_describes_every_action(action):
    """Each action has a sentence that says that nothing was changed."""
    status = ComponentStatus(
        name="core",
        display_name="dunebugger-core",
        installed=InstalledVersion("1.0.0", None),
        releases=ReleaseInfo(),
        health=HealthStatus(None, None, None),
    )
    assert rules.describe_dry_run(action, status).endswith("; nothing was changed")
