"""The JSON Schema of what ws/backup/ says, made from the API's own schema.

docs/messages.schema.json is this, written down; a test compares the two.
"""

from __future__ import annotations

import json
from typing import Any, Final

from drf_spectacular.generators import SchemaGenerator

ABOUT: Final = "What Tarkeep says over ws/backup/. A client sends pings and nothing else."
JOB: Final = "JobSerialiser"


def message_schema() -> dict[str, Any]:
    """JSON Schema 2020-12, as OpenAPI 3.1 uses it."""
    generator: Any = SchemaGenerator
    api = generator().get_schema(request=None, public=True)
    text = json.dumps(api["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/")
    known = json.loads(text)
    job = {"$ref": f"#/$defs/{JOB}"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages of ws/backup/",
        "description": ABOUT,
        "oneOf": [
            _message("snapshot", jobs={"type": "array", "items": job}),
            _message("job", job=job),
            _message("pong"),
        ],
        "$defs": {name: known[name] for name in sorted(_needed(JOB, known))},
    }


def _message(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **fields},
        "required": ["type", *fields],
        "additionalProperties": False,
    }


def _needed(name: str, known: dict[str, Any]) -> set[str]:
    """The definition of that name, and all that it refers to."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            text = json.dumps(known[name])
            waiting += [other for other in known if f'"#/$defs/{other}"' in text]
    return found
