"""What the subjects of the WebSocket interface work with."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.clock import Clock
from remote.api.stream import Stream
from remote.gateway.gateway import Gateway
from remote.gateway.records import Records
from remote.overview import Overview
from remote.releases.catalogue import Catalogue
from remote.settings import Settings
from remote.teller import Teller
from remote.updater import Updater


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
