"""The quarantine for files that cannot be answered."""

from __future__ import annotations

import os

from coordinator import quarantine as quarantine_module
from coordinator.quarantine import KEPT, Quarantine
from protocol.inbox import Inbox


def test_quarantine_removes_the_others_when_one_cannot_be_removed(tmp_path, monkeypatch):
    """Two of ``KEPT`` + 3 files can be removed; the one that cannot is left, and the new file was taken (I16)."""
    folder, requests = tmp_path / "quarantine", tmp_path / "requests"
    for made in (folder, requests):
        made.mkdir()
    for number in range(KEPT + 2):
        (folder / f"{number:03}").write_bytes(b"")
        os.utime(folder / f"{number:03}")
    remove = quarantine_module.remove_tree

    def failing(path):
        if path.name == "000":
            raise RecursionError("nested too deep")
        remove(path)

    monkeypatch.setattr(quarantine_module, "remove_tree", failing)
    (requests / "..json").write_text("{}")
    assert Quarantine(folder, Inbox(requests, 4096)).take("..json") is True
    names = {path.name for path in folder.iterdir()}
    assert len(names) == KEPT + 1
    assert "000" in names
    assert not {"001", "002"} & names
    assert list(requests.iterdir()) == []


def test_quarantine_reports_a_file_that_cannot_be_moved(tmp_path, monkeypatch):
    """Any error is reported: an exception would end the pass over the files after it (I16)."""
    inbox = Inbox(tmp_path, 4096)
    for error in (OSError(5, "I/O error"), RecursionError("nested too deep")):
        monkeypatch.setattr(inbox, "quarantine", lambda *_, error=error: (_ for _ in ()).throw(error))
        assert Quarantine(tmp_path / "quarantine", inbox).take("..json") is False
