"""Pretrained Moonshine: adopted, its encoder gives for whole utterances what transformers' gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from edge_asr.audio import read_audio
from edge_asr.demo import RECORDING
from edge_asr.model.layers import ChunkNeighbours
from edge_asr.model.moonshine import MoonshineEncoder
from edge_asr.model.moonshine_layers import interleaved
from tests.requirements import require_module

TOLERANCE = 1e-4

# In the words of Hugging Face's config.json; 14 features a head, of which 8 turn.
PUBLISHED: dict[str, Any] = {
    "model_type": "moonshine",
    "hidden_size": 56,
    "intermediate_size": 80,
    "encoder_num_hidden_layers": 3,
    "encoder_num_attention_heads": 4,
    "encoder_num_key_value_heads": 4,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 4,
    "decoder_num_key_value_heads": 4,
    "partial_rotary_factor": 0.62,
    "rope_theta": 10_000.0,
    "vocab_size": 20,
}


def published_model(config: dict[str, Any]) -> Any:
    """transformers' encoder of these dimensions, weights drawn."""
    require_module("transformers", "test")
    from transformers import MoonshineConfig as TheirConfig
    from transformers import MoonshineModel

    names = ("model_type", "architectures", "torch_dtype")
    torch.manual_seed(0)
    return MoonshineModel(TheirConfig(**{key: value for key, value in config.items() if key not in names})).eval()


def published_weights(model: Any) -> dict[str, Tensor]:
    return {f"model.{name}": value.detach() for name, value in model.state_dict().items()}


@torch.no_grad()
def drawn_apart(model: Any) -> Any:
    """Gains that are not 1, biases that are not 0, and convolutions that make something of the samples."""
    for name, value in model.encoder.named_parameters():
        if "norm" in name:
            value += 0.3 * torch.randn(value.shape)
        elif "bias" in name:
            value += 0.1 * torch.randn(value.shape)
        else:
            value *= 8 if "conv" in name else 4
    return model


@pytest.mark.parametrize("changed", [{}, {"partial_rotary_factor": 0.9}, {"partial_rotary_factor": 1.0}], ids=str)
@pytest.mark.parametrize("samples", [895, 30_000, 30_271])
def test_whole_utterances_are_what_transformers_makes_of_them(
    noisy_tones: Tensor, changed: dict[str, float], samples: int
) -> None:
    config = PUBLISHED | changed
    model = drawn_apart(published_model(config))
    encoder, _ = MoonshineEncoder.adopt(config, published_weights(model), cut=1, vocabulary=12, blank_id=0)
    audio = torch.stack([noisy_tones[:samples], noisy_tones[20_000 : 20_000 + samples]])
    with torch.no_grad():
        for batch in (audio, audio[:1]):
            expected = model.encoder(batch).last_hidden_state
            assert expected.std() > 0.5
            assert torch.allclose(encoder.whole(batch), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.slow
def test_the_pretrained_tiny_is_what_transformers_makes_of_it(pretrained_tiny: Path) -> None:
    config = json.loads((pretrained_tiny / "config.json").read_text())
    weights = {name: value.float() for name, value in load_file(pretrained_tiny / "model.safetensors").items()}
    model = published_model(config)
    model.encoder.load_state_dict({name.removeprefix("model.encoder."): value for name, value in weights.items()})
    encoder, new = MoonshineEncoder.adopt(config, weights, cut=3, vocabulary=30, blank_id=0)
    audio = torch.from_numpy(read_audio(RECORDING, 16_000)).float()[None]
    with torch.no_grad():
        expected = model.encoder(audio).last_hidden_state
        assert torch.allclose(encoder.whole(audio), expected, atol=TOLERANCE, rtol=0)
    assert {name.rsplit(".", 1)[0] for name in new} == {"lower.head", "lower.condition", "upper.head"}


def test_pairs_are_laid_half_a_head_apart() -> None:
    assert interleaved(8, 4).tolist() == [0, 2, 4, 5, 1, 3, 6, 7]
    assert interleaved(6, 5).tolist() == [0, 2, 4, 1, 3, 5]


def test_an_adopted_model_hands_over_its_own_rows(noisy_tones: Tensor) -> None:
    """Until the heads are trained, the upper layers read what they are used to."""
    weights = published_weights(drawn_apart(published_model(PUBLISHED)))
    encoder, new = MoonshineEncoder.adopt(PUBLISHED, weights, cut=2, vocabulary=9, blank_id=8)
    assert (encoder.spec.lower_layers, encoder.spec.upper_layers, encoder.spec.blank_id) == (2, 1, 8)
    assert not encoder.training
    x = torch.randn(1, 4, 56)
    angles, bias = encoder.rotary(torch.arange(4)[None]), torch.zeros(1, 1, 4)
    lefts = [ChunkNeighbours(1, 4, left_frames=0, conv_tail=0)] * 2
    _, handed = encoder.lower(x, angles, bias, lefts)
    assert torch.equal(handed, encoder.lower.stack(x, angles, bias, lefts)[-1])
    assert set(new) <= {name for name, _ in encoder.named_parameters()}


@pytest.mark.parametrize(
    ("config", "name", "message"),
    [
        ({"model_type": "whisper"}, "", "model_type is 'whisper'"),
        ({"encoder_num_key_value_heads": 2}, "", "encoder_num_key_value_heads 2"),
        ({"attention_bias": True}, "", "attention_bias True"),
        ({"encoder_hidden_act": "relu"}, "", "encoder_hidden_act 'relu'"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "", "rope_type 'yarn'"),
        ({"encoder_num_hidden_layers": 2}, "", "cut 2"),
        ({"hidden_size": 64}, "", r"conv1\.weight is of shape \[56, 1, 127\], expected \[64, 1, 127\]"),
        ({}, "model.encoder.layers.2.mlp.fc2.bias", r"no tensor model\.encoder\.layers\.2\.mlp\.fc2\.bias"),
        ({}, "model.encoder.layer_norm.weight", r"no tensor model\.encoder\.layer_norm\.weight"),
    ],
    ids=str,
)
def test_what_cannot_be_adopted_is_named(config: dict[str, Any], name: str, message: str) -> None:
    weights = published_weights(published_model(PUBLISHED))
    weights.pop(name, None)
    with pytest.raises(ValueError, match=message) as raised:
        MoonshineEncoder.adopt(PUBLISHED | config, weights, cut=2, vocabulary=9, blank_id=0)
    assert "\n" not in str(raised.value)


def test_a_config_of_a_newer_transformers_is_read() -> None:
    weights = published_weights(published_model(PUBLISHED))
    newer = {key: value for key, value in PUBLISHED.items() if key not in ("partial_rotary_factor", "rope_theta")}
    newer["rope_parameters"] = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.62}
    encoder, _ = MoonshineEncoder.adopt(newer, weights, cut=2, vocabulary=9, blank_id=0)
    assert encoder.config == MoonshineEncoder.adopt(PUBLISHED, weights, cut=2, vocabulary=9, blank_id=0)[0].config
    assert encoder.config.rotary_width == 8
