"""What can be told of this device.

Much of it is the host's even when a container looks: processors, load, memory, temperatures and the time since boot.
Of its own a container has the distribution (its image's), the host name (its id, unless it is given one), the machine
id (none, unless ``/etc/machine-id`` is mounted), the disk below ``/`` (with the size and use of the host's disk that
holds its layers) and, without ``network_mode: host``, the network: an interface with an address that only the host
knows. Docker hides ``/sys/firmware``, where ``/proc/device-tree`` leads; a Raspberry Pi tells its model in
``/proc/cpuinfo``, too.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from protocol.clock import Clock
from remote.api.envelope import stamp
from remote.settings import DeviceSettings

_Value = TypeVar("_Value")

_MACHINE_ID = Path("/etc/machine-id")
_MODEL_FILES = (
    Path("/proc/device-tree/model"),
    Path("/sys/firmware/devicetree/base/model"),
    Path("/sys/class/dmi/id/product_name"),
)
_CPU_INFO = Path("/proc/cpuinfo")
_CPU_SENSORS = ("cpu_thermal", "soc_thermal", "coretemp", "k10temp")
_FILE_CHARACTERS = 256
_FAMILIES = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6", psutil.AF_LINK: "mac"}


class _Store(Protocol):
    """What psutil tells alike of memory, swap and disks."""

    total: int
    used: int
    percent: float


def system_info(device: DeviceSettings, clock: Clock) -> dict[str, object]:
    """Everything, ready to become JSON; what cannot be told is None, and nothing waits for a measurement.

    Args:
        device: what the operator calls it, and where it is.
        clock: tells the present time.
    """
    return {
        "device_id": device.id or _first_line(_MACHINE_ID) or platform.node(),
        "timestamp": stamp(clock.utc()),
        "hardware": _hardware(),
        "os": _os(clock),
        "network": _network(),
        "location": device.location,
    }


def _hardware() -> dict[str, object]:
    return {
        "model": next(filter(None, map(_first_line, _MODEL_FILES)), None) or _sensed(_model_of_processor),
        "cpu": {
            "count": _sensed(psutil.cpu_count),
            "frequency_mhz": _sensed(lambda: float(psutil.cpu_freq().current)),
            "percent": _sensed(psutil.cpu_percent),  # since the last call in this thread: measuring would take time
            "temperature_c": _sensed(_cpu_temperature),
            "load": _sensed(lambda: list(psutil.getloadavg())),
        },
        "memory": _sensed(lambda: _use(psutil.virtual_memory())),
        "swap": _sensed(lambda: _use(psutil.swap_memory())),
        "disk": _sensed(lambda: _use(psutil.disk_usage("/"))),
    }


def _os(clock: Clock) -> dict[str, object]:
    booted = _sensed(lambda: datetime.fromtimestamp(psutil.boot_time(), UTC))
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "distribution": _sensed(lambda: platform.freedesktop_os_release()["PRETTY_NAME"]),
        "python": platform.python_version(),
        "boot_time": stamp(booted),
        "uptime_s": max(0, int((clock.utc() - booted).total_seconds())) if booted else None,
    }


def _network() -> dict[str, object]:
    counters = _sensed(lambda: psutil.net_io_counters(pernic=True)) or {}
    interfaces = {}
    for name, addresses in (_sensed(psutil.net_if_addrs) or {}).items():
        counted = counters.get(name)
        interfaces[name] = {
            "addresses": [
                {"kind": _FAMILIES[address.family], "address": address.address, "netmask": address.netmask}
                for address in addresses
                if address.family in _FAMILIES
            ],
            "bytes_sent": counted.bytes_sent if counted else None,
            "bytes_received": counted.bytes_recv if counted else None,
        }
    return {"host_name": platform.node(), "interfaces": interfaces}


def _use(found: _Store) -> dict[str, object]:
    return {"total_bytes": found.total, "used_bytes": found.used, "percent": found.percent}


def _cpu_temperature() -> float | None:
    """That of the processor, or of whatever is measured where no sensor is known to be the processor's."""
    found = psutil.sensors_temperatures()
    for name in (*_CPU_SENSORS, *found):
        if found.get(name):
            return float(found[name][0].current)
    return None


def _model_of_processor() -> str | None:
    for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "Model":  # the board's; "model name" is the processor's
            return value.strip() or None
    return None


def _first_line(path: Path) -> str | None:
    """The first line of a short file of the system, which may end in a NUL; None when there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_FILE_CHARACTERS).partition("\n")[0].strip("\0 ") or None
    except OSError:
        return None


def _sensed(sensor: Callable[[], _Value]) -> _Value | None:
    try:
        return sensor()
    except Exception:  # noqa: BLE001  a device without this sensor: psutil tells it by a dozen kinds of errors
        return None
