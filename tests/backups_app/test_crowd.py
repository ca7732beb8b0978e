"""A listener that does not read gets the latest of each job when it does."""

import asyncio

from backups_app.crowd import Slot


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
