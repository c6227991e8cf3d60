"""The loop of a simulation: what asyncio promises, on a clock of its own, with hosts that die."""

import asyncio
import contextlib
import contextvars
import gc
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sluicegate.app import Engine
from sluicegate.engine.errors import EndpointUnreachableError, UnavailableError
from sluicegate.simulation import (
    STORM,
    DeadlockError,
    EscapeError,
    LifeEndedError,
    Network,
    Simulation,
    SimulationLoop,
    UnhandledError,
)
from sluicegate.simulation.lives import Life

HALF_A_YEAR_S = 200 * 86_400.0


@pytest.fixture
def loop() -> Iterator[SimulationLoop]:
    """A loop with a network, closed at the end."""
    made = SimulationLoop()
    Network(made, 0)
    yield made
    made.close()


# -- time -----------------------------------------------------------------------------------------


def test_time_begins_at_zero_and_jumps_to_the_next_timer(loop: SimulationLoop) -> None:
    """Waiting costs nothing; each callback runs at its moment exactly."""
    seen: list[float] = []
    for delay_s in (3600.5, 0.25, 86_400 * 3):
        loop.call_later(delay_s, lambda: seen.append(loop.time()))
    loop.advance(86_400 * 4)
    assert seen == [0.25, 3600.5, 86_400 * 3]
    assert loop.time() == 86_400 * 4


def test_timers_for_the_same_moment_run_in_the_order_in_which_they_were_set(
    loop: SimulationLoop,
) -> None:
    """Asyncio's heap leaves that open; streams would be out of order."""
    seen: list[int] = []
    for number in range(1000):
        loop.call_at(5.0, seen.append, number)
    loop.advance(10)
    assert seen == list(range(1000))


def test_cancelled_timers_never_run_however_many_there_are(loop: SimulationLoop) -> None:
    """Half of a hundred cancelled, and asyncio sweeps its heap: what is left stays right."""
    seen: list[int] = []
    timers = [loop.call_at(float(n % 7 + 1), seen.append, n) for n in range(2000)]
    for number, timer in enumerate(timers):
        if number % 10:
            timer.cancel()
    loop.advance(10)
    assert seen == sorted(range(0, 2000, 10), key=lambda n: (n % 7, n))


@pytest.mark.parametrize("begin_s", [0.0, HALF_A_YEAR_S, 50 * HALF_A_YEAR_S])
def test_timers_run_after_half_a_year_and_after_decades(
    loop: SimulationLoop, begin_s: float
) -> None:
    """Where a float has no room for nanoseconds, asyncio's test of what is due would fail."""
    loop.advance(begin_s)
    seen: list[float] = []
    for delay_s in (0.001, 1.0, 1.0, 60.0):
        loop.call_later(delay_s, lambda: seen.append(loop.time() - begin_s))
    loop.advance(100)
    assert seen == pytest.approx([0.001, 1.0, 1.0, 60.0], abs=1e-6)


