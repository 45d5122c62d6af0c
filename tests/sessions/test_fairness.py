"""Turns at a provider: who waits for whom, and what a cancelled wait leaves behind."""

import asyncio

from sessions.fairness import FairGate

TICK = 0.01


class Turns:
    """Runs holders of a gate and remembers in which order they got their turn."""

    def __init__(self, gate: FairGate) -> None:
        self.gate, self.order, self.running, self.most = gate, list[str](), 0, 0

    async def hold(self, session_id: int, name: str, until: asyncio.Event | None = None) -> None:
        async with self.gate.slot(session_id):
            self.order.append(name)
            self.running += 1
            self.most = max(self.most, self.running)
            await (until.wait() if until else asyncio.sleep(0))
            self.running -= 1

    def start(self, session_id: int, name: str, until: asyncio.Event | None = None) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self.hold(session_id, name, until))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_at_most_the_limit_hold_at_once() -> None:
    turns = Turns(FairGate(3))
    await asyncio.gather(*(turns.hold(session, f"{session}") for session in range(20)))
    assert (turns.most, len(turns.order)) == (3, 20)


async def test_sessions_take_turns_and_one_session_is_served_in_order() -> None:
    turns, gate_open = Turns(FairGate(1)), asyncio.Event()
    tasks = [turns.start(0, "first", gate_open)]
    await settle()
    tasks += [turns.start(1, f"big-{number}") for number in range(4)]
    tasks += [turns.start(2, "small"), turns.start(3, "tiny")]
    await settle()
    gate_open.set()
    await asyncio.gather(*tasks)
    assert turns.order == ["first", "big-0", "small", "tiny", "big-1", "big-2", "big-3"]


async def test_a_late_session_does_not_wait_for_a_thousand_calls_of_another() -> None:
    turns, gate_open = Turns(FairGate(1)), asyncio.Event()
    tasks = [turns.start(0, "first", gate_open)]
    await settle()
    tasks += [turns.start(1, f"big-{number}") for number in range(1_000)]
    await settle()
    tasks.append(turns.start(2, "late"))
    await settle()
    gate_open.set()
    await asyncio.gather(*tasks)
    assert turns.order.index("late") == 2


async def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    turns, gate_open = Turns(FairGate(1)), asyncio.Event()
    holder = turns.start(0, "first", gate_open)
    await settle()
    waiting = [turns.start(1, "gone"), turns.start(2, "gone"), turns.start(3, "stays")]
    await settle()
    waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    gate_open.set()
    await asyncio.gather(holder, waiting[2])
    assert turns.order == ["first", "stays"]
    await turns.hold(4, "next")


async def test_a_turn_given_in_the_moment_of_cancelling_is_passed_on() -> None:
    turns = Turns(FairGate(1))
    async with turns.gate.slot(0):
        unlucky, lucky = turns.start(1, "unlucky"), turns.start(2, "lucky")
        await settle()
    unlucky.cancel()  # the turn is its own since the line above, but it has not run yet
    await asyncio.gather(unlucky, return_exceptions=True)
    async with asyncio.timeout(1):
        await lucky
        await turns.hold(3, "next")
    assert turns.order == ["lucky", "next"]


async def test_a_holder_that_fails_gives_its_turn_back() -> None:
    gate = FairGate(1)

    async def fail() -> None:
        async with gate.slot(1):
            raise ValueError

    await asyncio.gather(fail(), fail(), return_exceptions=True)
    async with asyncio.timeout(1), gate.slot(2):
        pass


async def test_random_cancelling_loses_no_turn() -> None:
    turns = Turns(FairGate(2))
    tasks = [turns.start(number % 5, f"{number}") for number in range(300)]
    for number, task in enumerate(tasks):
        if number % 3 == 0:
            task.cancel()
        if number % 7 == 0:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert turns.most == 2
    async with asyncio.timeout(1):
        async with turns.gate.slot(1), turns.gate.slot(2):
            pass


async def test_a_pause_holds_everybody_back_and_ends_by_itself() -> None:
    loop, turns = asyncio.get_running_loop(), Turns(FairGate(2))
    turns.gate.pause(5 * TICK)
    begun = loop.time()
    tasks = [turns.start(session, f"{session}") for session in range(3)]
    await settle()
    assert turns.order == []
    await asyncio.gather(*tasks)
    assert loop.time() - begun >= 5 * TICK


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    loop, turns = asyncio.get_running_loop(), Turns(FairGate(1))
    begun = loop.time()
    turns.gate.pause(8 * TICK)
    turns.gate.pause(TICK)
    await turns.hold(1, "patient")
    assert loop.time() - begun >= 8 * TICK


async def test_who_returns_a_turn_during_a_pause_starts_nobody() -> None:
    turns, gate_open = Turns(FairGate(1)), asyncio.Event()
    holder = turns.start(0, "first", gate_open)
    await settle()
    waiting = turns.start(1, "second")
    turns.gate.pause(3 * TICK)
    gate_open.set()
    await holder
    await settle()
    assert turns.order == ["first"]
    await waiting
    assert turns.order == ["first", "second"]


async def test_cancelling_in_a_pause_leaves_the_others_their_turns() -> None:
    turns = Turns(FairGate(1))
    turns.gate.pause(2 * TICK)
    gone, stays = turns.start(1, "gone"), turns.start(2, "stays")
    await settle()
    gone.cancel()
    async with asyncio.timeout(1):
        await stays
    assert turns.order == ["stays"]


async def test_a_raised_limit_counts_for_the_next_turn() -> None:
    turns, gate_open = Turns(FairGate(1)), asyncio.Event()
    tasks = [turns.start(session, f"{session}", gate_open) for session in range(3)]
    await settle()
    turns.gate.limit = 3
    tasks.append(turns.start(4, "4", gate_open))
    await settle()
    gate_open.set()
    await asyncio.gather(*tasks)
    assert len(turns.order) == 4
