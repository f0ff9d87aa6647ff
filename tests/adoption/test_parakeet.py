"""A Parakeet that `transformers` saved is adopted: where a chunk is the whole utterance it says what `transformers`
says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from edge_asr.adoption.adopt import adopt
from edge_asr.model.parakeet import ParakeetEncoder
from edge_asr.model.parakeet_front import slaney_filterbank
from edge_asr.tokens import BLANK
from tests.adoption.sources import PARAKEET, PARAKEET_KINDS, model_of, saved
from tests.outcome import Run

FRAME = 1_280
LATER = 40  # samples by which a frame of a stream is later than Parakeet's


def adopted(kind: str, folder: Path, cut: int = 1) -> ParakeetEncoder:
    model = adopt(str(saved(kind, folder)), cut=cut).checkpoint.model
    assert isinstance(model, ParakeetEncoder)
    return model.requires_grad_(False)


def voices(*frames: int) -> list[Tensor]:
    """Noise that swells and fades, of so many frames each."""
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(count * FRAME, generator=generator) * torch.sin(torch.arange(count * FRAME) / 4_000) * 0.2
        for count in frames
    ]


def extracted(samples: list[Tensor], mels: int) -> Any:
    """What Parakeet's extractor makes of the samples, 40 samples later."""
    import transformers

    later = [functional.pad(each, (LATER, 0)).numpy() for each in samples]
    extractor = transformers.ParakeetFeatureExtractor(feature_size=mels)
    return extractor(later, sampling_rate=16_000, return_tensors="pt")


