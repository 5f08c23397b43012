"""Bodies of all messages that the server sends.

``docs/asyncapi.yaml`` is generated from these models, see ``remote.api.asyncapi``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, RootModel

from protocol.messages import AnyAction, AnyState
from remote.device_info import DeviceInfo
from remote.events.envelope import AnswerBody, BodyPart, EventBody, MessageBody
from remote.health.health_registry import HealthSource

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


class LogLine(EventBody, AnswerBody):
    """A line for people. An answer to one client is followed by one to the same client."""

    SUBJECT: ClassVar[str] = "log"

    message: str
    level: Literal["info", "warning", "error"]


class _ComponentFacts(BodyPart):
    """The fields of a component in every list, beside its versions."""

    display_name: str
    update_available: bool
    release_notes: str | None
    release_url: str | None
    last_checked: datetime | None
    running: Running
    running_since: datetime | None
    running_how: HealthSource | None = Field(description="the source of running")


class CheckedComponent(_ComponentFacts):
    """The installed version of a component beside its latest release."""

    current: Version
    latest: Version
    error: str | None = Field(description="why the latest check failed")


class UpdateCheckResult(EventBody, AnswerBody):
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


class UpdateProgress(_RequestFacts, EventBody):
    """The progress of a request."""

    SUBJECT: ClassVar[str] = "update_progress"

    state: Literal["submitted"] | AnyState = Field(
        description="submitted until the coordinator takes the request up; newer coordinators may have more states",
        union_mode="left_to_right",
    )
    phase: str | None
    percent: int | None = Field(ge=0, le=100)
    output: str = Field(description="the last of what the script wrote to stdout")
    error: str = Field(description="the last of what the script wrote to stderr")
    timestamp: datetime


class UpdateResult(EventBody, AnswerBody):
    """The result of an update or a rollback.

    A command for which no request was submitted is answered to its client only, unnumbered, with request_id null.
    """

    SUBJECT: ClassVar[str] = "update_result"

    component: str
    success: bool
    message: str
    dry_run: bool = Field(default=False, description="as requested; then nothing was changed")
    action: AnyAction
    version: Version = None
    state: AnyState | None = None
    reason: ReasonCode
    request_id: str | None = None
    late: bool = Field(default=False, description="true for the coordinator's answer that replaces a local outcome")
    automatic: bool = False
    current: Version = None
    output: str = ""
    error: str = ""


class HealthNotSubmitted(UpdateResult):
    """Why no health check was submitted, or the result of its dry run; to its client only."""

    SUBJECT: ClassVar[str] = "health_result"


class HealthResult(EventBody):
    """The result of a health check."""

    SUBJECT: ClassVar[str] = "health_result"

    component: str
    success: bool
    running: Running
    message: str
    reason: ReasonCode
    at: datetime
    how: HealthSource
    request_id: str
    state: AnyState | None
    late: bool
    automatic: bool
    output: str
    error: str


class ComponentRunning(EventBody):
    """A component started or stopped running, or its state became known or unknown."""

    SUBJECT: ClassVar[str] = "component_running"

    component: str
    running: Running
    at: datetime | None
    how: HealthSource | None = Field(description="the source of running")


class Connected(AnswerBody):
    """The first message of a connection."""

    SUBJECT: ClassVar[str] = "connected"

    seq: int = Field(description="the newest event's number")
    complete: bool = Field(
        description='false when some events after "since" are no longer available; results always are. '
        "Then the client requests again what it shows."
    )
    version: str


class Heartbeat(AnswerBody, RootModel[Literal["I am alive"]]):
    """Sent on request, then every 60 seconds for 5 minutes."""

    model_config = {"extra": None}

    SUBJECT: ClassVar[str] = "heartbeat"

    root: Literal["I am alive"] = "I am alive"


class ListedComponent(_ComponentFacts):
    """A component as ``system_info`` lists it."""

    name: str
    current_version: Version
    latest_version: Version


class DeviceFacts(DeviceInfo):
    """The machine and its components."""

    dunebugger_components: tuple[ListedComponent, ...]


class SystemInfo(AnswerBody):
    """Facts about the machine and its components."""

    SUBJECT: ClassVar[str] = "system_info"

    system_info: DeviceFacts


class HistoryEntry(_RequestFacts):
    """A request as the history lists it."""

    finished_at: datetime | None
    success: bool | None = Field(description="null while the request is under way")
    state: AnyState | None
    reason: ReasonCode
    message: str
    output: str
    error: str


class History(AnswerBody):
    """The latest requests, the newest first."""

    SUBJECT: ClassVar[str] = "history"

    component: str | None
    requests: tuple[HistoryEntry, ...]


class Outstanding(AnswerBody):
    """The requests that have no answer yet."""

    SUBJECT: ClassVar[str] = "outstanding"

    requests: tuple[UpdateProgress, ...]


class ErrorReport(AnswerBody):
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
