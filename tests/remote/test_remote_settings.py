"""What the configuration of the container side may say, and what it says when it may not."""

import importlib

import pytest

from remote.errors import ConfigurationError
from remote.installed import loading
from remote.installed.versions import Versions
from remote.settings import Server, load_settings, read_secret

SECTION = '[components.core]\nrepository = "dunebugger"\n'


@pytest.fixture
def configured(tmp_path):
    """Loads a configuration that holds one component, with these lines."""

    def load(*lines):
        path = tmp_path / "remote.toml"
        path.write_text(SECTION + "\n".join(lines))
        return load_settings(path)

    return load


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['installed = "guess"'], "must be one of compose_file, itself, version_file"),
        (['installed = "version_file"'], 'installed = "version_file" needs path, the file to read'),
        (['installed = "compose_file"', 'service = "core"'], 'installed = "compose_file" needs path, the file to read'),
        (['installed = "compose_file"', 'path = "/c.yml"'], "needs service, its name in that file"),
        ([], "installed"),
    ],
)
def test_remote_settings_reject_a_source_that_cannot_work(configured, lines, words):
    """At the start, and not at the first look."""
    with pytest.raises(ConfigurationError, match=words) as refusal:
        configured(*lines)
    assert "components.core" in str(refusal.value)


def test_a_file_is_all_that_a_new_source_needs(configured, tmp_path, monkeypatch):
    """Its name can be configured, what it needs is asked for, and it is read."""
    folder = tmp_path / "more_kinds"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "in_the_name.py").write_text(
        'NEEDS = ("service",)\n\n\ndef read(component):\n    return component.service.partition("@")[2]\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(loading, "kinds", importlib.import_module("more_kinds"))
    with pytest.raises(ConfigurationError, match='installed = "in_the_name" needs service'):
        configured('installed = "in_the_name"')
    versions = Versions(configured('installed = "in_the_name"', 'service = "core@1.2.3"'))
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
def test_remote_settings_authority_is_reachable_from_the_same_host(host, authority):
    """Where one listens everywhere, on loopback; and IPv6 as URLs have it."""
    assert Server(host=host, port=80).authority == authority


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"one\ntwo", "schlüssel".encode(), b"\xff", b"bell\x07"])
def test_remote_settings_accept_one_printable_word_as_a_secret(tmp_path, content):
    """Anything else would end in a header as something that nobody meant."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"the access token"):
        read_secret(path, "the access token")
    path.write_bytes(b"correct-horse\n")
    assert read_secret(path, "the access token") == "correct-horse"
