"""The crowd: WebSockets that listen, some that do not read, and requests at a steady rate.

It runs on the same cores as what it measures, and would be elsewhere in life. So it does the least
that can be done: fixed bytes out, lengths counted in.
`python -m bench.load.clients PORT TOKEN CLIENTS SLOW RATE`; until its input ends, then prints what
it saw as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from itertools import cycle, islice
from time import monotonic, process_time
from typing import Any

import uvloop

LANES = 32  # connections that requests are spread over
TEXT, PING = 0x1, 0x9
PONG = 0x8A
MASK = bytes(4)  # changes nothing


@dataclass
class Seen:
    """`waits`: seconds from when a request was due to the end of its answer. `cpu`: seconds of the
    processor that the crowd took itself in the `seconds` that it asked for."""

    waits: list[float] = field(default_factory=list)
    wrong: int = 0
    late: int = 0
    frames: int = 0
    opened: int = 0
    closed: int = 0
    seconds: float = 0.0
    cpu: float = 0.0


class Listener(asyncio.Protocol):
    """One WebSocket. Counts frames by their lengths and answers pings."""

    def __init__(self, head: bytes, seen: Seen, *, slow: bool) -> None:
        self.head, self.seen, self.slow = head, seen, slow
        self.data, self.skip, self.open = b"", 0, False
        self.ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.head)

    def data_received(self, data: bytes) -> None:
        if not self.open:
            self.data += data
            head, end, data = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            self.open = head.startswith(b"HTTP/1.1 101")
            self.seen.opened += self.open
            self.data = b""
            self._is(self.open)
            if self.slow:
                self.transport.pause_reading()
        self._frames(data)

    def _frames(self, data: bytes) -> None:
        while data:
            if self.skip:
                taken = min(self.skip, len(data))
                self.skip -= taken
                data = data[taken:]
                continue
            data = self.data + data
            size, kind = header_size(data), data[0] & 0xF
            if len(data) < size or (kind == PING and len(data) < size + payload_size(data)):
                self.data = data
                return
            self.data, self.skip = b"", payload_size(data)
            self.seen.frames += kind == TEXT
            if kind == PING:
                self._answer(data[size : size + self.skip])
            data = data[size:]

    def _answer(self, ping: bytes) -> None:
        self.transport.write(bytes((PONG, 0x80 | len(ping))) + MASK + ping)

    def connection_lost(self, error: Exception | None) -> None:
        self.seen.closed += self.open
        self._is(False)

    def _is(self, open_: bool) -> None:
        if not self.ready.done():
            self.ready.set_result(open_)


def header_size(data: bytes) -> int:
    """Of an unmasked frame that begins here; what is not known yet counts as 2."""
    return 2 + {126: 2, 127: 8}.get(data[1] & 0x7F if len(data) > 1 else 0, 0)


def payload_size(data: bytes) -> int:
    short = data[1] & 0x7F
    if short < 126:
        return short
    return int.from_bytes(data[2 : header_size(data)], "big")


class Lane(asyncio.Protocol):
    """One connection, one request at a time on it."""

    def __init__(self, seen: Seen) -> None:
        self.seen, self.data, self.due = seen, b"", 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, request: bytes, due: float) -> None:
        self.due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, end, body = self.data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length or 0):
            self.seen.waits.append(monotonic() - self.due)
            self.seen.wrong += not head.startswith(b"HTTP/1.1 200")
            self.data, self.due = b"", 0.0

    @property
    def idle(self) -> bool:
        return not self.due and not self.transport.is_closing()


async def crowd(port: int, token: str, *, clients: int, slow: int, rate: int) -> Seen:
    """Until the input ends. Prints `ready` when all listen."""
    seen = Seen()
    loop = asyncio.get_running_loop()
    over = loop.run_in_executor(None, sys.stdin.read)
    for number in range(clients):
        await _listen(loop, port, token, seen, slow=number < slow)
    lanes = []
    for _ in range(LANES):
        _, lane = await loop.create_connection(lambda: Lane(seen), "127.0.0.1", port)
        lanes.append(lane)
    print("ready", flush=True)  # noqa: T201
    begun, used = monotonic(), process_time()
    await _ask(lanes, status_request(port, token), rate, seen, over)
    seen.seconds, seen.cpu = monotonic() - begun, process_time() - used
    return seen


async def _listen(
    loop: asyncio.AbstractEventLoop, port: int, token: str, seen: Seen, *, slow: bool
) -> None:
    head = handshake(port, token)
    _, one = await loop.create_connection(
        lambda: Listener(head, seen, slow=slow), "127.0.0.1", port
    )
    await one.ready


async def _ask(
    lanes: list[Lane], request: bytes, rate: int, seen: Seen, over: asyncio.Future[str]
) -> None:
    """One request each 1/`rate` seconds; when all lanes wait for an answer it is counted late.

    Each lane in its turn: one that is idle for some seconds would be closed by the service.
    """
    begun, asked, turn = monotonic(), 0, cycle(range(len(lanes)))
    while not over.done():
        due = begun + asked / rate
        if (pause := due - monotonic()) > 0:
            await asyncio.sleep(pause)
        free = next((lanes[at] for at in islice(turn, len(lanes)) if lanes[at].idle), None)
        if free:
            free.ask(request, due)
        else:
            seen.late += 1
            await asyncio.sleep(0)
        asked += 1


def handshake(port: int, token: str) -> bytes:
    lines = (
        "GET /ws/backup/ HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13", f"Authorization: Bearer {token}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def status_request(port: int, token: str) -> bytes:
    lines = (
        "GET /api/backup/status HTTP/1.1", f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {token}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def main(argv: list[str]) -> None:
    port, token, clients, slow, rate = int(argv[0]), argv[1], *map(int, argv[2:5])
    seen = uvloop.run(crowd(port, token, clients=clients, slow=slow, rate=rate))
    print(json.dumps(vars(seen)))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
