"""Each rule as a table of cases: one request in, one verdict out."""

from datetime import UTC, datetime

import pytest

from policy.engine import ALLOW, PolicyContext, Reject
from policy.rules.known_component import KnownComponent
from policy.rules.request_complete import RequestComplete
from policy.rules.version_well_formed import VersionWellFormed
from protocol.messages import Request
from protocol.types import Action, Reason

NOW = datetime(2026, 1, 16, 10, 30, tzinfo=UTC)
CONTEXT = PolicyContext(NOW, 0.0, frozenset({"remote", "core", "scheduler"}))
UPDATE, ROLLBACK, HEALTH = Action.UPDATE, Action.ROLLBACK, Action.HEALTH


def request_for(action=UPDATE, version="1.2.3", component="core"):
    """A valid request with the given differences."""
    return Request(component=component, action=action, version=version, request_id="r1", timestamp=NOW)


@pytest.mark.parametrize(
    "version", ["1.2.3", "v1.2.3", "0.0.0", "1.2.3-rc.1", "v1.2.3-rc.1+build.7", "1.2.3+0.01", "1.0.0-" + "a" * 122]
)
@pytest.mark.parametrize("action", Action)
def test_version_rule_allows_semver(version, action):
    """SemVer 2.0.0 with an optional leading v and at most 128 characters is allowed for every action."""
    assert VersionWellFormed().evaluate(request_for(action, version), CONTEXT) == ALLOW


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
def test_version_rule_rejects_anything_else(version, action):
    """Any other text is rejected for every action (I6), with one short ASCII line."""
    verdict = VersionWellFormed().evaluate(request_for(action, version), CONTEXT)
    assert isinstance(verdict, Reject)
    assert verdict.reason is Reason.INVALID_REQUEST
    assert "not SemVer; write it like" in verdict.message
    assert verdict.message.isascii()
    assert verdict.message.isprintable()
    assert len(verdict.message) < 250


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
def test_completeness_rule_requires_a_version_for_update_only(action, version, good):
    """The rejection of an update without a version names the field; other actions need no version."""
    verdict = RequestComplete().evaluate(request_for(action, version), CONTEXT)
    expected = Reject(Reason.INVALID_REQUEST, "cannot update: version is missing; name one, such as 1.2.3")
    assert verdict == (ALLOW if good else expected)


@pytest.mark.parametrize("version", [None])
@pytest.mark.parametrize("action", Action)
def test_version_rule_allows_a_missing_version(version, action):
    """Another rule decides whether a version is required."""
    assert VersionWellFormed().evaluate(request_for(action, version), CONTEXT) == ALLOW


@pytest.mark.parametrize("component", ["core", "scheduler", "remote"])
@pytest.mark.parametrize("action", Action)
def test_component_rule_allows_configured_names(component, action):
    """A configured component is allowed."""
    assert KnownComponent().evaluate(request_for(action, component=component), CONTEXT) == ALLOW


@pytest.mark.parametrize(
    "component",
    ["web", "Core", "core ", "core\n", "../core", "/opt/core", "cor\N{CYRILLIC SMALL LETTER IE}", "\x1b[2J"],
)
def test_component_rule_rejects_other_names_and_lists_the_known(component):
    """The rejection lists the configured names, in one ASCII line."""
    verdict = KnownComponent().evaluate(request_for(component=component), CONTEXT)
    assert isinstance(verdict, Reject)
    assert verdict.reason is Reason.UNKNOWN_COMPONENT
    assert verdict.message.endswith("no such component; known: core, remote, scheduler")
    assert verdict.message.isascii()
    assert verdict.message.isprintable()


def test_component_rule_rejects_everything_without_configuration():
    """Without a configured component the message says ``known: none``."""
    verdict = KnownComponent().evaluate(request_for(), PolicyContext(NOW, 0.0, frozenset()))
    assert isinstance(verdict, Reject)
    assert verdict.message.endswith("known: none")
