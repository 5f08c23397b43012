"""Turns a wish of a person's into a request, or into the reason why there is none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from protocol.types import Action
from remote import rules, told
from remote.gateway.errors import CannotAskError
from remote.gateway.gateway import Gateway
from remote.gateway.records import Record
from remote.overview import Overview
from remote.releases.catalogue import Catalogue
from remote.rules import Objection, Refusal
from remote.settings import Settings
from remote.undisturbed import Undisturbed


@dataclass(frozen=True)
class Wish:
    """What a person asked for.

    ``component`` is as they named it; ``dry_run`` writes nothing and only tells what would happen.
    """

    component: str
    action: Action
    dry_run: bool = False


@dataclass(frozen=True)
class Reply:
    """Either the record of a request that is followed now, or a result that is already known."""

    record: Record | None
    result: dict[str, Any]


class Updater:
    """Decides by the rules, then asks the host."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        overview: Overview,
        gateway: Gateway,
        undisturbed: Undisturbed,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._overview = overview
        self._gateway = gateway
        self._undisturbed = undisturbed
        self._one_at_a_time = asyncio.Lock()  # two wishes for one component: the second sees the first

    async def carry_out(self, wish: Wish) -> Reply:
        """Ask the host for it, or say why not; goes on even if nobody waits for the reply any more."""
        return await self._undisturbed.do(self._carry_out(wish))

    async def _carry_out(self, wish: Wish) -> Reply:
        component = self._settings.named(wish.component)
        if component is None:
            return _refused(wish.component[:100], wish, self._unknown(wish.component))
        if wish.action is Action.UPDATE and self._catalogue.info(component).checked_at is None:
            await self._catalogue.refresh(force=False)
        async with self._one_at_a_time:
            await asyncio.to_thread(self._overview.refresh)
            if refusal := self._judge(component, wish.action):
                return _refused(component, wish, refusal)
            comparison = self._overview.of(component)
            version = comparison.latest if wish.action is Action.UPDATE else None
            try:
                if wish.dry_run:
                    await self._gateway.expect_ready()
                    message = rules.what_would_happen(wish.action, comparison)
                    return Reply(None, told.rehearsed(component, wish.action, message, version))
                record = await self._gateway.ask(component, wish.action, version)
            except CannotAskError as error:
                result = told.refused(
                    component, wish.action, str(error), error.trouble, success=False, dry_run=wish.dry_run
                )
                return Reply(None, result)
            return Reply(record, {})

    def _judge(self, component: str, action: Action) -> Refusal | None:
        open_records = [record for record, _ in self._gateway.standing()]
        if action is not Action.HEALTH:  # which asks of everything under way, but keeps nothing else from its turn
            open_records = [record for record in open_records if record.action is not Action.HEALTH]
        busy = frozenset(record.component for record in open_records)
        if action is Action.UPDATE:
            return rules.judge_update(component, self._overview.all(), busy)
        return rules.judge_busy(component, self._settings.display_name_of(component), busy)

    def _unknown(self, name: str) -> Refusal:
        known = ", ".join(self._settings.components)
        return Refusal(Objection.UNKNOWN_COMPONENT, f"cannot find the component {name[:100]!r}; there are: {known}")


def _refused(component: str, wish: Wish, refusal: Refusal) -> Reply:
    result = told.refused(
        component, wish.action, refusal.message, refusal.objection, success=refusal.is_content, dry_run=wish.dry_run
    )
    return Reply(None, result)
