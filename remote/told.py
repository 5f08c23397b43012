"""What people hear of requests and components: pure functions from what is known of them to events and bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from protocol.messages import Progress
from protocol.types import Action, Reason
from remote.api.envelope import Event, stamp
from remote.gateway.records import Answer, Record
from remote.health.health_registry import HealthStatus
from remote.overview import Comparison
from remote.settings import Settings

SUBMITTED = "submitted"
_EXCERPT_CHARACTERS = 4096
_ILL = (Reason.UNHEALTHY, Reason.SCRIPT_FAILED)


def progress_event(record: Record, progress: Progress | None) -> Event:
    """How far a request is."""
    return Event("update_progress", standing(record, progress))


def standing(record: Record, progress: Progress | None) -> dict[str, Any]:
    """How far a request is, as a body; without ``progress`` nobody has taken it up yet."""
    return _asked(record) | {
        "state": progress.state if progress else SUBMITTED,
        "phase": progress.phase if progress else None,
        "percent": progress.percent if progress else None,
        "output": progress.output if progress else "",
        "error": progress.error if progress else "",
        "timestamp": stamp(progress.timestamp if progress else record.asked_at),
    }


def answer_events(record: Record, answer: Answer, settings: Settings) -> list[Event]:
    """How a request ended: the result, and a line for the log."""
    name = settings.display_name_of(record.component) if record.component in settings.components else record.component
    result = _health_result(record, answer) if record.action is Action.HEALTH else _update_result(record, answer)
    level = "info" if answer.success else "error"
    return [result, log(f"{name}: {answer.message}", level)]


def answers_between(
    records: Iterable[Record], settings: Settings, after: int, before: int
) -> Iterator[tuple[int, Event]]:
    """The events of all answers, numbered as they were told, whose numbers lie between the two."""
    for record in sorted(records, key=lambda record: record.number):
        if record.answer is not None:
            for number, event in enumerate(answer_events(record, record.answer, settings), record.number):
                if after < number < before:
                    yield number, event


def log(message: str, level: str) -> Event:
    """A line for people; ``level`` is info, warning or error."""
    return Event("log", {"message": message, "level": level})


def compared(comparisons: Mapping[str, Comparison]) -> Event:
    """What is installed beside what is released."""
    return Event(
        "update_check_result", {"components": {name: _checked(comparison) for name, comparison in comparisons.items()}}
    )


def components(comparisons: Mapping[str, Comparison]) -> list[dict[str, Any]]:
    """The components as ``system_info`` lists them."""
    return [_listed(comparison) for comparison in comparisons.values()]


def running(component: str, standing: HealthStatus) -> Event:
    """Whether a component runs, as far as anybody knows."""
    body = {"component": component, "running": standing.running, "at": stamp(standing.at), "how": standing.how}
    return Event("component_running", body)


def refused(
    component: str, action: Action, message: str, reason: str, *, success: bool, dry_run: bool
) -> dict[str, Any]:
    """The body of a result when nothing was asked of the host, or in a dry run nothing would be."""
    return _result(component, action, message, reason, success=success, dry_run=dry_run)


def rehearsed(component: str, action: Action, message: str, version: str | None) -> dict[str, Any]:
    """The body of a result of a dry run."""
    return _result(component, action, message, None, success=True, dry_run=True, version=version)


def runs(answer: Answer) -> bool | None:
    """What the answer to a health request says of the component; None when it says nothing."""
    return True if answer.success else False if answer.reason in _ILL else None


def _asked(record: Record) -> dict[str, Any]:
    return {
        "request_id": record.request_id,
        "component": record.component,
        "action": record.action,
        "version": record.version,
        "automatic": record.automatic,
        "asked_at": stamp(record.asked_at),
    }


def _update_result(record: Record, answer: Answer) -> Event:
    body = _result(
        record.component, record.action, answer.message, answer.reason, success=answer.success, version=record.version
    )
    return Event("update_result", body | {"current": answer.current} | _ending(record, answer))


def _result(
    component: str,
    action: Action,
    message: str,
    reason: str | None,
    *,
    success: bool,
    dry_run: bool = False,
    version: str | None = None,
) -> dict[str, Any]:
    return {
        "component": component,
        "success": success,
        "message": message,
        "dry_run": dry_run,
        "action": action,
        "version": version,
        "state": None,
        "reason": reason,
        "request_id": None,
        "late": False,
        "automatic": False,
        "current": None,
        "output": "",
        "error": "",
    }


def _health_result(record: Record, answer: Answer) -> Event:
    body = {
        "component": record.component,
        "success": answer.success,
        "running": runs(answer),
        "message": answer.message,
        "reason": answer.reason,
        "at": stamp(answer.finished_at),
        "how": "health check",
    }
    return Event("health_result", body | _ending(record, answer))


def _ending(record: Record, answer: Answer) -> dict[str, Any]:
    return {
        "request_id": record.request_id,
        "state": answer.state,
        "late": answer.is_late,
        "automatic": record.automatic,
        "output": answer.output[-_EXCERPT_CHARACTERS:],
        "error": answer.error[-_EXCERPT_CHARACTERS:],
    }


def history(record: Record) -> dict[str, Any]:
    """A request as the history lists it."""
    answer = record.answer
    return _asked(record) | {
        "finished_at": stamp(answer.finished_at) if answer else None,
        "success": answer.success if answer else None,
        "state": answer.state if answer else None,
        "reason": answer.reason if answer else None,
        "message": answer.message if answer else "",
        "output": answer.output[-_EXCERPT_CHARACTERS:] if answer else "",
        "error": answer.error[-_EXCERPT_CHARACTERS:] if answer else "",
    }


def _checked(comparison: Comparison) -> dict[str, Any]:
    return {
        "current": comparison.installed.version,
        "latest": comparison.latest,
        "error": comparison.known.error or comparison.installed.error,
        **_common(comparison),
    }


def _listed(comparison: Comparison) -> dict[str, Any]:
    return {
        "name": comparison.name,
        "current_version": comparison.installed.version,
        "latest_version": comparison.latest,
        **_common(comparison),
    }


def _common(comparison: Comparison) -> dict[str, Any]:
    release, standing = comparison.known.release, comparison.standing
    return {
        "display_name": comparison.display_name,
        "update_available": comparison.update_available,
        "release_notes": release.notes if release else None,
        "release_url": release.url if release else None,
        "last_checked": stamp(comparison.known.checked_at),
        "running": standing.running,
        "running_since": stamp(standing.at),
        "running_how": standing.how,
    }
