"""Which points are worth having, and which of them to choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

NEAR = 0.02  # of the compute: settings that are this close cost the same


def on_front(costs: Sequence[tuple[float, float]]) -> list[bool]:
    """For each pair of costs: whether no other is as low in both and lower in one (Pareto). Equal pairs stay."""
    return [not any(dominates(other, own) for other in costs) for own in costs]


def dominates(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return first != second and first[0] <= second[0] and first[1] <= second[1]


@dataclass(frozen=True)
class Candidate:
    """A setting against the reference."""

    name: str
    compute_ratio: float  # over the reference's: below 1 is less
    wer_change: float  # points, over the reference's
    wer_change_ci95: tuple[float, float]  # paired bootstrap over utterances


@dataclass(frozen=True)
class Recommendation:
    """The cheapest setting within a budget of WER, the reference itself where nothing is."""

    name: str
    reference: str
    at_most_points: float  # the budget: WER over the reference's
    speed_up: float  # compute of the reference over its own
    wer_change: float  # points
    wer_change_ci95: tuple[float, float]
    certain: bool  # whether the whole interval is within the budget
    certain_name: str | None  # the cheapest setting of which that is true, where there is one besides the reference
    chosen_here: bool  # by these recordings; else it is the file's own choice, which they only judge


def recommend(candidates: Sequence[Candidate], reference: str, at_most_points: float) -> Recommendation:
    """The budget, which is not negative, is for the change that was seen. Where an interval reaches beyond it, that is
    said, not decided: on a few hundred words every interval does.

    Candidates include the reference. Of those as cheap as the cheapest, to within NEAR, the lowest WER is taken.
    """
    within = [candidate for candidate in candidates if candidate.wer_change <= at_most_points]
    chosen = cheapest(within)
    surely = [candidate for candidate in within if candidate.wer_change_ci95[1] <= at_most_points]
    surely = [candidate for candidate in surely if candidate.name != reference and candidate.compute_ratio < 1]
    found = weighed(chosen, reference, at_most_points, chosen_here=True)
    return replace(found, certain_name=cheapest(surely).name if surely else None)


def judge(own: Candidate, reference: str, at_most_points: float) -> Recommendation:
    """What a file itself recommends, on recordings that had no part in it: a test split chooses nothing."""
    return weighed(own, reference, at_most_points, chosen_here=False)


def weighed(candidate: Candidate, reference: str, at_most_points: float, chosen_here: bool) -> Recommendation:
    return Recommendation(
        name=candidate.name,
        reference=reference,
        at_most_points=at_most_points,
        speed_up=1 / candidate.compute_ratio,
        wer_change=candidate.wer_change,
        wer_change_ci95=candidate.wer_change_ci95,
        certain=candidate.wer_change_ci95[1] <= at_most_points,
        certain_name=None,
        chosen_here=chosen_here,
    )


def cheapest(candidates: Sequence[Candidate]) -> Candidate:
    least = min(candidate.compute_ratio for candidate in candidates)
    near = [candidate for candidate in candidates if candidate.compute_ratio <= least * (1 + NEAR)]
    return min(near, key=lambda candidate: (candidate.wer_change, candidate.compute_ratio))


def in_words(chosen: Recommendation, words: int) -> str:
    """For a person. `words` is how many the references have."""
    budget = f"At most {chosen.at_most_points:+g} points of WER" if chosen.chosen_here else "The file's own threshold"
    if chosen.name == chosen.reference and chosen.chosen_here:
        return f"{budget}: no setting is within that and faster than {chosen.reference}."
    low, high = chosen.wer_change_ci95
    faster = (
        f"{chosen.speed_up:.2f}× faster than {chosen.reference}"
        if chosen.speed_up >= 1
        else f"{1 / chosen.speed_up:.2f}× slower than {chosen.reference}"
    )
    said = f"{budget}: {chosen.name}, {faster}, WER {chosen.wer_change:+.1f} points ({low:+.1f} to {high:+.1f})."
    if not chosen.chosen_here:
        return said
    if chosen.certain:
        return f"{said} The whole 95 % interval is within the budget."
    said += f" {words} words cannot rule out a change of {high:+.1f}: confirm it on more speech."
    if chosen.certain_name:
        said += f" Surely within the budget: {chosen.certain_name}."
    return said
