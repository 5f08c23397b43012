"""Configuration parser of both sides: TOML into a frozen model; an unknown key is an error.

Errors are for operators: each names file, line where possible, key, and for an unknown key the nearest known one.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from protocol.types import ProtocolError

_Model = TypeVar("_Model", bound=BaseModel)


def _absolute(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.startswith("/"):
        raise ValueError("must be an absolute path")
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return Path(f"/{os.path.normpath(value).lstrip('/')}")


AbsolutePath = Annotated[Path, BeforeValidator(_absolute)]


class Section(BaseModel):
    """A table of the file, or the whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ConfigurationInvalidError(ProtocolError):
    """The text is not TOML, or not this configuration. The operator has to fix it."""


def parse(model: type[_Model], path: Path, content: bytes) -> _Model:
    """Read a configuration file's content.

    Args:
        model: the model.
        path: where it comes from, for error messages.
        content: the whole content.

    Raises:
        ConfigurationInvalidError: not TOML, an unknown key or a wrong value; one line per error.
        OSError: a validator needed the disk, which could not be read this time.
    """
    try:
        text = content.decode()
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalidError(f"cannot read the configuration {path}: {error}") from None
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [
            _error_line(model, path, text, [str(part) for part in each["loc"]], each["type"], each["msg"])
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise ConfigurationInvalidError("\n".join(lines)) from None


def _error_line(model: type[BaseModel], path: Path, text: str, keys: list[str], kind: str, message: str) -> str:
    line = _line_of(text, keys) or _line_of(text, keys[:-1])
    place = f"{path}:{line}" if line else str(path)
    name = ".".join(keys)
    message = message.removeprefix("Value error, ")
    if kind != "extra_forbidden":
        return f"cannot use the configuration: {place}: {name}: {message}" if name else f"cannot use {place}: {message}"
    near = difflib.get_close_matches(keys[-1], _known_keys(model, keys[:-1]), n=1, cutoff=0.0)
    return f"cannot use the configuration: {place}: unknown key {name}; did you mean {near[0]}?"


def _known_keys(model: type[BaseModel], section: list[str]) -> list[str]:
    """The keys of the table ``section``; if the operator chooses its keys, the keys of each table in it."""
    kind: Any = model
    for key in section:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[key].annotation
        else:  # Mapping[str, kind]
            kind = get_args(kind)[1]
    return list(kind.model_fields)


def _line_of(text: str, keys: list[str]) -> int | None:
    """The line that most likely sets ``keys``: TOML's parser keeps no positions."""
    if not keys:
        return None
    header, section, best = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]"), "", None
    for number, line in enumerate(text.splitlines(), 1):
        if found := header.match(line):
            section = re.sub(r"[\s\"']", "", found[1])
            if best is None and f"{section}.".startswith(f"{'.'.join(keys)}."):
                best = number
        else:
            key = re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line)
            full = f"{section}.{key[1]}".strip(".").replace('"', "").replace("'", "") if key else None
            if full == ".".join(keys):
                return number
    return best
