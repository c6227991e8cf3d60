"""Soaks: many seeds in several processes, the same whatever their order."""

import multiprocessing
import os
import signal
from collections import Counter
from multiprocessing.process import BaseProcess

import pytest

from sluicegate.simulation.oracle import RULES
from sluicegate.simulation.runs import Plan, draw_plan
from sluicegate.simulation.runs.report import Report
from sluicegate.simulation.runs.runner import run
from sluicegate.simulation.runs.setup import Setup
from sluicegate.simulation.runs.soak import Job, soak

_SEEDS_IN_CI = 300
_JUDGED_MIN = {
    "an_unfit_process_changes_nothing": 5,
    "accepted_messages_are_kept": 9600,
    "messages_come_from_clients": 150,
    "one_send_is_one_message": 120,
    "one_key_is_one_message": 120,
    "a_key_is_refused_for_a_reason": 4,
    "payloads_arrive_unaltered": 12000,
    "a_message_keeps_its_payload": 12000,
    "a_payload_keeps_its_message": 9300,
    "headers_are_ours": 12000,
    "chosen_headers_arrive": 1600,
    "signatures_verify": 12000,
    "timestamps_are_of_the_attempt": 12000,
    "pauses_have_a_reason": 1000,
    "nothing_starts_while_paused": 420,
    "pauses_answer_truly": 750,
    "resumes_count_what_is_held": 500,
    "what_is_held_reads_paused": 630,
    "starts_follow_acceptance": 1500,
    "resumes_keep_the_order": 1100,
    "ordered_messages_wait": 2300,
    "a_message_is_sent_once_at_a_time": 12000,
    "in_flight_stays_below_its_cap": 55,
    "rate_is_never_exceeded": 430,
    "an_open_circuit_lets_one_probe_through": 160,
    "a_success_closes_the_circuit": 100,
    "attempts_count_on": 12000,
    "cycles_are_bounded": 12000,
    "retries_wait_long_enough": 1600,
    "attempts_listed_were_seen": 12000,
    "attempts_seen_are_listed": 10000,
    "what_is_due_starts": 6300,
    "what_is_asked_for_starts": 780,
    "resumes_take_effect_at_once": 30,
    "final_answers_end_a_cycle": 9500,
    "recorded_successes_are_the_last": 10000,
    "successes_were_received": 9100,
    "cancelled_messages_are_not_sent": 5,
    "deleted_messages_are_not_sent": 590,
    "deleted_endpoints_get_nothing": 10,
    "bulk_answers_add_up": 800,
    "bulk_calls_keep_to_their_filter": 600,
    "a_message_is_deleted_once": 600,
    "bulk_calls_find_what_there_is": 100,
    "the_dlq_lists_what_failed": 270,
    "each_message_has_one_lawful_status": 9800,
    "steps_are_lawful": 4600,
    "everything_finishes": 9800,
    "failures_have_a_reason": 200,
    "a_replay_begins_a_new_cycle": 5,
    "failures_in_calm_were_seen": 1700,
    "replays_are_carried_out": 630,
    "what_was_deleted_is_over": 620,
}
"""How many cases each rule has to judge in these seeds at least: half of what it did when they
were last counted, to two digits, less where that depends on a few seeds. A rule whose allowances
are widened says less, and would do so unseen."""


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
    judged: Counter[str] = Counter()
    for report in found.values():
        judged.update(report.judged)
    assert {rule.__name__ for rule in RULES} == _JUDGED_MIN.keys()
    silent = {name: judged[name] for name, least in _JUDGED_MIN.items() if judged[name] < least}
    assert not silent, f"judged too little: {silent}"
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
def test_a_process_that_dies_is_a_failure_of_its_seed() -> None:
    """Another process goes on with what is left."""
    reports = soak([Job(seed=seed) for seed in (1, 2, 3)], processes=1)
    found = {}
    for report in reports:
        if report is not None:
            found[report.seed] = report
            if report.seed == 1:
                child = _stopped_child()  # it is given the next seed, and does not begin it
        elif 1 in found and not found.keys() & {2, 3}:
            child.kill()
    assert found.keys() == {1, 2, 3}
    _expect_lost(found, 2, f"its process ended with code -{signal.SIGKILL}")


@pytest.mark.timeout(120)
def test_a_process_that_hangs_is_a_failure_of_its_seed_and_is_ended() -> None:
    """Another process goes on with what is left, and none stays behind."""
    reports = soak([Job(seed=seed) for seed in (1, 2, 3)], processes=1, stuck_s=15)
    found = {}
    for report in reports:
        if report is not None:
            found[report.seed] = report
            if report.seed == 1:
                child = _stopped_child()
    assert found.keys() == {1, 2, 3}
    _expect_lost(found, 2, "it did not end within 15 s")
    assert not child.is_alive()


def _stopped_child() -> BaseProcess:
    """Let the soak's only process do nothing more, and return it."""
    [child] = multiprocessing.active_children()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    return child


def _expect_lost(found: dict[int, Report], seed: int, why: str) -> None:
    assert {each.seed for each in found.values() if each.failed} == {seed}
    assert [(each.rule, each.text) for each in found[seed].findings] == [("process", why)]
