"""What the coordinator's process loads, and when."""

from __future__ import annotations


def test_nothing_is_loaded_once_it_is_ready(host):
    """A module that a sick disk hides must keep the start back (ADR 010): later it is stumbled over for good."""
    host.component(scripts={"update.sh": "exit 1"})
    host.environment["PYTHONPROFILEIMPORTTIME"] = "1"  # the interpreter tells each import, when it is done
    host.start()
    for ask in (("bad", "update", "core", "latest"), ("failing", "update", "core", "1.2.3"), ("asked", "health")):
        host.answer(host.ask(*ask))
    host.drop("torn.json", b'{"component": ')
    host.answer("torn")
    assert host.stop() == 0
    before, _, after = host.log().partition(" ready")
    assert "import time:" in before
    assert [line for line in after.splitlines() if line.startswith("import time:")] == []
