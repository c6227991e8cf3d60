"""Receivers: what the engine delivers to, scripted or somebody's real application."""

from sluicegate.simulation.receivers.exchange import Answer, Exchange, Fate, ReceivedRequest
from sluicegate.simulation.receivers.host import ReceiverHost
from sluicegate.simulation.receivers.mishaps import Mishap, MishapKind

__all__ = [
    "Answer",
    "Exchange",
    "Fate",
    "Mishap",
    "MishapKind",
    "ReceivedRequest",
    "ReceiverHost",
]
