"""No receiver that answers is kept waiting by those that do not: the real engine, in the world.

The caps are small, so that forty bad receivers are to them what a thousand are to the defaults.
"""

import random
from collections.abc import Callable, Hashable

import pytest
from tests.simulation.mutants.mutant import Patch

from sluicegate.actors.pool import Pool
from sluicegate.actors.slots import Slot, Turn
from sluicegate.app import Engine
from sluicegate.simulation import Answer, ReceivedRequest, Simulation

PROMPT, LATE = 8, 64
WAITS_S_MAX = 0.5
"""From a send to its arrival: some operations of the disk, some journeys of packets."""
SURPRISE_S, JUDGED_S = 10, 35
HEALTHY, BAD = 3, 40
MANNERS = (
    Answer(delay_s=60),  # over every time limit: a black hole
    Answer(delay_s=25),
    Answer(delay_s=3),
    Answer(status=500, delay_s=2),
)


class Town:
    """Some receivers that answer at once, and many of which half do so until they turn bad.

    The others are bad from the first message on.
    """

    def __init__(self, simulation: Simulation, seed: int, *, bad: int) -> None:
        self.simulation = simulation
        self.sent_s: dict[str, float] = {}
        self._turned = False
        self._known = HEALTHY + bad // 2
        chance = random.Random(seed)
        self._good = [simulation.host(f"good{number}.example") for number in range(HEALTHY)]
        others = [
            simulation.host(f"bad{number}.example", responses=self._turning(chance.choice(MANNERS)))
            for number in range(bad)
        ]
        self._sluicegate = simulation.engine(in_flight_max=PROMPT, in_flight_late_max=LATE)
        self._ids = [
            self._sluicegate.create_endpoint(url=each.url).id for each in (*self._good, *others)
        ]

    def _turning(self, manner: Answer) -> Callable[[ReceivedRequest], Answer]:
        return lambda _request: manner if self._turned else Answer()

    def send_for(self, seconds: int) -> None:
        """Send a message a second to each receiver that answers."""
        for _ in range(seconds):
            self.simulation.run(self._sluicegate.call(self._send))
            self.simulation.advance(1)

    async def _send(self, engine: Engine) -> None:
        for endpoint_id in self._ids[: HEALTHY if self._turned else self._known]:
            began_s = self.simulation.loop.time()
            accepted = await engine.send(endpoint_id, {"n": len(self.sent_s)})
            self.sent_s[accepted.message_id] = began_s

    def turn(self) -> None:
        """Let those turn bad that are to, with twenty messages for each of the bad ones."""
        self._turned = True
        self.simulation.run(self._sluicegate.call(self._send_twenty))

    async def _send_twenty(self, engine: Engine) -> None:
        for number in range(20):
            for endpoint_id in self._ids[HEALTHY:]:
                await engine.send(endpoint_id, {"n": number})

    def longest_wait_s(self) -> float:
        """Stop, and return how long a message to a good receiver took at most, of those noted."""
        now_s = self.simulation.loop.time()
        self._sluicegate.stop()
        arrived_s = {each.message_id: each.at_s for host in self._good for each in host.requests}
        return max(arrived_s.get(each, now_s) - began_s for each, began_s in self.sent_s.items())


def longest_wait_s(seed: int, *, bad: int) -> float:
    """Return how long a message to a good receiver took at most, beside so many bad ones.

    Those that turn bad are a surprise for some seconds; what is judged comes after these.
    """
    with Simulation(seed, direct=True) as simulation:
        town = Town(simulation, seed, bad=bad)
        town.send_for(12)
        town.turn()
        town.send_for(SURPRISE_S)
        town.sent_s.clear()
        town.send_for(JUDGED_S)
        assert len(town.sent_s) == JUDGED_S * HEALTHY
        return town.longest_wait_s()


@pytest.mark.parametrize("seed", [1, 2])
def test_bad_receivers_do_not_delay_good_ones(seed: int) -> None:
    """Five times as many as there are slots; what is sent to the others arrives as without them."""
    assert longest_wait_s(seed, bad=BAD) < WAITS_S_MAX


def test_it_takes_no_longer_without_them() -> None:
    """The bound is no looser than the world itself."""
    assert WAITS_S_MAX / 20 < longest_wait_s(1, bad=0) < WAITS_S_MAX


def stays_in_its_prompt_slot(patch: Patch) -> None:
    """A late attempt keeps the slot that it has."""

    def marked(self: Slot) -> None:
        self.late = True
        self._turn.became_late(prompt=self.prompt)

    patch.replace(Slot, "become_late", marked)


def all_of_a_pool_is_for_everybody(patch: Patch) -> None:
    """New endpoints may hold all prompt slots, and what starts in late ones all of those."""
    try_take, release = Pool.try_take, Pool.release

    def take_any(self: Pool, who: Hashable, grant: Callable[[], None], *, half: bool) -> bool:
        del half
        return try_take(self, who, grant, half=False)

    def release_any(self: Pool, *, half: bool) -> None:
        del half
        release(self, half=False)

    patch.replace(Pool, "try_take", take_any)
    patch.replace(Pool, "release", release_any)


def lateness_is_forgiven(patch: Patch) -> None:
    """Whoever has been late starts in prompt slots all the same."""

    def forgiving(self: Turn) -> tuple[Pool, bool]:
        return self._slots.prompt, False

    patch.replace(Turn, "_wanted", forgiving)


@pytest.mark.parametrize(
    "plant", [stays_in_its_prompt_slot, all_of_a_pool_is_for_everybody, lateness_is_forgiven]
)
def test_each_part_of_the_rule_is_needed(plant: Callable[[Patch], None]) -> None:
    """Without any of them good receivers wait, which is seen."""
    patch = Patch()
    plant(patch)
    try:
        assert longest_wait_s(1, bad=BAD) > WAITS_S_MAX
    finally:
        patch.undo()
