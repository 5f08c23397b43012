"""What a power cut may leave of a disk at one instant: the ways in which what is on its way may have lasted."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

from property_tests.power.disk_model import Disk, File, Image

SECTOR = 512  # bytes; what a disk writes whole or not at all


def images(disk: Disk, chance: random.Random, count: int) -> Iterator[Image]:
    """What may be found, first by rule, then ``count`` more by chance; the same image may come more than once."""
    changes, files = disk.changes, disk.files()
    latest = {id(file): file.present for file in files}
    yield disk.image(changes, latest)
    for lasting in range(len(changes) + 1):  # ext4's order of names; contents that came early, and late
        yield disk.image(changes[:lasting], latest)
        yield disk.image(changes[:lasting], {})
    for one in changes:
        yield disk.image([one], latest)
        yield disk.image([change for change in changes if change is not one], latest)
    for file in files:
        for content in (file.certain, *file.versions[:-1], _torn(file, chance), _zeroed(file)):
            yield disk.image(changes, latest | {id(file): content})
    for _ in range(count):
        share = chance.random()
        yield disk.image(
            [change for change in changes if chance.random() < share],
            {id(file): _any(file, chance) for file in files},
        )


def _any(file: File, chance: random.Random) -> bytes:
    """The content as of some moment since the last fsync, or of several moments at once."""
    if chance.random() < 1 / 3:
        return _torn(file, chance)
    return chance.choice([file.certain, *file.versions])


def _torn(file: File, chance: random.Random) -> bytes:
    """Each sector as of some moment since the last fsync, the size of another; what was never written holds zeros."""
    versions = [file.certain, *file.versions]
    size = len(chance.choice(versions))
    sectors = (chance.choice(versions)[at : at + SECTOR].ljust(SECTOR, b"\0") for at in range(0, size, SECTOR))
    return b"".join(sectors)[:size]


def _zeroed(file: File) -> bytes:
    """The size came, the content did not."""
    return file.certain[: len(file.present)].ljust(len(file.present), b"\0")


def digest(image: Image) -> bytes:
    """Tells one image from another."""
    found = hashlib.blake2b(digest_size=16)
    for path, content in sorted(image.items()):
        found.update(path.encode(errors="surrogateescape") + b"\0")
        found.update(b"/" if content is None else len(content).to_bytes(8, "big") + content)
    return found.digest()
