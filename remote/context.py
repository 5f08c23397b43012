"""What the subjects of the WebSocket interface work with."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.clock import Clock
from remote.events.bus import Stream
from remote.events.notifier import Teller
from remote.gateway.gateway import Gateway
from remote.inventory import Overview
from remote.releases.catalogue import Catalogue
from remote.request_service import Updater
from remote.settings import Settings
from remote.store import Records


@dataclass(frozen=True)
class House:
    """What ``remote.app`` made of these; nothing here is made twice."""

    settings: Settings
    clock: Clock
    records: Records
    gateway: Gateway
    catalogue: Catalogue
    overview: Overview
    stream: Stream
    teller: Teller
    updater: Updater
