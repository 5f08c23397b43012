"""The JSON Schemas in the repository."""

import json
from itertools import chain

import pytest

from protocol.decode import decode_request
from protocol.schema import FOLDER, schemas
from tests.support.message_samples import final, progress, refusal, request_bytes

_TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None)}
SCHEMAS = {name: json.loads(text) for name, text in schemas().items()}


def violations(schema, value, root, place="$"):
    """Violations of ``schema`` in ``value``, for the few keywords that the messages' schemas use."""
    if "$ref" in schema:
        return violations(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, root, place)
    if "anyOf" in schema:
        found = [violations(choice, value, root, place) for choice in schema["anyOf"]]
        return [] if [] in found else found[0]
    match schema["type"]:
        case "object":
            return _object_violations(schema, value, root, place)
        case "array":
            return [f for i, item in enumerate(value) for f in violations(schema["items"], item, root, f"{place}[{i}]")]
    return _scalar_violations(schema, value, place)


def _object_violations(schema, value, root, place):
    missing = [f"{place}.{name} is missing" for name in schema["required"] if name not in value]
    unknown = [f"{place}.{name} is not described" for name in value if name not in schema["properties"]]
    described = {name: inner for name, inner in schema["properties"].items() if name in value}
    wrong = (violations(inner, value[name], root, f"{place}.{name}") for name, inner in described.items())
    return [*missing, *unknown, *chain.from_iterable(wrong)]


def _scalar_violations(schema, value, place):
    kind = schema["type"]
    if not isinstance(value, _TYPES[kind]) or (kind in ("integer", "number") and isinstance(value, bool)):
        return [f"{place} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place} is not one of {schema['enum']}"]
    if value is not None and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return [f"{place} is out of range"]
    return []


def test_schema_files_match_the_models():
    """The files equal the output of ``make schemas``."""
    assert {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()} == schemas()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("request.schema.json", decode_request(request_bytes(), "r1")),
        ("request.schema.json", decode_request(request_bytes(version=None), "r1")),
        ("status.schema.json", final()),
        ("status.schema.json", refusal()),
        ("progress.schema.json", progress(percent=100)),
        ("progress.schema.json", progress()),
        ("progress.schema.json", progress(output="pulled\n", error="slowly\n")),
    ],
)
def test_messages_match_their_schema(name, message):
    """A written message has every required field, with the described type, and no other field."""
    assert violations(SCHEMAS[name], json.loads(message.model_dump_json()), SCHEMAS[name]) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", None),
        ("seq", True),
        ("percent", 101),
        ("state", 1),
        ("phase", 1),
        ("output", None),
        ("error", 1),
        ("more", 1),
        ("timestamp", ...),
    ],
)
def test_schema_check_finds_a_wrong_field(field, value):
    """The check above finds a field that is wrong, unknown or missing."""
    wrong = {**json.loads(progress().model_dump_json()), field: value}
    wrong = {name: part for name, part in wrong.items() if part is not ...}
    schema = SCHEMAS["progress.schema.json"]
    assert [place.split(" ")[0] for place in violations(schema, wrong, schema)] == [f"$.{field}"]
