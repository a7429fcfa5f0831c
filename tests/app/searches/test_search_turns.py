"""Searches are let in a few at a time, each person some, and end when nobody waits for them."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tocsin.app.searches.search_turns import SearchesBusy, SearchTurns


async def _never() -> bool:
    return False


async def _at_once() -> bool:
    return True


def test_one_person_does_not_keep_others_out() -> None:
    async def walk() -> None:
        turns = SearchTurns(3, 2, wait_s=60, limit_s=60)
        async with AsyncExitStack() as held:
            for _ in range(2):
                await held.enter_async_context(turns.turn("ada", _never))
            third = asyncio.create_task(held.enter_async_context(turns.turn("ada", _never)))
            await held.enter_async_context(turns.turn("bob", _never))
            assert not third.done()
            third.cancel()

    asyncio.run(walk())


def test_who_waits_is_let_in_when_a_search_is_over() -> None:
    async def walk() -> list[str]:
        turns = SearchTurns(1, 1, wait_s=60, limit_s=60)
        order: list[str] = []
        begun = asyncio.Event()

        async def second() -> None:
            begun.set()
            async with turns.turn("bob", _never):
                order.append("second")

        async with turns.turn("ada", _never):
            waiting = asyncio.create_task(second())
            await begun.wait()
            order.append("first")
        await waiting
        return order

    assert asyncio.run(walk()) == ["first", "second"]


def test_who_waited_too_long_is_told() -> None:
    async def walk() -> None:
        turns = SearchTurns(1, 1, wait_s=0.01, limit_s=60)
        async with turns.turn("ada", _never):
            with pytest.raises(SearchesBusy, match="1 searches run already"):
                async with turns.turn("bob", _never):
                    raise AssertionError("it was let in")
        async with turns.turn("bob", _never):
            pass

    asyncio.run(walk())


def test_the_search_of_who_has_gone_is_stopped() -> None:
    async def walk() -> str:
        turns = SearchTurns(1, 1, wait_s=60, limit_s=60)
        left = asyncio.Event()

        async def is_gone() -> bool:
            await left.wait()
            return True

        async with turns.turn("ada", is_gone) as stop:
            assert stop.reason == ""
            left.set()
            while not stop.reason:
                await asyncio.sleep(0)
            return stop.reason

    assert asyncio.run(walk()) == "nobody waits for it any more"


def test_who_has_gone_gives_up_the_place_in_the_queue() -> None:
    async def walk() -> None:
        turns = SearchTurns(1, 1, wait_s=60, limit_s=60)
        async with turns.turn("ada", _never):
            with pytest.raises(SearchesBusy, match="nobody waits"):
                async with turns.turn("bob", _at_once):
                    raise AssertionError("it was let in")
        async with turns.turn("cleo", _never):
            pass

    asyncio.run(walk())
