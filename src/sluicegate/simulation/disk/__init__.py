"""A disk that fails: real SQLite on real files, whose process and power end when it hurts."""

from sluicegate.simulation.disk.disk import Disk

__all__ = ["Disk"]
