"""Everything that must hold, asked of one history."""

from sluicegate.simulation.oracle import (
    acceptance,
    circuits,
    duplicates,
    endings,
    limits,
    liveness,
    ordering,
    pausing,
    payloads,
    promptness,
    retries,
    signatures,
    statuses,
)
from sluicegate.simulation.oracle.facts import Facts
from sluicegate.simulation.oracle.history import History
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES", "judge"]

RULES: tuple[Rule, ...] = (
    *acceptance.RULES,
    *payloads.RULES,
    *signatures.RULES,
    *pausing.RULES,
    *ordering.RULES,
    *limits.RULES,
    *circuits.RULES,
    *retries.RULES,
    *promptness.RULES,
    *duplicates.RULES,
    *endings.RULES,
    *statuses.RULES,
    *liveness.RULES,
)
"""Each holds for every lawful run, whatever went wrong in it."""


def judge(history: History) -> list[Violation]:
    """Return what must not have been, in the order of time; nothing, if all was lawful.

    The history may be unfinished: rules about the end are silent before it. It must not change
    meanwhile.
    """
    facts = Facts(history)
    found = [violation for rule in RULES for violation in rule(facts)]
    return sorted(found, key=lambda violation: (violation.at_s, violation.rule, violation.text))
