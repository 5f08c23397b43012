"""Recording of one instance of the real coordinator, from start to exit, with every write of it and its scripts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fsm.errors import JournalError
from fsm.journal_reader import JournalReader
from property_tests.crash.namespace_machine import NamespaceMachine
from property_tests.crash.sandbox import Sandbox
from property_tests.crash.scenarios import PlannedRequest, Scenario, healthy
from property_tests.power.disk_model import DiskImage, DiskModel
from property_tests.power.operations import OPTIONS, Operation, OperationKind, parse
from tests.support.polling import wait_until

FOLDERS = ("requests", "status", "state")
_DEADLINE_S = 120.0
_PAGE_BYTES = 4120  # one page of SQLite's log, with its header
_SHARED = "-shm"  # SQLite's index of its log: memory-mapped, so not traced; rebuilt at every start


@dataclass(frozen=True)
class PriorEvents:
    """Events before an instance.

    Args:
        submitted: the requests as their client wrote them, by id.
        client_skips_fsync: whether the client wrote them without fsync.
        recorded_lines: the lines of the scripts' record.
        seen: answers that a reader may have read, by request id.
        journal_lost: whether the journal of these events was lost.
    """

    submitted: dict[str, bytes]
    client_skips_fsync: bool
    recorded_lines: tuple[str, ...]
    seen: dict[str, bytes]
    journal_lost: bool = False


@dataclass(frozen=True)
class Recording:
    """The recording of one instance.

    Args:
        scenario: the scenario.
        root: the directory that holds everything.
        image: the durable content of the disk before.
        unsynced: operations before the instance's first: what a client wrote without fsync.
        operations: of the instance, in order, including writes to ``record``.
        record: the path of the scripts' own record.
        earlier: events before.
    """

    scenario: Scenario
    root: Path
    image: DiskImage
    unsynced: tuple[Operation, ...]
    operations: tuple[Operation, ...]
    record: str
    earlier: PriorEvents


class Recorder:
    """Sets up hosts and records instances on them.

    Args:
        folder: for hosts; their content is needed as long as the recordings are.
        machine: where everything runs, powered on.
        sources: the tree of the recorded coordinator.
    """

    def __init__(self, folder: Path, machine: NamespaceMachine, sources: Path) -> None:
        self._folder = folder
        self._machine = machine
        self._sources = sources
        self._count = 0

    def prepare(
        self, scenario: Scenario, *, client_skips_fsync: bool, log_pages: int = 0
    ) -> tuple[Sandbox, PriorEvents]:
        """A new host at the start of the scenario: all requests are submitted, and no coordinator runs.

        Args:
            scenario: the scenario.
            client_skips_fsync: whether the client writes its requests without fsync.
            log_pages: initial length of SQLite's write-ahead log, in pages.
        """
        self._count += 1
        root = self._folder / f"host-{self._count}"
        root.mkdir()
        sandbox = Sandbox(root, self._machine, self._sources)
        for name, part in scenario.components.items():
            sandbox.component(name, dict(part.scripts), lock=part.lock, **part.settings)
        sandbox.write_config()
        first = [request for request in scenario.planned if request.request_id in scenario.settled]
        if first:
            sandbox.start()
            _settle(sandbox, first)
            sandbox.stop()
        if log_pages:
            _lengthen_log(sandbox, log_pages * _PAGE_BYTES)
        seen = {request.request_id: sandbox.final(request.request_id).read_bytes() for request in first}
        for request_id in scenario.taken:
            sandbox.final(request_id).unlink()
        _submit(sandbox, scenario.planned)
        submitted = {path.stem: path.read_bytes() for path in sandbox.requests.iterdir()}
        recorded_lines = sandbox.record.read_text().splitlines() if sandbox.record.exists() else []
        return sandbox, PriorEvents(submitted, client_skips_fsync, tuple(recorded_lines), seen)

    def record(self, scenario: Scenario, sandbox: Sandbox, earlier: PriorEvents, *, fresh: bool) -> Recording:
        """Record one instance that serves everything in ``requests/``.

        Args:
            scenario: the scenario.
            sandbox: the host, with the requests just written, or as a power cut left it.
            earlier: events before.
            fresh: whether the requests were just written; else their files are durable.
        """
        image, unsynced = image_of(sandbox.root), []
        for path in sorted(sandbox.requests.iterdir()) if fresh and earlier.client_skips_fsync else ():
            del image[str(path.relative_to(sandbox.root))]
            unsynced += [
                Operation(OperationKind.CREATE, str(path)),
                Operation(OperationKind.WRITE, str(path), data=path.read_bytes()),
            ]
        trace = sandbox.root / "trace"
        sandbox.arguments_before = ["strace", *OPTIONS, f"--output={trace}"]
        sandbox.start()
        wait_until(lambda: is_idle(sandbox), f"the host to be idle\n{sandbox.log()[-3000:]}", _DEADLINE_S)
        code = sandbox.stop()
        assert code == 0, f"the coordinator exited with {code}\n{sandbox.log()[-3000:]}"
        operations = tuple(o for o in parse(trace) if o.path == str(sandbox.record) or _on_disk(o, sandbox.root))
        trace.unlink()
        found = Recording(scenario, sandbox.root, image, tuple(unsynced), operations, str(sandbox.record), earlier)
        _assert_model_matches(found, sandbox)
        return found


def _settle(sandbox: Sandbox, planned: Iterable[PlannedRequest]) -> None:
    _submit(sandbox, planned)
    wait_until(lambda: is_idle(sandbox), f"the first answers\n{sandbox.log()[-3000:]}", _DEADLINE_S)


def _lengthen_log(sandbox: Sandbox, size: int) -> None:
    """Serve health checks until the log is that long, then kill: a stop would checkpoint it."""
    sandbox.start()
    number = 0
    while (sandbox.state / "journal.db-wal").stat().st_size < size:
        number += 1
        _settle(sandbox, [healthy(f"before-{number}")])
    sandbox.kill()
    for path in sandbox.status.glob("before-*.json"):
        path.unlink()


def _submit(sandbox: Sandbox, planned: Iterable[PlannedRequest]) -> None:
    for request in planned:
        sandbox.submit(request.request_id, request.action, request.component)


def image_of(root: Path) -> DiskImage:
    """The content of the coordinator's directories under ``root``."""
    paths = [path for name in FOLDERS for path in (root / name, *(root / name).rglob("*"))]
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in paths if path.exists()
    }


