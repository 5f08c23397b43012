"""Version source ``itself``: the version of the running program."""

from importlib import metadata

import pytest

from remote.installed.sources import self_version
from remote.installed.sources.self_version import DISTRIBUTION, VARIABLE, own_version, read
from remote.installed.version_source import VersionUnknownError
from remote.settings import ComponentSettings

OURS = ComponentSettings(repository="dunebugger-remote", installed="itself")


@pytest.fixture(autouse=True)
def _no_image(monkeypatch):
    """The image's variable is not set."""
    monkeypatch.delenv(VARIABLE, raising=False)


def install_package(monkeypatch, version):
    """Make ``importlib.metadata`` report this version; None for a package that is not installed."""

    def version_of(name):
        assert name == DISTRIBUTION
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(self_version.metadata, "version", version_of)


def test_self_version_is_the_package_version(monkeypatch):
    """Without the image's variable, the installed package decides."""
    install_package(monkeypatch, "0.1.0")
    assert (own_version(), read(OURS)) == ("0.1.0", "0.1.0")


def test_self_version_prefers_the_image_variable(monkeypatch):
    """The image's variable takes precedence over the package."""
    install_package(monkeypatch, "0.1.0")
    monkeypatch.setenv(VARIABLE, "v1.2.3")
    assert (own_version(), read(OURS)) == ("1.2.3", "1.2.3")


def test_self_version_ignores_an_empty_variable(monkeypatch):
    """An image built without a version has an empty variable."""
    install_package(monkeypatch, "0.1.0")
    monkeypatch.setenv(VARIABLE, "")
    assert own_version() == "0.1.0"


def test_self_version_reports_a_missing_package(monkeypatch):
    """With neither, the error names the remedy."""
    install_package(monkeypatch, None)
    with pytest.raises(
        VersionUnknownError, match=f"version of dunebugger-remote: {VARIABLE} is not set, and {DISTRIBUTION} is not"
    ):
        own_version()


@pytest.mark.parametrize(("variable", "package"), [("main", "0.1.0"), ("", "1.0rc1")])
def test_self_version_reports_text_that_is_not_a_version(monkeypatch, variable, package):
    """The version rule applies to the variable and to the package."""
    install_package(monkeypatch, package)
    monkeypatch.setenv(VARIABLE, variable)
    with pytest.raises(VersionUnknownError, match=rf"{VARIABLE}.*|'{package}', which is not SemVer"):
        own_version()
