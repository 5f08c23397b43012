"""Configuration of the container side: accepted values and error messages."""

import pytest

from remote.errors import RemoteConfigurationError
from remote.installed.sources import SOURCES
from remote.installed.version_source import VersionSource
from remote.installed.versions import VersionReader
from remote.settings import Server, load_settings, read_secret

SECTION = '[components.core]\nrepository = "dunebugger"\n'


@pytest.fixture
def configured(tmp_path):
    """Load a configuration with one component and additional lines."""

    def load(*lines):
        path = tmp_path / "remote.toml"
        path.write_text(SECTION + "\n".join(lines))
        return load_settings(path)

    return load


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['installed = "guess"'], f"must be one of {', '.join(SOURCES)}"),
        (['installed = "version_file"'], 'installed = "version_file" needs path, the file to read'),
        (['installed = "compose_file"', 'service = "core"'], 'installed = "compose_file" needs path, the file to read'),
        (['installed = "compose_file"', 'path = "/c.yml"'], "needs service, its name in that file"),
        ([], "installed"),
    ],
)
def test_settings_reject_a_source_without_the_keys_it_needs(configured, lines, message):
    """The configuration is rejected at startup, not at the first refresh."""
    with pytest.raises(RemoteConfigurationError, match=message) as rejection:
        configured(*lines)
    assert "components.core" in str(rejection.value)


def test_settings_accept_a_registered_source(configured, monkeypatch):
    """An entry in the registry suffices: its name is accepted, its keys are required, and its source is read."""
    source = VersionSource(
        needs={"service": "name@version"}, read=lambda component: component.service.partition("@")[2]
    )
    monkeypatch.setitem(SOURCES, "in_the_name", source)
    with pytest.raises(RemoteConfigurationError, match='installed = "in_the_name" needs service, name@version'):
        configured('installed = "in_the_name"')
    versions = VersionReader(configured('installed = "in_the_name"', 'service = "core@1.2.3"').components)
    versions.refresh()
    assert versions.of("core").version == "1.2.3"


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("0.0.0.0", "127.0.0.1:80"),
        ("::", "[::1]:80"),
        ("", "127.0.0.1:80"),
        ("fd00::7", "[fd00::7]:80"),
        ("dune.local", "dune.local:80"),
    ],
)
def test_server_authority_is_reachable_from_the_same_machine(host, authority):
    """The authority is loopback if the server listens on every address; IPv6 addresses have brackets (RFC 3986)."""
    assert Server(host=host, port=80).authority == authority


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"one\ntwo", "schlüssel".encode(), b"\xff", b"bell\x07"])
def test_read_secret_accepts_one_printable_word_only(tmp_path, content):
    """Other content would corrupt the HTTP header that carries the token."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(RemoteConfigurationError, match=r"the access token"):
        read_secret(path, "the access token")
    path.write_bytes(b"correct-horse\n")
    assert read_secret(path, "the access token") == "correct-horse"
