"""Records of the requests that this side has submitted, with their answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, StrictBool, StrictInt, StrictStr

from protocol.messages import AnyAction, AnyState, FinalStatus, Stamp

OUTPUT_CHARACTERS = 8192  # kept of each output stream, its end; the host keeps the rest


class RecordedAnswer(BaseModel):
    """How a request ended, as reported by the coordinator or as determined locally.

    Attributes:
        reason: any text: a newer coordinator may have more reasons than this release knows.
        current: the installed version at the time of the answer; None when unknown.
        is_final: False for a local outcome, which the coordinator's answer replaces if it comes.
        is_late: whether this answer replaced a local outcome.
    """

    model_config = ConfigDict(frozen=True)

    success: StrictBool
    state: AnyState | None
    reason: StrictStr | None
    message: StrictStr
    output: StrictStr = ""
    error: StrictStr = ""
    finished_at: Stamp
    current: StrictStr | None = None
    is_final: StrictBool = True
    is_late: StrictBool = False

    @classmethod
    def from_status(cls, status: FinalStatus, *, is_late: bool) -> RecordedAnswer:
        """Convert the coordinator's answer; of each output stream the end is kept."""
        return cls(
            success=status.success,
            state=status.state,
            reason=status.reason,
            message=status.message,
            output=status.output[-OUTPUT_CHARACTERS:],
            error=status.error[-OUTPUT_CHARACTERS:],
            finished_at=status.finished_at,
            is_late=is_late,
        )


class SubmissionRecord(BaseModel):
    """One submitted request.

    Attributes:
        automatic: True for the health check after an update, which no client requested.
        answer: None while the request is under way.
        number: of the first event that announced the answer; 0 without an answer.
    """

    model_config = ConfigDict(frozen=True)

    request_id: StrictStr
    component: StrictStr
    action: AnyAction
    version: StrictStr | None
    asked_at: Stamp
    automatic: StrictBool = False
    answer: RecordedAnswer | None = None
    number: StrictInt = 0

    @property
    def is_open(self) -> bool:
        """Whether the coordinator's answer may still come."""
        return self.answer is None or not self.answer.is_final
