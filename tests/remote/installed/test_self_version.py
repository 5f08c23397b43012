"""The version of the program itself."""

from importlib import metadata

import pytest

from remote.installed.errors import VersionUnknownError
from remote.installed.sources import self_version as itself
from remote.installed.sources.self_version import DISTRIBUTION, VARIABLE, own_version, read
from remote.settings import Component

OURS = Component(repository="dunebugger-remote", installed="itself")


@pytest.fixture(autouse=True)
def _no_image(monkeypatch):
    """No image's build has said a version."""
    monkeypatch.delenv(VARIABLE, raising=False)


def packaged(monkeypatch, version):
    """Let the installed package have that version; None when it is not installed."""

    def answer(name):
        assert name == DISTRIBUTION
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(itself.metadata, "version", answer)


def test_the_package_tells_it(monkeypatch):
    """Where no image says otherwise, it is the version of the installed package."""
    packaged(monkeypatch, "0.1.0")
    assert (own_version(), read(OURS)) == ("0.1.0", "0.1.0")


def test_the_image_has_the_last_word(monkeypatch):
    """What the image's build says counts before the package."""
    packaged(monkeypatch, "0.1.0")
    monkeypatch.setenv(VARIABLE, "v1.2.3")
    assert (own_version(), read(OURS)) == ("1.2.3", "1.2.3")


def test_an_empty_variable_says_nothing(monkeypatch):
    """A build without a version leaves an empty variable."""
    packaged(monkeypatch, "0.1.0")
    monkeypatch.setenv(VARIABLE, "")
    assert own_version() == "0.1.0"


def test_nothing_says_it(monkeypatch):
    """Where neither is there, the message says what to do."""
    packaged(monkeypatch, None)
    with pytest.raises(
        VersionUnknownError, match=f"version of dunebugger-remote .*{VARIABLE} is not set, and {DISTRIBUTION} is not"
    ):
        own_version()


@pytest.mark.parametrize(("variable", "package"), [("main", "0.1.0"), ("", "1.0rc1")])
def test_what_is_no_version_is_told(monkeypatch, variable, package):
    """What is not SemVer is an error, wherever it stands."""
    packaged(monkeypatch, package)
    monkeypatch.setenv(VARIABLE, variable)
    with pytest.raises(VersionUnknownError, match=rf"{VARIABLE}.*|'{package}', which is not SemVer"):
        own_version()
