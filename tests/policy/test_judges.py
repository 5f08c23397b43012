"""Each judge as a table of scenarios: one request in, one verdict out."""

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policy import rules
from policy.engine import PolicyContext, Rejection, all_judges, decide
from policy.rules.known_component import KnownComponent
from policy.rules.request_complete import RequestComplete
from policy.rules.version_well_formed import VersionWellFormed
from protocol.messages import Request
from protocol.types import Action, Reason

NOW = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)
CIRCUMSTANCES = PolicyContext(NOW, frozenset({"remote", "core", "scheduler"}))
UPDATE, ROLLBACK, HEALTH = Action.UPDATE, Action.ROLLBACK, Action.HEALTH


def asked(action=UPDATE, version="1.2.3", component="core"):
    """A request that differs from a good one in what is given."""
    return Request(component=component, action=action, version=version, request_id="r1", timestamp=NOW)


@pytest.mark.parametrize(
    "version", ["1.2.3", "v1.2.3", "0.0.0", "1.2.3-rc.1", "v1.2.3-rc.1+build.7", "1.2.3+0.01", "1.0.0-" + "a" * 122]
)
@pytest.mark.parametrize("action", Action)
def test_semver_is_a_version(version, action):
    """SemVer 2.0.0, with an optional leading v, of 128 characters at most, is accepted for every action."""
    assert VersionWellFormed().judge(asked(action, version), CIRCUMSTANCES) is None


@pytest.mark.parametrize(
    "version",
    [
        "",
        "v",
        "1",
        "1.2",
        "1.2.3.4",
        "01.2.3",
        "1.2.3-01",
        "1.2.3-",
        "1.2.3+",
        "1.2.3-a..b",
        "vv1.2.3",
        "V1.2.3",
        "=1.2.3",
        "-1.2.3",
        "--help",
        "latest",
        " 1.2.3",
        "1.2.3 ",
        "1.2.3\n",
        "1.2.3\r\n",
        "\n1.2.3",
        "1.2.3\x00",
        "1.2.3;reboot",
        "1.2.3$(reboot)",
        "1.2.3`reboot`",
        "1.2.3|sh",
        "1.2.3&&sh",
        "1.2.3>x",
        "1.2.3*",
        "1.2.3-rc_1",
        "../1.2.3",
        "1.2.3/../x",
        "\N{FULLWIDTH DIGIT ONE}.2.3",
        "1.2.\N{ARABIC-INDIC DIGIT THREE}",
        "1.2.3-\N{CYRILLIC SMALL LETTER A}",
        "1.2.3\x1b[2J",
        "1.2.3\udfff",
        "1.0.0-" + "a" * 123,
        "1.0.0-" + "a" * 60_000,
    ],
)
@pytest.mark.parametrize("action", Action)
def test_anything_else_is_none(version, action):
    """What is not SemVer to the letter is refused whatever the action (I6), in one short ASCII line."""
    refusal = VersionWellFormed().judge(asked(action, version), CIRCUMSTANCES)
    assert refusal is not None
    assert refusal.reason is Reason.INVALID_REQUEST
    assert "not SemVer; write it like" in refusal.message
    assert refusal.message.isascii()
    assert refusal.message.isprintable()
    assert len(refusal.message) < 250


@pytest.mark.parametrize(
    ("action", "version", "good"),
    [
        (UPDATE, None, False),
        (UPDATE, "1.2.3", True),
        (ROLLBACK, None, True),
        (ROLLBACK, "1.2.3", True),
        (HEALTH, None, True),
        (HEALTH, "1.2.3", True),
    ],
)
def test_only_an_update_needs_a_version(action, version, good):
    """An update without a version is refused, naming the field; nothing else needs one."""
    refusal = RequestComplete().judge(asked(action, version), CIRCUMSTANCES)
    expected = Rejection(Reason.INVALID_REQUEST, "cannot update: version is missing; name one, such as 1.2.3")
    assert refusal == (None if good else expected)


