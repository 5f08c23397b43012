"""The files of a run: their format, which is that of earlier releases, and reading damaged files."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from executor_harness import ScriptFolder, id_of

from executors.interface import ExecutorSettings
from executors.processes import boot_id
from executors.run_directory import RunDirectory, list_runs, remove_runs
from protocol.types import ExitKind


@pytest.fixture
def directory(settings: ExecutorSettings, component: ScriptFolder) -> RunDirectory:
    """A prepared run."""
    made = RunDirectory(settings.runs, component.run(arguments=("1.2.3",), rollback_of="req-0"))
    made.prepare()
    return made


def write(directory: RunDirectory, content: bytes) -> None:
    """Write the record that coordinator and worker append to."""
    (directory.path / "session").write_bytes(content)


def test_files_of_a_run_have_the_format_of_earlier_releases(directory: RunDirectory, component: ScriptFolder):
    """An upgrade adopts running scripts: names and lines are fixed."""
    assert {file.name for file in directory.path.iterdir()} == {"command", "stdout", "stderr"}
    quoted = shlex.quote(str(component.directory))
    assert (directory.path / "command").read_text() == (
        f"export UPDATE_REQUEST_ID={id_of()} UPDATE_COMPONENT=remote UPDATE_ACTION=update UPDATE_VERSION=1.2.3 "
        f"UPDATE_ROLLBACK_OF=req-0\n"
        f"set -- {quoted} {quoted[:-1]}/update.sh' "
        "1.2.3\nwhole=y\n"
    )
    write(directory, b"71 1000 70 990\nended_by timed_out\nexit 143\n")
    claim = directory.claim()
    assert claim is not None
    assert (claim.worker.boot_id, claim.worker.pid, claim.worker.start_ticks) == (boot_id(), 71, 1000)
    assert (claim.launcher.boot_id, claim.launcher.pid, claim.launcher.start_ticks) == (boot_id(), 70, 990)
    assert (directory.ended_by(), directory.exit_code()) == (ExitKind.TIMED_OUT, 143)


@pytest.mark.parametrize(("content", "is_in_unit"), [(b"71 1000 70 990\n", False), (b"71 1000 71 1000\n", True)])
def test_claim_shows_whether_a_unit_contains_the_worker(directory: RunDirectory, content: bytes, is_in_unit: bool):
    """A worker without launcher names itself twice."""
    write(directory, content)
    claim = directory.claim()
    assert claim is not None
    assert claim.is_in_unit is is_in_unit


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"71 1000 70 990",
        b"revoked\n71 1000 70 990\n",
        b"71 1000 70\n",
        b"71 1000 70 x\n",
        b"0 1000 0 990\n",
        b"71 1000 99999999999 990\n",
        b"71 1000 70 " + b"9" * 5000 + b"\n",
        b"\0\0\0\0\n",
        "71 1000 70 ²\n".encode(),
    ],
    ids=range(10),
)
def test_malformed_claim_is_none(directory: RunDirectory, content: bytes):
    """A record that a full or damaged disk left incomplete is read without an error."""
    write(directory, content)
    assert directory.claim() is None


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"exit 0\n", 0),
        (b"exit 192\n", 192),
        (b"exit 193\n", 193),
        (b"exit 255\n", 255),
        (b"exit 256\n", None),
        (b"exit 13", None),
        (b"exit \n", None),
        (b"exit -1\n", None),
        (b"exit 0x1\n", None),
        (b"exit " + b"1" * 5000 + b"\n", None),
    ],
    ids=range(10),
)
def test_exit_code_is_a_complete_number_up_to_255(directory: RunDirectory, line: bytes, code: int | None):
    """Any other text is no exit code (I1)."""
    write(directory, b"71 1000 70 990\n" + line)
    assert directory.exit_code() == code


@pytest.mark.parametrize("kind", ExitKind)
def test_every_exit_kind_can_be_recorded(directory: RunDirectory, kind: ExitKind):
    """The first record counts."""
    directory.record_ended_by(kind)
    directory.record_ended_by(ExitKind.INTERRUPTED)
    assert directory.ended_by() is kind


@pytest.mark.parametrize("value", [b"of_a_newer_release", b"\xff"])
def test_unknown_exit_kind_is_an_interruption(directory: RunDirectory, value: bytes):
    """A coordinator of another release ended the run, for a reason that is unknown here."""
    write(directory, b"71 1000 70 990\nended_by " + value + b"\n")
    assert directory.ended_by() is ExitKind.INTERRUPTED


def test_list_runs_continues_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Folders that cannot be read are returned as errors beside the runs that can (I16)."""
    for name in ("a/1", "b/1", "b/x", "b/²", "c/1", "c/2"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").touch()
    listed = os.scandir

    def scan(path: str):
        if path.endswith("/b"):
            raise PermissionError(path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scan)
    found, errors = list_runs(tmp_path)
    monkeypatch.undo()
    assert sorted(found) == [tmp_path / name for name in ("a/1", "c/1", "c/2")]
    assert [str(error) for error in errors] == [f"{tmp_path}/b"]
    assert sorted(list_runs(tmp_path)[0]) == [tmp_path / name for name in ("a/1", "b/1", "c/1", "c/2")]
    assert list_runs(tmp_path / "none") == ([], [])


def test_remove_runs_continues_after_an_error(tmp_path: Path):
    """The error is raised once everything else is removed (I16)."""
    for attempt in ("1", "2", "3"):
        (tmp_path / "req" / attempt).mkdir(parents=True)
        (tmp_path / "req" / attempt / "command").touch()
    (tmp_path / "req/2/a folder").mkdir()
    with pytest.raises(OSError, match="a folder"):
        remove_runs(tmp_path, "req", 4096)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == [
        Path("req"),
        Path("req/2"),
        Path("req/2/a folder"),
    ]
