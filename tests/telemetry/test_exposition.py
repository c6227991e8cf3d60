"""What a scrape is answered with, and what it may cost."""

import asyncio

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from sluicegate.clock import SystemClock
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.ports import Overview
from sluicegate.telemetry.counting import Counting
from sluicegate.telemetry.exposition import Exposition
from sluicegate.telemetry.gauges import Live, SlotsRead

OVERVIEW = Overview(
    queued=1,
    pending_retry=2,
    held=3,
    failed=4,
    active=5,
    paused={"manual": 6, "gone": 7, "failing": 8},
    circuits_open=9,
    queued_since_ms=None,
    accepted_at_ms=None,
)


class MovableClock(SystemClock):
    """The machine's clock, which stands still unless a test moves it forward."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = super().monotonic_s()

    def monotonic_s(self) -> float:
        """Seconds, those that the test added included."""
        return self.ahead_s


class Sums:
    """The part of a storage that a scrape uses, with a gate to wait at."""

    def __init__(self) -> None:
        self.reads = 0
        self.error: Exception | None = None
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def overview(self, *, circuit_failures: int) -> Overview:
        """Answer what the test chose."""
        assert circuit_failures == 10
        self.reads += 1
        self.asked.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return OVERVIEW


class Bench:
    """An exposition and all it is made of."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.sums = Sums()
        self.counting = Counting()
        self.exposition = Exposition(
            self.counting,
            storage=self.sums,
            clock=self.clock,
            circuit_failures=10,
            live=Live(
                in_flight=lambda: 11,
                slots=lambda: [SlotsRead(pool="late", size=2048, held=7, waiting=3)],
                actors=lambda: 12,
                version="1.2.3",
            ),
        )

    async def samples(self, accept: str = "") -> dict[str, float]:
        """Scrape, parse, and return each sample by name and labels."""
        text, _ = await self.exposition.text(accept)
        parse = openmetrics_families if accept else text_string_to_metric_families
        return {
            each.name + ",".join(f"{{{k}={v}}}" for k, v in sorted(each.labels.items())): each.value
            for family in parse(text.decode())
            for each in family.samples
        }


@pytest.fixture
def bench() -> Bench:
    """A bench whose storage answers at once."""
    return Bench()


async def test_a_scrape_tells_what_was_counted_and_what_storage_and_actors_say(
    bench: Bench,
) -> None:
    """One text with everything."""
    bench.counting.attempt_unsent()
    samples = await bench.samples()
    wanted = {
        "sluicegate_attempts_unsent_total": 1,
        "sluicegate_actors": 12,
        "sluicegate_attempts_in_flight": 11,
        "sluicegate_slots{pool=late}": 2048,
        "sluicegate_slots_held{pool=late}": 7,
        "sluicegate_slots_waited_for{pool=late}": 3,
        "sluicegate_scrape_error": 0,
        "sluicegate_messages{status=queued}": 1,
        "sluicegate_messages{status=pending_retry}": 2,
        "sluicegate_messages{status=paused}": 3,
        "sluicegate_messages{status=failed_permanent}": 4,
        "sluicegate_endpoints{state=active}": 5,
        "sluicegate_endpoints{state=paused_manual}": 6,
        "sluicegate_endpoints{state=paused_gone}": 7,
        "sluicegate_endpoints{state=paused_failing}": 8,
        "sluicegate_endpoints_circuit_open": 9,
        "sluicegate_oldest_queued_age_seconds": 0,
        "sluicegate_oldest_waiting_age_seconds": 0,
    }
    assert {name: samples.get(name) for name in wanted} == wanted
    assert samples["sluicegate_process_start_time_seconds"] > 0


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=1.0.0", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            "Application/OpenMetrics-Text; version=x\x01; escaping=y",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
async def test_the_format_follows_the_accept_header(
    bench: Bench, accept: str, content_type: str
) -> None:
    """And nothing that a client wrote there comes back."""
    text, told = await bench.exposition.text(accept)
    assert told == content_type
    assert text.endswith(b"# EOF\n") == ("openmetrics" in content_type)


