"""Word and character error rates with bootstrap intervals over utterances (Bisani & Ney 2004). Rates are in percent.

Texts are compared as they are, but for white space: case and punctuation are the caller's business.

Where one utterance is heard several times (at several speeds, say), its copies are not independent. `copies_of` says
which utterance each pair is of: resamples are of utterances, and an utterance comes with all its copies.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from edge_asr.errors import EdgeAsrError

RESAMPLES = 2_000
CONFIDENCE = (2.5, 97.5)  # percentiles of a 95 % interval


@dataclass(frozen=True)
class ErrorRates:
    """Errors of one system over a set of utterances."""

    wer: float  # percent of the reference words; infinite where there are errors and no reference words
    wer_ci95: tuple[float, float]  # percent, bootstrap over utterances
    cer: float  # percent of the reference characters, one space between words included
    substitutions: int  # words
    deletions: int  # words
    insertions: int  # words
    reference_words: int
    utterances: int  # however many copies of each


@dataclass(frozen=True)
class WerDifference:
    """Two systems on the same utterances: second minus first, so negative where the second is better."""

    wer: float  # percentage points
    wer_ci95: tuple[float, float]  # percentage points, paired bootstrap over utterances
    second_better: float  # share of the resamples in which the second system has fewer errors, 0 to 1


@dataclass(frozen=True)
class _Counts:
    substitutions: np.ndarray  # int64 [utterances]
    deletions: np.ndarray  # int64 [utterances]
    insertions: np.ndarray  # int64 [utterances]
    reference: np.ndarray  # int64 [utterances], words or characters

    @property
    def errors(self) -> np.ndarray:
        return self.substitutions + self.deletions + self.insertions


def error_rates(
    references: Sequence[str],
    hypotheses: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    copies_of: Sequence[Hashable] | None = None,
) -> ErrorRates:
    """Score one system. An empty reference is fine: every word of its hypothesis is an insertion.

    Rates and counts are over all pairs, intervals over utterances. The same seed gives the same interval. Raises
    EdgeAsrError where the lists are empty or of different lengths.
    """
    references, hypotheses = _spaced(references), _spaced(hypotheses)
    _require_pairs(references, hypotheses)
    words = _by_utterance(_word_counts(references, hypotheses), copies_of)
    characters = _character_counts(references, hypotheses)
    utterances = len(words.reference)
    sampled = [_percent(words.errors[rows], words.reference[rows]) for rows in _resampled(utterances, resamples, seed)]
    return ErrorRates(
        wer=_percent(words.errors, words.reference),
        wer_ci95=_interval(sampled),
        cer=_percent(characters.errors, characters.reference),
        substitutions=int(words.substitutions.sum()),
        deletions=int(words.deletions.sum()),
        insertions=int(words.insertions.sum()),
        reference_words=int(words.reference.sum()),
        utterances=utterances,
    )


def wer_difference(
    references: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    copies_of: Sequence[Hashable] | None = None,
) -> WerDifference:
    """Compare two systems that recognized the same utterances.

    Both are judged on the same resamples, which takes the difficulty of the utterances out of the comparison.
    Raises EdgeAsrError where lists are empty or of different lengths, or the references have no words.
    """
    references, first, second = _spaced(references), _spaced(first), _spaced(second)
    _require_pairs(references, first)
    _require_pairs(references, second)
    counts = _by_utterance(_word_counts(references, second), copies_of)
    more = counts.errors - _by_utterance(_word_counts(references, first), copies_of).errors
    if not counts.reference.sum():
        raise EdgeAsrError("the references have no words: there is no word error rate to compare")
    rows_drawn = list(_resampled(len(more), resamples, seed))
    sampled = [100.0 * more[rows].sum() / max(1, counts.reference[rows].sum()) for rows in rows_drawn]
    return WerDifference(
        wer=float(100.0 * more.sum() / counts.reference.sum()),
        wer_ci95=_interval(sampled),
        second_better=float(np.mean([more[rows].sum() < 0 for rows in rows_drawn])),
    )


def _spaced(texts: Sequence[str]) -> list[str]:
    return [" ".join(text.split()) for text in texts]


def _require_pairs(references: Sequence[str], hypotheses: Sequence[str]) -> None:
    if len(references) != len(hypotheses):
        raise EdgeAsrError(f"{len(references)} references but {len(hypotheses)} hypotheses: they must pair up")
    if not references:
        raise EdgeAsrError("no utterances to score")


def _word_counts(references: list[str], hypotheses: list[str]) -> _Counts:
    output = jiwer.process_words(references, hypotheses)
    return _count(output.alignments, [len(reference.split()) for reference in references])


def _character_counts(references: list[str], hypotheses: list[str]) -> _Counts:
    output = jiwer.process_characters(references, hypotheses)
    return _count(output.alignments, [len(reference) for reference in references])


def _count(alignments: Sequence[Sequence[jiwer.AlignmentChunk]], lengths: list[int]) -> _Counts:
    """Errors of each utterance from jiwer's alignments."""
    errors = np.zeros((len(alignments), 3), np.int64)
    for row, chunks in enumerate(alignments):
        for chunk in chunks:
            if chunk.type == "substitute":
                errors[row, 0] += chunk.ref_end_idx - chunk.ref_start_idx
            elif chunk.type == "delete":
                errors[row, 1] += chunk.ref_end_idx - chunk.ref_start_idx
            elif chunk.type == "insert":
                errors[row, 2] += chunk.hyp_end_idx - chunk.hyp_start_idx
    return _Counts(errors[:, 0], errors[:, 1], errors[:, 2], np.array(lengths, np.int64))


def _by_utterance(counts: _Counts, copies_of: Sequence[Hashable] | None) -> _Counts:
    """Sums over the copies of each utterance, which are aligned one by one, in the order of the first copies."""
    if copies_of is None:
        return counts
    if len(copies_of) != len(counts.reference):
        raise EdgeAsrError(f"{len(counts.reference)} references but {len(copies_of)} copies: they must pair up")
    row_of = {utterance: row for row, utterance in enumerate(dict.fromkeys(copies_of))}
    rows = [row_of[utterance] for utterance in copies_of]

    def total(of_copies: np.ndarray) -> np.ndarray:
        sums = np.zeros(len(row_of), np.int64)
        np.add.at(sums, rows, of_copies)
        return sums

    parts = (counts.substitutions, counts.deletions, counts.insertions, counts.reference)
    return _Counts(*map(total, parts))


def _resampled(utterances: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Rows of the utterances drawn, with replacement, in each resample."""
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        yield generator.integers(utterances, size=utterances)


def _percent(errors: np.ndarray, reference: np.ndarray) -> float:
    total, length = int(errors.sum()), int(reference.sum())
    if not length:
        return math.inf if total else 0.0
    return 100.0 * total / length


def _interval(sampled: Sequence[float]) -> tuple[float, float]:
    # "lower" and "higher" pick drawn values, so that an infinite one is never interpolated into NaN
    return (
        float(np.percentile(sampled, CONFIDENCE[0], method="lower")),
        float(np.percentile(sampled, CONFIDENCE[1], method="higher")),
    )
