"""The configuration: strict about every key, with errors that name the remedy."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from coordinator import settings as settings_module
from coordinator.errors import ConfigurationError
from coordinator.settings import Settings, load_settings

EXAMPLE = Path(__file__).parents[2] / "packaging" / "update-coordinator.example.toml"


@pytest.fixture
def load(tmp_path):
    """A function that loads a configuration from its text."""

    def load_text(text):
        path = tmp_path / "c.toml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path)

    return load_text


@pytest.fixture
def error_of(load):
    """A function that returns the error message of an invalid configuration."""

    def load_invalid(text):
        with pytest.raises(ConfigurationError) as error:
            load(text)
        return str(error.value)

    return load_invalid


def component(name="core", **values):
    """The section of a component, with ``values`` as TOML text."""
    lines = {"directory": f'"/opt/{name}"'} | values
    return f"[components.{name}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())


def test_settings_have_defaults_without_a_file(monkeypatch, tmp_path):
    """Without any file the components and limits of docs/requirements.md, sections 2.3 and 7, apply."""
    monkeypatch.setattr(settings_module, "DEFAULT_PATH", tmp_path / "none.toml")
    settings = load_settings(None)
    assert {name: (str(c.directory), c.lock) for name, c in settings.components.items()} == {
        "core": ("/opt/dunebugger/core", None),
        "scheduler": ("/opt/dunebugger/scheduler", "compose"),
        "remote": ("/opt/dunebugger/remote", "compose"),
    }
    assert settings.limits.request_bytes == 65536
    assert settings.limits.output_bytes == 262144
    assert (settings.limits.status_retention_days, settings.limits.history_days) == (7, 365)
    assert settings.limits.logs_bytes == 1024**3
    assert settings.execution.executor == "sh"
    assert str(settings.paths.requests) == "/var/dunebugger/updates/requests"
    assert str(settings.paths.status) == "/var/dunebugger/updates/status"
    assert {(c.timeout_s, c.kill_grace_s, c.verify_health) for c in settings.components.values()} == {(600, 10, True)}
    assert {(c.on_failure, c.on_interruption) for c in settings.components.values()} == {("rollback", "rollback")}


def test_settings_come_from_the_installed_file_by_default(monkeypatch, tmp_path):
    """With no file given, the installed one applies."""
    monkeypatch.setattr(settings_module, "DEFAULT_PATH", tmp_path / "installed.toml")
    (tmp_path / "installed.toml").write_text(component("web"))
    assert set(load_settings(None).components) == {"web"}


def test_settings_of_an_empty_file_are_the_defaults(load):
    """Every key is optional."""
    assert load("") == Settings()


def test_example_file_contains_the_defaults():
    """The example file sets every key to its default, as its comment says."""
    example = load_settings(EXAMPLE)
    own_locks = {
        name: c.model_copy(update={"lock": None}) if c.lock == name else c for name, c in example.components.items()
    }
    assert example.model_copy(update={"components": own_locks}) == Settings()


def test_example_file_contains_every_key():
    """No key is missing from the example file."""
    example = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert set(example) == set(Settings.model_fields)
    for section in ("paths", "limits", "execution"):
        assert set(example[section]) == set(type(getattr(Settings(), section)).model_fields)
    assert set(example["components"]["core"]) == set(settings_module.Component.model_fields)


def test_settings_of_the_file_replace_the_defaults(load):
    """The file replaces the defaults section by section; its components replace all three."""
    settings = load('[limits]\nrequest_bytes = 2048\n[paths]\nstate = "/srv/s"\n' + component(timeout_s="1.5"))
    assert (settings.limits.request_bytes, settings.limits.output_bytes) == (2048, 262144)
    assert settings.paths.state == Path("/srv/s")
    assert {name: c.timeout_s for name, c in settings.components.items()} == {"core": 1.5}


@pytest.mark.parametrize(
    ("text", "line", "key", "nearest"),
    [
        ("[path]\n", 1, "path", "paths"),
        ('\n\nlimit = "x"\n', 3, "limit", "limits"),
        ("[execution]\n\n[component.core]\n", 3, "component", "components"),
        ('[paths]\nrequest = "/x"\n', 2, "paths.request", "requests"),
        ("# [limits]\n[limits]\n# a\noutput_byte = 1\n", 4, "limits.output_byte", "output_bytes"),
        ('[limits]\n"historydays" = 1\n', 2, "limits.historydays", "history_days"),
        ("limits.historydays = 1\n", 1, "limits.historydays", "history_days"),
        ('[execution]\nexecuter = "sh"\n', 2, "execution.executer", "executor"),
        (component(timeout="5"), 3, "components.core.timeout", "timeout_s"),
        (component("a") + component("b", on_fail='"none"'), 5, "components.b.on_fail", "on_failure"),
        (component(Lock='"x"'), 3, "components.core.Lock", "lock"),
    ],
)
def test_settings_reject_unknown_keys(error_of, text, line, key, nearest):
    """At each level the error has the file, the line, the key, and the nearest known key."""
    message = error_of(text)
    assert re.search(rf"c\.toml:{line}: unknown key {re.escape(key)}; did you mean {nearest}\?$", message), message


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('[limits]\nrequest_bytes = "lots"\n', 2, "limits.request_bytes"),
        ('[limits]\nrequest_bytes = "65536"\n', 2, "limits.request_bytes"),
        ("[limits]\nrequest_bytes = 1.5\n", 2, "limits.request_bytes"),
        ("[limits]\nrequest_bytes = []\n", 2, "limits.request_bytes"),
        ("[limits]\nrequest_bytes = 0\n", 2, "limits.request_bytes"),
        ("[limits]\nrequest_bytes = 17000000\n", 2, "limits.request_bytes"),
        ("[limits]\nhistory_days = -1\n", 2, "limits.history_days"),
        ("[limits]\nhistory_days = nan\n", 2, "limits.history_days"),
        ("[limits]\nlogs_bytes = 0\n", 2, "limits.logs_bytes"),
        ("[limits]\nlogs_bytes = 1e9\n", 2, "limits.logs_bytes"),
        ("[limits]\nstatus_retention_days = 0\n", 2, "limits.status_retention_days"),
        ("[execution]\nstop_timeout_s = -1\n", 2, "execution.stop_timeout_s"),
        ("[execution]\nexecutor = 1\n", 2, "execution.executor"),
        ('[execution]\nexecutor = "os.system"\n', 2, "execution.executor"),
        ("[paths]\nrequests = 1\n", 2, "paths.requests"),
        (component(timeout_s="true"), 3, "components.core.timeout_s"),
        (component(timeout_s='"600"'), 3, "components.core.timeout_s"),
        (component(timeout_s="0"), 3, "components.core.timeout_s"),
        (component(kill_grace_s="-1"), 3, "components.core.kill_grace_s"),
        (component(verify_health='"maybe"'), 3, "components.core.verify_health"),
        (component(verify_health='"yes"'), 3, "components.core.verify_health"),
        (component(verify_health="1"), 3, "components.core.verify_health"),
        (component(on_failure='"retry"'), 3, "components.core.on_failure"),
        (component(on_interruption='"none"'), 3, "components.core.on_interruption"),
        (component(lock='""'), 3, "components.core.lock"),
        (component(lock="1"), 3, "components.core.lock"),
    ],
)
def test_settings_reject_invalid_values(error_of, text, line, key):
    """The error for a wrong type, or a value out of range, has the file, the line and the key."""
    message = error_of(text)
    assert re.search(rf"^cannot use the configuration: \S*c\.toml:{line}: {re.escape(key)}: \S", message), message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[paths]\nstate = "var/state"\n', "paths.state"),
        ('[paths]\nstatus = ""\n', "paths.status"),
        ('[paths]\nlog_file = "./log"\n', "paths.log_file"),
        (component(directory='"opt/core"'), "components.core.directory"),
        (component(directory='"~/core"'), "components.core.directory"),
    ],
)
def test_settings_reject_relative_paths(error_of, text, key):
    """A path must not depend on where the coordinator was started."""
    assert error_of(text).endswith(f"c.toml:2: {key}: must be an absolute path")


def test_settings_reject_control_characters_in_paths(error_of):
    """Such a path could forge a line of a log."""
    assert "must not hold control characters" in error_of('[paths]\nstate = "/a\\nb"\n')


@pytest.mark.parametrize(
    "second",
    ["/opt/core", "/opt/core/", "/opt/./core", "/opt/other/../core", "/opt//core", "/../opt/core", "//opt/core"],
)
def test_settings_reject_a_directory_of_two_components(error_of, second):
    """However the directory is written, the error names both components and the remedy."""
    message = error_of(component("core") + component("web", directory=f'"{second}"'))
    assert "components.web.directory: " in message
    assert "is the directory of components.core already; give each component a directory of its own" in message


@pytest.mark.parametrize("name", ['""', '"a/b"', '".."', '"a b"', '"a\\n"', '"' + "a" * 65 + '"'])
def test_settings_reject_unsafe_component_names(error_of, name):
    """The name of a component is safe as a path and in a log."""
    assert "a component's name is 1 to 64 of" in error_of(f'[components.{name}]\ndirectory = "/opt/x"\n')


def test_settings_reject_a_component_without_directory(error_of):
    """The error names the key."""
    assert "components.core.directory: Field required" in error_of("[components.core]\n")


def test_settings_report_every_error_at_once(error_of):
    """Each error has a line of its own."""
    message = error_of('[paths]\nstate = "x"\n[limits]\nrequest_byte = 1\n' + component(timeout_s="0"))
    assert [line.split(":")[2] for line in message.splitlines()] == ["2", "4", "7"]


@pytest.mark.parametrize(
    "content", [b"[paths\n", b"a = \n", b"\xff\xfe", b"[paths]\n[paths]\n", b"a = 1\na = 2\n", b"{}"]
)
def test_settings_reject_a_file_that_is_not_toml(tmp_path, content):
    """The error names the file."""
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^cannot read the configuration {re.escape(str(path))}: "):
        load_settings(path)


@pytest.mark.parametrize("name", ["gone.toml", "."])
def test_settings_reject_an_unreadable_file(tmp_path, name):
    """A named file that is missing, or is a folder, is an error, not a reason to use the defaults."""
    with pytest.raises(ConfigurationError, match=r"cannot read the configuration .*: (No such file|Is a directory)"):
        load_settings(tmp_path / name)


def test_each_lock_has_one_lane():
    """Components of one lock share a lane; a component without one has a lane of its own name (I10)."""
    settings = Settings()
    assert settings.lanes == {"core": {"core"}, "compose": {"scheduler", "remote"}}
    assert {name: settings.lane_of(name) for name in settings.components} == {
        "core": "core",
        "scheduler": "compose",
        "remote": "compose",
    }


def test_lock_may_have_the_name_of_a_component(load):
    """It is then the lock of that component, too (I10)."""
    settings = load(component("core") + component("web", lock='"core"'))
    assert settings.lanes == {"core": {"core", "web"}}


def test_settings_are_immutable():
    """No value can be assigned after the file was read."""
    with pytest.raises(ValidationError):
        Settings().limits.request_bytes = 1
