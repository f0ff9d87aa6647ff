"""Rules for regression gates: `rtf>1.05x`, `wer>+0.2`, `peak_rss>25MB`. A rule says what fails."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.quantities import QUANTITIES, Quantity

RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
SAME = 1e-9  # relative: 2.2 - 2.0 is 0.2, whatever binary fractions make of it

RULE = re.compile(
    r"\s*(?P<quantity>\w+)\s*(?P<relation>>=|<=|>|<)\s*"
    r"(?P<sign>[+-]?)\s*(?P<number>\d+\.?\d*|\.\d+)\s*(?P<unit>[A-Za-z%]*)\s*",
    re.ASCII,
)

Kind = Literal["times", "more", "is"]  # than before: a factor; a difference; or a limit whatever was before


@dataclass(frozen=True)
class Rule:
    """What must not be."""

    text: str  # as the user wrote it
    quantity: Quantity
    relation: str
    kind: Kind
    limit: float  # a factor, or in the quantity's unit

    @property
    def needs_before(self) -> bool:
        return self.kind != "is"

    def broken_by(self, before: float | None, after: float) -> bool:
        """`before` may be None for a limit."""
        found, limit = after, self.limit
        scale = max(abs(after), abs(limit))
        if before is not None and self.kind == "times":
            limit = self.limit * before
            scale = max(abs(after), abs(limit))
        if before is not None and self.kind == "more":
            found = after - before
            scale = max(abs(after), abs(before), abs(limit))
        if math.isclose(found, limit, rel_tol=0, abs_tol=SAME * scale):
            found = limit
        return RELATIONS[self.relation](found, limit)


def parse_rule(text: str) -> Rule:
    """Raises EdgeAsrError that says which part is wrong."""
    found = RULE.fullmatch(text)
    if not found:
        raise EdgeAsrError(
            f"{text!r} is no rule: write a quantity, a relation and a limit, such as rtf>1.05x or wer>+0.2"
        )
    quantity = QUANTITIES.get(found["quantity"])
    if quantity is None:
        raise EdgeAsrError(f"{text!r}: no quantity is named '{found['quantity']}': there are {', '.join(QUANTITIES)}")
    number, unit = float(found["number"]), found["unit"]
    if not math.isfinite(number):
        raise EdgeAsrError(f"{text!r}: the limit is too large")
    if unit == "x":
        if found["sign"]:
            raise EdgeAsrError(f"{text!r}: a factor has no sign: write {number:g}x, or a difference without x")
        return Rule(text, quantity, found["relation"], "times", number)
    if unit not in quantity.units:
        known = ", ".join(["x", *filter(None, quantity.units)])
        raise EdgeAsrError(f"{text!r}: '{unit}' is no unit of {quantity.name}: write {known}, or none")
    limit = number * quantity.units[unit] * (-1.0 if found["sign"] == "-" else 1.0)
    return Rule(text, quantity, found["relation"], "more" if found["sign"] else "is", limit)
