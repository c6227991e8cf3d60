"""Shrinking: what is left of a failing plan is what matters."""

from collections.abc import Sequence

import pytest

from sluicegate.actors import attempt
from sluicegate.engine import signing
from sluicegate.simulation.runs import Run, run
from sluicegate.simulation.runs.shrinking import shrink
from sluicegate.simulation.runs.steps import (
    HoldAndRelease,
    PauseAmidSends,
    Resend,
    RotateKey,
    Send,
    SendBatch,
)

_SEEDS = range(1, 60)
"""One of them rotates keys, and sends meanwhile; which one changes with every rule."""
_SENDING = {HoldAndRelease, PauseAmidSends, Resend, Send, SendBatch}


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run in which only the newest of two keys signs: a planted bug."""

    def newest_only(
        *, message_id: str, timestamp_s: int, body: bytes, secrets: Sequence[str]
    ) -> tuple[tuple[str, str], ...]:
        return signing.signature_headers(
            message_id=message_id, timestamp_s=timestamp_s, body=body, secrets=secrets[:1]
        )

    monkeypatch.setattr(attempt, "signature_headers", newest_only)
    runs = (run(seed, mode="direct") for seed in _SEEDS)
    return next(each for each in runs if each.violations)


@pytest.mark.timeout(240)
def test_what_does_not_matter_is_left_out(failed: Run) -> None:
    """A few steps are left: a key was added and a message sent. Each can still be seen to fail."""
    assert failed.rules == {"signatures_verify"}
    shrunk = shrink(failed, is_over=lambda: False)
    assert shrunk.rules == failed.rules
    assert len(shrunk.plan.steps) <= 6
    kinds = {type(step) for step in shrunk.plan.steps}
    assert RotateKey in kinds
    assert kinds & _SENDING
    assert run(failed.seed, mode="direct", plan=shrunk.plan).digest == shrunk.digest


def test_shrinking_ends_when_its_time_is_over(failed: Run) -> None:
    """The plan is then as small as it had become: here as it was."""
    assert shrink(failed, is_over=lambda: True) is failed
