"""Script output as the container sees it while the script runs."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import pairwise

PERIOD_S = 1.0  # minimum time between two progress reports with new output only
WAIT = "until [ -e {} ]; do sleep 0.1; done\n"


def _create(host, name):
    """Create the file that a script waits for."""
    (host.root / "components/core" / name).touch()


def _begin(host, script):
    host.component("core", {"update.sh": script})
    host.start()
    host.submit("one", "update")


def _expect(host, what, **fields):
    """Wait for progress with these fields; returns it."""
    found = {}

    def shows():
        found.update(host.progress("one") or {})
        return found.items() >= fields.items()

    host.expect(shows, what)
    return found


def test_output_appears_while_the_script_runs(host):
    """Each line of either stream appears without waiting for the next; the next script starts with empty output."""
    _begin(host, f"echo first\n{WAIT.format('more')}echo second; echo trouble >&2\n{WAIT.format('go')}")
    host.script("core", "health-check.sh", WAIT.format("go-on"))
    seen = _expect(host, "the first line", output="first\n", error="")
    assert (seen["state"], seen["phase"], seen["percent"]) == ("running", "update", None)
    _create(host, "more")
    _expect(host, "the lines after it", output="first\nsecond\n", error="trouble\n")
    _create(host, "go")
    _expect(host, "the next script", phase="health-check", output="", error="")
    _create(host, "go-on")
    answer = host.answer("one")
    assert (answer["output"], answer["error"]) == ("first\nsecond\n", "trouble\n")


def test_phase_is_published_without_the_output_period(host):
    """A phase is published within the output period, together with the output so far."""
    _begin(host, f"for at in 1 2 3 4 5 6 7 8; do echo line-$at; echo PHASE:at-$at\n{WAIT.format('seen-$at')}done")
    stamps, lines = [], ""
    for at in range(1, 9):
        lines += f"line-{at}\nPHASE:at-{at}\n"
        seen = _expect(host, f"phase {at}", phase=f"at-{at}", output=lines)
        stamps.append(datetime.fromisoformat(seen["timestamp"]))
        _create(host, f"seen-{at}")
    assert min((later - earlier).total_seconds() for earlier, later in pairwise(stamps)) < PERIOD_S
    assert host.answer("one")["success"]


def test_continuous_output_is_published_once_a_second(host):
    """Continuous output is published once per period, with the new lines."""
    begun = time.monotonic()
    _begin(host, "until [ -e go ]; do echo line-$((++line)); sleep 0.02; done")
    first = _expect(host, "the script's start", phase="update")
    host.expect(lambda: (latest := host.progress("one")) and latest["seq"] >= first["seq"] + 3, "three more reports")
    latest = host.progress("one")
    assert latest["seq"] - first["seq"] <= (time.monotonic() - begun) / PERIOD_S
    assert len(latest["output"]) > len(first["output"])
    _create(host, "go")
    assert host.answer("one")["success"]


def test_last_lines_are_published_also_after_a_restart(host):
    """Of much output, the last whole lines within 4096 bytes are published, also after adoption."""
    _begin(host, f"seq -f 'ü%g' 100000\n{WAIT.format('go')}")
    host.expect(lambda: _shows_the_end(host), "the last line")
    host.kill()
    (host.status / "one.progress.json").unlink()
    host.start()
    host.expect(lambda: _shows_the_end(host), "the last line after the restart")
    _create(host, "go")
    assert host.answer("one")["success"]


def _shows_the_end(host):
    output = (host.progress("one") or {}).get("output", "")
    if not output.endswith("ü100000\n"):
        return False
    lines = output.splitlines()
    assert lines == [f"ü{number}" for number in range(100001 - len(lines), 100001)]
    assert 4096 - len("ü99999\n".encode()) < len(output.encode()) <= 4096
    return True
