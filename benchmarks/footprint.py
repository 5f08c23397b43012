"""Cost of an idle coordinator, of a flood of requests, and of a start with a long journal."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import proc_stats
from bench_host import COMPONENTS, HEALTHY, ROOT, STAMP, BenchHost
from results import TIMES, Row

_WAKE_UPS_PER_10_S = 1
_BUSY_PERCENT = 0.05
_RESIDENT_MB = 45
_GROWN_MB = 10
_READY_S = 2
_STARTS = 5


def idle(root: Path, executor: str, *, quick: bool) -> list[Row]:
    """Wake-ups and processor time without requests."""
    seconds = 10 if quick else 120  # one period of the slow timer
    with BenchHost(root / "idle", executor) as host:
        host.start()
        for component in COMPONENTS:
            host.submit_and_wait(component)
        time.sleep(3)
        members = proc_stats.process_tree(host.pid)
        before = {name: count for pid in members for name, count in proc_stats.switches(pid).items()}
        busy = sum(proc_stats.cpu_seconds(pid) for pid in members)
        time.sleep(seconds)
        after = {name: count for pid in members for name, count in proc_stats.switches(pid).items()}
        busy = sum(proc_stats.cpu_seconds(pid) for pid in members) - busy
        resident, highest = proc_stats.memory_mb(host.pid)
    woken = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    wake_ups = ", ".join(f"{name}: {count}" for name, count in woken.items())
    note = f"{len(after)} threads in {len(members)} processes over {seconds} s; {wake_ups or 'none'}"
    return [
        Row("idle: wake-ups in 10 s", sum(woken.values()) * 10 / seconds, "", limit=_WAKE_UPS_PER_10_S, note=note),
        Row("idle: processor time", busy * 100 / seconds, "%", limit=_BUSY_PERCENT, note="the limit rounds to 0.0"),
        Row("resident memory, idle", resident, "MB", limit=_RESIDENT_MB, note=f"peak so far {highest:.1f} MB"),
    ]


def memory(root: Path, executor: str, *, quick: bool) -> list[Row]:
    """Memory before and after a flood of requests."""
    count = 10_000 if quick else 100_000
    with BenchHost(root / "memory", executor) as host:
        host.start()
        for number in range(30):
            host.submit_and_wait(COMPONENTS[number % len(COMPONENTS)])
        time.sleep(1)
        resident, highest = proc_stats.memory_mb(host.pid)
        children = proc_stats.process_tree(host.pid)[1:]
        launchers_mb = sum(proc_stats.pss_mb(pid) for pid in children)
        begun = time.perf_counter()
        for number in range(count):
            component = "unconfigured" if number % 100 else COMPONENTS[number // 100 % len(COMPONENTS)]
            request_id = f"f-{number:06d}"
            content = (
                f'{{"component":"{component}","action":"health","request_id":"{request_id}","timestamp":"{STAMP}"}}'
            )
            (host.requests / f"{request_id}.json").write_text(content)
        written = time.perf_counter() - begun
        host.wait_for_answers(count, timeout_s=60 + count / 100, pause_s=0.5)
        seconds, answered = time.perf_counter() - begun, host.answered()
        time.sleep(1)
        after, peak = proc_stats.memory_mb(host.pid)
    flood = f"flood of {count:,} files"
    return [
        Row("memory of the launchers (PSS)", launchers_mb, "MB", note=f"{len(children)} processes"),
        Row(f"{flood}: answered", answered, f"of {count:,}", limit=count, at_least=True),
        Row(f"{flood}: answered per second", answered / seconds, "/s", note=f"written in {written:.1f} s"),
        Row(f"{flood}: resident memory afterwards", after, "MB", limit=_RESIDENT_MB),
        Row(f"{flood}: peak (VmHWM)", peak, "MB"),
        Row(f"{flood}: VmHWM growth", peak - highest, "MB", limit=_GROWN_MB, note=f"VmRSS {after - resident:+.1f} MB"),
    ]


def start(root: Path, executor: str, *, quick: bool) -> list[Row]:
    """Time to ready, with many requests in the journal."""
    scale = 20 if quick else 1
    settled = 100_000 // scale
    seconds: dict[tuple[int, int], float] = {}
    rows = []
    for past in (0, settled):
        with BenchHost(root / f"start-{past}", executor) as host:
            _build(host, past, 0)
            for pending in (0, 10_000 // scale, 20_000 // scale, 40_000 // scale):
                seconds[past, pending] = _ready(host, pending)
                decisive = past == settled and pending == 10_000 // scale
                what = f"start to ready: {pending:,} pending, {past:,} settled"
                rows.append(Row(what, seconds[past, pending], "s", limit=_READY_S if decisive else None))
    most = 40_000 // scale
    base = seconds[settled, 0]
    slope = (seconds[settled, most] - base) / max(seconds[settled, most // 2] - base, 0.02)
    what = "start to ready: time added by 40,000 pending / by 20,000 pending"
    if quick:
        return rows
    added = seconds[settled, most // 2] - seconds[0, most // 2]
    return [
        *rows,
        Row(what, slope, TIMES, limit=2.5, note="linear is 2"),
        Row("start to ready: time added by 100,000 settled", added, "s", limit=0.2, note="with 20,000 pending"),
    ]


def _ready(host: BenchHost, pending: int) -> float:
    """Start on a fresh copy of the journal with ``pending`` requests, as a killed coordinator leaves them.

    The result is the shortest of several starts, because other load on the machine only delays a start.
    """
    journal = host.state / "journal.db"
    kept = host.root / "kept.db"
    if not kept.exists():
        kept.write_bytes(journal.read_bytes())
    for folder in (host.requests, host.status):
        for path in folder.iterdir():
            path.unlink()
    for path in host.state.glob("journal.db*"):
        path.unlink()
    journal.write_bytes(kept.read_bytes())
    _build(host, 0, pending)
    # The script sleeps, so that no other script runs in parallel while the start is measured.
    (host.directory("core") / "health-check.sh").write_text("#!/bin/bash\nsleep 60\n")
    seconds = []
    for _ in range(_STARTS):
        seconds.append(host.start())
        host.kill()
    (host.directory("core") / "health-check.sh").write_text(HEALTHY)
    return min(seconds)


def _build(host: BenchHost, settled: int, pending: int) -> None:
    """Fill the journal in another process, so that the memory of this work is not measured."""
    subprocess.run(
        [sys.executable, "-m", "benchmarks.journal_filler", host.root, str(settled), str(pending)], cwd=ROOT, check=True
    )