@pytest.mark.parametrize("version", [None])
@pytest.mark.parametrize("action", Action)
def test_a_missing_version_is_not_malformed(version, action):
    """Whether a version is missing is another judge's business."""
    assert VersionWellFormed().judge(asked(action, version), CIRCUMSTANCES) is None


@pytest.mark.parametrize("component", ["core", "scheduler", "remote"])
@pytest.mark.parametrize("action", Action)
def test_a_configured_component_is_known(component, action):
    """A component the operator configured is accepted."""
    assert KnownComponent().judge(asked(action, component=component), CIRCUMSTANCES) is None


@pytest.mark.parametrize(
    "component",
    ["web", "Core", "core ", "core\n", "../core", "/opt/core", "cor\N{CYRILLIC SMALL LETTER IE}", "\x1b[2J"],
)
def test_an_unknown_component_lists_the_known_ones(component):
    """A component that is not configured to the letter is refused, with those that are, in one ASCII line."""
    refusal = KnownComponent().judge(asked(component=component), CIRCUMSTANCES)
    assert refusal is not None
    assert refusal.reason is Reason.UNKNOWN_COMPONENT
    assert refusal.message.endswith("no such component; known: core, remote, scheduler")
    assert refusal.message.isascii()
    assert refusal.message.isprintable()


def test_where_nothing_is_configured_nothing_is_known():
    """Without any component the refusal says so."""
    refusal = KnownComponent().judge(asked(), PolicyContext(NOW, frozenset()))
    assert refusal is not None
    assert refusal.message.endswith("known: none")


def test_every_module_brings_a_judge():
    """Each file in policy/rules/ is asked, in the order of the files' names; nothing has to be registered."""
    modules = sorted(file.stem for file in Path(rules.__file__).parent.glob("[!_]*.py"))
    assert [type(judge).__module__ for judge in all_judges()] == [f"policy.rules.{name}" for name in modules]
    assert {KnownComponent, RequestComplete, VersionWellFormed} <= {type(judge) for judge in all_judges()}


def test_judges_that_cannot_be_read_are_missed(monkeypatch):
    """A sick disk must not leave a coordinator without judges, which would let every request in (I6)."""

    def fail(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    all_judges.cache_clear()
    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(OSError, match="Input/output error"):
        decide(asked(component="web", version="latest"), CIRCUMSTANCES)


@pytest.mark.parametrize(
    ("request_asked", "reason"),
    [
        (asked(), None),
        (asked(HEALTH, None), None),
        (asked(ROLLBACK, None), None),
        (asked(component="web"), Reason.UNKNOWN_COMPONENT),
        (asked(version=None), Reason.INVALID_REQUEST),
        (asked(version="latest"), Reason.INVALID_REQUEST),
        (asked(HEALTH, "latest"), Reason.INVALID_REQUEST),
    ],
)
def test_all_judges_together(request_asked, reason):
    """A request may run when no judge objects."""
    refusal = decide(request_asked, CIRCUMSTANCES)
    assert (refusal and refusal.reason) == reason


class Objecting:
    """A judge that always says the same, and is told what it was asked with."""

    def __init__(self, verdict):
        self.verdict = verdict
        self.heard = []

    def judge(self, request, circumstances):
        """Answer as told."""
        self.heard.append((request, circumstances))
        return self.verdict


def test_the_first_objection_stands():
    """Judges are asked in order until one objects; each is told request and circumstances."""
    first, second, third = (
        Objecting(verdict)
        for verdict in (None, Rejection(Reason.INVALID_REQUEST, "second"), Rejection(Reason.TIMEOUT, "third"))
    )
    request = asked()
    assert decide(request, CIRCUMSTANCES, [first, second, third]) is second.verdict
    assert first.heard == second.heard == [(request, CIRCUMSTANCES)]
    assert third.heard == []
