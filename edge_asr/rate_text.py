"""Error rates in words. A rate without reference words is none, and so is a limit of an interval that may lack them."""

from __future__ import annotations

import math
from collections.abc import Sequence

NOTHING = "–"


def rate_text(percent: float | None, digits: int = 1) -> str:
    """A dash where there is no rate: None, or infinite."""
    return NOTHING if percent is None or not math.isfinite(percent) else f"{percent:.{digits}f}"


def interval_text(interval: Sequence[float | None]) -> str:
    """`1.2 to 3.4`; `1.2 to –` without an upper limit."""
    low, high = interval
    return f"{rate_text(low)} to {rate_text(high)}"
