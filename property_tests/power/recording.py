"""One life of the real coordinator, from its first instruction to its end, and all it and its scripts wrote."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fsm.errors import JournalError
from fsm.journal_reader import JournalReader
from property_tests.crash.namespace_machine import Machine
from property_tests.crash.sandbox import Stage
from property_tests.crash.scenarios import Scenario, Wish, healthy
from property_tests.power.disk_model import Disk, Image
from property_tests.power.operations import OPTIONS, Kind, Operation, parse
from tests.support.real_host import until

FOLDERS = ("requests", "status", "state")
_PATIENCE_S = 120.0
_PAGE_BYTES = 4120  # one page in SQLite's log, with its header
_SHARED = "-shm"  # SQLite's index of its log, written through memory: no trace sees it, and no start trusts it


@dataclass(frozen=True)
class Earlier:
    """What happened before a life.

    Args:
        asked: the requests as their client meant them, by id.
        careless: whether the client wrote them without fsync.
        noted: what the scripts had written into their record.
        seen: answers that a reader may have read, by request id.
        forgotten: whether the journal was lost with what it knew of all this.
    """

    asked: dict[str, bytes]
    careless: bool
    noted: tuple[str, ...]
    seen: dict[str, bytes]
    forgotten: bool = False


@dataclass(frozen=True)
class Recording:
    """What was recorded.

    Args:
        scenario: the story.
        root: the folder that everything lies in.
        image: what was on the disk before, for certain.
        loose: operations before the first of the life: what a client wrote without fsync.
        operations: of the life, in order; writes to ``record`` among them.
        record: the path of the scripts' own record.
        earlier: what happened before.
    """

    scenario: Scenario
    root: Path
    image: Image
    loose: tuple[Operation, ...]
    operations: tuple[Operation, ...]
    record: str
    earlier: Earlier


class Recorder:
    """Sets hosts up and records lives on them.

    Args:
        folder: for hosts; what is in them is needed as long as the recordings are.
        machine: where everything runs, powered on.
        sources: the tree whose coordinator is recorded.
    """

    def __init__(self, folder: Path, machine: Machine, sources: Path) -> None:
        self._folder = folder
        self._machine = machine
        self._sources = sources
        self._count = 0

    def prepare(self, scenario: Scenario, *, careless: bool, log_pages: int = 0) -> tuple[Stage, Earlier]:
        """A new host on which the story is about to begin: everything is asked, and nobody has looked.

        Args:
            scenario: the story.
            careless: whether the client writes its requests without fsync.
            log_pages: how many pages SQLite's log is to hold already.
        """
        self._count += 1
        root = self._folder / f"host-{self._count}"
        root.mkdir()
        stage = Stage(root, self._machine, self._sources)
        for name, part in scenario.components.items():
            stage.component(name, dict(part.scripts), lock=part.lock, **part.settings)
        stage.write_config()
        first = [wish for wish in scenario.wishes if wish.request_id in scenario.settled]
        if first:
            stage.start()
            _settle(stage, first)
            stage.stop()
        if log_pages:
            _lengthen_log(stage, log_pages * _PAGE_BYTES)
        seen = {wish.request_id: stage.final(wish.request_id).read_bytes() for wish in first}
        for request_id in scenario.taken:
            stage.final(request_id).unlink()
        _ask(stage, scenario.wishes)
        asked = {path.stem: path.read_bytes() for path in stage.requests.iterdir()}
        noted = stage.record.read_text().splitlines() if stage.record.exists() else []
        return stage, Earlier(asked, careless, tuple(noted), seen)

    def record(self, scenario: Scenario, stage: Stage, earlier: Earlier, *, fresh: bool) -> Recording:
        """Record one life that serves everything in ``requests/``.

        Args:
            scenario: the story.
            stage: the host, with the requests just written, or as a power cut left it.
            earlier: what happened before.
            fresh: whether the requests were written just now; else what the cut left of them is certain.
        """
        image, loose = image_of(stage.root), []
        for path in sorted(stage.requests.iterdir()) if fresh and earlier.careless else ():
            del image[str(path.relative_to(stage.root))]
            loose += [Operation(Kind.CREATE, str(path)), Operation(Kind.WRITE, str(path), data=path.read_bytes())]
        trace = stage.root / "trace"
        stage.arguments_before = ["strace", *OPTIONS, f"--output={trace}"]
        stage.start()
        until(lambda: is_at_rest(stage), f"everything to come to rest\n{stage.log()[-3000:]}", _PATIENCE_S)
        code = stage.stop()
        assert code == 0, f"it ended with {code}\n{stage.log()[-3000:]}"
        operations = tuple(o for o in parse(trace) if o.path == str(stage.record) or _on_disk(o, stage.root))
        trace.unlink()
        found = Recording(scenario, stage.root, image, tuple(loose), operations, str(stage.record), earlier)
        _require_same(found, stage)
        return found


def _settle(stage: Stage, wishes: Iterable[Wish]) -> None:
    _ask(stage, wishes)
    until(lambda: is_at_rest(stage), f"the first answers\n{stage.log()[-3000:]}", _PATIENCE_S)


def _lengthen_log(stage: Stage, size: int) -> None:
    """Have health checks served until the log is that long, then kill: a stop would fold it in."""
    stage.start()
    number = 0
    while (stage.state / "journal.db-wal").stat().st_size < size:
        number += 1
        _settle(stage, [healthy(f"before-{number}")])
    stage.kill()
    for path in stage.status.glob("before-*.json"):
        path.unlink()


def _ask(stage: Stage, wishes: Iterable[Wish]) -> None:
    for wish in wishes:
        stage.ask(wish.request_id, wish.action, wish.component)


def image_of(root: Path) -> Image:
    """What lies in the coordinator's folders under ``root``."""
    paths = [path for name in FOLDERS for path in (root / name, *(root / name).rglob("*"))]
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in paths if path.exists()
    }


def lay(image: Image, root: Path) -> None:
    """Have exactly ``image`` lie in the coordinator's folders under ``root``."""
    for name in FOLDERS:
        shutil.rmtree(root / name, ignore_errors=True)
    for path, content in sorted(image.items()):
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)


def is_at_rest(stage: Stage) -> bool:
    """Whether nothing is left to do, by the folders and by the journal."""
    if (
        any(stage.requests.iterdir())
        or any(stage.status.glob("*.progress.json"))
        or any((stage.state / "runs").glob("*"))
    ):
        return False
    try:
        with closing(JournalReader.open(stage.journal)) as journal:
            return not journal.counts() and not journal.unpublished(1)
    except JournalError:
        return False


def _on_disk(operation: Operation, root: Path) -> bool:
    """Whether an operation concerns the coordinator's folders."""
    path = f"{operation.path}/"
    return path == f"{root}/" or any(path.startswith(f"{root}/{name}/") for name in FOLDERS)


def _require_same(recording: Recording, stage: Stage) -> None:
    """The model must end where the real disk did; if it does not, something was written that the trace has not."""
    disk = Disk(str(recording.root), recording.image)
    for operation in (*recording.loose, *recording.operations):
        if operation.path != recording.record:
            disk.apply(operation)
    model, real = disk.present(), image_of(stage.root)
    for path in sorted({*model, *real}):
        if not path.endswith(_SHARED):
            assert path in model, f"the model knows nothing of {path}"
            assert path in real, f"the model has {path} and the disk has not"
            assert model[path] == real[path], f"the model has another {path} than the disk"
