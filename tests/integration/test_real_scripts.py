"""Scripts that must not run, and scripts that fail."""

from __future__ import annotations

import os
import re

import pytest

from tests.support.polling import wait_until

MIB = 1024 * 1024
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can change owners")


def _missing(directory):
    (directory / "update.sh").unlink()


def _missing_check(directory):
    (directory / "health-check.sh").unlink()


def _missing_rollback(directory):
    (directory / "rollback.sh").unlink()


def _missing_directory(directory):
    directory.rename(directory.with_name("gone"))


def _a_directory(directory):
    (directory / "update.sh").unlink()
    (directory / "update.sh").mkdir()


def _not_executable(directory):
    (directory / "update.sh").chmod(0o644)


def _group_writable(directory):
    (directory / "update.sh").chmod(0o775)


def _world_writable(directory):
    (directory / "rollback.sh").chmod(0o757)


def _writable_directory(directory):
    directory.chmod(0o777)


def _writable_parent(directory):
    directory.parent.chmod(0o777)


def _owned_by_another(directory):
    os.chown(directory / "update.sh", 12345, 12345)


def _directory_owned_by_another(directory):
    os.chown(directory, 12345, 12345)


def _link_to_writable_directory(directory):
    outside = directory.parent.parent / "open"
    outside.mkdir()
    outside.chmod(0o777)
    (directory / "update.sh").rename(outside / "update.sh")
    (directory / "update.sh").symlink_to(outside / "update.sh")


@pytest.mark.parametrize(
    ("break_script", "reason", "named"),
    [
        (_missing, "script_missing", "update.sh"),
        (_missing_check, "script_missing", "health-check.sh"),
        (_missing_rollback, "script_missing", "rollback.sh"),
        (_missing_directory, "script_missing", "core"),
        (_a_directory, "script_missing", "update.sh"),
        (_not_executable, "script_unsafe", "update.sh"),
        (_group_writable, "script_unsafe", "update.sh"),
        (_world_writable, "script_unsafe", "rollback.sh"),
        (_writable_directory, "script_unsafe", "core"),
        (_writable_parent, "script_unsafe", "components"),
        pytest.param(_owned_by_another, "script_unsafe", "update.sh", marks=needs_root),
        pytest.param(_directory_owned_by_another, "script_unsafe", "core", marks=needs_root),
        (_link_to_writable_directory, "script_unsafe", "open"),
    ],
)
def test_untrusted_script_is_not_run(host, break_script, reason, named):
    """A missing script, or one writable by others, is rejected with path and remedy; nothing runs."""
    directory = host.component("core")
    host.start()
    break_script(directory)
    answer = host.submit_and_wait("one", "update")
    assert (answer["success"], answer["state"], answer["reason"]) == (False, "failed", reason)
    assert re.search(rf"{re.escape(str(host.root))}\S*\b{re.escape(named)}\b", answer["message"])
    assert re.search(r"chmod|chown|install|put the script|check the path", answer["message"])
    assert answer["attempts"] == []
    assert host.runs() == []


def test_repaired_script_runs_without_a_restart(host):
    """After the remedy the next request runs."""
    directory = host.component("core")
    _not_executable(directory)
    host.start()
    assert host.submit_and_wait("one", "update")["reason"] == "script_unsafe"
    (directory / "update.sh").chmod(0o755)
    assert host.submit_and_wait("two", "update")["success"]


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("exit 42", 42, "42"),
        ("kill -9 $$", 137, "signal 9"),
        ("kill -TERM $$", 143, "signal 15"),
        ("no-such-command", 127, "127"),
        ("exec /dev/null", 126, "126"),
    ],
)
def test_answer_reports_exit_code_or_signal(host, script, code, words):
    """The exit code, or the signal, is in the answer and its message."""
    host.component("core", {"update.sh": script}, on_failure="none")
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["state"], answer["reason"], answer["exit_code"]) == ("failed", "script_failed", code)
    assert words in answer["message"]
    assert answer["attempts"][0]["exit_code"] == code