def in_one_chunk(samples: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Samples of all, padded to the longest, and frames of each."""
    return torch.nn.utils.rnn.pad_sequence(samples, batch_first=True), torch.tensor(
        [len(each) // FRAME for each in samples]
    )


@pytest.mark.parametrize("mels", [80, 128])
def test_filters_are_those_of_the_extractor(mels: int) -> None:
    import transformers

    theirs = transformers.ParakeetFeatureExtractor(feature_size=mels).mel_filters
    assert (slaney_filterbank(mels, 512, 16_000) - theirs).abs().max() <= 1e-7
    assert theirs.max() > 0.01


@pytest.mark.parametrize("kind", sorted(PARAKEET_KINDS))
def test_features_of_one_chunk_are_those_of_the_extractor(kind: str, tmp_path: Path) -> None:
    model, samples = adopted(kind, tmp_path), voices(40, 29)
    padded, frames = in_one_chunk(samples)
    ours, theirs = model.features(padded, frames, 40), extracted(samples, model.config.mels)
    for row, count in enumerate(frames * 8):
        assert theirs["attention_mask"][row].sum() == count
        apart = (ours[row, :count] - theirs["input_features"][row, :count]).abs()
        assert apart.mean() <= 1e-6
        assert apart.max() <= 1e-3  # quiet bins, where both round: each is as far from float64


@pytest.mark.parametrize("kind", sorted(PARAKEET_KINDS))
@pytest.mark.parametrize("cut", [1, 3])
def test_at_full_context_it_equals_transformers(kind: str, cut: int, tmp_path: Path) -> None:
    model, samples = adopted(kind, tmp_path, cut), voices(40, 29)
    padded, frames = in_one_chunk(samples)
    ours = model(model.features(padded, frames, 40), frames, torch.ones(2), 40, gate=False).final
    logits = model_of(kind)(**extracted(samples, model.config.mels)).logits
    theirs = torch.log_softmax(logits, dim=-1)
    for row, count in enumerate(frames):
        assert (ours[row, :count] - theirs[row, :count]).abs().max() <= 1e-4
        assert theirs[row, :count].std(dim=0).mean() > 0.1  # over time


@pytest.mark.parametrize("factor", [2, 4, 16])
def test_other_frame_lengths_equal_transformers_too(factor: int, tmp_path: Path) -> None:
    import transformers

    encoder = PARAKEET | {"subsampling_factor": factor}
    torch.manual_seed(0)
    configuration = transformers.ParakeetCTCConfig(vocab_size=8, pad_token_id=7, encoder_config=encoder)
    source = transformers.ParakeetForCTC(configuration).eval().requires_grad_(False)
    model, _ = ParakeetEncoder.adopt(configuration.to_dict(), source.state_dict(), cut=2, vocabulary=8, blank_id=7)
    samples = voices(16)
    count = torch.tensor([16 * 8 // factor])
    features = model.features(samples[0][None], count, int(count))
    ours = model(features, count, torch.ones(1), int(count), gate=False).final[0].detach()
    theirs = source(**extracted(samples, 80)).logits[0, : int(count)].log_softmax(dim=-1)
    assert (ours - theirs).abs().max() <= 1e-4


def test_the_intermediate_head_begins_as_the_final_one(tmp_path: Path) -> None:
    adoption = adopt(str(saved("parakeet", tmp_path)), cut=3)
    model = adoption.checkpoint.model
    assert isinstance(model, ParakeetEncoder)
    assert torch.equal(model.lower.head.weight, model.upper.head.weight)
    assert not model.lower.condition.weight.any()
    assert set(adoption.new) == {
        f"lower.{part}.{kind}" for part in ("head", "condition") for kind in ("weight", "bias")
    }
    assert adoption.checkpoint.tokens.pieces == ("", "▁", "▁A", "B", "C", "D", "E", BLANK)
    assert adoption.checkpoint.tokens.blank_id == 7
    assert adoption.checkpoint.default_threshold == 1.0


def test_an_encoder_without_a_head_gets_letters(tmp_path: Path) -> None:
    model_of("parakeet").encoder.save_pretrained(tmp_path)
    adoption = adopt(str(tmp_path), cut=2)
    assert len(adoption.checkpoint.tokens.pieces) == 29
    assert {"upper.head.weight", "upper.head.bias"} <= set(adoption.new)
    headed, _ = ParakeetEncoder.adopt(
        model_of("parakeet").config.to_dict(), model_of("parakeet").state_dict(), cut=2, vocabulary=8, blank_id=7
    )
    alone = dict(adoption.checkpoint.model.named_parameters())
    body = {
        name: value for name, value in headed.named_parameters() if ".head." not in name and "condition" not in name
    }
    assert len(body) > 100
    assert all(torch.equal(value, alone[name]) for name, value in body.items())


def test_the_command_says_what_lies_below_and_above(run: Run, tmp_path: Path) -> None:
    source, output = saved("parakeet", tmp_path / "source"), tmp_path / "start.safetensors"
    report = run("adopt", source, "--cut", 1, "-o", output, "--json").json
    assert (report["lower"]["layers"], report["upper"]["layers"], report["frame_ms"]) == (1, 3, 80.0)
    assert (report["architecture"], report["model_type"], report["vocabulary"]) == ("parakeet", "parakeet_ctc", 8)
    upper = report["upper"]["mmac_s"]
    # each of three layers, 12.5 rows a second: two feed-forwards, attention's linears with those for positions, GLU and
    # its way out, nine taps; and scores, positions' scores and sums over 64 rows before a block of 32
    width, heads, keys = 32, 4, 64 + 32
    layer = 4 * width * 48 + 5 * width * width + 3 * width * width + 9 * width + (2 + heads) * width * keys
    assert upper == pytest.approx(12.5 * (3 * layer + 8 * width) / 1e6, rel=0.02)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hidden_act": "relu"}, "hidden_act 'relu' is not built"),
        ({"subsampling_conv_kernel_size": 5}, "subsampling_conv_kernel_size 5 is not built"),
        ({"subsampling_conv_stride": 3}, "subsampling_conv_stride 3 is not built"),
        ({"num_key_value_heads": 2}, "num_key_value_heads 2 is not built"),
        ({"subsampling_factor": 6}, "subsampling 6 is no power of two"),
        ({"num_mel_bins": 84}, "mels 84 is not a multiple of subsampling"),
        ({"conv_kernel_size": 8}, "kernel 8 is even"),
        ({"num_attention_heads": 3, "num_key_value_heads": 3}, "not a multiple of heads"),
        ({"num_attention_heads": 0, "num_key_value_heads": 0}, "cannot be adopted"),
        ({"num_hidden_layers": 5}, "layers.4.norm_feed_forward1.weight is missing"),
        ({"num_hidden_layers": 1}, "a cut after layer 1 leaves nothing on one side: there are 1 layers"),
        ({"hidden_size": 36}, "cannot be adopted"),
        ({"hidden_size": None}, "cannot be adopted"),
    ],
    ids=str,
)
def test_an_encoder_that_does_not_fit_is_told(run: Run, tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    source = saved("parakeet", tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    config["encoder_config"] |= changed
    (source / "config.json").write_text(json.dumps(config))
    run("adopt", source, "--cut", 1, "-o", tmp_path / "x.safetensors").assert_fails(told)


@pytest.mark.parametrize("name", ["norm_out", "self_attn.q_proj", "conv.depthwise_conv"])
def test_a_bias_that_is_promised_and_missing_is_told(run: Run, tmp_path: Path, name: str) -> None:
    source = saved("parakeet", tmp_path / "source")
    weights = load_file(source / "model.safetensors")
    del weights[f"encoder.layers.0.{name}.bias"]
    save_file(weights, source / "model.safetensors")
    outcome = run("adopt", source, "--cut", 1, "-o", tmp_path / "x.safetensors")
    outcome.assert_fails(f"encoder.layers.0.{name}.bias is missing")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"encoder_config": None}, "cannot be adopted"),
        ({"vocab_size": 9}, "says nothing of output 8 of 9"),
        ({"vocab_size": None}, "does not say what its outputs are"),
        ({"pad_token_id": None}, "nothing says which output is blank"),
    ],
    ids=str,
)
def test_a_configuration_that_does_not_fit_is_told(
    run: Run, tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    source = saved("parakeet", tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | changed))
    run("adopt", source, "--cut", 1, "-o", tmp_path / "x.safetensors").assert_fails(told)
