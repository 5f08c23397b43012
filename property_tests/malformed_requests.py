"""Files in ``requests/`` that are not valid requests, as a client may create them."""

from __future__ import annotations

import os

from property_tests.simulated_host import request


def _link(path):
    path.symlink_to("/etc/hostname")


def _hard_link(path):
    other = path.with_name(f".{path.name}.other")
    other.unlink(missing_ok=True)
    other.write_bytes(b"{}")
    os.link(other, path)


def _folder(path):
    path.mkdir()
    (path / "inside").write_bytes(b"{}")


MALFORMED = {
    "empty": lambda _: b"",
    "truncated": lambda stem: request(stem, "core", "update", "1.0.0")[:-9],
    "not an object": lambda _: b"[1]",
    "not UTF-8": lambda _: b"\xff\xfe\x00",
    "nested": lambda _: b"[" * 20_000,
    "duplicate field": lambda stem: b'{"component":"core",' + request(stem, "core", "update", "1.0.0")[1:],
    "wrong type": lambda stem: request(stem, 7, "update", "1.0.0"),
    "missing fields": lambda _: b'{"component": "core"}',
    "no version": lambda stem: request(stem, "core", "update", None),
    "bad version": lambda stem: request(stem, "core", "update", "1.0.0; rm -rf /"),
    "mismatched id": lambda stem: request(f"{stem}x", "core", "update", "1.0.0"),
    "unknown component": lambda stem: request(stem, "unconfigured", "update", "1.0.0"),
    "too large": lambda stem: request(stem, "core", "update", "1.0.0", padding="x" * 70_000),
    "link": lambda _: _link,
    "hard link": lambda _: _hard_link,
    "FIFO": lambda _: os.mkfifo,
    "folder": lambda _: _folder,
}
