"""The buckets, and what each request does to them."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from bench.lean import answers
from bench.lean.body import Damaged, Stream, read, write
from bench.lean.http import Answer, Request
from bench.lean.objects import Bucket, Object, Piece, Upload, cut, new_etag, new_file

_PAGE = 1000
_KEPT = re.compile(r"x-amz-meta-.*|content-type|content-encoding|cache-control")


class Store:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buckets: dict[str, Bucket] = {}

    def answer(self, request: Request, stream: Stream) -> Answer:
        """Does what is asked for, the body read from `stream`."""
        if not request.key:
            return self._of_bucket(request, stream)
        bucket = self._buckets.get(request.bucket)
        if bucket is None:
            return answers.error(HTTPStatus.NOT_FOUND, "NoSuchBucket")
        if "uploadId" in request.query:
            return self._of_upload(bucket, request, stream)
        does: dict[str, Callable[[Bucket, Request, Stream], Answer]] = {
            "PUT": self._put, "GET": _get, "HEAD": _get, "POST": _begin, "DELETE": _delete,
        }  # fmt: skip
        return does[request.method](bucket, request, stream)

    def _of_bucket(self, request: Request, stream: Stream) -> Answer:
        name, body = request.bucket, read(stream, request.headers)
        if request.method == "PUT":
            folder = self._folder / name
            folder.mkdir()
            self._buckets[name] = Bucket(folder)
            return Answer()
        bucket = self._buckets.get(name)
        if bucket is None:
            return answers.error(HTTPStatus.NOT_FOUND, "NoSuchBucket")
        if request.method == "DELETE":
            shutil.rmtree(self._buckets.pop(name).folder)
            return Answer(HTTPStatus.NO_CONTENT)
        if request.method == "POST":
            return _delete_many(bucket, body)
        return _look(bucket, request) if request.method == "GET" else Answer()

    def _put(self, bucket: Bucket, request: Request, stream: Stream) -> Answer:
        if request.headers.get("if-none-match") == "*" and request.key in bucket.objects:
            write(stream, request.headers, new_file(bucket))
            return answers.error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        made = self._made(bucket, request, stream)
        if isinstance(made, Answer):
            return made
        bucket.objects[request.key] = made
        return _told(made, request, part=False)

    def _of_upload(self, bucket: Bucket, request: Request, stream: Stream) -> Answer:
        name = request.query["uploadId"]
        upload = bucket.uploads.get(name)
        if upload is None:
            return answers.error(HTTPStatus.NOT_FOUND, "NoSuchUpload")
        if request.method == "PUT":
            made = self._made(bucket, request, stream)
            if isinstance(made, Answer):
                return made
            upload.parts[int(request.query["partNumber"])] = made
            return _told(made, request, part=True)
        if request.method == "POST":
            return _complete(bucket, request, read(stream, request.headers))
        if request.method == "DELETE":
            del bucket.uploads[name]
            return Answer(HTTPStatus.NO_CONTENT)
        return answers.parts(upload)

    def _made(self, bucket: Bucket, request: Request, stream: Stream) -> Object | Answer:
        """The object or part of a request's body, or of the object that it names."""
        kept = _kept(request)
        if source := request.headers.get("x-amz-copy-source"):
            return self._copy(source, request, kept)
        path = new_file(bucket)
        try:
            size = write(stream, request.headers, path)
        except Damaged:
            return answers.error(HTTPStatus.BAD_REQUEST, "BadDigest")
        return Object((Piece(path, 0, size),), new_etag(), kept)

    def _copy(
        self, source: str, request: Request, kept: tuple[tuple[str, str], ...]
    ) -> Object | Answer:
        name, _, key = unquote(source).lstrip("/").partition("/")
        found = self._buckets[name].objects.get(key) if name in self._buckets else None
        if found is None:
            return answers.error(HTTPStatus.NOT_FOUND, "NoSuchKey")
        wanted = request.headers.get("x-amz-copy-source-if-match", found.etag)
        if wanted.strip('"') != found.etag.strip('"'):
            return answers.error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed")
        start, size = _range(request.headers.get("x-amz-copy-source-range"), found.size)
        return Object(cut(found.pieces, start, size), new_etag(), kept)


