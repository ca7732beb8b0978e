"""Row 84: bodies that are too large are refused before they are stored, whoever sends them."""

import json
import socket
from contextlib import suppress

import pytest

from backups_app import body_limit
from tests.support.service import BEARER
from tests.support.webserver import web

__all__ = ["web"]
pytestmark = pytest.mark.django_db(transaction=True)
HUNDRED = 100 << 20
CHUNK = b"%x\r\n" % (1 << 16) + b"x" * (1 << 16) + b"\r\n"


def ask(web, path, *headers):
    """A socket on which the head of a POST was sent."""
    host, _, port = web.partition(":")
    asking = socket.create_connection((host, int(port)), timeout=20)
    lines = [f"POST {path} HTTP/1.1", f"Host: {web}", "Content-Type: application/json", *headers]
    asking.sendall("\r\n".join([*lines, "", ""]).encode())
    return asking


def answer(asking):
    text = b""
    with suppress(ConnectionError):
        while part := asking.recv(65536):
            text += part
    asking.close()
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def pour(asking, most):
    """How much of a body without end the server takes."""
    sent = 0
    with suppress(ConnectionError):
        while sent < most:
            asking.sendall(CHUNK)
            sent += len(CHUNK)
    return sent


@pytest.mark.parametrize("path", ["/login/", "/api/backup/restore", "/nothing", "/readyz"])
def test_row_84_a_body_that_says_it_is_too_large_is_not_read(web, service, path):
    status, told = answer(ask(web, path, f"Content-Length: {HUNDRED}"))
    assert (status, told["code"]) == (413, "BODY_TOO_LARGE")
    assert told["hint"]


@pytest.mark.parametrize("path", ["/login/", "/api/backup/restore"])
def test_row_84_a_body_without_end_is_cut_off(web, service, path):
    token = f"Authorization: {BEARER['Authorization']}"
    asking = ask(web, path, "Transfer-Encoding: chunked", token)
    sent = pour(asking, HUNDRED)
    assert sent < HUNDRED / 2  # what the sockets' buffers hold on top


def test_row_84_just_enough_is_taken(web, service):
    for path, most in (("/login/", body_limit.MOST_OF_FORMS), ("/api/backup/x", body_limit.MOST)):
        asking = ask(web, path, f"Content-Length: {most}", "Connection: close")
        asking.sendall(b"x" * most)
        head = asking.recv(100)
        asking.close()
        assert b" 403 " in head or b" 404 " in head, head


@pytest.mark.parametrize("length", ["-1", "1e9", "x"])
def test_row_84_an_odd_length_is_refused_by_the_server(web, service, length):
    asking = ask(web, "/login/", f"Content-Length: {length}")
    head = asking.recv(100)
    asking.close()
    assert b" 400 " in head
