"""Output of ``explain`` for a coordinator that was killed and restarted, as text and as JSON."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

from test_real_lost_journals import _deleted, _kill_during_an_update
from test_real_stops import BLOCK, _begin, _kill_everything, _let_script_end, _reboot

from tests.support.polling import wait_until
from tests.support.real_host import Host

RESTARTED = "The coordinator was started again and"


def _explain(host: Host, request_id: str = "one") -> list[str]:
    """The lines of ``explain``, without times and states."""
    done = host.cli("explain", request_id)
    assert done.returncode == 0, done.stderr
    return [line[24:] for line in done.stdout.splitlines()[1:]]


def _recoveries(host: Host) -> list[tuple[int, str, str]]:
    facts = json.loads(host.cli("explain", "one", "--json").stdout)["resumptions"]
    assert all(fact["at"] for fact in facts)
    return [(fact["number"], fact["trace"], fact["resumption"]) for fact in facts]


def _restart_until_found(host: Host) -> None:
    host.kill()
    host.start()
    wait_until(lambda: len(_recoveries(host)) > 0, f"the script to be found\n{host.log()}")


def test_explain_reports_an_adopted_script_while_it_runs(host):
    """After SIGKILL and a restart explain reports the adopted script, also while it runs."""
    _begin(host)
    _restart_until_found(host)
    waited = f"{RESTARTED} found update.sh still running: waited for it to end."
    *lines, _in_progress = _explain(host)
    assert lines[2:] == ["Run 1: update.sh was started.", waited]
    _let_script_end(host)
    host.answer("one")
    lines = _explain(host)
    assert lines[2:4] == ["Run 1: update.sh was started.", waited]
    assert lines[4].startswith("Run 1: update.sh ended with exit code 0 after ")
    assert _recoveries(host) == [(1, "alive", "adopt")]


def test_explain_reports_every_restart(host):
    """After two kills during one script, explain reports two restarts."""
    _begin(host)
    for times in (1, 2):
        host.kill()
        host.start()
        wait_until(lambda times=times: len(_recoveries(host)) == times, "the script to be found")
    _let_script_end(host)
    host.answer("one")
    assert [line.startswith(RESTARTED) for line in _explain(host)].count(True) == 2


def test_explain_reports_a_collected_result_with_its_output(host):
    """Explain reports the collected result, no unmeasured duration, and the output of a failed script."""
    _begin(host, f"{BLOCK}; echo 'disk is \033[31mfull' >&2; exit 7")
    host.kill()
    _let_script_end(host)
    wait_until(lambda: not host.script_processes(), "the script to end")
    host.start()
    answer = host.answer("one")
    assert answer["attempts"][0]["seconds"] is None
    assert _explain(host)[2:6] == [
        "Run 1: update.sh was started.",
        f"{RESTARTED} found that update.sh had ended in the meantime: used its result.",
        "Run 1: update.sh ended with exit code 7.",
        "| disk is  [31mfull",
    ]
    assert _recoveries(host) == [(1, "ended", "collect")]


def test_explain_reports_a_reboot(host):
    """After a reboot explain reports that the script was not rerun, then what was done instead."""
    _begin(host)
    _kill_everything(host)
    _reboot(host)
    host.start()
    host.answer("one")
    lines = _explain(host)
    assert lines[2:5] == [
        "Run 1: update.sh was started.",
        f"{RESTARTED} could not determine whether update.sh had ended: did not run it a second time.",
        "Run 1: update.sh was interrupted.",
    ]
    assert "Run 2: rollback.sh was started." in lines
    assert _recoveries(host) == [(1, "unknown", "interrupt")]


def test_explain_reports_a_rerun(host):
    """With on_interruption = rerun explain gives the cause of the second run."""
    _begin(host, on_interruption="rerun")
    _kill_everything(host)
    _reboot(host)
    _let_script_end(host)
    host.start()
    host.answer("one")
    assert f"{RESTARTED} could not determine whether update.sh had ended: it may run again." in _explain(host)
    assert _recoveries(host) == [(1, "unknown", "rerun")]


def test_explain_reports_a_run_that_never_began(host):
    """A run that was recorded but never began is reported as such; only the actual run counts as started."""
    _begin(host)
    _kill_everything(host)
    with closing(sqlite3.connect(host.journal)) as journal, journal:
        journal.execute("UPDATE attempts SET pid = NULL, start_ticks = NULL")
    shutil.rmtree(host.state / "runs" / "one")  # as if the coordinator had died before it started the script
    _let_script_end(host)
    host.start()
    assert host.answer("one")["success"]
    lines = _explain(host)
    assert lines[2:4] == [
        f"{RESTARTED} found that update.sh had not begun yet: it could still be started.",
        "Run 2: update.sh was started.",
    ]
    assert _recoveries(host) == [(1, "never_started", "start")]


def test_explain_reports_a_lost_journal(host):
    """After a lost journal explain reports no invented steps, and states once what is unknown."""
    _kill_during_an_update(host, script_continues=True)
    _deleted(host)
    host.start_supervised()
    host.answer("one")
    lines = _explain(host)
    assert lines[1:3] == [
        "May have started before the journal was lost",
        "Run 1: update.sh counted as interrupted, whether or not it had run.",
    ]
    assert "Run 1: update.sh was started." not in lines
    assert _explain(host, "settled") == ["Taken over from its status file after the journal was lost", "Healthy"]


def test_history_reports_a_running_rollback(host):
    """A failed update is not over while its rollback runs; history shows both."""
    host.component("core", {"update.sh": "exit 3", "rollback.sh": BLOCK})
    host.start()
    host.submit("one", "update")
    host.await_run("rollback.sh", "one")
    assert "    still in progress: Update failed: update.sh ended with exit code 3" in host.cli("history").stdout
    _let_script_end(host)
    host.answer("one")
    assert "still in progress" not in host.cli("history").stdout


def test_explain_prints_a_date_where_the_day_changes(host):
    """Times are short; a change of day is printed as a date line."""
    host.environment["TZ"] = "UTC"
    host.component("core")
    host.start()
    host.submit_and_wait("one", "health")
    host.stop()
    with closing(sqlite3.connect(host.journal)) as journal, journal:
        journal.execute("DROP TRIGGER ended_attempts_stay")
        journal.execute("UPDATE attempts SET started_at = '2001-02-03T04:05:06+00:00'")
    lines = host.cli("explain", "one").stdout.splitlines()
    at = lines.index("  2001-02-03")
    assert lines[at + 1] == "  04:05:06  running     Run 1: health-check.sh was started."
    assert lines[at + 2].strip() == lines[0].split()[-2], "back to the day it was received"
