"""Live frames: what reaches a reader, what gives way, and what Redis may do to it."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from sessions.live import CHANNEL, LOOKS, Bus, Frame, Hub, Mailbox, _joined

CODE = str(uuid4())
REDIS = os.environ.get("CRUCIBLE_TEST_REDIS_URL", "")


def delta(letter: str, text: str, code: str = CODE) -> Frame:
    return {"s": code, "p": letter, "t": text, "n": 1}


async def until(true: Callable[[], Any], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for is in other threads and processes
            await asyncio.sleep(0.005)


# --- the mailbox of one reader


async def test_a_bell_is_only_the_highest_number() -> None:
    mailbox = Mailbox()
    for seq in (3, 7, 5):
        mailbox.put({"s": CODE, "seq": seq})
    assert (mailbox.seq, mailbox.take()) == (7, [])


async def test_too_many_deltas_leave_the_reader_behind_and_take_no_memory() -> None:
    mailbox = Mailbox()
    for _ in range(1_000):
        mailbox.put(delta("A", "x" * 1_000))
        assert sum(len(frame["t"]) for frame in mailbox.deltas) <= Mailbox.LIMIT + 1_000
    assert mailbox.behind


async def test_many_tiny_deltas_are_bounded_too() -> None:
    mailbox = Mailbox()
    for _ in range(10_000):
        mailbox.put(delta("A", ""))
        assert len(mailbox.deltas) <= Mailbox.LIMIT / 40 + 1


async def test_a_reader_without_streams_is_woken_by_bells_alone() -> None:
    mailbox = Mailbox(streams=False)
    mailbox.put(delta("A", "x"))
    assert (mailbox.take(), mailbox._ready.is_set()) == ([], False)
    mailbox.put({"s": CODE, "seq": 2})
    assert mailbox._ready.is_set()


async def test_a_bell_gets_through_when_deltas_do_not() -> None:
    mailbox = Mailbox()
    for _ in range(200):
        mailbox.put(delta("A", "x" * 1_000))
    mailbox.put({"s": CODE, "seq": 9})
    mailbox.put({"u": 1})
    assert (mailbox.seq, mailbox.recheck, mailbox.behind) == (9, True, True)


async def test_waiting_ends_when_something_comes_and_after_its_time() -> None:
    loop, mailbox = asyncio.get_running_loop(), Mailbox()
    begun = loop.time()
    await mailbox.wait(0.02)
    assert loop.time() - begun >= 0.015
    loop.call_later(0.01, mailbox.put, delta("A", "x"))
    async with asyncio.timeout(1):
        await mailbox.wait(30)
    assert len(mailbox.take()) == 1


async def test_what_came_before_the_wait_is_not_slept_over() -> None:
    mailbox = Mailbox()
    mailbox.put(delta("A", "x"))
    async with asyncio.timeout(1):
        await mailbox.wait(30)


# --- events that come along with a bell


def bell(*seqs: int, reached: int | None = None) -> Frame:
    """The log has reached the last of them, or `reached`, of which the events did not come along."""
    return {"s": CODE, "seq": reached or seqs[-1], "e": [{"seq": seq} for seq in seqs]}


def numbers(events: list[Frame] | None) -> list[int] | None:
    return None if events is None else [event["seq"] for event in events]


async def test_events_that_follow_the_cursor_need_no_database() -> None:
    mailbox = Mailbox()
    mailbox.put(bell(3, 4))
    mailbox.put(bell(5))
    assert numbers(mailbox.take_log(2)) == [3, 4, 5]
    assert mailbox.take_log(5) is None


@pytest.mark.parametrize("cursor", [3, 4, 5])
async def test_events_the_reader_has_are_not_told_again(cursor: int) -> None:
    mailbox = Mailbox()
    mailbox.put(bell(3, 4, 5))
    assert numbers(mailbox.take_log(cursor)) == list(range(cursor + 1, 6))


@pytest.mark.parametrize(
    "frames",
    [
        [bell(4, 5)],  # after a gap
        [bell(3), bell(5)],  # with a gap
        [bell(5), bell(3, 4)],  # in the wrong order
        [bell(3), bell(3)],  # twice
        [bell(3), bell(reached=7)],  # and one that came without its events
        [bell(3, reached=7)],
    ],
)
async def test_events_with_a_gap_send_the_reader_to_the_database(frames: list[Frame]) -> None:
    mailbox = Mailbox()
    for frame in frames:
        mailbox.put(frame)
    assert mailbox.take_log(2) is None


async def test_events_nobody_reads_take_no_memory() -> None:
    mailbox = Mailbox()
    for seq in range(1, 5_000):
        mailbox.put(bell(seq))
        assert len(mailbox._log) <= Mailbox.MOST_EVENTS
    assert mailbox.take_log(0) is None


# --- the hub of one process


async def test_frames_reach_the_readers_of_their_session_only() -> None:
    hub = Hub(asyncio.get_running_loop())
    ours, twin, foreign = hub.join(CODE), hub.join(CODE), hub.join(str(uuid4()))
    hub.deliver([delta("A", "hello"), {"s": CODE, "seq": 4}])
    assert [mailbox.take() for mailbox in (ours, twin, foreign)] == [[delta("A", "hello")]] * 2 + [[]]
    assert (ours.seq, foreign.seq) == (4, 0)


async def test_changed_rights_reach_everybody() -> None:
    hub = Hub(asyncio.get_running_loop())
    mailboxes = [hub.join(CODE), hub.join(str(uuid4()))]
    hub.deliver([{"u": 7}])
    assert [mailbox.recheck for mailbox in mailboxes] == [True, True]


async def test_who_has_left_hears_nothing_and_leaves_no_room() -> None:
    hub = Hub(asyncio.get_running_loop())
    mailbox = hub.join(CODE)
    hub.leave(CODE, mailbox)
    hub.deliver([{"s": CODE, "seq": 4}])
    assert (mailbox.seq, dict(hub._rooms)) == (0, {})


# --- the bus of one process


def test_deltas_that_waited_together_are_joined_per_instance() -> None:
    frames = [delta("A", "he"), delta("B", "x"), {"s": CODE, "seq": 1}, delta("A", "llo"), delta("A", "!", "other")]
    assert _joined(frames) == [
        {"s": CODE, "p": "A", "t": "hello", "n": 2}, delta("B", "x"), {"s": CODE, "seq": 1}, delta("A", "!", "other"),
    ]  # fmt: skip
    assert frames[0] == delta("A", "he")


async def test_a_loop_has_one_hub_and_another_loop_another() -> None:
    bus = Bus()
    mine = bus.hub()
    assert bus.hub() is mine
    found: list[Hub] = []

    async def elsewhere() -> None:
        found.append(bus.hub())

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    thread.join(5)
    assert found[0] is not mine


async def test_what_any_thread_sends_arrives_on_every_loop() -> None:
    bus = Bus()
    mailbox = bus.hub().join(CODE)
    threads = [threading.Thread(target=bus.send, args=(delta("A", "x"),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    await until(lambda: sum(frame["n"] for frame in mailbox.deltas) == 20)


async def test_the_hub_of_a_dead_loop_does_not_stop_the_others() -> None:
    bus = Bus()

    async def join() -> None:
        bus.hub().join(CODE)

    thread = threading.Thread(target=lambda: asyncio.run(join()))
    thread.start()
    thread.join(5)
    mailbox = bus.hub().join(CODE)
    bus.send({"s": CODE, "seq": 1})
    bus.send({"s": CODE, "seq": 2})
    await until(lambda: mailbox.seq == 2)


async def test_a_worker_is_told_to_look_at_its_session() -> None:
    bus, looked = Bus(), list[Any]()
    bus.hub().look_for(looked.append)
    bus.send({"x": CODE})
    await until(lambda: looked)
    assert str(looked[0]) == CODE


# --- over Redis


@pytest.fixture
async def far(settings: Any) -> AsyncIterator[Bus]:
    """A bus of this process that hears another one through Redis."""
    if not REDIS:
        pytest.skip("needs CRUCIBLE_TEST_REDIS_URL")
    settings.REDIS_URL = REDIS
    bus = Bus()
    hub = bus.hub()
    mailbox = hub.join("probe")
    await until(lambda: mailbox.recheck)  # the subscription stands
    hub.leave("probe", mailbox)
    yield bus
    await hub.close()


async def redis_command(*words: str) -> Any:
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(REDIS) as client:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]


async def test_frames_reach_another_process(far: Bus) -> None:
    mailbox = far.hub().join(CODE)
    near = Bus()
    near.send(delta("A", "hello"))
    near.send({"s": CODE, "seq": 3})
    await until(lambda: mailbox.seq == 3)
    assert "".join(frame["t"] for frame in mailbox.take()) == "hello"


async def test_a_worker_in_another_process_is_told_to_look_and_hears_nothing_else(settings: Any) -> None:
    if not REDIS:
        pytest.skip("needs CRUCIBLE_TEST_REDIS_URL")
    settings.REDIS_URL = REDIS
    hub, looked = Bus().hub(), list[Any]()
    hub.look_for(looked.append)
    near = Bus()
    for _ in range(200):
        near.send({"s": CODE, "seq": 1})
        near.send({"x": CODE})
        await asyncio.sleep(0.01)
        if looked:
            break
    assert {str(code) for code in looked} == {CODE}
    assert list(hub.listeners) == [LOOKS]
    await hub.close()


async def test_a_cut_subscription_comes_back_and_sends_everybody_to_the_database(far: Bus) -> None:
    mailbox = far.hub().join(CODE)
    await redis_command("CLIENT", "KILL", "TYPE", "pubsub")
    await until(lambda: mailbox.recheck and mailbox.behind)
    Bus().send({"s": CODE, "seq": 3})
    await until(lambda: mailbox.seq == 3)


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "7",
        "[7]",
        '[{"s": 1}]',
        '[{"x": "no code"}]',
        pytest.param(f'[{{"s": "{CODE}", "seq": "many"}}]', id="no number"),
    ],
)
async def test_a_forged_message_does_not_end_the_listening(far: Bus, message: str) -> None:
    mailbox = far.hub().join(CODE)
    await redis_command("PUBLISH", CHANNEL, message)
    near = Bus()
    for seq in range(1, 200):
        near.send({"s": CODE, "seq": seq})
        await asyncio.sleep(0.01)
        if mailbox.seq:
            break
    assert mailbox.seq


async def test_a_redis_that_cannot_be_reached_ends_neither_sending_nor_listening(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    bus = Bus()
    hub = bus.hub()
    hub.join(CODE)
    for seq in range(3):
        bus.send({"s": CODE, "seq": seq})
        await asyncio.sleep(0.05)
    assert bus._sender is not None
    assert bus._sender.is_alive()
    assert [listener.done() for listener in hub.listeners.values()] == [False]
    await hub.close()