def test_timeout_kills_every_descendant(host):
    """At its time limit a script is killed with all descendants, also those that ignore TERM or left its session."""
    ignores_term = "trap '' TERM; echo \\$BASHPID >> pids; while :; do sleep 0.1; done"
    directory = host.component(
        "core",
        {
            "update.sh": "trap '' TERM\n"
            f'setsid bash -c "{ignores_term}" &\n'
            f'( setsid bash -c "{ignores_term}" & )\n'
            f'setsid --fork env -i bash -c "{ignores_term}"\n'
            "until [ $(wc -l < pids) = 3 ]; do sleep 0.02; done 2> /dev/null\n"
            "echo all started\nwhile :; do sleep 0.1; done"
        },
        on_failure="none",
        timeout_s=10,  # time for all of them to start on a busy machine
        kill_grace_s=0.3,
    )
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["state"], answer["reason"]) == ("failed", "timeout")
    assert answer["output"] == "all started\n"
    assert len((directory / "pids").read_text().split()) == 3
    assert host.script_processes() == []
    assert host.submit_and_wait("two", "health")["success"]


def test_timeout_grants_the_grace_period(host):
    """At its time limit a script first gets TERM and the grace period."""
    host.component(
        "core",
        {"update.sh": "trap 'echo cleaned up; exit 0' TERM; while :; do sleep 0.05; done"},
        timeout_s=6,  # time to install the trap on a busy machine
        kill_grace_s=20,
        on_failure="none",
    )
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["success"], answer["reason"], answer["output"]) == (False, "timeout", "cleaned up\n")


def test_timed_out_update_is_rolled_back(host):
    """An update that exceeds its time limit is killed, then rolled back."""
    host.component(
        "core", {"update.sh": "sleep 1000"}, timeout_s=10
    )  # the limit also holds for rollback and health check
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "timeout")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_background_child_with_open_pipes_delays_no_answer(host):
    """A background child that keeps stdout open does not delay the answer."""
    directory = host.component("core", {"update.sh": "sleep 1000 &\necho $! > child; echo done"})
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["success"], answer["output"]) == (True, "done\n")
    assert host.submit_and_wait("two", "health")["success"]
    assert (directory / "child").exists()


@pytest.mark.parametrize("lines", [True, False])
def test_large_output_uses_no_memory(host, lines):
    """64 MiB on each stream do not grow the coordinator's memory; the answer holds both ends."""
    filler = "yes 0123456789" if lines else "tr '\\0' x < /dev/zero"
    host.component("core")
    host.script(
        "core",
        "update.sh",
        f"echo first; {filler} | head -c {64 * MIB}; echo; echo last\n"
        f"{{ echo first; {filler} | head -c {64 * MIB}; echo; echo last; }} >&2",
    )
    host.set("limits", output_bytes=65536)
    host.start()
    assert host.submit_and_wait("warm", "health")["success"]
    before = host.memory_peak_kib()
    answer = host.submit_and_wait("one", "update")
    assert answer["success"]
    for stream in (answer["output"], answer["error"]):
        assert stream.startswith("first\n")
        assert "last\n" in stream[-100:]
        assert len(stream) < 65536 + 1000
    assert host.memory_peak_kib() - before < 10 * 1024
    kept = [path for path in (host.state / "runs" / "one").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) > 2 * 64 * MIB, "the complete log is kept"


def test_binary_output_becomes_valid_text(host):
    """Bytes that are not UTF-8 are replaced; the answer stays valid JSON."""
    host.component("core", {"update.sh": r"printf 'a\xff\xfeb\x00c\x1b[31m\xc3\xa9\n'"})
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert answer["success"]
    assert answer["output"].startswith("a\ufffd")
    assert "é" in answer["output"]


def test_printed_answer_has_no_effect(host):
    """Output that looks like an answer decides nothing; malformed phases and percentages are ignored."""
    host.component(
        "core", {"update.sh": "echo PROGRESS:900; echo PROGRESS:x; echo PHASE:; echo '{\"success\": true}'; exit 1"}
    )
    host.start()
    answer = host.submit_and_wait("one", "update")
    assert (answer["success"], answer["reason"]) == (False, "script_failed")
    wait_until(lambda: host.progress("one") is None, "progress to be removed")
