"""The lock of a state folder."""

from __future__ import annotations

import fcntl
import threading

import pytest

from protocol import instance_lock
from protocol.instance_lock import InstanceLock, InstanceLockedError, is_locked


def test_instance_lock_rejects_a_second_holder(tmp_path):
    """The first holder keeps it, and the file names its process."""
    with InstanceLock(tmp_path / "lock"):
        assert is_locked(tmp_path / "lock")
        with pytest.raises(InstanceLockedError, match="another process holds it"):
            InstanceLock(tmp_path / "lock")
        assert is_locked(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")


def test_instance_lock_waits_for_a_look_at_the_lock(tmp_path, monkeypatch):
    """``is_locked`` holds a shared lock for a moment; a start at this moment must not fail."""
    tries = threading.Event()

    class Clock:
        def sleep(self, _seconds):
            tries.set()
            released.wait(60)

    monkeypatch.setattr(instance_lock, "SystemClock", Clock)
    released = threading.Event()
    with (tmp_path / "lock").open("w") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        threading.Thread(target=lambda: (tries.wait(60), look.close(), released.set())).start()
        InstanceLock(tmp_path / "lock").release()
    assert tries.is_set()
