"""``update-coordinator status ID``."""

from __future__ import annotations

import json

from rich.console import Console

from coordinator.final_status import compose_status
from coordinator.render import print_error, request_line
from coordinator.settings import Settings
from coordinator.state_folder import open_for_reading
from fsm.records import RequestRecord
from protocol.outbox import Outbox
from protocol.types import State


def execute(settings: Settings, request_id: str, *, as_json: bool) -> int:
    """Show the final status, or the progress; 1 when the request failed or is not known."""
    with open_for_reading(settings) as journal:
        record = journal.get(request_id)
        if record is None:
            return print_error(f"cannot find request {request_id}: update-coordinator history lists the known ones")
        attempts = journal.attempts(request_id)
    console = Console(highlight=False, soft_wrap=True)
    if record.settled_at is None:
        progress = Outbox(settings.paths.status).read_progress(request_id)
        if as_json:
            facts = progress.model_dump(mode="json") if progress else {"state": str(record.state)}
            if _is_deferred(record):
                facts |= {"deferred_why": record.deferred_why, "due_uptime": record.due_uptime}
            console.out(json.dumps(facts, indent=2))
        else:
            phase = f", {progress.phase}" if progress and progress.phase else ""
            percent = f", {progress.percent} %" if progress and progress.percent is not None else ""
            waits = f"\nwaits: {record.deferred_why}" if _is_deferred(record) else ""
            console.print(f"{request_line(record)}\nunder way: {record.state}{phase}{percent}{waits}", markup=False)
        return 0
    if as_json:
        status, _ = compose_status(record, attempts, settings.limits.output_bytes)
        console.out(status.model_dump_json(indent=2))
    else:
        console.print(f"{request_line(record)}\n{record.state}: {record.message}", markup=False)
    return 0 if record.state is State.SUCCEEDED else 1


def _is_deferred(record: RequestRecord) -> bool:
    """Whether a rule defers the request; the start does not clear ``deferred_why``, so the state decides."""
    return record.deferred_why is not None and record.state is State.VALIDATED
