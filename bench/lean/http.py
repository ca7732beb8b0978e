"""Just enough HTTP/1.1: a request's head, and answers over a connection that stays open."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

from bench.lean.body import Stream
from bench.lean.objects import Piece


@dataclass(frozen=True)
class Request:
    """`query` has "" for what stands there without a value; header names are in lower case."""

    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[Piece, ...] = ()  # instead of `body`


def read_request(stream: Stream) -> Request | None:
    """None when the client has nothing more to ask."""
    first = stream.line()
    if not first:
        return None
    method, target, _ = first.decode("ascii").split(" ")
    headers: dict[str, str] = {}
    while line := stream.line():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    parts = urlsplit(target)
    bucket, _, key = unquote(parts.path)[1:].partition("/")
    query = {name: found[0] for name, found in parse_qs(parts.query, True).items()}
    return Request(method, bucket, key, query, headers)


def send(connection: socket.socket, request: Request, answer: Answer) -> None:
    size = sum(piece.size for piece in answer.pieces) or len(answer.body)
    head = [f"HTTP/1.1 {int(answer.status)} {HTTPStatus(answer.status).phrase}"]
    sent = {"Content-Length": str(size), "Date": formatdate(usegmt=True), **dict(answer.headers)}
    head += [f"{name}: {value}" for name, value in sent.items()]
    connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
    if request.method == "HEAD":
        return
    if answer.body:
        connection.sendall(answer.body)
    _send_pieces(connection, answer.pieces)


def _send_pieces(connection: socket.socket, pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        with piece.path.open("rb") as file:
            at, end = piece.start, piece.start + piece.size
            while at < end:
                at += os.sendfile(connection.fileno(), file.fileno(), at, end - at)
