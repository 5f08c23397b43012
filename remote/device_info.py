"""Device information: hardware, operating system and network, as far as they are visible from a container.

A container sees the host's processors, load, memory, temperatures and uptime. Its own are the distribution (the
image's), the host name (the container id by default), the machine id (missing unless ``/etc/machine-id`` is mounted),
the disk at ``/`` (with size and use of the host's disk that holds its layers) and, without ``network_mode: host``, the
network: an interface with an address that only the host can reach. Docker hides ``/sys/firmware``, the target of
``/proc/device-tree``; a Raspberry Pi also has its model in ``/proc/cpuinfo``.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import psutil
from pydantic import BaseModel, ConfigDict, Field

from protocol.clock import Clock
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
_FAMILIES: dict[int, Literal["ipv4", "ipv6", "mac"]] = {
    socket.AF_INET: "ipv4",
    socket.AF_INET6: "ipv6",
    psutil.AF_LINK: "mac",
}


class _Measured(Protocol):
    """The fields that psutil has for memory, swap and disks alike."""

    total: int
    used: int
    percent: float


class _Facts(BaseModel):
    """Base of the models; a field that is not available is None."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Usage(_Facts):
    """Size and use of memory, swap or a disk."""

    total_bytes: int
    used_bytes: int
    percent: float


class Processor(_Facts):
    """The processors; ``load`` has the averages of 1, 5 and 15 minutes."""

    count: int | None
    frequency_mhz: float | None
    percent: float | None
    temperature_c: float | None
    load: tuple[float, float, float] | None


class Hardware(_Facts):
    """The machine; ``disk`` is the file system at ``/``."""

    model: str | None
    cpu: Processor
    memory: Usage | None
    swap: Usage | None
    disk: Usage | None


class OperatingSystem(_Facts):
    """Kernel, distribution and Python."""

    system: str
    release: str
    machine: str
    distribution: str | None
    python: str
    boot_time: datetime | None
    uptime_s: int | None = Field(ge=0)


class Address(_Facts):
    """One address of a network interface."""

    kind: Literal["ipv4", "ipv6", "mac"]
    address: str
    netmask: str | None


class Interface(_Facts):
    """One network interface; its counters are null when it has none."""

    addresses: tuple[Address, ...]
    bytes_sent: int | None
    bytes_received: int | None


class Network(_Facts):
    """Host name and interfaces."""

    host_name: str
    interfaces: dict[str, Interface]


class DeviceInfo(_Facts):
    """Everything that is known of this device."""

    device_id: str
    timestamp: datetime
    hardware: Hardware
    os: OperatingSystem
    network: Network
    location: str | None


def device_info(device: DeviceSettings, clock: Clock) -> DeviceInfo:
    """Return what is known of this device; no measurement takes time.

    Args:
        device: the configured name and location.
        clock: the source of time.
    """
    return DeviceInfo(
        device_id=device.id or _first_line(_MACHINE_ID) or platform.node(),
        timestamp=clock.utc(),
        hardware=_hardware(),
        os=_os(clock),
        network=_network(),
        location=device.location,
    )


def _hardware() -> Hardware:
    return Hardware(
        model=next(filter(None, map(_first_line, _MODEL_FILES)), None) or _read_sensor(_board_model),
        cpu=Processor(
            count=_read_sensor(psutil.cpu_count),
            frequency_mhz=_read_sensor(lambda: float(psutil.cpu_freq().current)),
            percent=_read_sensor(psutil.cpu_percent),  # since the last call in this thread, without a wait
            temperature_c=_read_sensor(_cpu_temperature),
            load=_read_sensor(psutil.getloadavg),
        ),
        memory=_read_sensor(lambda: _usage(psutil.virtual_memory())),
        swap=_read_sensor(lambda: _usage(psutil.swap_memory())),
        disk=_read_sensor(lambda: _usage(psutil.disk_usage("/"))),
    )


def _os(clock: Clock) -> OperatingSystem:
    booted = _read_sensor(lambda: datetime.fromtimestamp(psutil.boot_time(), UTC))
    return OperatingSystem(
        system=platform.system(),
        release=platform.release(),
        machine=platform.machine(),
        distribution=_read_sensor(lambda: platform.freedesktop_os_release()["PRETTY_NAME"]),
        python=platform.python_version(),
        boot_time=booted,
        uptime_s=max(0, int((clock.utc() - booted).total_seconds())) if booted else None,
    )


def _network() -> Network:
    counters = _read_sensor(lambda: psutil.net_io_counters(pernic=True)) or {}
    interfaces = {}
    for name, addresses in (_read_sensor(psutil.net_if_addrs) or {}).items():
        counted = counters.get(name)
        interfaces[name] = Interface(
            addresses=tuple(
                Address(kind=_FAMILIES[address.family], address=address.address, netmask=address.netmask)
                for address in addresses
                if address.family in _FAMILIES
            ),
            bytes_sent=counted.bytes_sent if counted else None,
            bytes_received=counted.bytes_recv if counted else None,
        )
    return Network(host_name=platform.node(), interfaces=interfaces)


def _usage(found: _Measured) -> Usage:
    return Usage(total_bytes=found.total, used_bytes=found.used, percent=found.percent)


def _cpu_temperature() -> float | None:
    """Return the temperature of the processor, or of the first sensor if none is known to be the processor's."""
    found = psutil.sensors_temperatures()
    for name in (*_CPU_SENSORS, *found):
        if found.get(name):
            return float(found[name][0].current)
    return None


def _board_model() -> str | None:
    for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "Model":  # of the board; "model name" is the processor's
            return value.strip() or None
    return None


def _first_line(path: Path) -> str | None:
    """Return the first line of a system file, without a trailing NUL; None if there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_FILE_CHARACTERS).partition("\n")[0].strip("\0 ") or None
    except OSError:
        return None


def _read_sensor(sensor: Callable[[], _Value]) -> _Value | None:
    try:
        return sensor()
    except Exception:  # noqa: BLE001  psutil reports a missing sensor by many types of errors
        return None
