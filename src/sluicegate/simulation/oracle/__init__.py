"""The oracle: knows only what clients and receivers see, and says what must not have been.

It is sound before it is sharp. What overlaps in time may have happened in either order, what got
no answer may have been carried out or not, and what a fault in force explains is lawful: each rule
argues its allowances in its docstring. What is left is reported.
"""

from sluicegate.simulation.oracle.judge import RULES, judge
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES", "Rule", "Violation", "judge"]
