"""Examples for the API's schema, made from the schema itself: so there is one for everything, and
none is out of date. A field's value goes by its name, else by its type.
"""

from __future__ import annotations

from typing import Any, Final

KEY: Final = "backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz"
OLDER: Final = KEY.replace("08-29", "08-28")
JOB: Final = "6f0c7b7e-2f0e-4d1c-9d3e-6a1f6c1f3f10"
TIME: Final = "2025-08-29T05:01:12Z"
PATH: Final = "media/photo.jpg"

BY_NAME: Final[dict[str, Any]] = {
    "about": "the bucket", "action": "trigger", "actor": "ana", "address": "192.0.2.7",
    "after": 0, "alive": 1, "attempt": 1, "backupKey": KEY, "before": 1200, "bytes": 52428800,
    "bytesDone": 26214400, "bytesPerSecond": 10485760, "bytesSent": 1048576,
    "bytesTotal": 52428800, "cancelRequested": False, "confirm": "",
    "dataDir": "/srv/app/data", "days": 90, "error": None, "damaged": None, "filesDone": 900,
    "filesTotal": 1873, "files": 1873, "from": OLDER, "to": KEY, "hash": "9f86d081884c7d65" * 4,
    "previous": "60303ae22b998861" * 4, "hint": "", "how": "session", "id": "1a2b3c4d",
    "jobId": JOB, "key": KEY, "kind": "file", "level": "INFO", "limit": 50, "line": "0 2 * * *",
    "message": "Backup queued", "mode": "0644", "name": "ana", "next": None, "note": None,
    "number": 1201, "offset": 0, "outcome": "done", "owner": "ana", "part": "worker",
    "path": PATH, "path64": None, "paths": [PATH], "percent": 50.0, "phase": "archiving",
    "plan": "default", "q": "*.jpg", "reason": "it is one of the 3 newest", "requestedBy": "ana",
    "revokedAt": None, "result": {"size": 52428800, "files": 1873}, "retryOf": None, "revision": 7,
    "role": "viewer", "s3Bucket": "my-backups", "schedule": "0 2 * * *", "seconds": 12.5,
    "size": 52428800, "slot": None, "target": "", "text": "archiving", "timezone": "Europe/Berlin",
    "token": "tk_1a2b3c4d_…", "code": "JOB_ACTIVE", "variable": "BACKUP_S3_BUCKET",
    "version": "0.1.0", "zone": "Europe/Berlin",
    "metadata": {"checksum": "sha256:…", "encrypted": True},
}  # fmt: skip
# Where a name means something else.
BY_SHAPE: Final[dict[str, dict[str, Any]]] = {
    "JobSerialiser": {
        "kind": "backup",
        "id": JOB,
        "backupKey": "",
        "paths": [],
        "mode": "",
        "state": "RUNNING",
    },
    "TriggerBody": {"mode": "full"},
    "RestoreBody": {"to": "restored"},
    "LineSerialiser": {"id": 17},
    "LogAnswer": {"next": 17},
    "PhaseSerialiser": {"name": "archiving"},
    "TokenBody": {"name": "nightly report", "permissions": []},
    "TokenSerialiser": {"name": "nightly report", "permissions": ["view_job"]},
    "NewTokenSerialiser": {"name": "nightly report", "permissions": ["view_job"]},
    "EntrySerialiser": {"name": "photo.jpg"},
    "MatchSerialiser": {"name": "photo.jpg"},
    "SettingSerialiser": {"name": "BACKUP_SCHEDULE", "default": "0 2 * * *"},
    "EffectSerialiser": {"change": "replaced"},
    "EntryField": {"path64": "bWVkaWEvcGhvdG8uanBn"},
    "ErrorSerialiser": {"message": "There is nothing here.", "code": "NOT_FOUND"},
}
BY_TYPE: Final[dict[str, Any]] = {
    "string": "", "integer": 1, "number": 1.0, "boolean": False, "null": None,
}  # fmt: skip
BY_FORMAT: Final = {"date-time": TIME, "date": TIME[:10], "uuid": JOB}


def example_of(schema: dict[str, Any], known: dict[str, Any], name: str = "") -> Any:
    """A value of that schema, with all its fields; `known`: the components by their names."""
    if "$ref" in schema:
        shape = schema["$ref"].rpartition("/")[2]
        return example_of(known[shape], known, shape)
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            return example_of(schema[choice][0], known, name)
    if "properties" in schema:
        return _object(schema["properties"], known, name)
    if "items" in schema:
        return [example_of(schema["items"], known, name)]
    return _plain(schema)


def _object(fields: dict[str, Any], known: dict[str, Any], shape: str) -> dict[str, Any]:
    own = BY_SHAPE.get(shape, {})
    return {
        name: own[name] if name in own else _field(name, field, known)
        for name, field in fields.items()
    }


def _field(name: str, field: dict[str, Any], known: dict[str, Any]) -> Any:
    """By its name where that is of the right kind, for a name may stand for several things."""
    built = example_of(field, known, name)
    given = BY_NAME.get(name, built)
    nullable = "null" in field.get("type", ()) or {"type": "null"} in field.get("oneOf", ())
    if given is None:
        return None if nullable else built
    return given if isinstance(given, type(built)) and "enum" not in _end(field, known) else built


def _end(field: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    return known[field["$ref"].rpartition("/")[2]] if "$ref" in field else field


def _plain(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") in BY_FORMAT:
        return BY_FORMAT[schema["format"]]
    kind = schema.get("type", "string")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "object":
        return {}
    return [] if kind == "array" else BY_TYPE[kind]
