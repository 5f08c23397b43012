"""Application context: the services that the handlers of the WebSocket subjects use."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.clock import Clock
from remote.events.notifier import RequestNotifier
from remote.gateway.gateway import Gateway
from remote.inventory import Inventory
from remote.releases.catalogue import Catalogue
from remote.request_service import RequestService
from remote.settings import RemoteSettings


@dataclass(frozen=True)
class AppContext:
    """One instance of each service, wired by ``remote.app``."""

    settings: RemoteSettings
    clock: Clock
    gateway: Gateway
    catalogue: Catalogue
    inventory: Inventory
    notifier: RequestNotifier
    requests: RequestService
