"""Restart of the real daemon with real scripts on a crash state, as a check of the simulated restart."""

from __future__ import annotations

from property_tests.crash.sandbox import Sandbox
from property_tests.crash.scenarios import Scenario
from property_tests.power.crash_points import CrashPoint
from property_tests.power.disk_model import DiskImage
from property_tests.power.recording import Recording, is_idle, write_image
from property_tests.power.recovery_check import check_recovery
from tests.support.polling import wait_until

_DEADLINE_S = 120.0


def restore_host(sandbox: Sandbox, scenario: Scenario, image: DiskImage, crash_point: CrashPoint) -> None:
    """Restore the host to the crash state and boot: the disk from ``image``, the scripts' side from their record."""
    sandbox.kill()
    sandbox.machine.reboot()
    write_image(image, sandbox.root)
    sandbox.record.write_text("".join(f"{line}\n" for line in crash_point.recorded_lines))
    for name in scenario.components:
        rolled_back = sandbox.root / "components" / name / "rolled-back"
        rolled_back.unlink(missing_ok=True)
        if any(line.startswith("end rollback.sh") for line in crash_point.recorded_lines):
            rolled_back.touch()


def serve(sandbox: Sandbox, recording: Recording, image: DiskImage, crash_point: CrashPoint) -> list[str]:
    """Start the daemon on ``image`` and let it finish; returns every violation."""
    restore_host(sandbox, recording.scenario, image, crash_point)
    sandbox.start()
    try:
        wait_until(lambda: is_idle(sandbox), f"the host to be idle\n{sandbox.log()[-3000:]}", _DEADLINE_S)
        if sandbox.stop() != 0:
            return ["the exit code after SIGTERM was not 0"]
    except AssertionError as error:
        return [str(error)]
    finally:
        sandbox.kill()
    return check_recovery(sandbox.root, recording, image, crash_point, sandbox.record.read_text().splitlines())
