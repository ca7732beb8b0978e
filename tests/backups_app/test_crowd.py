"""What listeners are told, and what the process learns from it."""

import asyncio

from channels.layers import InMemoryChannelLayer

from backups_app import remembered
from backups_app.crowd import GROUP, Crowd, Slot


def test_the_latest_of_each_job_is_what_a_slow_listener_gets():
    async def run():
        got, reads = [], asyncio.Event()

        async def send(text):
            got.append(text)
            await reads.wait()

        slot = Slot(send)
        passing = asyncio.create_task(slot.pass_on())
        slot.put("one", "first")
        await asyncio.sleep(0)
        for number in range(1000):
            slot.put("one", f"one {number}")
            slot.put("two", f"two {number}")
        reads.set()
        while len(got) < 3:
            await asyncio.sleep(0)
        passing.cancel()
        return got

    assert asyncio.run(run()) == ["first", "one 999", "two 999"]


def test_when_a_job_begins_or_ends_the_status_that_is_kept_is_out_of_date():
    async def run():
        layer, crowd, got = InMemoryChannelLayer(), Crowd(), asyncio.Queue()
        slot = Slot(got.put)
        passing = asyncio.create_task(slot.pass_on())
        await crowd.join(layer, slot)
        seen = []
        for number, state in enumerate(["PENDING", "RUNNING", "RUNNING", "RUNNING", "SUCCEEDED"]):
            before = remembered._changes
            message = {"type": "job.changed", "id": "a", "state": state, "text": str(number)}
            await layer.group_send(GROUP, message)
            assert await got.get() == str(number)
            seen.append(remembered._changes - before)
        crowd.leave(slot)
        passing.cancel()
        return seen

    assert asyncio.run(run()) == [1, 1, 0, 0, 1]


def test_what_a_worker_of_an_older_version_says_is_passed_on():
    async def run():
        layer, crowd, got = InMemoryChannelLayer(), Crowd(), asyncio.Queue()
        slot = Slot(got.put)
        passing = asyncio.create_task(slot.pass_on())
        await crowd.join(layer, slot)
        for number in ("1", "2"):
            await layer.group_send(GROUP, {"type": "job.changed", "id": "a", "text": number})
            assert await asyncio.wait_for(got.get(), 10) == number
        crowd.leave(slot)
        passing.cancel()

    asyncio.run(run())
