"""The processes of a run, found in /proc."""

from __future__ import annotations

from executors import processes
from executors.processes import Process


def test_is_below_shell_ends_although_parents_form_a_circle(monkeypatch):
    """A pid that is reused while /proc is read can close a circle; the search is bounded (I16)."""
    monkeypatch.setattr(processes, "runs_folder_of", lambda pid: "/runs" if pid == 40 else None)
    table = {
        pid: Process(pid, parent, session=1, start_ticks=1) for pid, parent in {10: 20, 20: 10, 30: 40, 40: 1}.items()
    }
    assert not processes._is_below_shell(table[10], table)
    assert processes._is_below_shell(table[30], table)
