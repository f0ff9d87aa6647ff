"""The architectures that a checkpoint may hold: a file for each, and a line here."""

from __future__ import annotations

from typing import Any

from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gated import GatedCtc
from edge_asr.model.moonshine import MoonshineEncoder
from edge_asr.model.parakeet import ParakeetEncoder
from edge_asr.model.wav2vec2 import Wav2Vec2Encoder

FAMILIES: tuple[type[GatedCtc], ...] = (
    GatedEncoder,
    MoonshineEncoder,
    ParakeetEncoder,
    Wav2Vec2Encoder,
)


def build_encoder(architecture: str, values: dict[str, Any]) -> GatedCtc:
    """An encoder with drawn weights. Raises ValueError naming the known architectures where this one is not, and what
    `GatedCtc.from_dict` raises."""
    for family in FAMILIES:
        if family.architecture == architecture:
            return family.from_dict(values)
    known = ", ".join(family.architecture for family in FAMILIES)
    raise ValueError(f"architecture '{architecture}' is none of {known}")


def family_of_source(model_type: str) -> type[GatedCtc]:
    """What takes a pretrained model of this type. Raises ValueError with the known ones where none does."""
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(sorted(name for family in FAMILIES for name in family.model_types))
    raise ValueError(f"model_type '{model_type}' is not known; known are {known}")
