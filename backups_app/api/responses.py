"""What the schema says of answers that many endpoints give: by status, with their shape."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.utils import OpenApiResponse

from backups_app.api import serialisers as s

REFUSALS: Final[dict[int, Any]] = {
    401: OpenApiResponse(s.ErrorSerialiser, "Neither logged in nor a right token"),
    403: OpenApiResponse(s.ErrorSerialiser, "Without the permission, or without the CSRF token"),
}
STARTING: Final[dict[int, Any]] = {
    200: OpenApiResponse(s.FinishedAnswerSerialiser, "With wait: succeeded in time"),
    202: OpenApiResponse(s.JobAnswerSerialiser, "Queued"),
    500: OpenApiResponse(s.ConflictSerialiser, "With wait: failed; says why"),
    502: OpenApiResponse(s.ConflictSerialiser, "The storage failed; with wait: or the job for it"),
    400: OpenApiResponse(s.ErrorSerialiser, "The request is malformed"),
    409: OpenApiResponse(s.ConflictSerialiser, "Another job is active; `job` is that one"),
    503: OpenApiResponse(s.ErrorSerialiser, "Settings are wrong, or the storage is unreachable"),
    **REFUSALS,
}
FINDING: Final[dict[int, Any]] = {
    **STARTING,
    404: OpenApiResponse(s.ErrorSerialiser, "There is no such backup"),
}
MISSING: Final[dict[int, Any]] = {404: OpenApiResponse(s.ErrorSerialiser, "No such job")}
