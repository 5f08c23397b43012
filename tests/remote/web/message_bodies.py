"""Message bodies of the fake server in the format of the protocol; tests override single fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

NOTES = """## What is new

- **Sequences** can be edited while one is playing
- The scheduler is notified within a second, see [the guide](https://example.org/guide)
- `dunebugger.conf` accepts `[audio]`

### Fixed

1. A fade that never ended
2. Silence after the third restart
"""

SCRIPT = (
    "Fetching dunebugger-core 1.1.0\n"
    "  verified sha256 5f2c…91ab\n"
    "Backing up 1.0.0 to backups/7d0c\n"
    "Stopping dunebugger-core.service\n"
    "Unpacking into releases/1.1.0\n"
    "Installing 14 requirements\n"
    "Starting dunebugger-core.service\n"
)

_ids = count(1)


def ago(**by):
    """Return a time in the past, ISO 8601."""
    return (datetime.now(UTC) - timedelta(**by)).isoformat()


def new_id():
    """Return a new request id."""
    return f"7d0c54c2-3f6e-4f0b-9a51-{next(_ids):012d}"


def component(name, **change):
    """Return a component of a check result; up to date and running by default."""
    return {
        "current": "1.0.0",
        "latest": "1.0.0",
        "update_available": False,
        "release_notes": None,
        "last_checked": ago(minutes=12),
        "display_name": f"dunebugger-{name}",
        "release_url": f"https://github.com/marco-svitol/dunebugger-{name}/releases/tag/v1.0.0",
        "error": None,
        "running": True,
        "running_since": ago(seconds=20),
        "running_how": "heartbeat",
        **change,
    }


def with_update(name, latest="1.1.0", **change):
    """Return a component with a newer release."""
    return component(name, latest=latest, update_available=True, release_notes=NOTES, **change)


def components():
    """Return three components; one has an update."""
    return {
        "core": with_update("core"),
        "scheduler": component("scheduler", current="0.9.4", latest="0.9.4", running_how="health check"),
        "remote": component("remote", current="1.3.0", latest="1.3.0", running_how="itself"),
    }


def progress(request_id, name="core", **change):
    """Return an ``update_progress`` body."""
    return {
        "request_id": request_id,
        "component": name,
        "action": "update",
        "version": "1.1.0",
        "state": "running",
        "phase": None,
        "percent": None,
        "output": "",
        "error": "",
        "timestamp": ago(seconds=0),
        **change,
    }


def result(request_id, name="core", **change):
    """Return an ``update_result`` body; a success by default."""
    return {
        "component": name,
        "success": True,
        "message": "Update completed successfully",
        "dry_run": False,
        "action": "update",
        "version": "1.1.0",
        "state": "succeeded",
        "reason": None,
        "request_id": request_id,
        "late": False,
        "output": SCRIPT,
        "error": "",
        "current": "1.1.0",
        **change,
    }


def rolled_back(request_id, name="core", **change):
    """Return the result of an update that was rolled back."""
    return result(
        request_id,
        name,
        **{
            "success": False,
            "state": "rolled_back",
            "reason": "unhealthy",
            "message": "Update failed: health-check.sh ended with exit code 1; the previous version was restored",
            "error": "health-check.sh: no answer on port 8123 after 20 s\n",
            "current": "1.0.0",
            **change,
        },
    )


def rejected(name="core", reason="coordinator_not_running", **change):
    """Return the result of a request that was not submitted."""
    return result(
        None,
        name,
        **{
            "success": False,
            "state": None,
            "reason": reason,
            "message": "cannot submit the request: the coordinator has not read it for 30 s",
            "output": "",
            "current": "1.0.0",
            **change,
        },
    )


def entry(name="core", **change):
    """Return a history entry."""
    return {
        "request_id": new_id(),
        "component": name,
        "action": "update",
        "version": "1.0.0",
        "asked_at": ago(days=3, minutes=2),
        "finished_at": ago(days=3),
        "success": True,
        "state": "succeeded",
        "reason": None,
        "message": "Update completed successfully",
        "output": SCRIPT,
        "error": "",
        **change,
    }


def history():
    """Return several months of history, newest first."""
    health = {"action": "health", "version": None, "message": "Healthy", "output": "ok\n"}
    failed = {"success": False, "output": "Fetching\n"}
    return [
        entry("scheduler", **health, asked_at=ago(hours=5), finished_at=ago(hours=5)),
        entry(
            "core",
            version="1.1.0-rc.2",
            **failed,
            state="rolled_back",
            reason="unhealthy",
            message="Update failed: health-check.sh ended with exit code 1; the previous version was restored",
            error="health-check.sh: no answer on port 8123 after 20 s\n",
            asked_at=ago(days=1),
            finished_at=ago(days=1),
        ),
        entry("remote", version="1.3.0"),
        entry(
            "core",
            **failed,
            version="0.9.9",
            state="failed",
            reason="timeout",
            message="Update failed: update.sh was stopped after 600 s, at its time limit",
            asked_at=ago(days=9),
            finished_at=ago(days=9),
        ),
        entry("core", action="rollback", version=None, asked_at=ago(days=20), finished_at=ago(days=20)),
        entry("scheduler", version="0.9.4", asked_at=ago(days=34), finished_at=ago(days=34)),
    ]


def system_info():
    """Return the device information of a Raspberry Pi."""
    return {
        "device_id": "dune-garden",
        "timestamp": ago(seconds=1),
        "dunebugger_components": [],
        "hardware": {
            "model": "Raspberry Pi 4 Model B",
            "cpu": {
                "count": 4,
                "frequency_mhz": 1800.0,
                "percent": 11.5,
                "temperature_c": 48.3,
                "load": [0.31, 0.28, 0.25],
            },
            "memory": {"total_bytes": 3_978_000_000, "used_bytes": 1_108_000_000, "percent": 27.9},
            "swap": {"total_bytes": 0, "used_bytes": 0, "percent": 0.0},
            "disk": {"total_bytes": 31_200_000_000, "used_bytes": 9_250_000_000, "percent": 29.6},
        },
        "os": {
            "system": "Linux",
            "release": "6.6.51",
            "machine": "aarch64",
            "distribution": "Debian GNU/Linux 12 (bookworm)",
            "python": "3.11.2",
            "boot_time": ago(seconds=1_050_400),
            "uptime_s": 1_050_400,
        },
        "network": {
            "host_name": "dune-pi",
            "interfaces": {
                "lo": {"addresses": [{"kind": "ipv4", "address": "127.0.0.1", "netmask": "255.0.0.0"}]},
                "wlan0": {
                    "addresses": [
                        {"kind": "ipv4", "address": "192.168.1.40", "netmask": "255.255.255.0"},
                        {"kind": "ipv6", "address": "fe80::1%wlan0", "netmask": "ffff:ffff:ffff:ffff::"},
                        {"kind": "mac", "address": "02:00:00:00:00:01", "netmask": None},
                    ],
                    "bytes_sent": 1,
                    "bytes_received": 1,
                },
            },
        },
        "location": "Garden house",
    }
