"""Latency and throughput of requests."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import proc_stats
from bench_host import COMPONENTS, HEALTH, SH, BenchHost
from results import Row

# Starting a unit takes some 40 ms, many times the floor, so the systemd executor has no speed limits.
_RATIO = {SH: 4}
_ANSWERS_PER_S = {SH: 100}
_FSYNCS = 6
_MB_PER_S = 200
_GIB = 1024**3
_GROWN_MB = 10


def sequential(root: Path, executor: str, *, quick: bool) -> list[Row]:
    """One request after the other, each next to the minimal equivalent work."""
    rounds = 40 if quick else 250
    floors, times = [], []
    with BenchHost(root / "sequential", executor) as host:
        host.start()
        for _ in range(10):
            host.submit_and_wait("core")
        for _ in range(rounds):
            floors.append(_floor(host, "core"))
            times.append(host.submit_and_wait("core"))
            time.sleep(0.005)  # lets the coordinator become idle before the next floor
    floor, latencies = _milliseconds(floors), _milliseconds(times)
    return [
        Row("floor: run, capture, write, fsync, rename; p95", floor[1], "ms", note=f"p50 {floor[0]:.2f} ms"),
        Row(
            "health request, file closed → status; p50",
            latencies[0],
            "ms",
            floor[0],
            _RATIO.get(executor),
            note=f"{rounds} rounds",
        ),
        Row("health request, file closed → status; p95", latencies[1], "ms", floor[1]),
    ]


def _floor(host: BenchHost, component: str) -> float:
    """The seconds of the script and of one durable status file."""
    directory = host.directory(component)
    path, temporary = host.status / "floor.json", host.status / ".floor.json.tmp"
    begun = time.perf_counter()
    ran = subprocess.run([directory / HEALTH], cwd=directory, capture_output=True, check=False)
    with temporary.open("w") as file:
        json.dump({"success": ran.returncode == 0, "output": ran.stdout.decode(), "error": ran.stderr.decode()}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    seconds = time.perf_counter() - begun
    path.unlink()
    return seconds


def _milliseconds(seconds: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=20)[-1] * 1000


def burst(root: Path, executor: str, *, quick: bool) -> list[Row]:
    """Many requests at once over components with different locks."""
    count = 60 if quick else 300
    with BenchHost(root / "burst", executor) as host:
        host.start()
        for component in COMPONENTS:
            host.submit_and_wait(component)
        begun = time.perf_counter()
        submitted = [host.write_request(COMPONENTS[number % len(COMPONENTS)]) for number in range(count)]
        host.wait_for_answers(count, timeout_s=60, pause_s=0.002)
        seconds = time.perf_counter() - begun
        statuses = [host.take(request_id) for request_id in submitted if (host.status / f"{request_id}.json").exists()]
    good = sum(status["success"] for status in statuses)
    return [
        Row("burst over three components", good / seconds, "/s", limit=_ANSWERS_PER_S.get(executor), at_least=True),
        Row("burst: answered", len(statuses), f"of {count}", limit=count, at_least=True, note=f"{good} successful"),
    ]


def fsyncs(root: Path, executor: str, *, quick: bool) -> list[Row]:
    """The number of fsyncs per request, which dominates its cost on an SD card."""
    what, count = "fsync and fdatasync per request", 50 if quick else 100
    strace = shutil.which("strace")
    if strace is None:
        return [Row(what, None, "", limit=_FSYNCS, note="not measured: strace is not installed (apt install strace)")]
    with BenchHost(root / "fsyncs", executor) as host:
        host.start()
        for _ in range(5):
            host.submit_and_wait("core")
        time.sleep(0.5)
        counted = host.root / "strace.txt"
        targets = [word for pid in proc_stats.process_tree(host.pid) for word in ("-p", str(pid))]
        with tempfile.TemporaryFile(dir=host.root) as messages:
            tracer = subprocess.Popen(
                [strace, "-f", "-c", "-U", "calls,name", "-e", "trace=fsync,fdatasync", "-o", counted, *targets],
                stderr=messages,
            )
            try:
                _until_attached(tracer, messages.fileno(), len(targets) // 2)
                for _ in range(count):
                    host.submit_and_wait("core")
                time.sleep(0.5)
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.wait()
            if not counted.exists() or os.pread(messages.fileno(), 4096, 0).count(b"attached") < len(targets) // 2:
                message = os.pread(messages.fileno(), 300, 0).decode(errors="replace").strip()
                return [Row(what, None, "", limit=_FSYNCS, note=f"not measured: {message}")]
        calls = dict(re.findall(r"^\s*(\d+)\s+(fsync|fdatasync)\s*$", counted.read_text(), re.MULTILINE))
    parts = ", ".join(f"{name} {int(number) / count:.2f}" for number, name in calls.items())
    total = sum(int(number) for number in calls)
    return [Row(what, total / count, "", limit=_FSYNCS, note=f"{count} requests: {parts}")]


def _until_attached(tracer: subprocess.Popen[bytes], messages: int, count: int) -> None:
    deadline = time.monotonic() + 10
    while os.pread(messages, 65536, 0).count(b"attached") < count:
        if tracer.poll() is not None or time.monotonic() > deadline:
            return
        time.sleep(0.02)


def output_throughput(root: Path, executor: str, *, quick: bool) -> list[Row]:
    """A script whose output exceeds every limit of an answer."""
    size = _GIB // 8 if quick else _GIB
    text = f"{'x' * 79}"
    scripts = {
        "lines": f"#!/bin/bash\nyes {text} | head -c {size}\n",
        "endless": f"#!/bin/bash\nhead -c {size} /dev/zero | tr '\\0' x\n",
    }
    rows = []
    with BenchHost(root / "output-throughput", executor, scripts) as host:
        host.start()
        for component in scripts:
            floor = size / 1e6 / _run_to_file(host, component)
            before = proc_stats.memory_mb(host.pid)
            speed = size / 1e6 / host.submit_and_wait(component, timeout_s=300)
            after = proc_stats.memory_mb(host.pid)
            name = f"a script printing {size / _GIB:g} GiB, " + ("in lines" if component == "lines" else "in one line")
            rows += [
                Row(name, speed, "MB/s", floor, _MB_PER_S, at_least=True, note="floor: stdout to a file"),
                Row(f"{name}: VmHWM growth", after[1] - before[1], "MB", limit=_GROWN_MB, note=f"to {after[1]:.1f} MB"),
            ]
    return rows


def _run_to_file(host: BenchHost, component: str) -> float:
    """The seconds of the script if the kernel alone writes its output to the disk."""
    path = host.root / "floor.out"
    with path.open("wb") as file:
        begun = time.perf_counter()
        subprocess.run([host.directory(component) / HEALTH], stdout=file, check=True)
        seconds = time.perf_counter() - begun
    with contextlib.suppress(OSError):
        path.unlink()
    return seconds
