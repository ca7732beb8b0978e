"""The lines of the S3 client: looked at when they are open, before anything is sent on them."""

from __future__ import annotations

import socket
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from worker.engine.addresses import Refused, demand_allowed


class _Looked:
    """The name may resolve to another address each time: what counts is the one on the line."""

    def _new_conn(self) -> socket.socket:
        line: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            demand_allowed(line)
        except Refused:
            line.close()
            raise
        return line


class _Plain(_Looked, AWSHTTPConnection):  # type: ignore[misc]
    """HTTP"""


class _Sealed(_Looked, AWSHTTPSConnection):  # type: ignore[misc]
    """HTTPS"""


class _PlainPool(AWSHTTPConnectionPool):
    ConnectionCls = _Plain


class _SealedPool(AWSHTTPSConnectionPool):
    ConnectionCls = _Sealed


def look_at_lines(client: Any) -> None:
    """For all requests of that boto3 client. Its credentials come by lines of their own."""
    manager = client._endpoint.http_session._manager
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SealedPool}
