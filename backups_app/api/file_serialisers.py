"""The JSON of what lies inside of backups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from rest_framework import serializers as s

from backups_app.api import cursors
from backups_app.api.paths import path_json
from worker.engine.archive.choice import MOST
from worker.engine.archive.index_reader import Entry
from worker.engine.compare import Effect
from worker.engine.point_in_time import parse_time

_KINDS = {"f": "file", "d": "folder", "l": "link", "o": "other"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGE = 200
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class _Text(s.CharField):
    """A path or key: not trimmed, and never with a NUL."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=4096, trim_whitespace=False, **options)


class _Word(_Text):
    """A path or pattern as people write it, in Unicode."""

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise s.ValidationError("is no text; name it in `entries` by `path64`") from None
        return text


class PathFields(s.Serializer[Any]):
    path = _Word(required=False, default="", allow_blank=True)
    path64 = _Text(required=False, help_text="instead of path: base64url of its bytes")


class FilesQuery(PathFields):
    backupKey = _Text()
    cursor = _Text(required=False, allow_blank=True)
    limit = s.IntegerField(min_value=1, max_value=1000, required=False, default=PAGE)


class SearchQuery(s.Serializer[Any]):
    q = s.CharField(max_length=255, trim_whitespace=False)
    backupKey = _Text(required=False, default="")
    cursor = _Text(required=False, allow_blank=True)
    limit = s.IntegerField(min_value=1, max_value=1000, required=False, default=PAGE)


class DiffQuery(s.Serializer[Any]):
    cursor = _Text(required=False, allow_blank=True)
    limit = s.IntegerField(min_value=1, max_value=1000, required=False, default=PAGE)

    def get_fields(self) -> dict[str, s.Field[Any, Any, Any, Any]]:
        return {"from": _Text(), "to": _Text(), **super().get_fields()}


class DownloadQuery(PathFields):
    backupKey = _Text()


class EntryField(PathFields):
    """One entry out of a list: exactly this path, whatever it holds."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not path_of(attrs):
            raise s.ValidationError("give path or path64")
        return attrs


class Chosen(s.Serializer[Any]):
    """A backup, by its key or as the newest of a time, and what of it."""

    backupKey = s.CharField(max_length=1024, required=False, trim_whitespace=False)
    at = s.CharField(max_length=50, required=False, help_text="instead: newest of that time")
    paths = s.ListField(child=_Word(), required=False, default=list, max_length=MOST)
    entries = s.ListField(child=EntryField(), required=False, default=list, max_length=MOST)

    def validate_at(self, value: str) -> datetime:
        try:
            return parse_time(value, settings.TARKEEP.timezone)
        except ValueError:
            raise s.ValidationError("is no time, as in 2025-08-29T05:00+02:00") from None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("backupKey" in attrs) == ("at" in attrs):
            raise s.ValidationError({"backupKey": "give either backupKey or at"})
        return {**attrs, "entries": [path_of(entry) for entry in attrs["entries"]]}


class RestoreBody(Chosen):
    to = s.RegexField(NAME, required=False, default="", help_text="a new folder's name")
    confirm = s.CharField(
        max_length=1024, required=False, default="", allow_blank=True,
        help_text="the backup's name once more; from a browser's session only",
    )  # fmt: skip


class PreviewBody(Chosen):
    limit = s.IntegerField(min_value=0, max_value=1000, required=False, default=PAGE)


class EntrySerialiser(s.Serializer[Any]):
    path = s.CharField()
    path64 = s.CharField(allow_null=True, help_text="where the path is no UTF-8")
    name = s.CharField()
    kind = s.CharField(help_text="file, folder, link or other")
    size = s.IntegerField()
    mode = s.CharField()
    modified = s.DateTimeField(allow_null=True)
    note = s.CharField(allow_null=True)
    missing = s.BooleanField(help_text="seen, but not saved: `note` says why")


class MatchSerialiser(EntrySerialiser):
    backupKey = s.CharField()


class FilesAnswer(s.Serializer[Any]):
    backupKey = s.CharField()
    entries = EntrySerialiser(many=True)
    next = s.CharField(allow_null=True)


class SearchAnswer(s.Serializer[Any]):
    matches = MatchSerialiser(many=True)
    skipped = s.ListField(child=s.CharField(), help_text="backups without index")
    next = s.CharField(allow_null=True)


class SumSerialiser(s.Serializer[Any]):
    entries = s.IntegerField()
    bytes = s.IntegerField()


class DiffTotals(s.Serializer[Any]):
    added = SumSerialiser()
    removed = SumSerialiser()
    changed = SumSerialiser()


class ChangeSerialiser(s.Serializer[Any]):
    change = s.ChoiceField(choices=["added", "changed", "removed"])
    path = s.CharField()
    path64 = s.CharField(allow_null=True)
    differs = s.ListField(child=s.CharField())
    old = EntrySerialiser(allow_null=True)
    new = EntrySerialiser(allow_null=True)


class DiffAnswer(s.Serializer[Any]):
    totals = DiffTotals(allow_null=True, help_text="on the first page")
    changes = ChangeSerialiser(many=True)
    next = s.CharField(allow_null=True)

    def get_fields(self) -> dict[str, s.Field[Any, Any, Any, Any]]:
        return {"from": s.CharField(), "to": s.CharField(), **super().get_fields()}


class EffectSerialiser(s.Serializer[Any]):
    change = s.ChoiceField(choices=["added", "replaced", "removed", "kept"])
    path = s.CharField()
    path64 = s.CharField(allow_null=True)
    kind = s.CharField(help_text="file, folder, link or other")
    size = s.IntegerField()


class PreviewTotals(s.Serializer[Any]):
    added = SumSerialiser()
    replaced = SumSerialiser()
    removed = SumSerialiser()
    kept = SumSerialiser()
    unchanged = SumSerialiser()


class PreviewAnswer(s.Serializer[Any]):
    backupKey = s.CharField()
    totals = PreviewTotals()
    complete = s.BooleanField(help_text="false: the time was over; there is more than counted")
    contentCompared = s.BooleanField()
    changes = EffectSerialiser(many=True)
    more = s.BooleanField(help_text="whether there are more changes than listed")


def entry_json(entry: Entry) -> dict[str, Any]:
    return {
        **path_json(entry.path),
        "name": entry.name.decode("utf-8", "replace"),
        "kind": _KINDS[entry.kind],
        "size": entry.size,
        "mode": f"{entry.mode:04o}",
        "modified": _time(entry.mtime_ns),
        "note": entry.note,
        "missing": entry.is_missing,
    }


def effect_json(effect: Effect) -> dict[str, Any]:
    return {
        **path_json(effect.path),
        "change": effect.what,
        "kind": _KINDS[effect.kind],
        "size": effect.size,
    }


def path_of(query: dict[str, Any]) -> bytes:
    """The path asked for: `/a/` is `a`, as on the command line."""
    if "path64" in query:
        return cursors.decode(query["path64"]).strip(b"/")
    path: str = query["path"]
    return path.removeprefix("./").strip("/").encode("utf-8", "surrogateescape")


def _time(ns: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=ns // 1000)
    except OverflowError:
        return None
