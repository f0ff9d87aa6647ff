"""JSON that every reader takes. Python would write NaN and Infinity, which are no JSON."""

from __future__ import annotations

import json
import math
from typing import Any


def json_text(value: Any, indent: int | None = None, ascii_only: bool = False) -> str:
    """Text is written as it is, or with `ascii_only` escaped. Raises ValueError where a number is not finite."""
    return json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, indent=indent)


def without_infinities(value: Any) -> Any:
    """The same, lists for tuples, and None for each number that is not finite."""
    if isinstance(value, dict):
        return {key: without_infinities(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinities(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
