"""JSON Schemas of the messages, generated into ``protocol/schemas/``: ``python -m protocol.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from protocol.messages import FinalStatus, Progress, Request

FOLDER = Path(__file__).parent / "schemas"
_MODELS: dict[str, type[BaseModel]] = {
    "request.schema.json": Request,
    "status.schema.json": FinalStatus,
    "progress.schema.json": Progress,
}


def schemas() -> dict[str, str]:
    """File name → JSON Schema text (draft 2020-12) of each message, as a reader of the wire sees it."""
    return {
        name: json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema"}
            | model.model_json_schema(mode="validation" if model is Request else "serialization"),
            indent=2,
        )
        + "\n"
        for name, model in _MODELS.items()
    }


if __name__ == "__main__":
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
