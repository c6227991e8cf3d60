"""How a world begins: settings so small that their limits are met, receivers, endpoints."""

import random
from typing import Any

import msgspec

from sluicegate.simulation.runs.drawing import RECEIVERS_MAX, happens

__all__ = ["Setup", "draw_config", "draw_setup"]


class Setup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The engine's settings, and whom it serves at first."""

    settings: dict[str, Any] = {}
    """Of `sluicegate.engine.settings.Settings`, by name."""
    receivers: int = 1
    endpoints: tuple[dict[str, Any], ...] = ({},)
    """The configuration of each; endpoint n leads to receiver n, counted around."""
    left_paused: tuple[int, ...] = ()
    """Endpoints that stay as they are at the end, even if they are paused."""


def draw_setup(chance: random.Random) -> Setup:
    """Draw a beginning."""
    slow, fast = chance.choice(
        (
            ((5.0, 20.0, 60.0, 300.0), (1.0, 5.0)),
            ((1.0, 3.0, 10.0), (0.5, 2.0)),
            ((30.0, 120.0), (5.0, 10.0, 20.0)),
            ((2.0,), (0.0, 1.0)),
            ((2.0, 3600.0), (1.0, 600.0)),
            ((3.0, 900.0, 7200.0), (0.5, 30.0)),
        )
    )
    settings: dict[str, Any] = {
        "retry_slow_s": list(slow),
        "retry_fast_s": list(fast),
        "retry_jitter": chance.choice((0.0, 0.1, 0.5)),
        "retry_after_max_s": chance.choice((30, 300, 86_400)),
        "attempts_max": chance.choice((3, 4, 5, 8)),
        "window": chance.choice((2, 3, 5, 8, 16, 64)),
        "window_payload_bytes_max": chance.choice((0, 64, 4096)),
        "actor_idle_s": chance.choice((0.0, 0.05, 0.5, 5.0, 60.0, 600.0, 3600.0)),
        "in_flight_max": chance.choice((1, 2, 4, 16, 512)),
        "circuit_failures": chance.choice((0, 3, 5, 10)),
        "circuit_pause_after_s": chance.choice((0, 300, 432_000, 432_000)),
        "mailbox_max": chance.choice((3, 20, 1000)),
        "dns_cache_s": chance.choice((0.0, 30.0)),
        "drain_s": chance.choice((0.0, 1.0, 30.0)),
        "actor_restarts_max": chance.choice((2, 5, 50)),
    }
    # So little that it runs short where the window's own limit lets payloads in at all.
    settings["waiting_payloads_bytes_max"] = 8 * settings["window_payload_bytes_max"]
    count = chance.randint(2, 6)
    return Setup(
        settings=settings,
        receivers=chance.randint(1, RECEIVERS_MAX),
        endpoints=tuple(draw_config(chance) for _ in range(count)),
        left_paused=tuple(each for each in range(count) if happens(chance, 0.15)),
    )


def draw_config(chance: random.Random) -> dict[str, Any]:
    """Draw the configuration of an endpoint."""
    config: dict[str, Any] = {
        "ordered": happens(chance, 0.4),
        "max_in_flight": chance.choice((1, 2, 3, 5, 16)),
        "timeout_s": chance.choice((1.0, 3.0, 10.0, 30.0)),
    }
    if happens(chance, 0.3):
        config["rate_limit_rps"] = chance.choice((1, 3, 10, 50))
        config["burst"] = chance.choice((0, 1, 5))
    if happens(chance, 0.2):
        config["headers"] = {"X-Tenant": f"t{chance.randint(1, 9)}"}
    return config
