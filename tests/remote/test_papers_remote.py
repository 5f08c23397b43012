"""What the papers about the container side say is what it does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from real_host import DEADLINE_S
from ruamel.yaml import YAML

from remote.api.dispatch import handlers
from remote.gateway.errors import Trouble
from remote.rules import Objection
from remote.settings import (
    ComponentSettings,
    DeviceSettings,
    GatewaySettings,
    NatsSettings,
    PathSettings,
    ReleaseSettings,
    Server,
)

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "remote.md").read_text(encoding="utf-8")
ASYNCAPI = YAML(typ="safe").load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))
OPENAPI = YAML(typ="safe").load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))


def operation(name):
    """The subjects of what the server hears, or of what it says."""
    return {message["$ref"].rpartition("/")[2] for message in ASYNCAPI["operations"][name]["messages"]}


def validator(subject):
    """What a message of this subject must look like."""
    schema = ASYNCAPI["components"]["messages"][subject]["payload"]
    return Draft202012Validator({"components": ASYNCAPI["components"]} | schema)


def test_the_description_names_exactly_the_subjects_that_are_understood():
    """A file in remote/api/subjects/ is a message of the description, and the other way round."""
    assert operation("listen") == set(handlers())


def test_every_message_of_the_description_is_well_formed():
    """Each operation's message exists once, with a schema."""
    assert operation("listen") | operation("tell") == set(ASYNCAPI["components"]["messages"])
    assert set(ASYNCAPI["channels"]["conversation"]["messages"]) == set(ASYNCAPI["components"]["messages"])
    for subject in ASYNCAPI["components"]["messages"]:
        Draft202012Validator.check_schema(ASYNCAPI["components"]["messages"][subject]["payload"])


@pytest.fixture
def conversation(serving):
    """A client that has heard every kind of message there is."""
    serving.github.publish("owner/core", "1.1.0", notes="n")
    serving.host.start()
    serving.start()
    client = serving.connect()
    for subject, body, answer in (
        ("updater.check_updates", {"force": True}, "update_check_result"),
        ("updater.perform_update", {"component": "core", "dry_run": True}, "update_result"),
        ("updater.perform_update", {"component": "nobody"}, "update_result"),
        ("updater.update", "dunebugger-core", "component_running"),
        ("updater.rollback", {"component": "core"}, "health_result"),
        ("updater.health", {"component": "nobody"}, "health_result"),
        ("updater.history", None, "history"),
        ("updater.outstanding", None, "outstanding"),
        ("controller.heartbeat", "x", "heartbeat"),
        ("controller.system_info", "refresh", "system_info"),
        ("updater.reboot", None, "error"),
    ):
        client.say(subject, body)
        client.expect(answer)
    return client


def test_everything_that_is_said_is_as_described(conversation):
    """Every message of a long conversation fits its schema, and every kind was among them."""
    for message in conversation.heard:
        errors = list(validator(message["subject"]).iter_errors(message))
        assert errors == [], f"{json.dumps(message)[:500]}: {errors[0].message}"
    assert {message["subject"] for message in conversation.heard} == operation("tell")


@pytest.mark.parametrize("path", list(OPENAPI["paths"]))
def test_the_routes_are_as_described(serving, path):
    """Status and body of each; a wrong token is refused as described, too."""
    serving.need_token()
    serving.start()
    for headers in ({}, {"Authorization": f"Bearer {serving.token}"}):
        asked = urllib.request.Request(f"{serving.url}{path}", headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=DEADLINE_S) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        described = OPENAPI["paths"][path]["get"]["responses"][str(status)]
        if "content" in described:
            schema = {"components": OPENAPI["components"]} | described["content"]["application/json"]["schema"]
            Draft202012Validator(schema).validate(json.loads(body))


def test_the_guide_names_every_configuration_key():
    """A key that nobody can read about does not exist."""
    models = {
        "paths": PathSettings,
        "server": Server,
        "releases": ReleaseSettings,
        "nats": NatsSettings,
        "gateway": GatewaySettings,
        "device": DeviceSettings,
        "components.NAME": ComponentSettings,
    }
    keys = [f"{section}.{key}" for section, model in models.items() for key in model.model_fields]
    assert [key for key in keys if f"`{key}`" not in GUIDE] == []


def test_the_guide_names_every_reason_of_ours():
    """`reason` is a documented enum on this side, too."""
    assert [reason for reason in (*Trouble, *Objection) if f"`{reason}`" not in GUIDE] == []


def test_the_guide_names_every_command():
    """The table is the help, in other words."""
    helped = subprocess.run(
        [sys.executable, "-m", "remote", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^  (\w+) ", helped.split("Commands:")[1], re.MULTILINE)
    assert commands == ["check", "serve", "update"]
    assert [command for command in commands if not re.search(rf"`dunebugger-remote {command}\b", GUIDE)] == []
