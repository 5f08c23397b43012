"""Scripts that must not be run, and scripts that end badly."""

from __future__ import annotations

import os
import re

import pytest

from tests.support.real_host import until

MIB = 1024 * 1024
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")


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


def _open_folder(directory):
    directory.chmod(0o777)


def _open_parent(directory):
    directory.parent.chmod(0o777)


def _given_away(directory):
    os.chown(directory / "update.sh", 12345, 12345)


def _folder_given_away(directory):
    os.chown(directory, 12345, 12345)


def _link_to_open_folder(directory):
    outside = directory.parent.parent / "open"
    outside.mkdir()
    outside.chmod(0o777)
    (directory / "update.sh").rename(outside / "update.sh")
    (directory / "update.sh").symlink_to(outside / "update.sh")


@pytest.mark.parametrize(
    ("spoil", "reason", "named"),
    [
        (_missing, "script_missing", "update.sh"),
        (_missing_check, "script_missing", "health-check.sh"),
        (_missing_rollback, "script_missing", "rollback.sh"),
        (_missing_directory, "script_missing", "core"),
        (_a_directory, "script_missing", "update.sh"),
        (_not_executable, "script_unsafe", "update.sh"),
        (_group_writable, "script_unsafe", "update.sh"),
        (_world_writable, "script_unsafe", "rollback.sh"),
        (_open_folder, "script_unsafe", "core"),
        (_open_parent, "script_unsafe", "components"),
        pytest.param(_given_away, "script_unsafe", "update.sh", marks=as_root),
        pytest.param(_folder_given_away, "script_unsafe", "core", marks=as_root),
        (_link_to_open_folder, "script_unsafe", "open"),
    ],
)
def test_a_script_that_cannot_be_trusted_is_not_run(host, spoil, reason, named):
    """A missing script, or one that others could have written, is refused by path and remedy; nothing runs."""
    directory = host.component("core")
    host.start()
    spoil(directory)
    answer = host.settle("one", "update")
    assert (answer["success"], answer["state"], answer["reason"]) == (False, "failed", reason)
    assert re.search(rf"{re.escape(str(host.root))}\S*\b{re.escape(named)}\b", answer["message"])
    assert re.search(r"chmod|chown|install|put the script|check the path", answer["message"])
    assert answer["attempts"] == []
    assert host.runs() == []


def test_a_mended_script_is_run_without_a_restart(host):
    """Once the operator has followed the remedy, the next request runs."""
    directory = host.component("core")
    _not_executable(directory)
    host.start()
    assert host.settle("one", "update")["reason"] == "script_unsafe"
    (directory / "update.sh").chmod(0o755)
    assert host.settle("two", "update")["success"]


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
def test_the_true_end_of_a_script_is_told(host, script, code, words):
    """An exit code, or the signal that killed the script, is in the answer and its message."""
    host.component("core", {"update.sh": script}, on_failure="none")
    host.start()
    answer = host.settle("one", "update")
    assert (answer["state"], answer["reason"], answer["exit_code"]) == ("failed", "script_failed", code)
    assert words in answer["message"]
    assert answer["attempts"][0]["exit_code"] == code


def test_nothing_survives_a_timeout(host):
    """At its limit a script is ended with all it started: what ignores TERM, left its session, or lost its parent."""
    stubborn = "trap '' TERM; echo \\$BASHPID >> pids; while :; do sleep 0.1; done"
    directory = host.component(
        "core",
        {
            "update.sh": "trap '' TERM\n"
            f'setsid bash -c "{stubborn}" &\n'
            f'( setsid bash -c "{stubborn}" & )\n'
            f'setsid --fork env -i bash -c "{stubborn}"\n'
            "until [ $(wc -l < pids) = 3 ]; do sleep 0.02; done 2> /dev/null\n"
            "echo all there\nwhile :; do sleep 0.1; done"
        },
        on_failure="none",
        timeout_s=5,  # a busy machine takes its time until all of them are there
        kill_grace_s=0.3,
    )
    host.start()
    answer = host.settle("one", "update")
    assert (answer["state"], answer["reason"]) == ("failed", "timeout")
    assert answer["output"] == "all there\n"
    assert len((directory / "pids").read_text().split()) == 3
    assert host.script_processes() == []
    assert host.settle("two", "health")["success"]


def test_a_polite_script_may_clean_up_at_its_limit(host):
    """At its limit a script first gets TERM, and the grace to act on it."""
    host.component(
        "core",
        {"update.sh": "trap 'echo cleaned up; exit 0' TERM; while :; do sleep 0.05; done"},
        timeout_s=3,  # time to begin, on a busy machine too
        kill_grace_s=20,
        on_failure="none",
    )
    host.start()
    answer = host.settle("one", "update")
    assert (answer["success"], answer["reason"], answer["output"]) == (False, "timeout", "cleaned up\n")


def test_a_timed_out_update_is_rolled_back(host):
    """An update that runs too long is ended, then undone."""
    host.component("core", {"update.sh": "sleep 1000"}, timeout_s=5)  # its rollback has no more time, either
    host.start()
    answer = host.settle("one", "update")
    assert (answer["state"], answer["reason"]) == ("rolled_back", "timeout")
    assert host.runs("one") == ["update.sh", "rollback.sh", "health-check.sh"]


def test_a_child_that_holds_the_pipes_delays_no_answer(host):
    """A background child that keeps stdout open does not keep the answer from coming."""
    directory = host.component("core", {"update.sh": "sleep 1000 &\necho $! > child; echo done"})
    host.start()
    answer = host.settle("one", "update")
    assert (answer["success"], answer["output"]) == (True, "done\n")
    assert host.settle("two", "health")["success"]
    assert (directory / "child").exists()


@pytest.mark.parametrize("lines", [True, False])
def test_much_output_costs_no_memory(host, lines):
    """64 MiB on each stream leave the coordinator's memory where it was; the answer holds both ends."""
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
    assert host.settle("warm", "health")["success"]
    before = host.memory_peak_kib()
    answer = host.settle("one", "update")
    assert answer["success"]
    for stream in (answer["output"], answer["error"]):
        assert stream.startswith("first\n")
        assert "last\n" in stream[-100:]
        assert len(stream) < 65536 + 1000
    assert host.memory_peak_kib() - before < 10 * 1024
    kept = [path for path in (host.state / "runs" / "one").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) > 2 * 64 * MIB, "the complete log is kept"


def test_binary_output_is_readable_text(host):
    """Bytes that are no UTF-8 are replaced; the answer stays JSON, and keeps what can be read."""
    host.component("core", {"update.sh": r"printf 'a\xff\xfeb\x00c\x1b[31m\xc3\xa9\n'"})
    host.start()
    answer = host.settle("one", "update")
    assert answer["success"]
    assert answer["output"].startswith("a\ufffd")
    assert "é" in answer["output"]


def test_a_script_that_writes_a_fake_answer_changes_nothing(host):
    """What a script prints decides nothing: malformed phases and percentages are passed over."""
    host.component(
        "core", {"update.sh": "echo PROGRESS:900; echo PROGRESS:x; echo PHASE:; echo '{\"success\": true}'; exit 1"}
    )
    host.start()
    answer = host.settle("one", "update")
    assert (answer["success"], answer["reason"]) == (False, "script_failed")
    until(lambda: host.progress("one") is None, "progress to go")
