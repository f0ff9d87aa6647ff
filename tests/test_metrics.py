"""Error rates against hand-counted truth and a reference edit distance; intervals against their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.errors import EdgeAsrError
from edge_asr.metrics import error_rates, wer_difference

FEW = 20  # resamples, where the interval is not the point


def edit_distance(a: list[str], b: list[str]) -> int:
    """Wagner & Fischer, a row at a time."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        previous, row = row, [i]
        for j, y in enumerate(b, start=1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y)))
    return row[-1]


def test_each_kind_of_error_is_counted() -> None:
    rates = error_rates(["A B C D", "E F"], ["A X C", "E F G"], FEW)
    assert (rates.substitutions, rates.deletions, rates.insertions) == (1, 1, 1)
    assert rates.wer == pytest.approx(100 * 3 / 6)
    assert (rates.reference_words, rates.utterances) == (6, 2)


def test_cer_counts_the_space_between_words() -> None:
    assert error_rates(["AB CD"], ["ABCD"], FEW).cer == pytest.approx(100 * 1 / 5)


def test_a_perfect_system_has_no_errors_and_no_spread() -> None:
    rates = error_rates(["A B", "C"], ["A B", " C "], FEW)
    assert (rates.wer, rates.cer, rates.wer_ci95) == (0.0, 0.0, (0.0, 0.0))


def test_words_heard_in_silence_are_insertions() -> None:
    rates = error_rates(["A B", ""], ["A B", "C D"], FEW)
    assert (rates.insertions, rates.wer) == (2, 100.0)


def test_without_any_reference_word_wer_is_zero_or_infinite() -> None:
    assert error_rates(["", ""], ["", ""], FEW).wer == 0.0
    rates = error_rates(["", ""], ["A", ""], FEW)
    assert rates.wer == math.inf
    assert rates.insertions == 1
    assert not any(math.isnan(edge) for edge in rates.wer_ci95)


texts = st.lists(st.sampled_from("ABC"), max_size=6).map(" ".join)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=6)


@given(pairs)
def test_wer_is_the_edit_distance_over_the_reference_words(texts: list[tuple[str, str]]) -> None:
    references, hypotheses = [list(column) for column in zip(*texts, strict=True)]
    errors = sum(edit_distance(r.split(), h.split()) for r, h in texts)
    words = sum(len(r.split()) for r in references)
    rates = error_rates(references, hypotheses, FEW)
    assert rates.substitutions + rates.deletions + rates.insertions == errors
    if words:
        assert rates.wer == pytest.approx(100 * errors / words)


MIXED = (["A B C D E"] * 40, ["A B C D E"] * 20 + ["A B C D X"] * 20)  # half have 0 %, half 20 %


def test_the_interval_is_that_of_the_mean_over_utterances() -> None:
    low, high = error_rates(*MIXED).wer_ci95
    half = 1.96 * 10 / math.sqrt(40)
    assert low == pytest.approx(10 - half, abs=0.6)
    assert high == pytest.approx(10 + half, abs=0.6)


def test_the_same_seed_gives_the_same_interval_and_another_does_not() -> None:
    wide = (["A B C D E F G"] * 30, ["A B C D E F G"] * 11 + ["A"] * 9 + ["A B C"] * 10)
    assert error_rates(*wide, seed=3) == error_rates(*wide, seed=3)
    assert error_rates(*wide, seed=3).wer_ci95 != error_rates(*wide, seed=4).wer_ci95


def test_a_system_against_itself_makes_no_difference() -> None:
    references, hypotheses = MIXED
    difference = wer_difference(references, hypotheses, hypotheses, FEW)
    assert (difference.wer, difference.wer_ci95, difference.second_better) == (0.0, (0.0, 0.0), 0.0)


def test_pairing_finds_a_difference_that_separate_intervals_hide() -> None:
    hard = ["A B C D E"] * 10 + ["X Y Z V W"] * 10  # half of the utterances are lost on both systems
    first = ["A B C D X"] * 10 + [""] * 10
    second = ["A B C D E"] * 10 + [""] * 10
    difference = wer_difference(hard, first, second)
    assert difference.wer == pytest.approx(-10.0)
    assert difference.wer_ci95[1] < 0
    assert difference.second_better > 0.99
    assert error_rates(hard, first).wer_ci95[0] < error_rates(hard, second).wer_ci95[1]


