"""Twenty power cuts and clean reboots under a stream of requests: each request gets one true answer."""

from __future__ import annotations

import json
import random
from collections import Counter

from installed_host import COMMAND, HOME
from provisioned_host import ProvisionedHost

from tests.support.polling import wait_until

_REBOOTS = 20
_SEED = 4
# Submits requests continuously, like a container. The id is durable before the request is written, and a marker after
# it, so that the test knows the existing requests after any power cut.
_CLIENT = """\
import json, os, random, time
from pathlib import Path
from protocol.fs import write_atomic
requests, records = Path("/var/dunebugger/updates/requests"), Path("/var/lib/client")
records.mkdir(exist_ok=True)
number = len(list(records.glob("*.submitted")))
while True:
    number += 1
    name = f"r{number:05d}"
    action = random.choice(("health", "health", "update"))
    fields = {"component": random.choice(("left", "right")), "action": action, "request_id": name,
              "timestamp": "2026-01-16T10:30:00Z"} | ({"version": f"1.0.{number}"} if action == "update" else {})
    (records / f"{name}.submitted").touch()
    os.sync()
    write_atomic(requests / f"{name}.json", json.dumps(fields).encode())
    write_atomic(records / f"{name}.written", b"")
    time.sleep(0.1)
"""
_UNIT = f"""\
[Unit]
Description=Requests updates
[Service]
ExecStart={HOME}/current/bin/python /opt/client.py
[Install]
WantedBy=multi-user.target
"""
# Each record of a script is durable before the script continues.
_SCRIPT = """#!/bin/bash
records=/var/lib/script_records-$UPDATE_COMPONENT
record() { echo "$1 ${0##*/} $UPDATE_REQUEST_ID" >> "$records"; sync "$records"; }
record begin
sleep 0.2
record end
"""
_CONFIGURATION = """
[execution]
executor = "systemd"
[components.left]
directory = "/opt/dunebugger/left"
[components.right]
directory = "/opt/dunebugger/right"
"""


# Possible results of an update → the scripts that must have ended for the result to be true. An interrupted rollback
# is not started again.
_REQUIRED_SCRIPTS = {
    ("succeeded", None): ("update.sh", "health-check.sh"),
    ("rolled_back", "interrupted"): ("rollback.sh", "health-check.sh"),
    ("failed", "rollback_failed"): (),
}


def test_twenty_reboots_under_a_stream_of_requests(host: ProvisionedHost):
    """No request is lost, every answer is true, and no script that may have run is started again (I1, I3, I9)."""
    generator = random.Random(_SEED)
    machine = host.machine
    for component in ("left", "right"):
        for script in ("update.sh", "rollback.sh", "health-check.sh"):
            machine.write(f"/opt/dunebugger/{component}/{script}", _SCRIPT, 0o755)
    machine.write("/etc/dunebugger/update-coordinator.toml", _CONFIGURATION)
    machine.write("/opt/client.py", _CLIENT)
    machine.write("/etc/systemd/system/client.service", _UNIT)
    machine.sh("systemctl daemon-reload; systemctl restart dunebugger-update-coordinator")
    machine.sh("systemctl enable --now client.service")
    for number in range(_REBOOTS):
        count = len(answers(host)) + generator.randrange(1, 6)
        wait_until(lambda count=count: len(answers(host)) >= count, "answers after a boot")
        if number % 2:  # every second cut is during an update, because cuts between updates prove nothing
            wait_until(lambda: updates_under_way(host), "an update to begin")
            machine.cut_power()
        elif generator.random() < 0.5:
            machine.shut_down()
        else:
            machine.cut_power()
        machine.boot()
        host.wait_for_service()
    machine.sh("systemctl disable --now client.service")
    records = set(machine.sh("ls /var/lib/client").split())
    written = {name.removesuffix(".written") for name in records if name.endswith(".written")}
    wait_until(lambda: written <= set(answers(host)), "an answer to every request", 180)
    wait_until(lambda: not machine.sh("ls /var/dunebugger/updates/requests").split(), "the requests to be removed")
    assert_answers_true(host, {name.partition(".")[0] for name in records}, written)


def answers(host: ProvisionedHost) -> list[str]:
    """The ids of all answered requests."""
    names = (path.name for path in (host.disk / "var/dunebugger/updates/status").glob("r*.json"))
    return [name.removesuffix(".json") for name in names if not name.endswith(".progress.json")]


def script_records(host: ProvisionedHost) -> list[list[str]]:
    """The complete records of the scripts: begin or end, script, request."""
    paths = [host.disk / f"var/lib/script_records-{component}" for component in ("left", "right")]
    return [line.split() for path in paths if path.exists() for line in path.read_text().splitlines()]


def updates_under_way(host: ProvisionedHost) -> set[str]:
    """The unanswered requests whose ``update.sh`` has started and not ended."""
    records = script_records(host)
    count = Counter(name for _, _, name in records)
    begun = {name for event, script, name in records if (event, script) == ("begin", "update.sh")}
    return {name for name in begun if count[name] == 1}.difference(answers(host))


def assert_answers_true(host: ProvisionedHost, submitted: set[str], written: set[str]) -> None:
    """Check that every answer belongs to a request and agrees with the records of the scripts."""
    machine = host.machine
    records = script_records(host)
    begun = Counter((script, name) for event, script, name in records if event == "begin")
    ended = {(script, name) for event, script, name in records if event == "end"}
    states: Counter[str] = Counter()
    for name in answers(host):
        final = json.loads((host.disk / f"var/dunebugger/updates/status/{name}.json").read_text())
        states[final["state"]] += 1
        assert name in submitted
        if final["action"] == "update":
            assert begun["update.sh", name] <= 1, final
            assert begun["rollback.sh", name] <= 1, final
            result = (final["state"], final["reason"])
            assert result in _REQUIRED_SCRIPTS, final
            assert {(script, name) for script in _REQUIRED_SCRIPTS[result]} <= ended, final
        else:
            assert final["success"], final
            assert ("health-check.sh", name) in ended, final
    assert written <= set(answers(host))
    assert states["succeeded"] > _REBOOTS
    assert states["rolled_back"] > 0, "no update was interrupted, so the test has proved nothing"
    output = machine.run(COMMAND, "check", "--no-scripts", check=False).stdout
    assert "journal.db is intact; 0 request(s) under way" in output
