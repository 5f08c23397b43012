"""A configuration that changes while a request runs: the request still ends, once (I1, I9)."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

from tests.support.real_host import Host

BLOCK = "until [ -e go ]; do sleep 0.1; done"


def _restart_and_get_answer(host: Host) -> dict:
    host.start()
    answer = host.answer("one")
    assert host.submit_and_wait("two", "health")["success"]  # the lane is idle again
    assert "unexpected error" not in host.log()
    return answer


def test_on_failure_none_set_later_skips_the_rollback(host):
    """When on_failure is changed to "none" between failure and rollback, the failure is the answer, with that cause."""
    host.set("execution", stop_timeout_s=0)
    host.component("core", {"update.sh": BLOCK})
    host.start()
    host.submit("one", "update")
    host.await_run("update.sh", "one")
    assert host.stop() == 0
    host.set("components.core", on_failure="none")
    answer = _restart_and_get_answer(host)
    assert (answer["state"], answer["reason"], answer["success"]) == ("failed", "interrupted", False)
    assert "on_failure" in answer["message"]
    assert host.runs("one") == ["update.sh"]


def test_verify_health_disabled_later_skips_the_health_check(host):
    """When verify_health is disabled after a reboot interrupted the check, the exit code of update.sh decides."""
    host.component("core", {"health-check.sh": f"[ $UPDATE_ACTION = health ] || {BLOCK}"})
    host.start()
    host.submit("one", "update")
    host.await_run("health-check.sh", "one")
    host.kill()
    host.end_scripts()
    with closing(sqlite3.connect(host.journal)) as journal, journal:
        journal.execute("UPDATE attempts SET boot_id = 'an-earlier-boot' WHERE ending IS NULL")
    shutil.rmtree(host.state / "runs" / "one")
    host.set("components.core", verify_health=False)
    answer = _restart_and_get_answer(host)
    assert (answer["state"], answer["success"]) == ("succeeded", True)
    assert host.runs("one") == ["update.sh", "health-check.sh"]
