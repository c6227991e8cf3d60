"""Everything that must hold, asked of one history."""

from collections import Counter

from sluicegate.simulation.oracle import (
    acceptance,
    bulk,
    circuits,
    duplicates,
    endings,
    limits,
    liveness,
    ordering,
    pausing,
    payloads,
    promptness,
    resuming,
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
    *resuming.RULES,
    *duplicates.RULES,
    *endings.RULES,
    *bulk.RULES,
    *statuses.RULES,
    *liveness.RULES,
)
"""Each holds for every lawful run, whatever went wrong in it."""


def judge(history: History, judged: Counter[str] | None = None) -> list[Violation]:
    """Return what must not have been, in the order of time; nothing, if all was lawful.

    The history may be unfinished: rules about the end are silent before it. It must not change
    meanwhile.

    Args:
        history: what clients and receivers saw.
        judged: by a rule's name, the number of its cases that nothing excused is added here.
    """
    facts = Facts(history)
    found = [violation for rule in RULES for violation in rule(facts)]
    if judged is not None:
        judged.update(facts.judged)
    return sorted(found, key=lambda violation: (violation.at_s, violation.rule, violation.text))