def _kept(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in request.headers.items() if _KEPT.fullmatch(pair[0]))


def _told(made: Object, request: Request, *, part: bool) -> Answer:
    if "x-amz-copy-source" in request.headers:
        return answers.copied(made, part=part)
    return Answer(headers=(("ETag", made.etag),))


def _get(bucket: Bucket, request: Request, _stream: Stream) -> Answer:
    found = bucket.objects.get(request.key)
    if found is None:
        return answers.error(HTTPStatus.NOT_FOUND, "NoSuchKey")
    modified = format_datetime(found.modified, usegmt=True)
    headers = (*found.headers, ("ETag", found.etag), ("Last-Modified", modified))
    headers += (("Accept-Ranges", "bytes"),)
    asked = request.headers.get("range")
    start, size = _range(asked, found.size)
    if request.method == "HEAD":
        return Answer(headers=(*headers, ("Content-Length", str(found.size))))
    if asked is None:
        return Answer(headers=headers, pieces=found.pieces)
    said = ("Content-Range", f"bytes {start}-{start + size - 1}/{found.size}")
    return Answer(
        HTTPStatus.PARTIAL_CONTENT, headers=(*headers, said), pieces=cut(found.pieces, start, size)
    )


def _range(header: str | None, whole: int) -> tuple[int, int]:
    """Start and size of `bytes=a-b`, `bytes=a-` or `bytes=-n`; all of it without a header."""
    if header is None:
        return 0, whole
    first, _, last = header.partition("=")[2].partition("-")
    if not first:
        return max(0, whole - int(last)), min(whole, int(last))
    end = min(int(last), whole - 1) if last else whole - 1
    return int(first), end - int(first) + 1


def _begin(bucket: Bucket, request: Request, stream: Stream) -> Answer:
    read(stream, request.headers)
    name = uuid.uuid4().hex
    bucket.uploads[name] = Upload(request.key, _kept(request))
    return answers.begun(request.bucket, request.key, name)


def _complete(bucket: Bucket, request: Request, body: bytes) -> Answer:
    upload = bucket.uploads.pop(request.query["uploadId"])
    numbers = [int(tag.text or "") for tag in _tree(body).iterfind(".//{*}PartNumber")]
    pieces = [piece for number in numbers for piece in upload.parts[number].pieces]
    made = Object(tuple(pieces), new_etag(len(numbers)), upload.headers)
    bucket.objects[upload.key] = made
    return answers.completed(request.bucket, upload.key, made.etag)


def _delete(bucket: Bucket, request: Request, _stream: Stream) -> Answer:
    bucket.objects.pop(request.key, None)
    return Answer(HTTPStatus.NO_CONTENT)


def _delete_many(bucket: Bucket, body: bytes) -> Answer:
    for tag in _tree(body).iterfind(".//{*}Key"):
        bucket.objects.pop(tag.text or "", None)
    return answers.deleted()


def _tree(body: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(body)  # noqa: S314  (the client is the benchmark's own)


def _look(bucket: Bucket, request: Request) -> Answer:
    """GET of a bucket: what stands in the query says of what."""
    if "location" in request.query:
        return answers.location()
    if "versioning" in request.query:
        return answers.versioning()
    if "uploads" in request.query:
        return answers.uploads(sorted(bucket.uploads.items()))
    return _list(bucket, request.query)


def _list(bucket: Bucket, query: dict[str, str]) -> Answer:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token") or query.get("start-after", "")
    most = int(query.get("max-keys", _PAGE))
    objects: list[tuple[str, Object]] = []
    folders: dict[str, None] = {}
    for key, found in sorted(bucket.objects.items()):
        if not key.startswith(prefix) or key <= after:
            continue
        if len(objects) == most:
            return answers.listed(prefix, objects, folders, objects[-1][0])
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            folders[prefix + rest.partition(delimiter)[0] + delimiter] = None
        else:
            objects.append((key, found))
    return answers.listed(prefix, objects, folders, "")
