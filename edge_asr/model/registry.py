"""The architectures that a checkpoint may hold: a file for each, and a line here."""

from __future__ import annotations

from typing import Any

from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gated import GatedCtc
from edge_asr.model.moonshine import MoonshineEncoder

FAMILIES: tuple[type[GatedCtc], ...] = (GatedEncoder, MoonshineEncoder)


def build_encoder(architecture: str, values: dict[str, Any]) -> GatedCtc:
    """An encoder with drawn weights. Raises ValueError naming the known architectures where this one is not, and what
    `GatedCtc.from_dict` raises."""
    for family in FAMILIES:
        if family.architecture == architecture:
            return family.from_dict(values)
    known = ", ".join(family.architecture for family in FAMILIES)
    raise ValueError(f"architecture '{architecture}' is none of {known}")
