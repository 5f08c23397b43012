"""Reading a script's output: excerpts, phases, last lines."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from executors.interface import ProgressReport
from executors.output import OutputFollower, ProgressReader, TailReader, head_and_tail

TAIL = 4096


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
def test_head_and_tail_keeps_both_ends(tmp_path: Path, content: bytes, limit: int, expected: str):
    """A file within the limit is complete; otherwise the middle is left out, with a reference to the log."""
    path = tmp_path / "stdout"
    path.write_bytes(content)
    assert head_and_tail(str(path), limit) == expected.format(path=path)


def test_missing_stream_is_empty(tmp_path: Path):
    """A run without streams has no output."""
    assert head_and_tail(str(tmp_path / "none"), 10) == ""
    assert OutputFollower(str(tmp_path / "none")).read() is False
    tail = TailReader(str(tmp_path / "none"))
    tail.read()
    assert tail.text == ""


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
def test_follower_keeps_the_last_valid_line(
    tmp_path: Path, text: str, phase: str | None, percent: int | None, piece: int
):
    """The result does not depend on how the stream is split into pieces."""
    path = tmp_path / "stdout"
    follower = OutputFollower(str(path))
    content = text.encode()
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), piece):
            file.write(content[start : start + piece])
            follower.read()
    assert (follower.phase, follower.percent) == (phase, percent)


def test_follower_read_is_bounded(tmp_path: Path):
    """A huge backlog takes several reads, so that deadlines are checked between them."""
    path = tmp_path / "stdout"
    with path.open("wb") as file:
        file.truncate(40 << 20)
        file.seek(40 << 20)
        file.write(b"\nPHASE:end\n")
    follower = OutputFollower(str(path))
    results = [follower.read() for _ in range(3)]
    assert results == [True, True, False]
    assert follower.phase == "end"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ""),
        (b"no line yet", "no line yet"),
        (b"x" * TAIL, "x" * TAIL),
        (b"x" * TAIL + b"y", "x" * (TAIL - 1) + "y"),
        (b"cut off\n" + b"x" * 10 + b"\n" + b"y" * (TAIL - 11), "x" * 10 + "\n" + "y" * (TAIL - 11)),
        (b"cut off\n" + b"x" * 10 + b"\n" + b"y" * (TAIL - 10), "y" * (TAIL - 10)),
        (b"x" * TAIL + b"\n", "x" * (TAIL - 1) + "\n"),
        (b"x" * TAIL + b"\n\n", "\n"),
        (b"x" * TAIL + b"\nlast\n", "last\n"),
        ("€".encode() * 2000, "€" * (TAIL // 3)),
        ("😀".encode() + b"x" * (TAIL - 1), "x" * (TAIL - 1)),
        ("😀".encode() + b"x" * (TAIL - 3), "x" * (TAIL - 3)),
        (b"\xbf" * 5000, "\ufffd" * (TAIL - 3)),
        (b"a\xff\0b", "a\ufffd\0b"),
    ],
)
@pytest.mark.parametrize("piece", [1000, 1 << 20])
def test_tail_begins_with_a_whole_line_or_character(tmp_path: Path, content: bytes, expected: str, piece: int):
    """This holds however the stream is split into pieces, and for content that is not text."""
    path = tmp_path / "stream"
    tail = TailReader(str(path))
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), piece):
            file.write(content[start : start + piece])
            tail.read()
    assert tail.text == expected


def test_tail_read_has_constant_cost(tmp_path: Path):
    """Only the end of a stream is read (I12)."""
    path = tmp_path / "stream"
    with path.open("wb") as file:
        file.truncate(64 << 20)
        file.seek(64 << 20)
        file.write(b"\nlast\n")
    tail = TailReader(str(path))
    tracemalloc.start()
    try:
        tail.read()
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert tail.text == "last\n"


def test_progress_survives_an_unreadable_stream(tmp_path: Path):
    """A read error must not affect the run: progress is only information."""
    path = tmp_path / "stream"
    path.write_bytes(b"seen\n")
    tail = TailReader(str(path))
    tail.read()
    follower = OutputFollower(str(path))
    path.unlink()
    path.mkdir()
    tail.read()
    assert tail.text == "seen\n"
    assert follower.read() is False


def test_phases_are_read_from_stdout_only(tmp_path: Path):
    """On stderr the same line is text; the ends of both streams are reported."""
    (tmp_path / "stdout").write_bytes(b"PHASE:pull\nPROGRESS:7\n")
    (tmp_path / "stderr").write_bytes(b"PHASE:none\nPROGRESS:8\n")
    reader = ProgressReader(str(tmp_path / "stdout"), str(tmp_path / "stderr"))
    assert reader.report() == ProgressReport()
    assert reader.read() is False
    assert reader.report() == ProgressReport("pull", 7, "PHASE:pull\nPROGRESS:7\n", "PHASE:none\nPROGRESS:8\n")
