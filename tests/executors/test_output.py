"""Excerpts and phases."""

from __future__ import annotations

from pathlib import Path

import pytest

from executors.output import Follower, excerpt


@pytest.mark.parametrize(
    ("content", "limit", "expected"),
    [
        (b"", 10, ""),
        (b"0123456789", 10, "0123456789"),
        (b"\xff", 10, "\ufffd"),
        (b"0123456789A", 10, "01234\n[… 1 bytes left out; the complete log, as long as it is kept: {path} …]\n6789A"),
        ("éé".encode(), 2, "\ufffd\n[… 2 bytes left out; the complete log, as long as it is kept: {path} …]\n\ufffd"),
    ],
)
def test_an_excerpt_keeps_both_ends(tmp_path: Path, content: bytes, limit: int, expected: str):
    """What fits is whole; else the middle is left out, and where to find it is said."""
    path = tmp_path / "stdout"
    path.write_bytes(content)
    assert excerpt(str(path), limit) == expected.format(path=path)


def test_a_missing_stream_is_empty(tmp_path: Path):
    """A run that never opened its streams said nothing."""
    assert excerpt(str(tmp_path / "none"), 10) == ""
    assert Follower(str(tmp_path / "none")).look() is False


@pytest.mark.parametrize(
    ("text", "phase", "percent"),
    [
        ("PHASE:pull\n", "pull", None),
        ("PHASE: pull images \r\n", "pull images", None),
        ("PHASE:a\nPHASE:b\nrest", "b", None),
        ("PHASE:a\nPHASE:\n", "a", None),
        ("PHASE:unfinished", None, None),
        ("say PHASE:no\n", None, None),
        ("PHASE:" + "x" * 5000 + "\n", "x" * 100, None),
        ("PHASE:a\x1b[31m\n", "a\ufffd[31m", None),
        ("PROGRESS:0\nPROGRESS:100\n", None, 100),
        ("PROGRESS: 42.9 \n", None, 42),
        ("PROGRESS:7\nPROGRESS:101\nPROGRESS:-1\nPROGRESS:1e1\nPROGRESS:x\nPROGRESS:\n", None, 7),
        ("PROGRESS:٣\n", None, None),
        ("PHASE:one\nPROGRESS:1\n\nPROGRESS:2\n", "one", 2),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_the_last_good_line_counts(tmp_path: Path, text: str, phase: str | None, percent: int | None, piece: int):
    """However the stream is cut into pieces."""
    path = tmp_path / "stdout"
    follower = Follower(str(path))
    content = text.encode()
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), piece):
            file.write(content[start : start + piece])
            follower.look()
    assert (follower.phase, follower.percent) == (phase, percent)


def test_one_look_is_bounded(tmp_path: Path):
    """A huge backlog is taken in by several looks, so that deadlines are still seen between them."""
    path = tmp_path / "stdout"
    with path.open("wb") as file:
        file.truncate(40 << 20)
        file.seek(40 << 20)
        file.write(b"\nPHASE:end\n")
    follower = Follower(str(path))
    looks = [follower.look() for _ in range(3)]
    assert looks == [True, True, False]
    assert follower.phase == "end"
