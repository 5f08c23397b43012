"""Crash states: the disk images that a power cut may leave at one instant."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

from property_tests.power.disk_model import DiskImage, DiskModel, FileNode

SECTOR = 512  # bytes that a disk writes atomically


def crash_states(disk: DiskModel, chance: random.Random, count: int) -> Iterator[DiskImage]:
    """Possible images, first by rule, then ``count`` random ones; an image may occur more than once."""
    changes, files = disk.changes, disk.files()
    latest = {id(file): file.current for file in files}
    yield disk.image(changes, latest)
    for lasting in range(len(changes) + 1):  # ext4's order of names, with contents written early and late
        yield disk.image(changes[:lasting], latest)
        yield disk.image(changes[:lasting], {})
    for one in changes:
        yield disk.image([one], latest)
        yield disk.image([change for change in changes if change is not one], latest)
    for file in files:
        for content in (file.durable, *file.versions[:-1], _torn(file, chance), _zeroed(file)):
            yield disk.image(changes, latest | {id(file): content})
    for _ in range(count):
        share = chance.random()
        yield disk.image(
            [change for change in changes if chance.random() < share],
            {id(file): _random_content(file, chance) for file in files},
        )


def _random_content(file: FileNode, chance: random.Random) -> bytes:
    """The content at some instant since the last fsync, or a mixture of several instants."""
    if chance.random() < 1 / 3:
        return _torn(file, chance)
    return chance.choice([file.durable, *file.versions])


def _torn(file: FileNode, chance: random.Random) -> bytes:
    """Each sector as of some instant since the last fsync, with the size of another; unwritten parts are zeros."""
    versions = [file.durable, *file.versions]
    size = len(chance.choice(versions))
    sectors = (chance.choice(versions)[at : at + SECTOR].ljust(SECTOR, b"\0") for at in range(0, size, SECTOR))
    return b"".join(sectors)[:size]


def _zeroed(file: FileNode) -> bytes:
    """The content if the size was written and the data was not."""
    return file.durable[: len(file.current)].ljust(len(file.current), b"\0")


def digest(image: DiskImage) -> bytes:
    """A hash that identifies an image."""
    found = hashlib.blake2b(digest_size=16)
    for path, content in sorted(image.items()):
        found.update(path.encode(errors="surrogateescape") + b"\0")
        found.update(b"/" if content is None else len(content).to_bytes(8, "big") + content)
    return found.digest()
