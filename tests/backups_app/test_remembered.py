"""The status is worked out once in two seconds for whoever asks alike, and for nobody else."""

import asyncio

import pytest

from backups_app import remembered
from backups_app.remembered import Remembered


class Inner:
    """An application that counts how often it is asked."""

    def __init__(self, status=200, headers=(), wait=0.0):
        self.status, self.headers, self.wait, self.asked = status, list(headers), wait, 0

    async def __call__(self, scope, receive, send):
        self.asked += 1
        number = self.asked
        await asyncio.sleep(self.wait)
        start = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        await send(start)
        await send({"type": "http.response.body", "body": str(number).encode()})


async def ask(application, *, token=b"a", method="GET", path="/api/backup/status", query=b""):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "query_string": query, "scheme": "http",
        "headers": [(b"authorization", token)],
    }  # fmt: skip
    await application(scope, None, send)
    return b"".join(message.get("body", b"") for message in sent)


def together(*requests):
    async def run():
        return [await request for request in requests]

    return asyncio.run(run())


def test_the_same_request_gets_the_same_answer_and_another_its_own():
    inner = Inner()
    kept = Remembered(inner)
    assert together(ask(kept), ask(kept)) == [b"1", b"1"]
    assert together(ask(kept, token=b"b"), ask(kept, query=b"x=1")) == [b"2", b"3"]
    assert together(ask(kept, path="/api/backup/status/"), ask(kept)) == [b"4", b"1"]


def test_many_at_once_are_answered_by_one():
    inner = Inner(wait=0.05)
    kept = Remembered(inner)

    async def run():
        return await asyncio.gather(*(ask(kept) for _ in range(50)))

    assert asyncio.run(run()) == [b"1"] * 50
    assert inner.asked == 1


def test_other_addresses_are_not_remembered():
    inner = Inner()
    kept = Remembered(inner)
    assert together(*(ask(kept, path="/api/backup/jobs") for _ in range(2))) == [b"1", b"2"]


def test_a_change_ends_it():
    inner = Inner()
    kept = Remembered(inner)
    change = ask(kept, method="POST", path="/api/backup/trigger")
    assert together(ask(kept), change, ask(kept)) == [b"1", b"2", b"3"]


def test_a_change_that_is_heard_of_ends_it_and_what_was_begun_before():
    inner = Inner(wait=0.05)
    kept = Remembered(inner)

    async def run():
        first = asyncio.create_task(ask(kept))
        await asyncio.sleep(0.01)
        remembered.outdate()
        return [await ask(kept), await first, await ask(kept)]

    assert asyncio.run(run()) == [b"2", b"1", b"2"]


def test_later_it_is_worked_out_anew(monkeypatch):
    monkeypatch.setattr(remembered, "SECONDS", -1)
    kept = Remembered(Inner())
    assert together(ask(kept), ask(kept)) == [b"1", b"2"]


@pytest.mark.parametrize(
    ("status", "headers"), [(401, []), (429, []), (500, []), (200, [(b"set-cookie", b"a=b")])]
)
def test_refusals_and_cookies_are_not_remembered(status, headers):
    kept = Remembered(Inner(status, headers))
    assert together(ask(kept), ask(kept)) == [b"1", b"2"]


def test_what_broke_is_asked_for_again():
    class Breaking(Inner):
        async def __call__(self, *given):
            if not self.asked:
                self.asked += 1
                raise ValueError
            await super().__call__(*given)

    kept = Remembered(Breaking())

    async def run():
        with pytest.raises(ValueError):
            await ask(kept)
        return await ask(kept)

    assert asyncio.run(run()) == b"2"


def test_only_so_many_are_kept():
    kept = Remembered(Inner())
    together(*(ask(kept, token=str(n).encode()) for n in range(remembered.MOST + 5)))
    assert len(kept._kept) <= remembered.MOST