def write_image(image: DiskImage, root: Path) -> None:
    """Replace the coordinator's directories under ``root`` by ``image``."""
    for name in FOLDERS:
        shutil.rmtree(root / name, ignore_errors=True)
    for path, content in sorted(image.items()):
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)


def is_idle(sandbox: Sandbox) -> bool:
    """Whether no work is left, by the directories and by the journal."""
    if (
        any(sandbox.requests.iterdir())
        or any(sandbox.status.glob("*.progress.json"))
        or any((sandbox.state / "runs").glob("*"))
    ):
        return False
    try:
        with closing(JournalReader.open(sandbox.journal)) as journal:
            return not journal.counts() and not journal.unpublished(1)
    except JournalError:
        return False


def _on_disk(operation: Operation, root: Path) -> bool:
    """Whether an operation concerns the coordinator's directories."""
    path = f"{operation.path}/"
    return path == f"{root}/" or any(path.startswith(f"{root}/{name}/") for name in FOLDERS)


def _assert_model_matches(recording: Recording, sandbox: Sandbox) -> None:
    """Compare the model's final state with the real disk; a difference means that the trace is incomplete."""
    disk = DiskModel(str(recording.root), recording.image)
    for operation in (*recording.unsynced, *recording.operations):
        if operation.path != recording.record:
            disk.apply(operation)
    model, real = disk.current(), image_of(sandbox.root)
    for path in sorted({*model, *real}):
        if not path.endswith(_SHARED):
            assert path in model, f"{path} is missing in the model"
            assert path in real, f"{path} is in the model and not on the disk"
            assert model[path] == real[path], f"{path} differs between the model and the disk"
