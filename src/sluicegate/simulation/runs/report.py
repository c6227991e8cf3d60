"""What is kept of a run when it is over: small enough to be sent from process to process."""

import msgspec

from sluicegate.simulation.oracle import Violation
from sluicegate.simulation.runs.runner import Mode, Run

__all__ = ["Finding", "Report", "report_of"]

_VIOLATIONS_SHOWN = 10


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was broken."""

    rule: str
    at_s: float
    text: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one seed."""

    seed: int
    mode: Mode
    digest: str = ""
    virtual_s: float = 0.0
    callbacks: int = 0
    requests: int = 0
    messages: int = 0
    judged: dict[str, int] = {}
    """By a rule's name, how many of its cases nothing excused."""
    findings: tuple[Finding, ...] = ()
    """At most ten; none: all is well."""
    steps: int = 0
    """Of the seed's plan."""
    plan: str = ""
    """As JSON, shrunk, if something is wrong."""
    steps_left: int = 0
    """Of the shrunk plan."""
    tail: tuple[str, ...] = ()
    """The last lines of its trace."""

    @property
    def failed(self) -> bool:
        """Whether something is wrong."""
        return bool(self.findings)

    @property
    def command(self) -> str:
        """The command that runs the seed again."""
        return f"sluicegate simulate --seeds {self.seed} --{self.mode}"

    def lines(self) -> list[str]:
        """Return all that is known of a failure, for people."""
        rules = sorted({each.rule for each in self.findings})
        told = [f"seed {self.seed} ({self.mode}) breaks: {', '.join(rules)}"]
        told += [f"  {each.at_s:.3f} s {each.rule}: {each.text}" for each in self.findings]
        if self.tail:
            told += [f"  the last {len(self.tail)} lines of the trace:"]
            told += [f"    {line}" for line in self.tail]
        told += [f"again: {self.command}"]
        if self.plan:
            told += [
                f"shrunk from {self.steps} steps to {self.steps_left}:",
                f"{self.command} --plan - <<'PLAN'",
                self.plan,
                "PLAN",
            ]
        return told


def report_of(ended: Run, *, shrunk: Run | None = None) -> Report:
    """Return the report of a run, with the plan, findings and trace of its shrunk one."""
    shown = shrunk or ended
    return Report(
        seed=ended.seed,
        mode=ended.mode,
        digest=ended.digest,
        virtual_s=ended.virtual_s,
        callbacks=ended.callbacks,
        requests=ended.requests,
        messages=ended.messages,
        judged=ended.judged,
        findings=tuple(map(_finding, shown.violations[:_VIOLATIONS_SHOWN])),
        steps=len(ended.plan.steps),
        plan=shown.plan.to_json() if ended.violations else "",
        steps_left=len(shown.plan.steps),
        tail=shown.tail if ended.violations else (),
    )


def _finding(violation: Violation) -> Finding:
    return Finding(rule=violation.rule, at_s=violation.at_s, text=violation.text)
