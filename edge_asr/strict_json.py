"""JSON as RFC 8259 writes it, and no more: Python's own reader takes what other languages' readers do not."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parse(text: str | bytes, deepest: int) -> Any:
    """The value of a JSON text; bytes are UTF-8.

    Raises ValueError where the text is not JSON. Refused too, though some readers take it: NaN and Infinity, numbers
    beyond float64, a byte order mark, a key that an object has twice, half of a surrogate pair, and more than `deepest`
    arrays and objects in one another.
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_integer, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deep") from None
    json.dumps(value, ensure_ascii=False).encode()  # raises a ValueError where half of a surrogate pair is in it
    if _depth(value) > deepest:
        raise ValueError("nested too deep")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _integer(digits: str) -> int:
    _finite(digits)
    return int(digits)


def _depth(value: Any) -> int:
    """Arrays and objects in one another."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (list, dict))]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth
