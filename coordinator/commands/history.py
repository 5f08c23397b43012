"""``update-coordinator history``."""

from __future__ import annotations

import json

from rich.console import Console
from rich.text import Text

from coordinator.render import colour, format_timestamp
from coordinator.settings import Settings
from coordinator.state_folder import open_for_reading
from coordinator.texts import describe


def execute(settings: Settings, component: str | None, limit: int, *, as_json: bool) -> int:
    """List the latest requests, newest first."""
    with open_for_reading(settings) as journal:
        records = journal.history(limit, component)
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        rows = [
            {
                "request_id": record.request_id,
                "component": record.component,
                "action": record.action,
                "version": record.version,
                "state": record.state,
                "reason": record.reason,
                "message": record.message,
                "received_at": record.received_at.isoformat(),
                "settled_at": record.settled_at.isoformat() if record.settled_at else None,
            }
            for record in records
        ]
        console.out(json.dumps(rows, indent=2))
        return 0
    if not records:
        console.print("no requests yet")
        return 0
    for record in records:
        console.print(
            Text.assemble(
                f"{format_timestamp(record.received_at)}  ",
                (f"{record.state:<12}", colour(record.state)),
                (describe(record), "bold"),
            )
        )
        status = [] if record.settled_at else ["still in progress"]
        console.print(Text(f"    {': '.join([*status, record.message] if record.message else status)}"))
        console.print(Text(f"    {record.request_id}", style="dim"))
    return 0
