"""The documentation of the container side matches its behavior."""

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
from ruamel.yaml import YAML

from remote.api import asyncapi
from remote.api.codec import IncomingMessage, MessageInvalidError
from remote.api.handlers import SUBJECTS
from remote.gateway.errors import FailureCode
from remote.installed.component_settings import ComponentSettings
from remote.rules import RejectionCode
from remote.settings import (
    DeviceSettings,
    GatewaySettings,
    NatsSettings,
    PathSettings,
    ReleaseSettings,
    Server,
)
from tests.support.real_host import DEADLINE_S

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "remote.md").read_text(encoding="utf-8")
ASYNCAPI = YAML(typ="safe").load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))
OPENAPI = YAML(typ="safe").load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))


def operation(name):
    """The subjects of an operation in the AsyncAPI document."""
    return {message["$ref"].rpartition("/")[2] for message in ASYNCAPI["operations"][name]["messages"]}


def validator(subject):
    """The schema validator of messages with this subject."""
    schema = ASYNCAPI["components"]["messages"][subject]["payload"]
    return Draft202012Validator({"components": ASYNCAPI["components"]} | schema)


def test_asyncapi_names_exactly_the_registered_subjects():
    """Registry and document have the same messages."""
    assert operation("receiveCommand") == set(SUBJECTS)


def test_asyncapi_is_current():
    """`make schemas` would write the same file."""
    assert asyncapi.FILE.read_text(encoding="utf-8") == asyncapi.document()


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize(
    ("body", "subjects"),
    [
        ({"component": "core", "dry_run": True, "priority": 7}, set(SUBJECTS)),
        ({"component": 7}, {"updater.check_updates", "updater.outstanding"}),
        ("core", {"updater.update", "updater.outstanding"}),
        (None, {"updater.check_updates", "updater.history", "updater.outstanding"}),
        ([], {"updater.outstanding"}),
    ],
)
def test_asyncapi_accepts_the_bodies_that_the_server_accepts(subject, body, subjects):
    """Document and validation come from the same models; unknown fields are ignored."""
    is_valid = validator(subject).is_valid({"subject": subject, "body": body})
    assert is_valid == (subject in subjects or subject.startswith("controller."))
    try:
        SUBJECTS[subject].body.parse(IncomingMessage(subject=subject, body=body))
    except MessageInvalidError:
        is_accepted = False
    else:
        is_accepted = True
    assert is_accepted == is_valid


def test_asyncapi_messages_are_valid_schemas():
    """Every message of an operation is defined once, with a valid schema."""
    assert operation("receiveCommand") | operation("sendMessage") == set(ASYNCAPI["components"]["messages"])
    assert set(ASYNCAPI["channels"]["websocket"]["messages"]) == set(ASYNCAPI["components"]["messages"])
    for subject in ASYNCAPI["components"]["messages"]:
        Draft202012Validator.check_schema(ASYNCAPI["components"]["messages"][subject]["payload"])


@pytest.fixture
def conversation(serving):
    """A client that has received messages of every subject."""
    serving.github.publish("owner/core", "1.1.0", notes="n")
    serving.host.start()
    serving.start()
    client = serving.connect()
    for subject, body, answer in (
        ("updater.check_updates", {"force": True}, "update_check_result"),
        ("updater.perform_update", {"component": "core", "dry_run": True}, "update_result"),
        ("updater.perform_update", {"component": "unknown"}, "update_result"),
        ("updater.update", "dunebugger-core", "component_running"),
        ("updater.rollback", {"component": "core"}, "health_result"),
        ("updater.health", {"component": "unknown"}, "health_result"),
        ("updater.history", None, "history"),
        ("updater.outstanding", None, "outstanding"),
        ("controller.heartbeat", "x", "heartbeat"),
        ("controller.system_info", "refresh", "system_info"),
        ("updater.reboot", None, "error"),
    ):
        client.send(subject, body)
        client.expect(answer)
    return client


def test_asyncapi_describes_every_message_of_a_conversation(conversation):
    """Every received message matches its schema, and every subject occurs."""
    for message in conversation.received:
        errors = list(validator(message["subject"]).iter_errors(message))
        assert errors == [], f"{json.dumps(message)[:500]}: {errors[0].message}"
    assert {message["subject"] for message in conversation.received} == operation("sendMessage")


@pytest.mark.parametrize("path", list(OPENAPI["paths"]))
def test_openapi_describes_every_route(serving, path):
    """Status and body of each route match, with and without the token."""
    serving.require_token()
    serving.start()
    for headers in ({}, {"Authorization": f"Bearer {serving.token}"}):
        request = urllib.request.Request(f"{serving.url}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:
                status, body = response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        described = OPENAPI["paths"][path]["get"]["responses"][str(status)]
        if "content" in described:
            schema = {"components": OPENAPI["components"]} | described["content"]["application/json"]["schema"]
            Draft202012Validator(schema).validate(json.loads(body))


def test_guide_names_every_configuration_key():
    """Each key of the settings models is documented."""
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


def test_guide_names_every_reason_of_the_container_side():
    """Each failure and rejection code of the container side is documented."""
    assert [reason for reason in (*FailureCode, *RejectionCode) if f"`{reason}`" not in GUIDE] == []


def test_guide_names_every_command():
    """The guide has the commands of ``--help``."""
    help_text = subprocess.run(
        [sys.executable, "-m", "remote", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^  (\w+) ", help_text.split("Commands:")[1], re.MULTILINE)
    assert commands == ["check", "serve", "update"]
    assert [command for command in commands if not re.search(rf"`dunebugger-remote {command}\b", GUIDE)] == []
