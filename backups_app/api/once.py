"""`Idempotency-Key`: a POST sent again after a lost answer is answered as the first time."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from rest_framework import exceptions as drf
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app.api.throttles import caller_of
from backups_app.models import Once

HEADER: Final = "Idempotency-Key"
LONGEST: Final = 200


class Replay(Exception):
    """No error: the answer is there already."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


class KeyReused(drf.APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "That Idempotency-Key was sent with another request."
    hint = "Make a new key for each request, and send the same one only to repeat it."


class StillRunning(drf.APIException):
    status_code = 409
    default_code = "idempotency_key_in_use"
    default_detail = "The first request with that Idempotency-Key is still at work."
    hint = "Ask again in a moment."


def begin(request: Request) -> Once | None:
    """The row to `settle`, or None without the header. Raises `Replay` when it was answered."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise drf.ValidationError({HEADER: [f"must be 1 to {LONGEST} printable characters"]})
    fingerprint = _fingerprint(request)
    row, new = Once.objects.begin(caller=caller_of(request), key=key, fingerprint=fingerprint)
    if new:
        return row
    if row.fingerprint != fingerprint:
        raise KeyReused
    if row.status is None:
        raise StillRunning
    raise Replay(Response(row.body, status=row.status, headers={"Idempotency-Replayed": "true"}))


def settle(row: Once, response: Any) -> None:
    """Keep a good answer; after a refusal or a fault the same key may try again."""
    if response is None or not 200 <= response.status_code < 300:
        Once.objects.filter(pk=row.pk).delete()
        return
    body = json.loads(JSONRenderer().render(response.data))
    Once.objects.filter(pk=row.pk).update(status=response.status_code, body=body)


def _fingerprint(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, default=str)
    text = "\n".join((str(request.method), request.get_full_path(), body))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
