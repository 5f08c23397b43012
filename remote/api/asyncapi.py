"""AsyncAPI document of the WebSocket, generated into ``docs/asyncapi.yaml``: ``python -m remote.api.asyncapi``."""

from __future__ import annotations

import io
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema
from ruamel.yaml import YAML

from remote.api.codec import HistoryBody, NamedActionBody, NoBody, RequestBody
from remote.api.handlers import SUBJECTS
from remote.events.bodies import OUTGOING
from remote.events.envelope import SOURCE, AnswerBody, EventBody, MessageBody

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
_COMMENT = "# Generated from remote/events/bodies.py and remote/api/handlers.py by: make schemas\n"
_REF = "#/components/schemas/{model}"
_SOURCE = "answers are addressed to it; controller is ignored"
_DESTINATION = "broadcast for events, else the source of the client's message"
_CHANNEL = (
    'Authentication: the header "Authorization: Bearer TOKEN", or, for browsers, the subprotocols "dunebugger" and '
    '"bearer.TOKEN" with the token as base64url without padding; the server selects "dunebugger". Rejected with HTTP '
    "401 (token), 403 (origin or host), 503 (too many clients). Close codes: 1008 too many messages, 1009 a message "
    "too large, 1013 a client that reads its messages too slowly."
)


def document() -> str:
    """The YAML text."""
    schemas = _schemas()
    messages = _incoming() | _outgoing()
    content = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "dunebugger-remote",
            "version": "1.0.0",
            "description": "The container side of the update coordinator: JSON text messages over one WebSocket.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "websocket": {
                "address": "/ws",
                "description": _CHANNEL,
                "bindings": {
                    "ws": {
                        "query": {
                            "type": "object",
                            "properties": {
                                "since": {
                                    "type": "integer",
                                    "description": "The last seq that the client received; all later events are sent "
                                    "again first.",
                                }
                            },
                        }
                    }
                },
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "receiveCommand": _operation("receive", SUBJECTS),
            "sendMessage": _operation("send", _outgoing()),
        },
        "components": {"messages": messages, "schemas": schemas},
    }
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 120
    yaml.dump(content, text)
    return _COMMENT + text.getvalue()


def _operation(action: str, subjects: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/websocket"},
        "messages": [{"$ref": f"#/channels/websocket/messages/{subject}"} for subject in subjects],
    }


def _schemas() -> dict[str, Any]:
    """JSON Schemas of all bodies and their parts: in validation mode for incoming ones, else in serialization mode."""
    bodies = {subject.body for subject in SUBJECTS.values()} - {NoBody}
    inputs = [(body, "validation") for body in sorted(bodies, key=lambda body: body.__name__)]
    outputs = [(body, "serialization") for body in OUTGOING]
    _, definitions = models_json_schema([*inputs, *outputs], ref_template=_REF)  # type: ignore[list-item]
    schemas: dict[str, Any] = definitions["$defs"]
    schemas[HistoryBody.__name__]["properties"]["component"].pop("default")  # "" is no name: it means all components
    return schemas


def _incoming() -> dict[str, Any]:
    return {
        name: {"summary": subject.summary, "payload": _incoming_payload(name, subject.body)}
        for name, subject in SUBJECTS.items()
    }


def _incoming_payload(name: str, body: type[RequestBody]) -> dict[str, Any]:
    properties: dict[str, Any] = {"subject": {"const": name}}
    if body is not NoBody:
        properties["body"] = {"oneOf": [{"$ref": _REF.format(model=body.__name__)}, *_alternatives(body)]}
    properties |= {
        "source": {
            "type": "string",
            "default": "client",
            "description": _SOURCE,
        },
        "destination": {"type": "string", "default": SOURCE},
    }
    needs_body = body is not NoBody and not _may_be_empty(body)
    return {"type": "object", "required": ["subject", *(["body"] if needs_body else [])], "properties": properties}


def _may_be_empty(body: type[RequestBody]) -> bool:
    return not any(field.is_required() for field in body.model_fields.values())


def _alternatives(body: type[RequestBody]) -> list[dict[str, Any]]:
    """What a client may send instead of the object."""
    if issubclass(body, NamedActionBody):
        return [{"type": "string", "minLength": 1}]
    return [{"type": "null"}, {"const": "null"}, {"const": ""}] if _may_be_empty(body) else []


def _outgoing() -> dict[str, Any]:
    by_subject = groupby(sorted(OUTGOING, key=_position), key=lambda body: body.SUBJECT)
    return {subject: _outgoing_message(subject, list(bodies)) for subject, bodies in by_subject}


def _position(body: type[MessageBody]) -> int:
    return next(place for place, other in enumerate(OUTGOING) if other.SUBJECT == body.SUBJECT)


def _outgoing_message(subject: str, bodies: list[type[MessageBody]]) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(model=body.__name__)} for body in bodies]
    properties: dict[str, Any] = {
        "subject": {"const": subject},
        "body": refs[0] if len(refs) == 1 else {"oneOf": refs},
        "source": {"const": SOURCE},
        "destination": {
            "type": "string",
            "description": _DESTINATION,
        },
    }
    if any(issubclass(body, EventBody) for body in bodies):
        properties["seq"] = {"type": "integer", "minimum": 1, "description": "of events; grows over all restarts"}
    is_answer = any(issubclass(body, AnswerBody) for body in bodies)
    required = [name for name in properties if name != "seq" or not is_answer]
    summary = " ".join((bodies[0].__doc__ or "").split())
    payload = {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
    return {"summary": summary, "payload": payload}


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
