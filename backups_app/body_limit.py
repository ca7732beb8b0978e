"""How much one request may send. Django stores a body whole before it asks who sends it."""

from __future__ import annotations

import json
from typing import Any, Final

MOST: Final = 5 << 20  # bytes, as in api.parsers: a thousand paths of 4 KiB fit
MOST_OF_FORMS: Final = 256 << 10
ANSWER: Final = {
    "code": "BODY_TOO_LARGE",
    "message": "The body is too large.",
    "hint": f"Requests to the API have at most {MOST >> 20} MiB, forms {MOST_OF_FORMS >> 10} KiB.",
}


class TooMuch(Exception):
    """No error: the request is answered with 413."""


class BodyLimit:
    """ASGI middleware: answers 413 by what a request declares, or as soon as it has sent more."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        most = MOST if scope["path"].startswith("/api/") else MOST_OF_FORMS
        try:
            if declared(scope) > most:
                raise TooMuch
            await self.inner(scope, Counted(receive, most), send)
        except TooMuch:
            await refuse(send)


class Counted:
    """`receive` until there is too much. Django reads all of a body before it begins to answer."""

    def __init__(self, receive: Any, most: int) -> None:
        self.receive, self.left = receive, most

    async def __call__(self) -> Any:
        message = await self.receive()
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            raise TooMuch
        return message


def declared(scope: dict[str, Any]) -> int:
    """The largest Content-Length of the request; 0 where it tells none."""
    told = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in told if value.isdigit()), default=0)


async def refuse(send: Any) -> None:
    """Closes the connection: what is on its way need not be read."""
    body = json.dumps(ANSWER).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
