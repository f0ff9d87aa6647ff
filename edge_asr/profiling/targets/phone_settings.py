"""What a user asked to compare -> what the app on a phone is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError


def refuse_for_phones(options: Mapping[str, object]) -> None:
    """`options` are those that the app does not have, with what was given. Raises EdgeAsrError."""
    for option, given in options.items():
        if given:
            raise EdgeAsrError(f"{option} is not for phones: the app there measures by itself, energy included")


def phone_thresholds(default: float, thresholds: Sequence[float], against: Sequence[str]) -> tuple[float, ...]:
    """Every model there is measured at each of them."""
    wanted = list(thresholds) or [default]
    if "off" in against or (not against and len(wanted) < 2):
        wanted.append(NEVER_SKIP)
    return tuple(dict.fromkeys(wanted))
