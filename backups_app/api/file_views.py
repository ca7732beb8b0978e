"""The endpoints for what lies inside of backups."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, ClassVar, Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import files, roles, services
from backups_app.api import cursors
from backups_app.api import file_serialisers as f
from backups_app.api.base import View
from backups_app.api.paths import path_json
from backups_app.api.requests import body_of, query_of
from backups_app.api.serialisers import ErrorSerialiser
from backups_app.api.streams import attachment
from worker.engine.errors import ArchiveError, EngineError
from worker.engine.settings import Settings

LOOKING: Final[dict[int, Any]] = {
    400: OpenApiResponse(ErrorSerialiser, "The request is malformed"),
    401: OpenApiResponse(ErrorSerialiser, "Neither logged in nor a right token"),
    403: OpenApiResponse(ErrorSerialiser, "Without the permission, or without the CSRF token"),
    404: OpenApiResponse(ErrorSerialiser, "There is no such backup, or nothing at that path"),
    409: OpenApiResponse(ErrorSerialiser, "The backup has no index, or the key does not fit"),
    502: OpenApiResponse(ErrorSerialiser, "The storage or what lies there is faulty"),
    503: OpenApiResponse(ErrorSerialiser, "Settings are wrong, or the storage is unreachable"),
}
GZIP: Final = 16 + 15  # zlib's code for a gzip file


class FilesView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(
        operation_id="files", parameters=[f.FilesQuery], responses={200: f.FilesAnswer, **LOOKING}
    )
    def get(self, request: Request) -> Response:
        """A folder of a backup, page by page."""
        query = query_of(f.FilesQuery, request)
        after = cursors.decode(query["cursor"]) if "cursor" in query else b""
        key, page = files.folder(
            self.plan_settings,
            query["backupKey"],
            f.path_of(query),
            after=after,
            limit=query["limit"],
        )
        following = cursors.encode(page.entries[-1].name) if page.more else None
        entries = [f.entry_json(entry) for entry in page.entries]
        return Response({"backupKey": key, "entries": entries, "next": following})


class SearchView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(
        operation_id="search",
        parameters=[f.SearchQuery],
        responses={200: f.SearchAnswer, **LOOKING},
    )
    def get(self, request: Request) -> Response:
        """Names that match, in one backup or in all of them, the newest first."""
        query = query_of(f.SearchQuery, request)
        start = cursors.decode_place(query["cursor"]) if "cursor" in query else None
        seen = files.find(
            self.plan_settings, query["q"], query["backupKey"], start=start, limit=query["limit"]
        )
        matches = [{"backupKey": key, **f.entry_json(entry)} for key, entry in seen.found]
        following = cursors.encode_place(*seen.next) if seen.next else None
        return Response({"matches": matches, "skipped": seen.skipped, "next": following})


class DiffView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(
        operation_id="diff", parameters=[f.DiffQuery], responses={200: f.DiffAnswer, **LOOKING}
    )
    def get(self, request: Request) -> Response:
        """What was added, removed and changed from one backup to another."""
        query = query_of(f.DiffQuery, request)
        after = cursors.decode_number(query["cursor"]) if "cursor" in query else None
        seen = files.difference(
            self.plan_settings, query["from"], query["to"], after=after, limit=query["limit"]
        )
        changes = [
            {
                **path_json(change.path),
                "change": change.what,
                "differs": list(change.fields),
                "old": f.entry_json(change.old) if change.old else None,
                "new": f.entry_json(change.new) if change.new else None,
            }
            for change in seen.page.changes
        ]
        following = cursors.encode_number(seen.page.last) if seen.page.more else None
        totals = seen.counts.as_dict() if seen.counts else None
        return Response(
            {
                "from": seen.old,
                "to": seen.new,
                "totals": totals,
                "changes": changes,
                "next": following,
            }
        )


class DownloadView(View):
    needs: ClassVar = {"GET": roles.DOWNLOAD}
    by_plan = True
    audited: ClassVar = frozenset({"GET"})

    @extend_schema(
        operation_id="download",
        parameters=[f.DownloadQuery],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (200, "application/gzip"): OpenApiTypes.BINARY,
            **LOOKING,
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """One file of a backup as it is, or a folder as .tar.gz."""
        query = query_of(f.DownloadQuery, request)
        what = {"settings": self.plan_settings, "key": query["backupKey"], "path": f.path_of(query)}
        try:
            return _answer(request, partial(_file, **what))
        except ArchiveError as error:
            if error.code != "NOT_A_FILE":
                raise
        return _answer(request, partial(_folder, **what))


class PreviewRestoreView(View):
    needs: ClassVar = {"POST": roles.VIEW}
    by_plan = True
    audited: ClassVar = frozenset()

    @extend_schema(
        operation_id="previewRestore",
        request=f.PreviewBody,
        responses={200: f.PreviewAnswer, **LOOKING},
    )
    def post(self, request: Request) -> Response:
        """What a restore would do to the data folder. Changes nothing."""
        body = body_of(f.PreviewBody, request)
        seen = files.preview(
            self.plan_settings,
            services.which_backup(body.get("backupKey", ""), body.get("at"), self.plan),
            words=body["paths"],
            entries=body["entries"],
            limit=body["limit"],
        )
        return Response(
            {
                "backupKey": seen.key,
                "totals": seen.tally.as_dict(),
                "complete": seen.complete,
                "contentCompared": False,
                "changes": [f.effect_json(effect) for effect in seen.effects],
                "more": seen.more,
            }
        )


def _answer(request: Request, made: Callable[..., StreamingHttpResponse]) -> StreamingHttpResponse:
    """What is opened for the answer is closed by it, or here when there is none."""
    opened = ExitStack()
    try:
        return made(request, opened)
    except EngineError:
        opened.close()
        raise


def _file(
    request: Request, opened: ExitStack, *, settings: Settings, key: str, path: bytes
) -> StreamingHttpResponse:
    found = opened.enter_context(files.one_file(settings, key, path))
    return attachment(
        request._request,
        found.chunks,
        opened,
        name=_name(path),
        kind="application/octet-stream",
        size=found.size,
    )


def _folder(
    request: Request, opened: ExitStack, *, settings: Settings, key: str, path: bytes
) -> StreamingHttpResponse:
    pieces = opened.enter_context(files.as_tar(settings, key, path))
    name = f"{_name(path)}.tar.gz"
    packed = _packed(pieces)
    return attachment(request._request, packed, opened, name=name, kind="application/gzip")


def _name(path: bytes) -> str:
    return (path.rpartition(b"/")[2] or b"data").decode("utf-8", "replace")


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=1, wbits=GZIP)
    for piece in pieces:
        if data := packer.compress(piece):
            yield data
    yield packer.flush()
