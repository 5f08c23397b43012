"""Device information: hardware, operating system, network and location."""

import json
import platform
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pytest

from remote import device_info
from remote.settings import DeviceSettings
from tests.support.manual_clock import START, ManualClock


def collect(**device):
    """Return the information, encoded to JSON and decoded."""
    collected = device_info.device_info(DeviceSettings(**device), ManualClock())
    return json.loads(json.dumps(collected.model_dump(mode="json"), allow_nan=False))


def test_device_info_has_all_parts():
    """Every key of the contract is present."""
    info = collect()
    assert list(info) == ["device_id", "timestamp", "hardware", "os", "network", "location"]
    assert list(info["hardware"]) == ["model", "cpu", "memory", "swap", "disk"]
    assert list(info["hardware"]["cpu"]) == ["count", "frequency_mhz", "percent", "temperature_c", "load"]
    assert datetime.fromisoformat(info["timestamp"]) == START


def test_device_info_describes_this_machine():
    """Values that every machine has are correct."""
    info = collect()
    assert info["hardware"]["cpu"]["count"] == psutil.cpu_count()
    assert len(info["hardware"]["cpu"]["load"]) == 3
    assert info["hardware"]["memory"]["total_bytes"] == psutil.virtual_memory().total
    assert info["hardware"]["disk"]["total_bytes"] == psutil.disk_usage("/").total
    assert (info["os"]["system"], info["os"]["python"]) == ("Linux", platform.python_version())
    assert info["network"]["host_name"] == platform.node()
    loopback = info["network"]["interfaces"]["lo"]
    assert {"kind": "ipv4", "address": "127.0.0.1", "netmask": "255.0.0.0"} in loopback["addresses"]
    assert loopback["bytes_sent"] >= 0


def test_device_info_has_the_configured_name_and_location():
    """The configuration takes precedence."""
    info = collect(id="dune-7", location="Cape Town")
    assert (info["device_id"], info["location"]) == ("dune-7", "Cape Town")


def test_device_info_falls_back_to_machine_id_and_host_name(tmp_path, monkeypatch):
    """The order is configured name, machine id, host name."""
    machine_id = tmp_path / "machine-id"
    monkeypatch.setattr(device_info, "_MACHINE_ID", machine_id)
    assert collect()["device_id"] == platform.node()
    machine_id.write_text("")
    assert collect()["device_id"] == platform.node()
    machine_id.write_text("0123456789abcdef\n")
    assert collect()["device_id"] == "0123456789abcdef"
    assert collect()["location"] is None


def test_device_info_reads_the_model_from_the_first_file_that_has_it(tmp_path, monkeypatch):
    """A NUL at the end is removed."""
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "cpuinfo"
    monkeypatch.setattr(device_info, "_MODEL_FILES", (first, second))
    monkeypatch.setattr(device_info, "_CPU_INFO", third)
    assert collect()["hardware"]["model"] is None
    third.write_text("model name\t: ARMv7 Processor rev 3 (v7l)\n\nHardware\t: BCM2711\n")
    assert collect()["hardware"]["model"] is None
    third.write_text("model name\t: ARMv7 Processor rev 3 (v7l)\n\nModel\t\t: Raspberry Pi 3 Model B Rev 1.2\n")
    assert collect()["hardware"]["model"] == "Raspberry Pi 3 Model B Rev 1.2"
    second.write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    assert collect()["hardware"]["model"] == "Raspberry Pi 4 Model B Rev 1.4"
    first.write_bytes(b"Raspberry \xff\n")
    assert collect()["hardware"]["model"] == "Raspberry \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("sensors", "temperature"),
    [
        ({}, None),
        ({"nvme": [30.0], "cpu_thermal": [51.5, 60.0]}, 51.5),
        ({"cpu_thermal": [], "acpitz": [40.0]}, 40.0),
    ],
)
def test_device_info_prefers_the_temperature_of_the_processor(monkeypatch, sensors, temperature):
    """The order is the processor's sensor, the first sensor, None."""
    found = {name: [SimpleNamespace(current=value) for value in values] for name, values in sensors.items()}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found)
    assert collect()["hardware"]["cpu"]["temperature_c"] == temperature


def test_device_info_uptime_is_never_negative(monkeypatch):
    """The uptime is 0 when the clock was set back to before the boot time."""
    monkeypatch.setattr(psutil, "boot_time", lambda: START.timestamp() - 90)
    assert collect()["os"]["uptime_s"] == 90
    assert datetime.fromisoformat(collect()["os"]["boot_time"]).astimezone(UTC) < START
    monkeypatch.setattr(psutil, "boot_time", lambda: START.timestamp() + 90)
    assert collect()["os"]["uptime_s"] == 0


SENSORS = [
    "cpu_count", "cpu_freq", "cpu_percent", "sensors_temperatures", "getloadavg", "virtual_memory", "swap_memory",
    "disk_usage", "boot_time", "net_io_counters", "net_if_addrs",
]  # fmt: skip


@pytest.mark.parametrize(
    "error", [FileNotFoundError("/proc"), AttributeError("no"), psutil.AccessDenied(), ValueError()]
)
def test_device_info_is_null_for_missing_sensors(monkeypatch, error):
    """A failing sensor does not affect the other values (I16)."""

    def fail(*_, **__):
        raise error

    for name in SENSORS:
        monkeypatch.setattr(psutil, name, fail)
    monkeypatch.setattr(platform, "freedesktop_os_release", fail)
    info = collect()
    assert set(info["hardware"]["cpu"].values()) == {None}
    assert [info["hardware"][name] for name in ("memory", "swap", "disk")] == [None] * 3
    assert [info["os"][name] for name in ("distribution", "boot_time", "uptime_s")] == [None] * 3
    assert info["network"]["interfaces"] == {}
    assert info["os"]["system"] == "Linux"


def test_device_info_is_null_for_an_unknown_frequency(monkeypatch):
    """Some boards do not report a frequency."""
    monkeypatch.setattr(psutil, "cpu_freq", lambda: None)
    assert collect()["hardware"]["cpu"]["frequency_mhz"] is None


@pytest.mark.parametrize("counters", [{}, None])
def test_device_info_lists_interfaces_without_counters(monkeypatch, counters):
    """An interface that appears between the two calls has addresses and no counters."""
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: counters)
    assert collect()["network"]["interfaces"]["lo"]["bytes_sent"] is None


def test_device_info_does_not_wait_for_a_measurement(monkeypatch):
    """The load since the last call is used: a new measurement would block the event loop."""
    intervals = []
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval=None: intervals.append(interval) or 1.0)
    collect()
    assert intervals == [None]
