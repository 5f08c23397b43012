"""Bodies of all messages that the server sends, and how they are built from records and component statuses.

``docs/asyncapi.yaml`` is generated from these models, see ``remote.api.asyncapi``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, RootModel

from protocol.messages import AnyAction, Progress
from protocol.types import Action, Reason, State
from remote.events.envelope import BodyPart, MessageBody, OutgoingMessage
from remote.health.standing import How, Standing
from remote.inventory import ComponentStatus
from remote.settings import Settings
from remote.submission import RecordedAnswer, SubmissionRecord

SUBMITTED: Literal["submitted"] = "submitted"
_EXCERPT_CHARACTERS = 4096
_NOT_RUNNING = (Reason.UNHEALTHY, Reason.SCRIPT_FAILED)

Version = Annotated[str | None, Field(description="SemVer; null when it is not known or not needed")]
ReasonCode = Annotated[
    str | None,
    Field(
        description="null on success. The coordinator's reasons (README.md), of which newer releases may have more, "
        "and those of docs/remote.md: unknown_component, no_release, up_to_date (a success), remote_first, under_way; "
        "volume_missing, not_writable, cannot_write, cannot_keep; coordinator_not_running, request_lost, no_answer, "
        "cannot_follow."
    ),
]
Running = Annotated[bool | None, Field(description="null when it is not known")]


class LogLine(MessageBody):
    """A line for people. An answer to one client is followed by one to the same client."""

    SUBJECT: ClassVar[str] = "log"

    message: str
    level: Literal["info", "warning", "error"]


class CheckedComponent(BodyPart):
    """The installed version of a component beside its latest release."""

    current: Version
    latest: Version
    error: str | None = Field(description="why the latest check failed")
    display_name: str
    update_available: bool
    release_notes: str | None
    release_url: str | None
    last_checked: datetime | None
    running: Running
    running_since: datetime | None
    running_how: How | None = Field(description="the source of running")


class UpdateCheckResult(MessageBody):
    """Sent after a check that was forced or due, and after an update; an unforced check is answered to its client."""

    SUBJECT: ClassVar[str] = "update_check_result"

    components: dict[str, CheckedComponent]


class _RequestFacts(BodyPart):
    """What identifies a submitted request."""

    request_id: str
    component: str
    action: AnyAction
    version: Version
    automatic: bool = Field(description="true for the health check after an update, which no client requested")
    asked_at: datetime


class UpdateProgress(_RequestFacts, MessageBody):
    """How far a request is."""

    SUBJECT: ClassVar[str] = "update_progress"

    state: Literal["submitted"] | State = Field(
        description="submitted until the coordinator takes the request up; newer coordinators may have more states",
        union_mode="left_to_right",
    )
    phase: str | None
    percent: int | None = Field(ge=0, le=100)
    output: str = Field(description="the last of what the script wrote to stdout")
    error: str = Field(description="the last of what the script wrote to stderr")
    timestamp: datetime


class UpdateResult(MessageBody):
    """How an update or a rollback ended.

    A request that was not submitted to the host is answered to its client alone, unnumbered, with request_id null.
    """

    SUBJECT: ClassVar[str] = "update_result"

    component: str
    success: bool
    message: str
    dry_run: bool = Field(default=False, description="as requested; then nothing was changed")
    action: AnyAction
    version: Version = None
    state: State | None = None
    reason: ReasonCode
    request_id: str | None = None
    late: bool = Field(default=False, description="the coordinator's answer, after a local outcome in its place")
    automatic: bool = False
    current: Version = None
    output: str = ""
    error: str = ""


class HealthNotSubmitted(UpdateResult):
    """Why no health check was submitted, or what a dry run of it found; to its client alone."""

    SUBJECT: ClassVar[str] = "health_result"


class HealthResult(MessageBody):
    """How a health check ended."""

    SUBJECT: ClassVar[str] = "health_result"

    component: str
    success: bool
    running: Running
    message: str
    reason: ReasonCode
    at: datetime
    how: How
    request_id: str
    state: State | None
    late: bool
    automatic: bool
    output: str
    error: str


class ComponentRunning(MessageBody):
    """Whether a component runs has changed."""

    SUBJECT: ClassVar[str] = "component_running"

    component: str
    running: Running
    at: datetime | None
    how: How | None = Field(description="the source of running")


class Connected(MessageBody):
    """The first message of a connection."""

    SUBJECT: ClassVar[str] = "connected"

    seq: int = Field(description="the newest event's number")
    complete: bool = Field(
        description='false when some events after "since" are no longer available; results always are. '
        "Then the client asks anew for what it shows."
    )
    version: str


class Heartbeat(MessageBody, RootModel[Literal["I am alive"]]):
    """Sent on request, then every 60 seconds for 5 minutes."""

    model_config = {"extra": None}

    SUBJECT: ClassVar[str] = "heartbeat"

    root: Literal["I am alive"] = "I am alive"


class ListedComponent(BodyPart):
    """A component as ``system_info`` lists it."""

    name: str
    current_version: Version
    latest_version: Version
    display_name: str
    update_available: bool
    release_notes: str | None
    release_url: str | None
    last_checked: datetime | None
    running: Running
    running_since: datetime | None
    running_how: How | None = Field(description="the source of running")


class DeviceFacts(BodyPart):
    """The machine and its components."""

    device_id: str
    timestamp: str = Field(json_schema_extra={"format": "date-time"})
    hardware: dict[str, Any]
    os: dict[str, Any]
    network: dict[str, Any]
    location: str | None
    dunebugger_components: tuple[ListedComponent, ...]


class SystemInfo(MessageBody):
    """Facts about the machine and its components."""

    SUBJECT: ClassVar[str] = "system_info"

    system_info: DeviceFacts


class HistoryEntry(_RequestFacts):
    """A request as the history lists it."""

    finished_at: datetime | None
    success: bool | None = Field(description="null while the request is under way")
    state: State | None
    reason: ReasonCode
    message: str
    output: str
    error: str


class History(MessageBody):
    """The latest requests, the newest first."""

    SUBJECT: ClassVar[str] = "history"

    component: str | None
    requests: tuple[HistoryEntry, ...]


class Outstanding(MessageBody):
    """The requests that have no answer yet."""

    SUBJECT: ClassVar[str] = "outstanding"

    requests: tuple[UpdateProgress, ...]


class ErrorReport(MessageBody):
    """A message from the client is invalid, or cannot be answered."""

    SUBJECT: ClassVar[str] = "error"

    message: str
    subject: str | None = Field(description="of the message, if it had one")


# Every message that the server sends. A subject may have several bodies.
OUTGOING: tuple[type[MessageBody], ...] = (
    Connected,
    UpdateCheckResult,
    UpdateProgress,
    UpdateResult,
    HealthResult,
    HealthNotSubmitted,
    ComponentRunning,
    LogLine,
    Heartbeat,
    SystemInfo,
    History,
    Outstanding,
    ErrorReport,
)


def progress_of(record: SubmissionRecord, progress: Progress | None) -> UpdateProgress:
    """How far a request is; without ``progress`` the coordinator has not taken it up yet."""
    return UpdateProgress(
        **_request_facts(record),
        state=progress.state if progress else SUBMITTED,
        phase=progress.phase if progress else None,
        percent=progress.percent if progress else None,
        output=progress.output if progress else "",
        error=progress.error if progress else "",
        timestamp=progress.timestamp if progress else record.asked_at,
    )


def answer_events(record: SubmissionRecord, answer: RecordedAnswer, settings: Settings) -> tuple[MessageBody, LogLine]:
    """The events that announce an answer: the result, and a line for the log."""
    name = settings.display_name_of(record.component) if record.component in settings.components else record.component
    result = _health_result(record, answer) if record.action == Action.HEALTH else _update_result(record, answer)
    return result, log_line(f"{name}: {answer.message}", success=answer.success)


def log_line(message: str, *, success: bool) -> LogLine:
    """The line for people beside an answer."""
    return LogLine(message=message, level="info" if success else "error")


def answers_between(
    records: Iterable[SubmissionRecord], settings: Settings, after: int, before: int
) -> Iterator[OutgoingMessage]:
    """The events of all answers whose numbers lie between the two, both excluded, as they were first sent."""
    for record in sorted(records, key=lambda record: record.number):
        if record.answer is not None:
            for number, body in enumerate(answer_events(record, record.answer, settings), record.number):
                if after < number < before:
                    yield OutgoingMessage(body, number=number)


def check_result(statuses: Mapping[str, ComponentStatus]) -> UpdateCheckResult:
    """The installed versions beside the latest releases."""
    return UpdateCheckResult(
        components={
            name: CheckedComponent(
                current=status.installed.version,
                latest=status.latest,
                error=status.releases.error or status.installed.error,
                **_status_facts(status),
            )
            for name, status in statuses.items()
        }
    )


def system_info_of(facts: Mapping[str, object], statuses: Mapping[str, ComponentStatus]) -> SystemInfo:
    """Facts about the device, with its components."""
    components = tuple(
        ListedComponent(
            name=status.name,
            current_version=status.installed.version,
            latest_version=status.latest,
            **_status_facts(status),
        )
        for status in statuses.values()
    )
    return SystemInfo(system_info=DeviceFacts.model_validate({**facts, "dunebugger_components": components}))


def component_running(component: str, health: Standing) -> ComponentRunning:
    """Whether a component runs, as far as it is known."""
    return ComponentRunning(component=component, running=health.running, at=health.at, how=health.how)


def not_submitted(
    component: str,
    action: Action,
    message: str,
    reason: str | None,
    *,
    success: bool,
    dry_run: bool,
    version: str | None = None,
) -> UpdateResult:
    """The answer to a command for which no request was submitted: a rejection, a failure or a dry run."""
    kind = HealthNotSubmitted if action is Action.HEALTH else UpdateResult
    return kind(
        component=component,
        success=success,
        message=message,
        dry_run=dry_run,
        action=action,
        version=version,
        reason=reason,
    )


def history_entry(record: SubmissionRecord) -> HistoryEntry:
    """A request as the history lists it."""
    answer = record.answer
    return HistoryEntry(
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
    """Whether the component runs, by the answer to a health check; None when the answer does not say."""
    return True if answer.success else False if answer.reason in _NOT_RUNNING else None


def _request_facts(record: SubmissionRecord) -> dict[str, Any]:
    return {
        "request_id": record.request_id,
        "component": record.component,
        "action": record.action,
        "version": record.version,
        "automatic": record.automatic,
        "asked_at": record.asked_at,
    }


def _update_result(record: SubmissionRecord, answer: RecordedAnswer) -> UpdateResult:
    return UpdateResult(
        component=record.component,
        action=record.action,
        version=record.version,
        current=answer.current,
        **_answer_facts(record, answer),
    )


def _health_result(record: SubmissionRecord, answer: RecordedAnswer) -> HealthResult:
    return HealthResult(
        component=record.component,
        running=is_running(answer),
        at=answer.finished_at,
        how=How.HEALTH_CHECK,
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
