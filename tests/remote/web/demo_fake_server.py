"""``python tests/remote/web/demo_fake_server.py [--token WORD]``: the page with a simulated device.

For work on the page: core can be updated, the scheduler's update is rolled back, and remote's update finds no
coordinator. Nothing is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import message_bodies as bodies
from fake_server import FakeServer

STEPS = (("download", 15), ("download", 30), ("backup", 40), ("install", 60), ("install", 80), ("start", 95))
STEP_S = 0.9


class SimulatedDevice:
    """Answers the messages of the page as a device would."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.tasks: set[asyncio.Task] = set()  # the event loop has only weak references to its tasks

    async def act(self, subject: str, body: dict) -> None:
        """Handle a message in a task, so that further ones are received."""
        task = asyncio.create_task(self._act(subject, body))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _act(self, subject, body):
        if subject == "updater.check_updates":
            await asyncio.sleep(STEP_S)
            await self.server.publish("update_check_result", {"components": self.server.components})
        elif body.get("dry_run"):
            message = f"would update {body['component']} to 1.1.0"
            await self.server.publish(
                "update_result", bodies.result(None, body["component"], dry_run=True, message=message)
            )
        elif body["component"] == "remote":
            await asyncio.sleep(STEP_S)
            await self.server.publish("update_result", bodies.rejected("remote"))
        else:
            await self._run(body["component"], subject.removeprefix("updater.").removeprefix("perform_"))

    async def _run(self, name, action):
        request, lines = bodies.new_id(), bodies.SCRIPT.splitlines(keepends=True)
        for number, (phase, percent) in enumerate(STEPS, start=1):
            fields = {"action": action, "phase": phase, "percent": percent, "output": "".join(lines[:number])}
            self.server.outstanding = [bodies.progress(request, name, **fields)]
            await self.server.publish("update_progress", self.server.outstanding[0])
            await asyncio.sleep(STEP_S)
        self.server.outstanding = []
        make_result = bodies.result if name == "core" else bodies.rolled_back
        result = make_result(request, name, action=action)
        fields = {key: result[key] for key in ("version", "success", "state", "reason", "message", "output", "error")}
        entry = bodies.entry(name, request_id=request, action=action, asked_at=bodies.ago(seconds=6), **fields)
        self.server.history.insert(0, {**entry, "finished_at": bodies.ago(seconds=0)})
        await self.server.publish("update_result", result)


def main() -> None:
    """Serve until Enter is pressed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--token", help="require this access token")
    server = FakeServer(parser.parse_args().token)
    server.components["scheduler"] = bodies.with_update("scheduler", current="0.9.4")
    server.on_action = SimulatedDevice(server).act
    sys.stdout.write(f"{server.start()} (Enter ends it)\n")
    sys.stdout.flush()
    sys.stdin.readline()
    server.close()


if __name__ == "__main__":
    main()
