"""What was heard against what was said, as a report holds it: of one setting, and of one against another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge_asr.metrics import error_rates, wer_difference
from edge_asr.profiling.report import Accuracy, WerChange


def accuracy_of(references: Sequence[str], heard: Sequence[str]) -> Accuracy:
    """The references have a word at least. A resample may have none, so that a limit may be infinite: None."""
    rates = error_rates(references, heard)
    low, high = rates.wer_ci95
    return Accuracy(
        wer=rates.wer,
        wer_ci95=(low if math.isfinite(low) else None, high if math.isfinite(high) else None),
        substitutions=rates.substitutions,
        deletions=rates.deletions,
        insertions=rates.insertions,
        words=rates.reference_words,
    )


def wer_change_of(
    of: str, to: str, references: Sequence[str], heard_of: Sequence[str], heard_to: Sequence[str]
) -> WerChange:
    """WER of the setting `of` minus that of `to`."""
    found = wer_difference(references, heard_to, heard_of)
    return WerChange(of, to, found.wer, found.wer_ci95)
