"""The XML that S3 answers with; names as in the Amazon S3 API reference."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from xml.sax.saxutils import escape

from bench.lean.http import Answer
from bench.lean.objects import Object, Upload

_OWN = "http://s3.amazonaws.com/doc/2006-03-01/"


def error(status: HTTPStatus, code: str) -> Answer:
    # Without the name space that all other answers have: so S3 does, and its clients expect.
    return _written("Error", "", _tag("Code", code) + _tag("Message", code), status)


def location() -> Answer:
    return _xml("LocationConstraint", "")


def versioning() -> Answer:
    return _xml("VersioningConfiguration", "")


def begun(bucket: str, key: str, upload: str) -> Answer:
    tags = _tag("Bucket", bucket) + _tag("Key", key) + _tag("UploadId", upload)
    return _xml("InitiateMultipartUploadResult", tags)


def completed(bucket: str, key: str, etag: str) -> Answer:
    tags = _tag("Bucket", bucket) + _tag("Key", key) + _tag("ETag", etag)
    return _xml("CompleteMultipartUploadResult", tags)


def copied(found: Object, *, part: bool) -> Answer:
    tags = _tag("ETag", found.etag) + _tag("LastModified", _time(found.modified))
    return _xml("CopyPartResult" if part else "CopyObjectResult", tags)


def deleted() -> Answer:
    return _xml("DeleteResult", "")


def listed(
    prefix: str, objects: Iterable[tuple[str, Object]], folders: Iterable[str], after: str
) -> Answer:
    """`after`: the token that the next page is asked for with, "" on the last one."""
    tags = _tag("Prefix", prefix) + _tag("IsTruncated", "true" if after else "false")
    if after:
        tags += _tag("NextContinuationToken", after)
    for key, found in objects:
        facts = _tag("Key", key) + _tag("LastModified", _time(found.modified))
        tags += f"<Contents>{facts}{_tag('ETag', found.etag)}{_tag('Size', found.size)}</Contents>"
    for folder in folders:
        tags += f"<CommonPrefixes>{_tag('Prefix', folder)}</CommonPrefixes>"
    return _xml("ListBucketResult", tags)


def uploads(found: Iterable[tuple[str, Upload]]) -> Answer:
    tags = _tag("IsTruncated", "false")
    for name, upload in found:
        facts = _tag("Key", upload.key) + _tag("UploadId", name)
        tags += f"<Upload>{facts}{_tag('Initiated', _time(upload.begun))}</Upload>"
    return _xml("ListMultipartUploadsResult", tags)


def parts(upload: Upload) -> Answer:
    tags = _tag("IsTruncated", "false")
    for number, part in sorted(upload.parts.items()):
        facts = _tag("PartNumber", number) + _tag("LastModified", _time(part.modified))
        tags += f"<Part>{facts}{_tag('ETag', part.etag)}{_tag('Size', part.size)}</Part>"
    return _xml("ListPartsResult", tags)


def _xml(name: str, tags: str) -> Answer:
    return _written(name, f' xmlns="{_OWN}"', tags, HTTPStatus.OK)


def _written(name: str, space: str, tags: str, status: HTTPStatus) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?><{name}{space}>{tags}</{name}>'
    return Answer(status, text.encode(), (("Content-Type", "application/xml"),))


def _tag(name: str, value: object) -> str:
    return f"<{name}>{escape(str(value))}</{name}>"


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")