def test_asyncio_timeouts_task_groups_and_queues_work(loop: SimulationLoop) -> None:
    """Unmodified programs run: here what they use most."""

    async def work() -> list[object]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        seen: list[object] = []

        async def produce() -> None:
            for number in range(3):
                await asyncio.sleep(1)
                await queue.put(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            seen += [await queue.get() for _ in range(3)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(7):
                await asyncio.sleep(100)
        done, late = await asyncio.wait(
            [asyncio.ensure_future(asyncio.sleep(n)) for n in (1, 50)], timeout=5
        )
        for each in late:
            each.cancel()
        return [*seen, len(done), len(late), loop.time()]

    assert loop.run(work()) == [0, 1, 2, 1, 1, 15.0]


def test_sets_of_tasks_and_futures_have_the_order_of_their_making(loop: SimulationLoop) -> None:
    """Else `for task in asyncio.all_tasks()` would differ from process to process."""

    async def work() -> None:
        tasks = [asyncio.ensure_future(asyncio.sleep(1)) for _ in range(50)]
        futures = {loop.create_future() for _ in range(50)}
        numbers = [hash(each) for each in futures]
        assert numbers == sorted(numbers)
        assert [each for each in tasks if each in asyncio.all_tasks()] == tasks
        assert tasks[1].get_name() == f"task-{hash(tasks[1])}"
        await asyncio.gather(*tasks)

    loop.run(work())


# -- deadlocks and complaints ---------------------------------------------------------------------


def test_waiting_for_what_cannot_happen_is_reported_with_who_waits_where(
    loop: SimulationLoop,
) -> None:
    """A hang in a simulation is an error at once, and says what hangs."""

    async def deep() -> None:
        await loop.create_future()

    async def forlorn() -> None:
        await asyncio.sleep(2)
        await deep()

    loop.spawn(Life("shop"), forlorn())
    with pytest.raises(DeadlockError) as caught:
        loop.run(forlorn())
    text = str(caught.value)
    assert text.startswith("at 2.000000 s nothing is ready and no timer is set")
    assert "of shop#1: test_waiting_for_what" in text
    assert text.count("waits at test_loop.py:") == 2


def test_timer_that_is_never_due_is_a_deadlock_too(loop: SimulationLoop) -> None:
    """`asyncio.sleep(inf)` is a way to wait for ever."""
    with pytest.raises(DeadlockError):
        loop.run(asyncio.sleep(float("inf")))


def test_what_nobody_handles_is_kept_traced_and_raised_by_check(loop: SimulationLoop) -> None:
    """An exception in a callback or in a forgotten task does not vanish."""

    async def fail() -> None:
        raise ValueError("forgotten")

    def divide() -> None:
        raise ZeroDivisionError

    loop.check()
    loop.call_later(1, divide)
    loop.create_task(fail())
    loop.advance(2)
    gc.collect()
    assert len(loop.problems) == 2
    assert sum("loop.problem" in line for line in loop.trace.tail()) == 2
    with pytest.raises(UnhandledError) as caught:
        loop.check()
    assert {type(each) for each in caught.value.exceptions} == {ValueError, ZeroDivisionError}


# -- crashes --------------------------------------------------------------------------------------


def test_crash_ends_tasks_timers_and_callbacks_and_runs_no_finally(loop: SimulationLoop) -> None:
    """A process that is killed cleans up nothing."""
    life, seen = Life("shop"), list[str]()

    async def tick() -> None:
        try:
            while True:
                await asyncio.sleep(1)
                seen.append(f"tick {loop.time():g}")
                asyncio.get_running_loop().call_later(0.75, seen.append, "timer")
        finally:
            seen.append("finally")

    async def generate() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(100)
        finally:
            seen.append("finally of a generator")

    async def consume() -> None:
        async for _ in generate():
            pass

    loop.spawn(life, tick())
    loop.spawn(life, consume())
    loop.call_at(2.5, loop.crash, life)
    loop.call_at(2.5, life.context.copy().run, loop.call_soon, seen.append, "callback")
    loop.advance(100)
    gc.collect()
    assert seen == ["tick 1", "timer", "tick 2"]
    assert not loop.problems


def test_crash_within_a_turn_leaves_the_others_their_turn(loop: SimulationLoop) -> None:
    """The crash comes while callbacks of both are ready: asyncio has counted them already."""
    life, seen = Life("shop"), list[int]()
    loop.call_soon(loop.crash, life)
    for number in range(20):
        context = life.context.copy() if number % 2 else None
        loop.call_soon(seen.append, number, context=context)
    loop.advance(1)
    assert seen == list(range(0, 20, 2))


def test_the_dead_begin_nothing(loop: SimulationLoop) -> None:
    """Code that runs on after its own crash, up to its next wait, starts nothing that runs."""
    life, seen = Life("shop"), list[str]()

    async def work() -> None:
        loop.crash(life)
        loop.call_soon(seen.append, "soon")
        loop.call_later(1, seen.append, "later")
        tasks.append(asyncio.ensure_future(wake()))
        await asyncio.sleep(0)
        seen.append("on")

    async def wake() -> None:
        seen.append("task")

    tasks: list[asyncio.Task[None]] = []
    loop.spawn(life, work())
    loop.advance(5)
    tasks.clear()
    gc.collect()
    assert not seen
    assert not loop.problems


def test_crash_is_told_to_who_waits_outside_for_what_ran_inside(loop: SimulationLoop) -> None:
    """Else a test would wait for ever, in a world whose timers go on."""
    life = Life("shop")
    assert loop.run(asyncio.sleep(1, "done"), life=life) == "done"
    loop.call_later(5, loop.crash, life)
    with pytest.raises(LifeEndedError, match="shop#1"):
        loop.run(asyncio.sleep(10), life=life)
    assert loop.time() == 6
    with pytest.raises(LifeEndedError, match="shop#1"):
        loop.run(asyncio.sleep(10), life=life)


def test_crash_of_one_life_leaves_the_next_life_and_the_neighbours_alone(
    loop: SimulationLoop,
) -> None:
    """A host comes back in another life; what the first left behind does not reach it."""
    seen: list[str] = []

    async def tick(name: str) -> None:
        while True:
            await asyncio.sleep(1)
            seen.append(name)

    first, second, other = Life("shop"), Life("shop", 2), Life("bank")
    for life in (first, other):
        loop.spawn(life, tick(str(life)))
    loop.call_at(1.5, loop.crash, first)
    loop.call_at(1.5, lambda: loop.spawn(second, tick(str(second))))
    loop.advance(3.2)
    assert seen == ["shop#1", "bank#1", "bank#1", "shop#2", "bank#1"]


def test_contexts_are_inherited_and_kept_apart(loop: SimulationLoop) -> None:
    """Context variables tell the loop whose code runs: programs must have theirs, too."""
    colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")

    async def child() -> str:
        await asyncio.sleep(1)
        before = colour.get()
        colour.set("blue")
        return before

    async def parent() -> tuple[str, str]:
        colour.set("red")
        return await asyncio.create_task(child()), colour.get()

    assert loop.run(parent()) == ("red", "red")
    assert colour.get() == "none"


def test_nothing_is_traced_or_complained_of_after_the_end(loop: SimulationLoop) -> None:
    """The dead are let go of at the end; what their `finally` blocks do then is nobody's affair."""
    life = Life("shop")

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            loop.trace.note("too late")
            raise ValueError("too late")

    loop.spawn(life, work())
    loop.create_task(work())
    loop.advance(1)
    loop.crash(life)
    digest = loop.trace.digest()
    loop.close()
    assert loop.trace.digest() == digest
    assert not loop.problems


def test_the_dead_who_ask_for_a_loop_get_no_real_one(loop: SimulationLoop) -> None:
    """One that is made when a coroutine is closed would be closed by nobody."""
    life, seen = Life("shop"), list[object]()

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            seen.append(asyncio.get_running_loop())

    loop.spawn(life, work())
    loop.advance(1)
    loop.crash(life)
    loop.close()
    assert seen == [loop]


# -- the real world -------------------------------------------------------------------------------


def test_executors_and_to_thread_run_inline_at_a_virtual_moment(loop: SimulationLoop) -> None:
    """No thread is used, and yet no loop runs there, as on a real thread."""

    def where() -> tuple[int, bool]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return threading.get_ident(), False
        return threading.get_ident(), True

    def fail() -> None:
        raise ValueError("in vain")

    async def work() -> None:
        assert await asyncio.to_thread(where) == (threading.get_ident(), False)
        assert await loop.run_in_executor(None, where) == (threading.get_ident(), False)
        assert 0 < loop.time() < 0.01
        with pytest.raises(ValueError, match="in vain"):
            await asyncio.to_thread(fail)
        assert asyncio.get_running_loop() is loop

    loop.run(work())


def test_call_from_another_thread_is_an_escape_and_does_not_vanish(loop: SimulationLoop) -> None:
    """No seed repeats the moments of threads."""
    caught: list[BaseException] = []

    def call() -> None:
        try:
            loop.call_soon_threadsafe(print)
        except EscapeError as error:
            caught.append(error)

    for running in (False, True):
        thread = threading.Thread(target=call)
        if running:
            loop.call_soon(thread.start)
            loop.call_soon(thread.join)
            loop.advance(1)
        else:
            thread.start()
            thread.join()
    assert len(caught) == 2
    with pytest.raises(UnhandledError):
        loop.check()


@pytest.mark.parametrize(
    "reach",
    [
        lambda loop: loop.add_reader(0, print),
        lambda loop: loop.add_signal_handler(15, print),
        lambda loop: loop.set_task_factory(lambda _, coro: coro),
    ],
)
def test_real_descriptors_and_signals_are_escapes(
    loop: SimulationLoop, reach: Callable[[Any], object]
) -> None:
    """What would wait for the real world is refused, not ignored."""
    with pytest.raises(EscapeError):
        reach(loop)


@pytest.mark.parametrize(
    "reach",
    [
        lambda _: asyncio.create_subprocess_exec("true"),
        lambda _: asyncio.create_subprocess_shell("true"),
        lambda _: asyncio.open_unix_connection("/nowhere"),
        lambda _: asyncio.start_unix_server(print, "/nowhere"),
        lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol),
    ],
)
def test_subprocesses_unix_sockets_and_datagrams_are_escapes(
    loop: SimulationLoop, reach: Callable[[Any], Any]
) -> None:
    """The same for what is awaited."""

    async def work() -> None:
        await reach(loop)

    with pytest.raises(EscapeError, match="a simulation has no"):
        loop.run(work())


def test_real_sockets_are_escapes(loop: SimulationLoop) -> None:
    """A socket that is connected, or listens, leads out of the simulation."""
    here, there = socket.socketpair()
    with here, there, socket.socket() as listener:

        async def connect() -> None:
            await loop.create_connection(asyncio.Protocol, sock=here)

        async def serve() -> None:
            await loop.create_server(asyncio.Protocol, sock=listener)

        async def receive() -> None:
            await loop.sock_recv(here, 1)

        for work in (connect, serve, receive):
            with pytest.raises(EscapeError):
                loop.run(work())


def test_async_generators_are_closed_by_shutdown_asyncgens(loop: SimulationLoop) -> None:
    """What `asyncio.run` does at its end works here too, and needs no Runner."""
    seen: list[str] = []

    async def generate() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            seen.append("closed")

    async def work() -> AsyncIterator[int]:
        generator = generate()
        await anext(generator)
        return generator

    generator = loop.run(work())
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert seen == ["closed"]
    del generator


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks_run_at_once_up_to_their_first_wait(loop: SimulationLoop) -> None:
    """Programs that set `asyncio.eager_task_factory` get what they ask for."""
    seen: list[int] = []

    async def child() -> None:
        seen.append(1)
        await asyncio.sleep(1)
        seen.append(3)

    async def work() -> None:
        task = asyncio.create_task(child())
        seen.append(2)
        await task

    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore] # 3.12
    loop.run(work())
    assert seen == [1, 2, 3]


