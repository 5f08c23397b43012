"""Which modules the coordinator's process imports, and when."""

from __future__ import annotations


def test_coordinator_imports_nothing_after_ready(host):
    """A module that cannot be read fails the start (ADR 016), not a later request."""
    host.component(scripts={"update.sh": "exit 1"})
    host.environment["PYTHONPROFILEIMPORTTIME"] = "1"  # the interpreter prints each import as it finishes
    host.start()
    for request in (("bad", "update", "core", "latest"), ("failing", "update", "core", "1.2.3"), ("asked", "health")):
        host.answer(host.submit(*request))
    host.drop("torn.json", b'{"component": ')
    host.answer("torn")
    assert host.stop() == 0
    before, _, after = host.log().partition(" ready")
    assert "import time:" in before
    assert [line for line in after.splitlines() if line.startswith("import time:")] == []
