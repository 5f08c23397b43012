"""Malformed requests, unsafe names, and files that are not regular files."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from pathlib import Path

import pytest

from tests.support.real_host import Host, request, stays

GOOD = request("ID", "update", version="1.0.0")


def _without(field):
    return {name: value for name, value in GOOD.items() if name != field}


BAD = {
    "empty": (b"", "JSON"),
    "not-json": (b"hello", "JSON"),
    "cut-short": (json.dumps(GOOD).encode()[:-5], "JSON"),
    "not-utf8": (b'{"component": "\xff\xfe"}', "UTF-8"),
    "array": (b"[]", "object"),
    "text": (b'"update"', "object"),
    "null": (b"null", "object"),
    "deep": (b"[" * 30000 + b"]" * 30000, "deep"),
    "deep-in-field": (b'{"component":' * 6000 + b"1" + b"}" * 6000, ""),
    "twice": (b'{"component": "core", "component": "core"}', "component"),
    "not-a-number": (b'{"component": NaN}', "NaN"),
    "huge-number": (b'{"component": ' + b"9" * 6000 + b"}", ""),
    "no-component": (_without("component"), "component"),
    "no-action": (_without("action"), "action"),
    "no-id": (_without("request_id"), "request_id"),
    "no-timestamp": (_without("timestamp"), "timestamp"),
    "no-version": (_without("version"), "version"),
    "component-number": (GOOD | {"component": 1}, "component"),
    "component-null": (GOOD | {"component": None}, "component"),
    "action-list": (GOOD | {"action": ["update"]}, "action"),
    "version-number": (GOOD | {"version": 1.5}, "version"),
    "id-number": (GOOD | {"request_id": 5}, "request_id"),
    "timestamp-word": (GOOD | {"timestamp": "yesterday"}, "timestamp"),
    "timestamp-number": (GOOD | {"timestamp": 1700000000}, "timestamp"),
    "too-large": (GOOD | {"padding": "x" * 70000}, "request_bytes"),
    "unknown-action": (GOOD | {"action": "reboot"}, "update, rollback, health"),
    "other-id": (GOOD | {"request_id": "another-id"}, "another-id"),
    "traversing-id": (GOOD | {"request_id": "../../outside"}, "request_id"),
    "absolute-id": (GOOD | {"request_id": "/tmp/absolute"}, "request_id"),
    "nul-id": (GOOD | {"request_id": "a\0b"}, "request_id"),
    "control-id": (GOOD | {"request_id": "a\n\x1b[31mb"}, "request_id"),
    "long-id": (GOOD | {"request_id": "a" * 300}, "request_id"),
} | {
    f"version-{number}": (GOOD | {"version": version}, "version")
    for number, version in enumerate(
        (
            "latest",
            "1.2",
            "",
            "1.2.3; touch pwned",
            "$(touch pwned)",
            "--help",
            "1.2.3\n",
            "1.2.3 ",
            "vv1.2.3",
            "1" * 300,
        )
    )
}


@pytest.mark.parametrize("stem", BAD)
def test_malformed_request_is_rejected_under_its_stem(busy_host, stem):
    """A malformed request gets failed/invalid_request under its stem and is removed; nothing runs."""
    content, names = BAD[stem]
    if isinstance(content, dict) and content.get("request_id") == "ID":
        content = content | {"request_id": stem}
    busy_host.drop(f"{stem}.json", content)
    answer = busy_host.answer(stem)
    assert (answer["request_id"], answer["success"]) == (stem, False)
    assert (answer["state"], answer["reason"]) == ("failed", "invalid_request")
    assert names in answer["message"]
    assert answer["message"].isprintable()
    assert (answer["attempts"], answer["started_at"], answer["exit_code"]) == ([], None, None)
    assert busy_host.runs(stem) == []
    assert not busy_host.final("another-id").exists()


def test_unknown_component_is_rejected_with_the_known_ones(busy_host):
    """A request for an unconfigured component is rejected with the list of configured ones."""
    answer = busy_host.submit_and_wait("unconfigured", "health", "../core")
    assert (answer["state"], answer["reason"]) == ("failed", "unknown_component")
    assert "known: core" in answer["message"]


def test_intake_waits_for_a_request_being_written(busy_host):
    """A request written in pieces through an open file is read only once it is closed (I5)."""
    text = json.dumps(request("pieces", "health")).encode()
    with (busy_host.requests / "pieces.json").open("wb", buffering=0) as file:
        for number, piece in enumerate((text[:1], text[1:40], text[40:])):
            file.write(piece)
            assert busy_host.submit_and_wait(f"meanwhile-{number}", "health")["success"]
            stays(lambda: not busy_host.final("pieces").exists(), "answered while it was being written", 0.7)
    assert busy_host.answer("pieces")["success"]


def test_intake_waits_for_a_malformed_request_being_written(busy_host):
    """An incomplete request is rejected only after its writer has closed it."""
    with (busy_host.requests / "half.json").open("wb", buffering=0) as file:
        file.write(b'{"component": ')
        stays(lambda: not busy_host.final("half").exists(), "answered while it was being written", 0.7)
    assert busy_host.answer("half")["reason"] == "invalid_request"


def test_intake_waits_for_a_writer_that_reopens_the_file(host):
    """A request appended in pieces, with the file closed in between, is read when it is complete (I5)."""
    host.component("core")
    host.set("limits", settle_s=30)  # longer than a pause between two pieces on a busy machine
    host.start()
    text = json.dumps(request("slow", "health")).encode()
    for start in range(0, len(text), 30):
        with (host.requests / "slow.json").open("ab") as file:
            file.write(text[start : start + 30])
        if start + 30 < len(text):
            stays(lambda: not host.final("slow").exists(), "answered between two pieces", 0.8)
    assert host.answer("slow")["success"]


UNSAFE = (
    b".hidden.json",
    b".json",
    b"..json",
    b"...json",
    b"-rf.json",
    b"a b.json",
    b"a\nb.json",
    b"a\x1b[2Jb.json",
    "ü.json".encode(),
    b"a;b.json",
    b"a" * 129 + b".json",
    b"one.progress.json",
)


def _tree(host: Host) -> set[str]:
    ours = {"requests", "status", "state"}
    return {
        f"{folder}/{name}"
        for folder, _, names in os.walk(host.root.parent)
        for name in names
        if not ours & set(Path(folder).parts)
    }


def test_unsafe_names_are_quarantined_and_nothing_is_written_outside(host):
    """A file whose stem is not a safe id is logged and quarantined; no file appears outside status/ (I6)."""
    host.component("core")
    host.start()
    before = _tree(host)
    for name in UNSAFE:
        path = host.requests / os.fsdecode(name)
        path.mkdir() if name == b"-rf.json" else path.touch()
    quarantine = host.state / "quarantine"
    host.expect(
        lambda: quarantine.is_dir() and len(list(quarantine.iterdir())) == len(UNSAFE), "all of them in quarantine"
    )
    assert host.submit_and_wait("after", "health")["success"]
    assert not list(host.requests.iterdir())
    assert sorted(path.name for path in host.status.glob("*.json")) == ["after.json"]
    assert _tree(host) - before <= {str(host.runs_log)}
    assert host.log().count("quarantine") == len(UNSAFE)
    assert "\x1b" not in host.log()


def test_non_utf8_name_is_quarantined(host):
    """A file name that is not UTF-8 is quarantined and blocks no other request (I6)."""
    host.component("core")
    host.start()
    (host.requests / os.fsdecode(b"\xff\xfe.json")).write_text("{}")
    host.expect(lambda: not list(host.requests.iterdir()), "the file to be moved away")
    assert len(list((host.state / "quarantine").iterdir())) == 1
    assert host.submit_and_wait("after", "health")["success"]


def test_intake_ignores_temporary_files(busy_host):
    """A name that does not end in .json is a temporary file: neither read nor removed."""
    for name in ("x.tmp", "x.json~", "x.JSON", ".x.swp"):
        (busy_host.requests / name).write_text("{}")
    busy_host.submit_and_wait("beside-temporaries", "health")
    for name in ("x.tmp", "x.json~", "x.JSON", ".x.swp"):
        (busy_host.requests / name).unlink()


def _symlink(path, target):
    path.symlink_to(target)


def _dangling(path, target):
    path.symlink_to(target.with_name("nowhere"))


def _fifo(path, _target):
    os.mkfifo(path)


def _socket(path, _target):
    folder = os.open(path.parent, os.O_RDONLY)  # a socket's path is at most 108 bytes long
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _directory(path, _target):
    made = path.with_name(f"{path.name}.new")
    made.mkdir()
    (made / "inside.json").write_text("{}")
    made.rename(path)


def _hard_link(path, target):
    path.hardlink_to(target)


def _device(path, _target):
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this user cannot make devices")


@pytest.mark.parametrize("make", [_symlink, _dangling, _fifo, _socket, _directory, _hard_link, _device])
def test_non_regular_file_is_rejected_without_delay(busy_host, make):
    """A link, pipe, socket, directory or device is rejected, never followed, and blocks no later request."""
    stem = make.__name__.strip("_")
    target = busy_host.root / f"secret-{stem}"
    target.write_text(json.dumps(request(stem, "update", version="1.0.0")))
    make(busy_host.requests / f"{stem}.json", target)
    assert busy_host.submit_and_wait(f"after-{stem}", "health")["success"]
    answer = busy_host.answer(stem)
    assert (answer["state"], answer["reason"]) == ("failed", "invalid_request")
    assert busy_host.runs(stem) == []
    assert json.loads(target.read_text())["request_id"] == stem


def test_request_linked_into_place_is_served(busy_host):
    """A request with two names for a moment, as link-then-unlink makes it, is accepted."""
    temporary = busy_host.root / "linked.tmp"
    temporary.write_text(json.dumps(request("linked", "health")))
    (busy_host.requests / "linked.json").hardlink_to(temporary)
    temporary.unlink()
    assert busy_host.answer("linked")["success"]


def test_flood_of_malformed_requests_delays_no_valid_one(busy_host):
    """A valid request among 300 malformed ones is answered, and so are the malformed ones."""
    for number in range(300):
        busy_host.drop(f"malformed-{number}.json", b"[]")
    assert busy_host.submit_and_wait("in-the-flood", "health")["success"]
    reasons = Counter(busy_host.answer(f"malformed-{number}")["reason"] for number in range(300))
    assert reasons == {"invalid_request": 300}
