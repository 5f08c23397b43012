"""The real daemon, with real scripts, started on what a power cut left: whether it comes to the same."""

from __future__ import annotations

from property_tests.crash.sandbox import Stage
from property_tests.crash.scenarios import Scenario
from property_tests.power.crash_points import Moment
from property_tests.power.disk_model import Image
from property_tests.power.recording import Recording, is_at_rest, lay
from property_tests.power.recovery_check import judge
from tests.support.real_host import until

_PATIENCE_S = 120.0


def lay_all(stage: Stage, scenario: Scenario, image: Image, moment: Moment) -> None:
    """Let the host be as the cut left it, and boot: the disk by ``image``, the scripts' own world by their record."""
    stage.kill()
    stage.machine.reboot()
    lay(image, stage.root)
    stage.record.write_text("".join(f"{line}\n" for line in moment.noted))
    for name in scenario.components:
        rolled_back = stage.root / "components" / name / "rolled-back"
        rolled_back.unlink(missing_ok=True)
        if any(line.startswith("end rollback.sh") for line in moment.noted):
            rolled_back.touch()


def serve(stage: Stage, recording: Recording, image: Image, moment: Moment) -> list[str]:
    """Start it on ``image`` and let it work; everything that is wrong with what came of it."""
    lay_all(stage, recording.scenario, image, moment)
    stage.start()
    try:
        until(lambda: is_at_rest(stage), f"everything to come to rest\n{stage.log()[-3000:]}", _PATIENCE_S)
        if stage.stop() != 0:
            return ["it did not end with 0 after SIGTERM"]
    except AssertionError as error:
        return [str(error)]
    finally:
        stage.kill()
    return judge(stage.root, recording, image, moment, stage.record.read_text().splitlines())
