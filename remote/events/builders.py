"""Builds events and answers from records and component statuses. Pure functions, except that they log defects.

Lists of requests leave out a record from which an entry cannot be built: it must not hide the others (I16).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar

from loguru import logger

from protocol.messages import Progress
from protocol.types import Action, Reason
from remote.device_info import DeviceInfo
from remote.events import bodies
from remote.events.envelope import EventBody, OutgoingMessage
from remote.health.health_registry import HealthSource, HealthStatus
from remote.inventory import ComponentStatus
from remote.settings import RemoteSettings
from remote.submission import RecordedAnswer, SubmissionRecord

SUBMITTED: Literal["submitted"] = "submitted"
_EXCERPT_CHARACTERS = 4096
_Entry = TypeVar("_Entry")
# Whether a failed health check with this reason shows that the component does not run; else nothing is known.
SHOWS_NOT_RUNNING: Mapping[str, bool] = {
    Reason.INVALID_REQUEST: False,
    Reason.UNKNOWN_COMPONENT: False,
    Reason.SCRIPT_MISSING: False,
    Reason.SCRIPT_UNSAFE: False,
    Reason.SCRIPT_FAILED: True,
    Reason.TIMEOUT: False,
    Reason.UNHEALTHY: True,
    Reason.INTERRUPTED: False,
    Reason.CANNOT_START: False,
    Reason.ROLLBACK_FAILED: False,
    Reason.INTERNAL_ERROR: False,
}


def progress_of(record: SubmissionRecord, progress: Progress | None) -> bodies.UpdateProgress:
    """The progress of a request; without ``progress`` the coordinator has not taken it up yet."""
    return bodies.UpdateProgress(
        **_request_facts(record),
        state=progress.state if progress else SUBMITTED,
        phase=progress.phase if progress else None,
        percent=progress.percent if progress else None,
        output=progress.output if progress else "",
        error=progress.error if progress else "",
        timestamp=progress.timestamp if progress else record.asked_at,
    )


def answer_events(
    record: SubmissionRecord, answer: RecordedAnswer, settings: RemoteSettings
) -> tuple[EventBody, bodies.LogLine]:
    """The events that announce an answer: the result, and a line for the log."""
    name = settings.display_name_of(record.component) if record.component in settings.components else record.component
    result = _health_result(record, answer) if record.action == Action.HEALTH else _update_result(record, answer)
    return result, log_line(f"{name}: {answer.message}", success=answer.success)


def log_line(message: str, *, success: bool) -> bodies.LogLine:
    """The log line that accompanies an answer."""
    return bodies.LogLine(message=message, level="info" if success else "error")


def answers_between(
    records: Iterable[SubmissionRecord], settings: RemoteSettings, after: int, before: int
) -> Iterator[OutgoingMessage]:
    """The events of all answers with numbers between the two, both excluded, as they were first sent."""

    def build(record: SubmissionRecord) -> list[OutgoingMessage]:
        events = answer_events(record, record.answer, settings) if record.answer is not None else ()
        return [OutgoingMessage(body, number=number) for number, body in enumerate(events, record.number)]

    for messages in _each(sorted(records, key=lambda record: record.number), build):
        yield from (message for message in messages if after < (message.number or 0) < before)


def check_result(statuses: Mapping[str, ComponentStatus]) -> bodies.UpdateCheckResult:
    """The installed versions beside the latest releases."""
    return bodies.UpdateCheckResult(
        components={
            name: bodies.CheckedComponent(
                current=status.installed.version,
                latest=status.latest,
                error=status.releases.error or status.installed.error,
                **_status_facts(status),
            )
            for name, status in statuses.items()
        }
    )


def system_info_of(device: DeviceInfo, statuses: Mapping[str, ComponentStatus]) -> bodies.SystemInfo:
    """The device, with its components."""
    components = tuple(
        bodies.ListedComponent(
            name=status.name,
            current_version=status.installed.version,
            latest_version=status.latest,
            **_status_facts(status),
        )
        for status in statuses.values()
    )
    return bodies.SystemInfo(system_info=bodies.DeviceFacts(**dict(device), dunebugger_components=components))


def component_running(component: str, health: HealthStatus) -> bodies.ComponentRunning:
    """Whether a component runs, as far as it is known."""
    return bodies.ComponentRunning(component=component, running=health.running, at=health.at, how=health.how)


def not_submitted(
    component: str,
    action: Action,
    message: str,
    reason: str | None,
    *,
    success: bool,
    dry_run: bool,
    version: str | None = None,
) -> bodies.UpdateResult:
    """The answer to a command for which no request was submitted: a rejection, a failure or a dry run."""
    kind = bodies.HealthNotSubmitted if action is Action.HEALTH else bodies.UpdateResult
    return kind(
        component=component,
        success=success,
        message=message,
        dry_run=dry_run,
        action=action,
        version=version,
        reason=reason,
    )


def history(component: str | None, records: Iterable[SubmissionRecord]) -> bodies.History:
    """The history of one component, or of all for None, in the order of ``records``."""
    return bodies.History(component=component, requests=tuple(_each(records, history_entry)))


def outstanding(requests: Iterable[tuple[SubmissionRecord, Progress | None]]) -> bodies.Outstanding:
    """The requests that have no answer yet, each with its latest progress."""
    progress = {record.request_id: (record, latest) for record, latest in requests}
    records = (record for record, _ in progress.values())
    return bodies.Outstanding(requests=tuple(_each(records, lambda record: progress_of(*progress[record.request_id]))))


def _each(records: Iterable[SubmissionRecord], build: Callable[[SubmissionRecord], _Entry]) -> Iterator[_Entry]:
    for record in records:
        try:
            entry = build(record)
        except Exception:  # noqa: BLE001  one bad record must not hide the others (I16)
            logger.exception("cannot list the request {}; it is left out", record.request_id)
            continue
        yield entry


def history_entry(record: SubmissionRecord) -> bodies.HistoryEntry:
    """A request as the history lists it."""
    answer = record.answer
    return bodies.HistoryEntry(
        **_request_facts(record),
        finished_at=answer.finished_at if answer else None,
        success=answer.success if answer else None,
        state=answer.state if answer else None,
        reason=answer.reason if answer else None,
        message=answer.message if answer else "",
        output=answer.output[-_EXCERPT_CHARACTERS:] if answer else "",
        error=answer.error[-_EXCERPT_CHARACTERS:] if answer else "",
    )


def is_running(answer: RecordedAnswer) -> bool | None:
    """Whether the component runs, by the answer to a health check; None when the answer does not show it."""
    if answer.success:
        return True
    return False if SHOWS_NOT_RUNNING.get(answer.reason or "") else None


def _request_facts(record: SubmissionRecord) -> dict[str, Any]:
    return {
        "request_id": record.request_id,
        "component": record.component,
        "action": record.action,
        "version": record.version,
        "automatic": record.automatic,
        "asked_at": record.asked_at,
    }


def _update_result(record: SubmissionRecord, answer: RecordedAnswer) -> bodies.UpdateResult:
    return bodies.UpdateResult(
        component=record.component,
        action=record.action,
        version=record.version,
        current=answer.current,
        **_answer_facts(record, answer),
    )


def _health_result(record: SubmissionRecord, answer: RecordedAnswer) -> bodies.HealthResult:
    return bodies.HealthResult(
        component=record.component,
        running=is_running(answer),
        at=answer.finished_at,
        how=HealthSource.HEALTH_CHECK,
        **_answer_facts(record, answer),
    )


def _answer_facts(record: SubmissionRecord, answer: RecordedAnswer) -> dict[str, Any]:
    return {
        "request_id": record.request_id,
        "automatic": record.automatic,
        "success": answer.success,
        "message": answer.message,
        "reason": answer.reason,
        "state": answer.state,
        "late": answer.is_late,
        "output": answer.output[-_EXCERPT_CHARACTERS:],
        "error": answer.error[-_EXCERPT_CHARACTERS:],
    }


def _status_facts(status: ComponentStatus) -> dict[str, Any]:
    release, health = status.releases.release, status.health
    return {
        "display_name": status.display_name,
        "update_available": status.update_available,
        "release_notes": release.notes if release else None,
        "release_url": release.url if release else None,
        "last_checked": status.releases.checked_at,
        "running": health.running,
        "running_since": health.at,
        "running_how": health.how,
    }
