"""What can be told of this device."""

import json
import platform
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pytest
from hand_clock import START, HandClock

from remote import device_info as module
from remote.device_info import system_info
from remote.settings import DeviceSettings


def told(**device):
    """What is told of a device, after a journey through JSON."""
    return json.loads(json.dumps(system_info(DeviceSettings(**device), HandClock()), allow_nan=False))


def test_all_parts_are_told():
    """Every part of the contract is there."""
    info = told()
    assert list(info) == ["device_id", "timestamp", "hardware", "os", "network", "location"]
    assert list(info["hardware"]) == ["model", "cpu", "memory", "swap", "disk"]
    assert list(info["hardware"]["cpu"]) == ["count", "frequency_mhz", "percent", "temperature_c", "load"]
    assert datetime.fromisoformat(info["timestamp"]) == START


def test_this_machine_is_told():
    """What every machine has is told truly."""
    info = told()
    assert info["hardware"]["cpu"]["count"] == psutil.cpu_count()
    assert len(info["hardware"]["cpu"]["load"]) == 3
    assert info["hardware"]["memory"]["total_bytes"] == psutil.virtual_memory().total
    assert info["hardware"]["disk"]["total_bytes"] == psutil.disk_usage("/").total
    assert (info["os"]["system"], info["os"]["python"]) == ("Linux", platform.python_version())
    assert info["network"]["host_name"] == platform.node()
    loopback = info["network"]["interfaces"]["lo"]
    assert {"kind": "ipv4", "address": "127.0.0.1", "netmask": "255.0.0.0"} in loopback["addresses"]
    assert loopback["bytes_sent"] >= 0


def test_what_the_operator_says_counts():
    """The configured name and place are told."""
    info = told(id="dune-7", location="Cape Town")
    assert (info["device_id"], info["location"]) == ("dune-7", "Cape Town")


def test_an_unnamed_device_has_a_name(tmp_path, monkeypatch):
    """Without a configured name it is the machine's id, and without that the host's name."""
    machine_id = tmp_path / "machine-id"
    monkeypatch.setattr(module, "_MACHINE_ID", machine_id)
    assert told()["device_id"] == platform.node()
    machine_id.write_text("")
    assert told()["device_id"] == platform.node()
    machine_id.write_text("0123456789abcdef\n")
    assert told()["device_id"] == "0123456789abcdef"
    assert told()["location"] is None


def test_the_model_is_told_where_there_is_one(tmp_path, monkeypatch):
    """The first of the files that tells a model is believed; a NUL at its end does not matter."""
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "cpuinfo"
    monkeypatch.setattr(module, "_MODEL_FILES", (first, second))
    monkeypatch.setattr(module, "_CPU_INFO", third)
    assert told()["hardware"]["model"] is None
    third.write_text("model name\t: ARMv7 Processor rev 3 (v7l)\n\nHardware\t: BCM2711\n")
    assert told()["hardware"]["model"] is None
    third.write_text("model name\t: ARMv7 Processor rev 3 (v7l)\n\nModel\t\t: Raspberry Pi 3 Model B Rev 1.2\n")
    assert told()["hardware"]["model"] == "Raspberry Pi 3 Model B Rev 1.2"
    second.write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    assert told()["hardware"]["model"] == "Raspberry Pi 4 Model B Rev 1.4"
    first.write_bytes(b"Raspberry \xff\n")
    assert told()["hardware"]["model"] == "Raspberry \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("sensors", "temperature"),
    [
        ({}, None),
        ({"nvme": [30.0], "cpu_thermal": [51.5, 60.0]}, 51.5),
        ({"cpu_thermal": [], "acpitz": [40.0]}, 40.0),
    ],
)
def test_the_processors_temperature_is_preferred(monkeypatch, sensors, temperature):
    """The processor's sensor is told, else any, else none."""
    found = {name: [SimpleNamespace(current=value) for value in values] for name, values in sensors.items()}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found)
    assert told()["hardware"]["cpu"]["temperature_c"] == temperature


def test_the_time_since_boot_is_told(monkeypatch):
    """Boot and uptime are told; a clock that was set back does not make it negative."""
    monkeypatch.setattr(psutil, "boot_time", lambda: START.timestamp() - 90)
    assert told()["os"]["uptime_s"] == 90
    assert datetime.fromisoformat(told()["os"]["boot_time"]).astimezone(UTC) < START
    monkeypatch.setattr(psutil, "boot_time", lambda: START.timestamp() + 90)
    assert told()["os"]["uptime_s"] == 0


SENSORS = [
    "cpu_count", "cpu_freq", "cpu_percent", "sensors_temperatures", "getloadavg", "virtual_memory", "swap_memory",
    "disk_usage", "boot_time", "net_io_counters", "net_if_addrs",
]  # fmt: skip


@pytest.mark.parametrize(
    "error", [FileNotFoundError("/proc"), AttributeError("no"), psutil.AccessDenied(), ValueError()]
)
def test_a_sensor_that_is_not_there_is_null(monkeypatch, error):
    """Whatever a sensor fails with, the rest is told."""

    def fail(*_, **__):
        raise error

    for name in SENSORS:
        monkeypatch.setattr(psutil, name, fail)
    monkeypatch.setattr(platform, "freedesktop_os_release", fail)
    info = told()
    assert set(info["hardware"]["cpu"].values()) == {None}
    assert [info["hardware"][name] for name in ("memory", "swap", "disk")] == [None] * 3
    assert [info["os"][name] for name in ("distribution", "boot_time", "uptime_s")] == [None] * 3
    assert info["network"]["interfaces"] == {}
    assert info["os"]["system"] == "Linux"


def test_a_processor_without_a_known_frequency_is_told(monkeypatch):
    """Where a board tells no frequency, it is null."""
    monkeypatch.setattr(psutil, "cpu_freq", lambda: None)
    assert told()["hardware"]["cpu"]["frequency_mhz"] is None


@pytest.mark.parametrize("counters", [{}, None])
def test_an_interface_without_counters_is_told(monkeypatch, counters):
    """An interface that came between the two looks, or that nobody counts, has addresses and no counts."""
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: counters)
    assert told()["network"]["interfaces"]["lo"]["bytes_sent"] is None


def test_no_measurement_is_waited_for(monkeypatch):
    """The processor's load is what it was since the last look: measuring it anew would block everything else."""
    asked = []
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval=None: asked.append(interval) or 1.0)
    told()
    assert asked == [None]