# -- many simulations ---------------------------------------------------------------------------


def a_life(seed: int) -> None:
    """Deliver a little through storms, with three ends of the process."""
    with Simulation(seed, faults=STORM) as simulation:
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine(retry_slow_s=(5, 20), retry_fast_s=(1, 5))

        async def send(engine: Engine) -> None:
            with contextlib.suppress(UnavailableError, EndpointUnreachableError):
                endpoint = await engine.create_endpoint(url=shop.url)
                for number in range(3):
                    await engine.send(endpoint.id, {"number": number})

        simulation.loop.spawn(sluicegate.life, send(sluicegate.engine))
        simulation.advance(1)
        for power_loss in (True, False):
            sluicegate.crash(power_loss=power_loss)
            shop.crash(power_loss=power_loss)
            simulation.advance(10)


def test_thirty_simulations_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor, no folder and no growing heap: soaks run thousands in one process."""
    monkeypatch.setattr("sluicegate.simulation.one_world._memory", lambda: str(tmp_path))
    for seed in range(3):  # what is cached for good is cached now
        a_life(seed)
    gc.collect()
    descriptors, objects = len(list(Path("/dev/fd").iterdir())), len(gc.get_objects())
    for seed in range(3, 33):
        a_life(seed)
    gc.collect()
    assert len(list(Path("/dev/fd").iterdir())) == descriptors
    assert len(gc.get_objects()) - objects < 3000
    assert not list(tmp_path.iterdir())
