"""Whole runs of a simulated world: plans drawn from a seed, played, judged, shrunk, soaked."""

from sluicegate.simulation.oracle import Violation
from sluicegate.simulation.runs.plan import Plan, draw_plan
from sluicegate.simulation.runs.runner import Mode, Run, mode_of, run

__all__ = ["Mode", "Plan", "Run", "Violation", "draw_plan", "mode_of", "run"]
