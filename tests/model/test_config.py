"""The config: what it refuses, and its way to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from edge_asr.model.config import EncoderConfig, FrontEndConfig, GateConfig, StackConfig
from edge_asr.model.encoder import GatedEncoder


def through_json(config: EncoderConfig) -> dict[str, Any]:
    """As a checkpoint's header has it."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return values


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lower": StackConfig(layers=1, width=100, heads=3)}, r"lower\.width 100"),
        ({"upper": StackConfig(layers=1, width=12, heads=4)}, r"upper\.width 12"),  # odd head width: no rotary pairs
        ({"upper": StackConfig(layers=1, width=64, kernel=8)}, r"upper\.kernel 8 is even"),
        ({"lower": StackConfig(layers=1, width=64, kernel=35)}, r"lower\.kernel 35 reaches"),
        ({"left_context_frames": 40}, "left_context_frames 40"),
        ({"blank_id": 30}, "blank_id 30"),
        ({"blank_id": -1}, "blank_id -1"),
    ],
)
def test_contradictions_are_named(changes: dict[str, object], reason: str) -> None:
    config = dataclasses.replace(EncoderConfig(vocabulary=30), **changes)
    with pytest.raises(ValueError, match=reason):
        config.validate()
    with pytest.raises(ValueError, match=reason):
        EncoderConfig.from_dict(through_json(config))


def test_json_round_trip() -> None:
    config = EncoderConfig(
        vocabulary=30,
        blank_id=3,
        front_end=FrontEndConfig(mels=64),
        lower=StackConfig(layers=2, width=64, kernel=7),
        gate=GateConfig(spike_left=0, learned=True),
        factorized=True,
        dropout=0.25,
    )
    assert EncoderConfig.from_dict(through_json(config)) == config


def test_an_unknown_field_is_an_error() -> None:
    values = through_json(EncoderConfig(vocabulary=30))
    with pytest.raises(TypeError, match="colour"):
        EncoderConfig.from_dict({**values, "colour": 1})
    with pytest.raises(TypeError, match="colour"):
        EncoderConfig.from_dict({**values, "lower": {**values["lower"], "colour": 1}})


def test_derived_dimensions() -> None:
    config = EncoderConfig(vocabulary=30)
    assert config.frame_samples == 640
    assert GatedEncoder(config).spec.frame_ms == 40
    assert config.front_end.tail_samples == 240
    assert config.upper.head_width == 48
    assert config.upper.conv_tail == 7
