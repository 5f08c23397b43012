"""What is remembered of the releases, and what is better forgotten."""

import errno
import json

import github_faults as faults
import pytest
from release_fixture import ALL_ONE, COMPONENTS, log, versions

from remote.releases import catalogue as catalogue_module
from remote.releases.catalogue import Known

pytestmark = pytest.mark.usefixtures("published")


def test_good_answers_outlive_the_process(stage):
    """The next process knows the last good answers and when they came, without asking."""
    known = stage.refresh()
    stage.server.close()
    assert stage.recall() == known


def test_failures_do_not_outlive_the_process(server, stage):
    """The next process knows the last good answers, not why there was none newer."""
    known = stage.refresh()
    server.misbehave(faults.refusal(404), times=3)
    stage.refresh(force=True)
    assert stage.recall() == known


@pytest.mark.parametrize("change", [{"account": "other"}, {"api": "http://localhost:9"}, {"prereleases": True}])
def test_answers_to_other_questions_are_not_remembered(stage, change):
    """When the configuration asks for something else now, the old answers are none."""
    stage.refresh()
    stage.settings |= change
    assert stage.recall() == dict.fromkeys(COMPONENTS, Known())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"components": {"one": 1}}', b'{"other": 1}'])
def test_a_torn_file_is_told_and_replaced(stage, content):
    """A file that holds something else is told; all is asked for anew, and the next process knows it."""
    file = stage.state / "releases.json"
    file.write_bytes(content)
    with log() as lines:
        known = stage.refresh()
    assert lines == [f"cannot read the releases remembered in {file}: it holds something else; asking anew"]
    assert versions(known) == ALL_ONE
    assert stage.recall() == known


def test_components_of_the_past_are_forgotten(stage):
    """What is remembered of a component that is configured no more is passed over."""
    stage.refresh()
    file = stage.state / "releases.json"
    content = json.loads(file.read_bytes())
    content["components"]["gone"] = content["components"]["one"]
    file.write_text(json.dumps(content))
    assert versions(stage.recall()) == ALL_ONE


def test_answers_count_where_they_cannot_be_kept(stage, monkeypatch):
    """With a full disk the answers are known all the same, and that they will be forgotten is told."""

    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(catalogue_module, "write_atomic", refuse)
    with log() as lines:
        assert versions(stage.refresh()) == ALL_ONE
    assert lines == [f"cannot remember the releases in {stage.state}/releases.json: No space left on device"]


def test_answers_are_written_one_at_a_time(stage, monkeypatch):
    """A thread that a cancelled refresh left writing is waited for by the next one's: they would share a file."""
    held = []

    async def walk(catalogue):
        monkeypatch.setattr(
            catalogue_module, "write_atomic", lambda *_arguments: held.append(catalogue._one_write.locked())
        )
        await catalogue.refresh(force=True)

    stage.run(walk)
    assert held == [True]