async def test_both_formats_are_lawful_and_say_the_same(bench: Bench) -> None:
    """Strict parsers take them: `# EOF`, `_total`, ordered buckets, no name twice."""
    bench.counting.request_finished(method="GET", route="/v1/x", status=200, duration_s=0.1)
    plain = await bench.samples()
    strict = await bench.samples("application/openmetrics-text")
    moving = {name for name in plain if "process" in name}
    assert {n: v for n, v in plain.items() if n not in moving} == {
        n: v for n, v in strict.items() if n not in moving
    }


async def test_scrapes_within_a_second_share_one_text(bench: Bench) -> None:
    """A scraper cannot load the loop or the storage, however often it comes."""
    first = await bench.samples()
    bench.counting.attempt_unsent()
    assert await bench.samples() == first
    assert bench.sums.reads == 1
    bench.clock.ahead_s += 1.1
    assert (await bench.samples())["sluicegate_attempts_unsent_total"] == 1
    assert bench.sums.reads == 2


async def test_scrapes_at_once_share_one_read(bench: Bench) -> None:
    """One that takes its time is not begun twice."""
    bench.sums.gate.clear()
    scrapes = [asyncio.create_task(bench.samples()) for _ in range(5)]
    await bench.sums.asked.wait()
    bench.sums.gate.set()
    assert {each["sluicegate_scrape_error"] for each in await asyncio.gather(*scrapes)} == {0}
    assert bench.sums.reads == 1


async def test_storage_rests_nine_times_as_long_as_a_read_took(bench: Bench) -> None:
    """So scraping takes at most a tenth of one reader, whatever is stored."""
    bench.sums.gate.clear()
    scrape = asyncio.create_task(bench.samples())
    await bench.sums.asked.wait()
    bench.clock.ahead_s += 1
    bench.sums.gate.set()
    await scrape
    for ahead_s, reads in ((8.5, 1), (1, 2)):
        bench.clock.ahead_s += ahead_s
        assert (await bench.samples())["sluicegate_messages{status=queued}"] == 1
        assert bench.sums.reads == reads


async def test_when_storage_fails_the_rest_is_told_all_the_same(bench: Bench) -> None:
    """With a sign of it, and without figures that may be wrong by now."""
    await bench.samples()
    bench.sums.error = UnavailableError("gone")
    bench.clock.ahead_s += 2
    samples = await bench.samples()
    assert samples["sluicegate_scrape_error"] == 1
    assert samples["sluicegate_attempts_unsent_total"] == 0
    assert not [name for name in samples if name.startswith("sluicegate_messages{")]


async def test_a_storage_that_hangs_holds_no_scrape_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two seconds (here: at once) the rest is told; the read goes on for later ones."""
    monkeypatch.setattr("sluicegate.telemetry.exposition._READ_S", 0.01)
    bench.sums.gate.clear()
    assert (await bench.samples())["sluicegate_scrape_error"] == 1
    bench.clock.ahead_s += 2
    assert (await bench.samples())["sluicegate_scrape_error"] == 1
    assert bench.sums.reads == 1
    monkeypatch.undo()
    bench.clock.ahead_s += 2
    bench.sums.gate.set()
    assert (await bench.samples())["sluicegate_scrape_error"] == 0
    assert bench.sums.reads == 1


async def test_a_scraper_that_goes_away_takes_nobodys_read_along(bench: Bench) -> None:
    """The one that stays gets its answer."""
    bench.sums.gate.clear()
    leaves, stays = (asyncio.create_task(bench.samples()) for _ in range(2))
    await bench.sums.asked.wait()
    leaves.cancel()
    await asyncio.wait([leaves])
    bench.sums.gate.set()
    assert (await stays)["sluicegate_scrape_error"] == 0


async def test_closing_ends_a_read_that_hangs(bench: Bench) -> None:
    """An engine that is left leaves no task behind."""
    bench.sums.gate.clear()
    scrape = asyncio.create_task(bench.samples())
    await bench.sums.asked.wait()
    await bench.exposition.close()
    assert (await scrape)["sluicegate_scrape_error"] == 1
    await bench.exposition.close()
