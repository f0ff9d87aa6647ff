"""The Pareto front and what is recommended, on constructed points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.profiling.sweep.front import NEAR, Candidate, dominates, in_words, on_front, recommend

COST = st.integers(0, 6).map(float)
COSTS = st.lists(st.tuples(COST, COST), min_size=1, max_size=12)
REFERENCE = Candidate("off", 1.0, 0.0, (0.0, 0.0))


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    ratios = draw(st.lists(st.floats(0.2, 3.0), max_size=6))
    changes = [draw(st.floats(-3.0, 3.0)) for _ in ratios]
    halves = [draw(st.floats(0.0, 3.0)) for _ in ratios]
    others = [
        Candidate(f"gate {number}", ratio, change, (change - half, change + half))
        for number, (ratio, change, half) in enumerate(zip(ratios, changes, halves, strict=True))
    ]
    return [REFERENCE, *others]


def test_a_staircase_and_what_is_behind_it() -> None:
    costs = [(10.0, 1.0), (8.0, 2.0), (9.0, 2.0), (8.0, 3.0), (5.0, 5.0), (5.0, 5.0)]
    assert on_front(costs) == [True, True, False, False, True, True]


@given(COSTS)
def test_nothing_beats_the_front_and_the_front_beats_everything_else(costs: list[tuple[float, float]]) -> None:
    flags = on_front(costs)
    front = [cost for cost, flag in zip(costs, flags, strict=True) if flag]
    assert front
    assert not any(dominates(other, cost) for cost in front for other in costs)
    behind = [cost for cost, flag in zip(costs, flags, strict=True) if not flag]
    assert all(any(dominates(better, cost) for better in front) for cost in behind)


@given(COSTS, st.randoms())
def test_the_order_of_the_points_does_not_matter(costs: list[tuple[float, float]], random: object) -> None:
    order = list(range(len(costs)))
    random.shuffle(order)  # type: ignore[attr-defined]
    flags = on_front(costs)
    assert on_front([costs[number] for number in order]) == [flags[number] for number in order]


@given(candidates(), st.floats(0.0, 2.0))
def test_the_recommended_is_within_the_budget_and_nothing_within_is_much_cheaper(
    found: list[Candidate], budget: float
) -> None:
    chosen = recommend(found, "off", budget)
    by_name = {candidate.name: candidate for candidate in found}
    assert by_name[chosen.name].wer_change <= budget
    for candidate in found:
        if candidate.wer_change <= budget:
            assert by_name[chosen.name].compute_ratio <= candidate.compute_ratio * (1 + NEAR) * (1 + 1e-9)
    assert chosen.speed_up == pytest.approx(1 / by_name[chosen.name].compute_ratio)
    assert chosen.certain == (by_name[chosen.name].wer_change_ci95[1] <= budget)
    if chosen.certain_name:
        assert by_name[chosen.certain_name].wer_change_ci95[1] <= budget
        assert by_name[chosen.certain_name].compute_ratio < 1


@given(candidates(), st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_a_larger_budget_is_never_slower_by_more_than_what_counts_as_equal(
    found: list[Candidate], first: float, second: float
) -> None:
    small, large = sorted((first, second))
    assert recommend(found, "off", large).speed_up >= recommend(found, "off", small).speed_up / (1 + NEAR) / (1 + 1e-9)


def test_of_settings_that_cost_the_same_the_more_accurate_is_taken() -> None:
    found = [REFERENCE, Candidate("gate 0.5", 0.600, 0.19, (-1, 1)), Candidate("gate 0.7", 0.605, -0.8, (-3, 1))]
    assert recommend(found, "off", 0.2).name == "gate 0.7"


def test_words_say_what_the_interval_cannot_exclude() -> None:
    found = [REFERENCE, Candidate("gate 0.7", 0.64, -0.8, (-2.9, 1.1)), Candidate("gate 0.99", 0.7, -0.5, (-1, 0.1))]
    assert in_words(recommend(found, "off", 0.2), 773) == (
        "At most +0.2 points of WER: gate 0.7, 1.56× faster than off, WER -0.8 points (-2.9 to +1.1). "
        "773 words cannot rule out a change of +1.1: confirm it on more speech. "
        "Surely within the budget: gate 0.99."
    )


def test_words_say_where_the_whole_interval_is_within_the_budget() -> None:
    found = [REFERENCE, Candidate("gate 0.7", 0.5, -0.1, (-0.3, 0.1))]
    assert in_words(recommend(found, "off", 0.2), 16_000).endswith("The whole 95 % interval is within the budget.")


def test_where_every_gate_costs_too_much_accuracy_the_reference_stays() -> None:
    chosen = recommend([REFERENCE, Candidate("gate 0.5", 0.6, 2.0, (1.0, 3.0))], "off", 0.2)
    assert chosen.name == "off"
    assert in_words(chosen, 773) == "At most +0.2 points of WER: no setting is within that and faster than off."
