"""Whose turn it is."""

import asyncio

import pytest

from gateway.pipeline.order import Order


async def test_tenants_take_turns_and_each_conversation_keeps_its_order() -> None:
    order, done = Order(2), []
    gate = asyncio.Event()
    inside = most = 0

    async def turn(tenant_id: int, peer: int, number: int) -> None:
        nonlocal inside, most
        async with order.turn(tenant_id, (tenant_id, peer)):
            inside += 1
            most = max(most, inside)
            await gate.wait()
            await asyncio.sleep(0)
            inside -= 1
            done.append((tenant_id, peer, number))

    async with asyncio.TaskGroup() as tasks:
        for number in range(40):
            tasks.create_task(turn(1, number % 8, number))
        await asyncio.sleep(0)
        gave_up = tasks.create_task(turn(4, 0, 0))
        for tenant_id in (2, 3):
            for number in range(3):
                tasks.create_task(turn(tenant_id, number, number))
        await asyncio.sleep(0)
        gave_up.cancel()
        gate.set()
    assert most == 2
    assert len(done) == 46
    small = [place for place, (tenant_id, _, _) in enumerate(done) if tenant_id != 1]
    assert max(small) < 2 + 3 * 3 + 2  # as if the flood were as small as they are
    for peer in range(8):
        assert [number for tenant_id, one, number in done if (tenant_id, one) == (1, peer)] == [*range(peer, 40, 8)]


@pytest.mark.parametrize("waits", [True, False])
async def test_whoever_gives_up_leaves_their_place_to_others(waits: bool) -> None:
    order = Order(1)
    async with order.turn(1, "a"):
        gives_up = asyncio.ensure_future(order.turn(1, "b").__aenter__())
        follows = asyncio.ensure_future(order.turn(2, "c").__aenter__())
        await asyncio.sleep(0)
        if waits:
            gives_up.cancel()
            await asyncio.sleep(0)
    if not waits:
        gives_up.cancel()  # in the moment in which it was its turn
    await asyncio.wait_for(follows, 1)
