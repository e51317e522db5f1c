"""The kubelet's rules for probes, against a naive restatement of them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_agent.health.probing import (
    NOT_STARTED,
    UNPROBED,
    ProbeKind,
    ProbeState,
    ServiceHealth,
    service_health,
)
from fleet_core.contracts.probes import Health, Probe, TcpCheck

STARTUP, LIVENESS, READINESS = ProbeKind
TCP = TcpCheck(port=80)


def probe(**timing: Any) -> Probe:
    return Probe(tcp=TCP, **timing)


def begun(kind: ProbeKind, of: Probe | None = None, *, assume_passed: bool = False) -> ProbeState:
    return ProbeState.begin(kind, of or probe(), 0.0, assume_passed=assume_passed)


def answered(state: ProbeState, *answers: bool) -> ProbeState:
    for answer in answers:
        state = state.after(answer, "" if answer else "no", state.due_s)
    return state


def naive_result(answers: list[bool], initially: bool, of: Probe) -> bool:  # noqa: FBT001 - a model
    """The last answer that stands at the end of a long enough run of its like."""
    result = initially
    for end in range(1, len(answers) + 1):
        answer = answers[end - 1]
        needed = of.success_threshold if answer else of.failure_threshold
        if end >= needed and all(each is answer for each in answers[end - needed : end]):
            result = answer
    return result


def naive_kill(answers: list[bool], threshold: int) -> bool:
    """Whether so many failures came in a row, at any time."""
    text = "".join("s" if answer else "f" for answer in answers)
    return "f" * threshold in text


answer_lists = st.lists(st.booleans(), max_size=30)
thresholds = st.integers(1, 5)


@given(answer_lists, thresholds, thresholds, st.booleans())
def test_readiness_is_the_last_answer_that_came_often_enough(
    answers: list[bool],
    successes: int,
    failures: int,
    assumed: bool,  # noqa: FBT001 - an example
) -> None:
    of = probe(success_threshold=successes, failure_threshold=failures)
    state = answered(begun(READINESS, of, assume_passed=assumed), *answers)
    assert state.succeeded is naive_result(answers, assumed, of)
    assert state.next_at_s is not None
    assert not state.must_restart


@given(answer_lists, thresholds)
def test_liveness_kills_once_and_for_all(answers: list[bool], failures: int) -> None:
    state = answered(begun(LIVENESS, probe(failure_threshold=failures)), *answers)
    assert state.must_restart is naive_kill(answers, failures)
    assert state.succeeded is not state.must_restart
    assert (state.next_at_s is None) is state.must_restart


@given(answer_lists, thresholds)
def test_startup_is_settled_by_one_success_or_enough_failures(
    answers: list[bool], failures: int
) -> None:
    state = answered(begun(STARTUP, probe(failure_threshold=failures)), *answers)
    first_success = answers.index(True) if True in answers else math.inf
    assert state.succeeded is (first_success < failures)
    assert state.must_restart is (not state.succeeded and len(answers) >= failures)
    assert (state.next_at_s is None) is (state.succeeded or state.must_restart)


@given(answer_lists, st.lists(st.integers(0, 30), max_size=5), thresholds, thresholds)
def test_what_nobody_could_answer_neither_counts_nor_breaks_a_row(
    answers: list[bool], silences: list[int], successes: int, failures: int
) -> None:
    of = probe(success_threshold=successes, failure_threshold=failures)
    heard = answered(begun(READINESS, of), *answers)
    state = begun(READINESS, of)
    for index, answer in enumerate(answers):
        for _ in range(silences.count(index)):
            state = state.unanswered(state.due_s)
        state = answered(state, answer)
    assert (state.succeeded, state.in_a_row, state.message) == (
        heard.succeeded,
        heard.in_a_row,
        heard.message,
    )


@given(
    due_s=st.integers(0, 10_000),
    period_s=st.integers(1, 60),
    delays=st.lists(st.integers(0, 300), max_size=10),
)
def test_the_ticks_of_a_period_are_kept_whatever_a_check_takes(
    due_s: int, period_s: int, delays: list[int]
) -> None:
    state = ProbeState.begin(READINESS, probe(period_s=period_s), float(due_s))
    for delay in delays:
        began_s = state.due_s + delay
        state = state.after(True, "", began_s)
        ticks = (due_s + n * period_s for n in range(1, 10_000))
        assert state.next_at_s == next(tick for tick in ticks if tick > began_s)


def test_a_timer_that_fires_a_little_early_does_not_ask_twice() -> None:
    state = ProbeState.begin(READINESS, probe(period_s=10), 20.0)
    assert state.after(True, "", 19.999_999).next_at_s == 30.0


HEALTHS = st.builds(
    Health,
    startup=st.none() | st.just(probe()),
    liveness=st.none() | st.just(probe()),
    readiness=st.none() | st.just(probe()),
)


@given(HEALTHS, answer_lists, answer_lists, answer_lists)
def test_a_service_is_ready_by_startup_and_readiness_alone(
    health: Health, startup: list[bool], liveness: list[bool], readiness: list[bool]
) -> None:
    heard = dict(zip(ProbeKind, (startup, liveness, readiness), strict=True))
    states = {
        kind: answered(begun(kind, of), *heard[kind])
        for kind in ProbeKind
        if (of := kind.of(health)) is not None
    }
    told = service_health(health, states)
    started = STARTUP not in states or states[STARTUP].succeeded
    ready = READINESS not in states or states[READINESS].succeeded
    assert told.started is started
    assert told.ready is (started and ready)
    assert bool(told.unhealthy) is any(state.must_restart for state in states.values())
    assert not (told.ready and told.not_ready)


def test_without_health_checks_a_service_is_ready_when_it_runs() -> None:
    assert service_health(None, {}) == service_health(Health(), {}) == UNPROBED


@pytest.mark.parametrize(
    ("health", "told"),
    [
        (Health(startup=probe()), NOT_STARTED),
        (Health(liveness=probe()), UNPROBED),
        (Health(readiness=probe()), ServiceHealth(started=True, ready=False)),
    ],
)
def test_before_anything_was_asked(health: Health, told: ServiceHealth) -> None:
    assert service_health(health, {}) == told
    states = {kind: begun(kind, of) for kind in ProbeKind if (of := kind.of(health)) is not None}
    assert service_health(health, states) == told


@pytest.mark.parametrize(
    ("kind", "unhealthy", "not_ready"),
    [
        (STARTUP, "Startup probe failed: no", "Startup probe failed: no"),
        (LIVENESS, "Liveness probe failed: no", ""),
        (READINESS, "", "Readiness probe failed: no"),
    ],
)
def test_the_words_are_the_kubelets(kind: ProbeKind, unhealthy: str, not_ready: str) -> None:
    health = Health.model_validate({kind.lower(): probe(failure_threshold=2)})
    told = service_health(health, {kind: answered(begun(kind, kind.of(health)), False, False)})
    assert (told.unhealthy, told.not_ready) == (unhealthy, not_ready)


def test_why_it_is_not_ready_stands_until_it_is() -> None:
    health = Health(readiness=probe(success_threshold=2))
    state = begun(READINESS, health.readiness)
    said = []
    for answer in (False, True, True):
        state = answered(state, answer)
        said.append(service_health(health, {READINESS: state}).not_ready)
    assert said == ["Readiness probe failed: no", "Readiness probe failed: no", ""]


def test_of_successes_that_do_not_suffice_yet_there_is_nothing_to_tell() -> None:
    health = Health(readiness=probe(success_threshold=2))
    state = answered(begun(READINESS, health.readiness), True)
    told = ServiceHealth(started=True, ready=False)
    assert service_health(health, {READINESS: state}) == told


def test_a_failure_below_the_threshold_is_not_told_of_while_it_is_ready() -> None:
    health = Health(readiness=probe(failure_threshold=2))
    state = answered(begun(READINESS, health.readiness), True, False)
    assert service_health(health, {READINESS: state}) == UNPROBED
