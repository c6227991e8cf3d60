"""Soaks: many seeds in several processes, the same whatever their order."""

import multiprocessing

import pytest

from sluicegate.simulation.runs import Plan, draw_plan
from sluicegate.simulation.runs.report import Report
from sluicegate.simulation.runs.runner import run
from sluicegate.simulation.runs.setup import Setup
from sluicegate.simulation.runs.soak import Job, soak

_SEEDS_IN_CI = 300


def reports_of(*jobs: Job, processes: int = 2) -> dict[int, Report]:
    """Run jobs; return their reports by seed."""
    reports = soak(jobs, processes=processes)
    return {report.seed: report for report in reports if report is not None}


@pytest.mark.timeout(1800)  # on two quiet cores one or two minutes
def test_hundreds_of_seeds_keep_every_promise() -> None:
    """Each seed is another world that goes wrong in other ways; one of ten is all HTTP."""
    found = reports_of(*(Job(seed=seed) for seed in range(1, _SEEDS_IN_CI + 1)))
    failures = [line for report in found.values() if report.failed for line in report.lines()]
    assert not failures, "\n".join(failures)
    assert len(found) == _SEEDS_IN_CI
    assert sum(report.mode == "http" for report in found.values()) == _SEEDS_IN_CI // 10
    assert sum(report.messages for report in found.values()) > 10 * _SEEDS_IN_CI


@pytest.mark.timeout(120)
def test_a_seed_gives_the_same_run_in_any_process_and_order() -> None:
    """A digest is a function of the seed: of neither the process nor what ran there before."""
    seeds = range(1, 8)
    found = reports_of(*(Job(seed=seed) for seed in reversed(seeds)))
    assert {seed: found[seed].digest for seed in seeds} == {
        seed: run(seed).digest for seed in seeds
    }


@pytest.mark.timeout(120)
def test_a_failure_comes_with_all_that_is_needed_to_see_it_again() -> None:
    """A report names the broken rule, a plan that breaks it, the trace, and the command."""
    plan = Plan(setup=Setup(settings={"window": 0}), steps=draw_plan(1).steps)
    report = reports_of(Job(seed=4, mode="direct", plan=plan), Job(seed=5), processes=1)[4]
    assert report.failed
    assert report.findings[0].rule == "run_crashed"
    assert "window" in report.findings[0].text
    assert Plan.from_json(report.plan).steps == ()
    assert report.steps == len(plan.steps)
    text = "\n".join(report.lines())
    assert "sluicegate simulate --seeds 4 --direct" in text
    assert report.plan in text


@pytest.mark.timeout(120)
def test_a_process_that_dies_or_hangs_is_a_failure_of_its_seed() -> None:
    """Neither stops the soak: another process goes on with what is left."""
    reports = soak([Job(seed=1), Job(seed=2), Job(seed=3)], processes=1, stuck_s=60)
    found = {}
    killed = False
    for report in reports:
        if report is None and not killed:
            killed = True
            [child] = multiprocessing.active_children()
            child.kill()
        elif report is not None:
            found[report.seed] = report
    assert len(found) == 3
    lost = [report for report in found.values() if report.failed]
    assert [each.findings[0].rule for each in lost] == ["process"]