def test_the_difference_is_second_minus_first() -> None:
    assert wer_difference(["A B"], ["A B"], ["A X"], FEW).wer == 50.0
    assert wer_difference(["A B"], ["A X"], ["A B"], FEW).wer == -50.0


@pytest.mark.parametrize(("references", "hypotheses"), [(["A"], []), ([], []), (["A", "B"], ["A"])])
def test_lists_that_do_not_pair_up_are_refused(references: list[str], hypotheses: list[str]) -> None:
    with pytest.raises(EdgeAsrError, match=r"pair up|no utterances"):
        error_rates(references, hypotheses, FEW)
    with pytest.raises(EdgeAsrError, match=r"pair up|no utterances"):
        wer_difference(references, hypotheses, hypotheses, FEW)


def test_a_difference_without_reference_words_is_refused() -> None:
    with pytest.raises(EdgeAsrError, match="no words"):
        wer_difference([""], ["A"], [""], FEW)


HALF_LOST = (["A B C D E F G"] * 12, ["A B C D E F G"] * 5 + ["A"] * 3 + ["A B C X"] * 4)
UTTERANCES = list(range(12))


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_copies_of_utterances_are_no_further_evidence(copies: int) -> None:
    """Identical copies leave rate and interval alone, whatever their order; told apart, they would narrow it."""
    references, hypotheses = HALF_LOST
    once = error_rates(references, hypotheses)
    one_after_another = error_rates(references * copies, hypotheses * copies, copies_of=UTTERANCES * copies)
    side_by_side = error_rates(
        *([text for text in texts for _ in range(copies)] for texts in HALF_LOST),
        copies_of=[utterance for utterance in UTTERANCES for _ in range(copies)],
    )
    for rates in (one_after_another, side_by_side):
        assert (rates.wer, rates.wer_ci95, rates.cer, rates.utterances) == (once.wer, once.wer_ci95, once.cer, 12)
        assert (rates.reference_words, rates.deletions) == (copies * once.reference_words, copies * once.deletions)
    if copies > 1:
        low, high = error_rates(references * copies, hypotheses * copies).wer_ci95
        assert once.wer_ci95[0] < low < high < once.wer_ci95[1]


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_are_no_further_evidence_of_a_difference(copies: int) -> None:
    references, first = HALF_LOST
    second = [*references[:6], *["A B C"] * 6]
    once = wer_difference(references, first, second)
    again = wer_difference(references * copies, first * copies, second * copies, copies_of=UTTERANCES * copies)
    assert again == once
    low, high = wer_difference(references * copies, first * copies, second * copies).wer_ci95
    assert once.wer_ci95[0] < low < high < once.wer_ci95[1]


def test_rate_and_difference_are_over_all_copies() -> None:
    references, copies_of = ["A B", "C D"] * 2, ["ab", "cd"] * 2
    heard = ["A B", "C D", "A X", ""]  # the second time, three words of four are lost
    rates = error_rates(references, heard, FEW, copies_of=copies_of)
    assert (rates.wer, rates.reference_words, rates.utterances) == (100 * 3 / 8, 8, 2)
    assert wer_difference(references, references, heard, FEW, copies_of=copies_of).wer == 100 * 3 / 8


def test_an_independent_part_in_the_copies_narrows_the_interval() -> None:
    """Half of the copies fail, each on its own: then copies are evidence, and count as such."""
    draw = np.random.default_rng(0).random((8, 60)) < 0.5
    widths = []
    for copies in (1, 8):
        heard = ["A" if ok else "X" for ok in draw[:copies].flatten()]
        low, high = error_rates(["A"] * len(heard), heard, copies_of=list(range(60)) * copies).wer_ci95
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / math.sqrt(8), rel=0.25)


def test_no_alignment_crosses_from_one_copy_into_the_next() -> None:
    """Two words deleted, then two inserted: end to end, they would look like none."""
    rates = error_rates(["A B", "A B"], ["", "A B A B"], FEW, copies_of=[1, 1])
    assert (rates.deletions, rates.insertions, rates.wer) == (2, 2, 100.0)


def test_every_pair_must_say_what_it_is_a_copy_of() -> None:
    with pytest.raises(EdgeAsrError, match="pair up"):
        error_rates(["A", "B"], ["A", "B"], FEW, copies_of=[1])
    with pytest.raises(EdgeAsrError, match="pair up"):
        wer_difference(["A", "B"], ["A", "B"], ["A", "B"], FEW, copies_of=[1])
