"""What goes wrong at a receiver by chance: what it asks for when it is busy."""

from email.utils import parsedate_to_datetime

from sluicegate.engine.retry_after import parse_retry_after
from sluicegate.simulation import Faults
from sluicegate.simulation.receivers.chance import ReceiverChance

NOW_MS = 1_770_000_000_500


def asked(**rates: float) -> list[str | None]:
    """Return what 300 busy answers ask for."""
    faults = Faults(**rates)  # type: ignore[arg-type] # all are numbers
    chance = ReceiverChance("1:shop", lambda: faults, wall_ms=lambda: NOW_MS)
    answers = [chance.refusal() for _ in range(300)]
    return [dict(each.headers).get("Retry-After") for each in answers if each is not None]


def test_a_busy_receiver_asks_in_every_form_that_there_is() -> None:
    """Nothing, seconds, dates to come and gone, beyond a small cap, and what makes no sense."""
    for said in (asked(too_many=1.0), asked(server_error=1.0)):
        assert len(said) == 300
        texts = {each for each in said if each is not None}
        assert None in said
        assert "7" in texts
        dated = {each for each in texts if each.endswith("GMT") and "2026" in each}
        away_s = {parsedate_to_datetime(each).timestamp() - NOW_MS // 1000 for each in dated}
        assert min(away_s) < 0
        assert max(away_s) > 300
        assert {each for each in texts if parse_retry_after(each, now_ms=NOW_MS) is None}
