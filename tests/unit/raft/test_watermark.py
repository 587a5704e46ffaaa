"""Who waits for a number learns of it; who gives up leaves nothing behind."""

import asyncio

from quoth_cluster.raft.watermark import GONE_MIN, Watermark


async def test_each_learns_when_its_own_number_is_reached() -> None:
    mark = Watermark(3)
    await mark.reached(3)
    waiting = {number: asyncio.create_task(mark.reached(number)) for number in (5, 4, 9)}
    await asyncio.sleep(0)
    mark.advance(5)
    await asyncio.wait([waiting[4], waiting[5]])
    assert not waiting[9].done()
    mark.advance(20)
    await waiting[9]


async def test_those_who_give_up_leave_nothing_behind() -> None:
    mark = Watermark()
    for _ in range(10 * GONE_MIN):
        assert not await mark.reached_within(10**15, seconds=0.0)
    assert len(mark._waiting) <= 2 * GONE_MIN
