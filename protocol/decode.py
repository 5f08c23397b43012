"""Decodes the bytes of a request file into a ``Request``, or raises an error with the reason in one sentence."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from typing import Any, NoReturn

from pydantic import ValidationError

from protocol.messages import Request
from protocol.names import REQUEST_ID_RULE, is_request_id, printable
from protocol.types import Action, ProtocolError

_REMEDY = "write a JSON object with component, action, version (for update), request_id and timestamp"


class RequestUnreadableError(ProtocolError):
    """The bytes are not JSON: malformed, or incomplete. The client's fault, or it is still writing."""


class RequestInvalidError(ProtocolError):
    """The bytes are JSON, but not a request of this contract. The client's fault."""


def decode_request(raw: bytes, stem: str) -> Request:
    """Read one request file's bytes.

    Args:
        raw: the whole content, already bounded by ``limits.request_bytes``.
        stem: the file's name without ``.json``, which ``request_id`` must equal.

    Raises:
        RequestUnreadableError: not JSON (yet).
        RequestInvalidError: JSON, but a field is missing, doubled or of the wrong kind; the message names it.
    """
    fields = _object(raw)
    try:
        request = Request.model_validate(fields)
    except ValidationError as error:
        raise RequestInvalidError(f"cannot accept the request: {format_validation_errors(error)}") from None
    if not is_request_id(request.request_id):
        raise RequestInvalidError(
            f"cannot accept the request: request_id {printable(request.request_id)} is unsafe; {REQUEST_ID_RULE}"
        )
    if request.request_id != stem:
        raise RequestInvalidError(
            f"cannot accept the request: request_id {printable(request.request_id)} differs from the file's name "
            f"{printable(stem)}; name the file <request_id>.json"
        )
    return request


def _object(raw: bytes) -> dict[str, Any]:
    try:
        # not "utf-8-sig": that codec is imported at first use, and a disk error then would disable it permanently
        text = raw.removeprefix(BOM_UTF8).decode()
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RequestInvalidError:
        raise
    except RecursionError:
        raise RequestInvalidError(f"cannot accept the request: it is nested too deeply; {_REMEDY}") from None
    except UnicodeDecodeError:
        raise RequestUnreadableError(f"cannot read the request: it is not UTF-8 text; {_REMEDY}") from None
    except json.JSONDecodeError as error:
        raise RequestUnreadableError(
            f"cannot read the request: invalid JSON at line {error.lineno}, column {error.colno}; {_REMEDY}"
        ) from None
    except ValueError:  # an integer of more digits than Python converts
        raise RequestInvalidError(f"cannot accept the request: it holds a number that is too long; {_REMEDY}") from None
    if not isinstance(value, dict):
        raise RequestInvalidError(f"cannot accept the request: it is not a JSON object; {_REMEDY}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject duplicate keys: two readers could see two requests in one file (RFC 8259, section 4)."""
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise RequestInvalidError(f"cannot accept the request: field {printable(key)} appears twice")
        fields[key] = value
    return fields


def _no_constant(name: str) -> NoReturn:
    raise RequestInvalidError(f"cannot accept the request: {name} is not JSON (RFC 8259, section 6)")


def format_validation_errors(error: ValidationError) -> str:
    """Each validation error with its field's name; never the input itself, which may be anything."""
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc'])}: {_error_text(each['type'], each['msg'])}"
        for each in error.errors(include_url=False, include_input=False)
    )


def _error_text(kind: str, text: str) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "enum":
        return f"is not one of {', '.join(Action)}"
    return text.removeprefix("Value error, ")
