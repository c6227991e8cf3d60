"""Receivers: what the engine delivers to, scripted or somebody's real application."""

from sluicegate.simulation.receivers.exchange import Answer, Fate, ReceivedRequest
from sluicegate.simulation.receivers.host import ReceiverHost

__all__ = ["Answer", "Fate", "ReceivedRequest", "ReceiverHost"]
