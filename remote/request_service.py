"""Request service: turns a client's command into a submitted request, or into the reason why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from protocol.types import Action
from remote import rules
from remote.events import bodies, builders
from remote.gateway.errors import SubmitError
from remote.gateway.gateway import Gateway
from remote.inventory import Inventory
from remote.releases.catalogue import Catalogue
from remote.rules import CommandRejection, RejectionCode
from remote.settings import NAME_CHARACTERS, SELF, RemoteSettings
from remote.submission import SubmissionRecord

_FINISH_S = 3.0
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class UpdateCommand:
    """A client's command.

    Attributes:
        component: as the client named it.
        action: what to do.
        dry_run: submit nothing; answer with what would happen.
    """

    component: str
    action: Action
    dry_run: bool = False


@dataclass(frozen=True)
class CommandResult:
    """Either the record of a submitted request, or the answer to a command that submitted none."""

    record: SubmissionRecord | None = None
    answer: bodies.UpdateResult | None = None


class BackgroundTasks:
    """Runs coroutines to completion even if the awaiting client disconnects."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Await ``work``; a cancelled caller does not cancel it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def finish(self, timeout_s: float = _FINISH_S) -> None:
        """Wait for the running tasks, then cancel what takes longer than ``timeout_s``, such as a remote server."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class RequestService:
    """Evaluates commands by the rules and submits requests through the gateway."""

    def __init__(
        self,
        settings: RemoteSettings,
        catalogue: Catalogue,
        inventory: Inventory,
        gateway: Gateway,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._inventory = inventory
        self._gateway = gateway
        self._background = BackgroundTasks()
        self._submitting = asyncio.Lock()  # of two commands for one component, the second must see the first's request

    async def execute(self, command: UpdateCommand) -> CommandResult:
        """Submit a request, or return the reason why not; completes even if the client disconnects."""
        return await self._background.run(self._execute(command))

    async def finish(self) -> None:
        """Complete the commands that are being executed; ends them after ``_FINISH_S``."""
        await self._background.finish()

    async def _execute(self, command: UpdateCommand) -> CommandResult:
        component = self._settings.find_component(command.component)
        if component is None:
            return _rejected(command.component[:NAME_CHARACTERS], command, self._unknown(command.component))
        if command.action is Action.UPDATE and self._needs_check(component):
            await self._catalogue.refresh(force=False)
        async with self._submitting:
            await asyncio.to_thread(self._inventory.refresh)
            if rejection := self._evaluate(component, command.action):
                return _rejected(component, command, rejection)
            return await self._submit(component, command)

    async def _submit(self, component: str, command: UpdateCommand) -> CommandResult:
        status = self._inventory.status_of(component)
        version = status.latest if command.action is Action.UPDATE else None
        try:
            if not command.dry_run:
                return CommandResult(record=await self._gateway.submit(component, command.action, version))
            await self._gateway.require_writable()
        except SubmitError as error:
            return _not_submitted(component, command, str(error), error.code, success=False)
        message = rules.describe_dry_run(command.action, status)
        return _not_submitted(component, command, message, None, success=True, version=version)

    def _evaluate(self, component: str, action: Action) -> CommandRejection | None:
        open_records = [record for record, _ in self._gateway.outstanding()]
        if action is not Action.HEALTH:  # an open health check does not block an update or a rollback
            open_records = [record for record in open_records if record.action != Action.HEALTH]
        busy = frozenset(record.component for record in open_records)
        if action is Action.UPDATE:
            return rules.evaluate_update(component, self._inventory.statuses(), busy)
        return rules.evaluate_busy(component, self._settings.display_name_of(component), busy)

    def _needs_check(self, component: str) -> bool:
        """Whether releases must be checked first: the component's are unknown, or no check of ``remote`` has ended yet.

        A failed check of ``remote`` is not repeated here: it must not cost every update of the others a request.
        """
        if self._catalogue.info(component).checked_at is None:
            return True
        if SELF not in self._settings.components:
            return False
        first = self._catalogue.info(SELF)
        return first.checked_at is None and first.error is None

    def _unknown(self, name: str) -> CommandRejection:
        known = ", ".join(self._settings.components)
        return CommandRejection(
            RejectionCode.UNKNOWN_COMPONENT,
            f"cannot find the component {name[:NAME_CHARACTERS]!r}; known components: {known}",
        )


def _rejected(component: str, command: UpdateCommand, rejection: CommandRejection) -> CommandResult:
    return _not_submitted(component, command, rejection.message, rejection.code, success=rejection.is_noop)


def _not_submitted(
    component: str,
    command: UpdateCommand,
    message: str,
    reason: str | None,
    *,
    success: bool,
    version: str | None = None,
) -> CommandResult:
    answer = builders.not_submitted(
        component, command.action, message, reason, success=success, dry_run=command.dry_run, version=version
    )
    return CommandResult(answer=answer)
