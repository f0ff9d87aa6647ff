"""What `ParakeetEncoder` does beside what every family must (see test_families.py)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edge_asr.model.config import GateConfig
from edge_asr.model.layers import ChunkNeighbours
from edge_asr.model.parakeet import ParakeetEncoder
from edge_asr.model.parakeet_config import ParakeetConfig
from edge_asr.model.parakeet_layers import Attention, FrameAngles, Positions
from edge_asr_export.inspect import inspect_pte
from edge_asr_export.lower import build_program
from edge_asr_export.program import StreamingProgram
from edge_asr_export.quantize import quantize
from edge_asr_export.structure import check_structure
from tests.families import apart, metadata_of, run_whole

FRAME = 1_280
TEN_HOURS = 450_000  # frames

SMALL = ParakeetConfig(
    vocabulary=12,
    blank_id=11,
    cut=2,
    layers=4,
    width=32,
    heads=4,
    inner=48,
    kernel=5,
    mels=16,
    subsampling_channels=6,
    chunk_frames=8,
    left_context_frames=16,
)


def drawn(config: ParakeetConfig) -> ParakeetEncoder:
    torch.manual_seed(0)
    encoder = ParakeetEncoder(config)
    for name, parameter in encoder.named_parameters():
        if "head" in name and parameter.dim() == 2:
            torch.nn.init.normal_(parameter)  # opinions
    return encoder


@pytest.fixture(scope="module")
def encoder() -> ParakeetEncoder:
    return drawn(SMALL).eval().requires_grad_(False)


def run_program(program: StreamingProgram, samples: Tensor, threshold: float = 1.0) -> list[tuple[Tensor, ...]]:
    step = program.spec.chunk_frames * FRAME
    frames, given = torch.tensor([program.spec.chunk_frames]), torch.tensor([threshold])
    zero = torch.tensor([0])
    return [program(pcm[None], frames, given, zero, zero) for pcm in samples.split(step)]


@pytest.mark.parametrize("start", [0, TEN_HOURS, 100 * TEN_HOURS])
def test_scores_are_of_true_differences_of_frames(start: int) -> None:
    """Two utterances of two chunks each, whose frames have gaps, against sines and cosines of the differences."""
    config = replace(SMALL, heads=2)
    attention, half = Attention(config), SMALL.width // 2
    index = start + torch.tensor([[0, 1, 5], [6, 17, 300], [0, 2, 3], [40, 41, 999]])
    cos, sin = FrameAngles(config.width)(index)
    positions = Positions.in_training(cos, sin, ChunkNeighbours(2, 3, left_frames=3, conv_tail=0))
    asked = torch.randn(2, 4 * 3, config.width)
    found = attention.position_scores(asked, positions).reshape(2, 4, 3, 6)
    frequencies = 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    of_cosine, of_minus_sine = asked.double().reshape(2, 4, 3, 2, half).unbind(3)
    for chunk in range(4):
        keys = index[chunk] if chunk % 2 == 0 else torch.cat([index[chunk - 1], index[chunk]])
        angles = (index[chunk][:, None] - keys)[:, :, None] * frequencies
        expected = (of_cosine[:, chunk, :, None] * angles.cos() - of_minus_sine[:, chunk, :, None] * angles.sin()).sum(
            3
        )
        assert apart(found[:, chunk, :, 6 - len(keys) :], expected) < 1e-5
        assert expected.std() > 1


def test_the_tenth_hour_is_as_the_first(encoder: ParakeetEncoder, noisy_tones: Tensor) -> None:
    program, late = StreamingProgram(encoder), StreamingProgram(encoder)
    late.next_frame += TEN_HOURS
    first, tenth = (run_program(each, noisy_tones[: 64 * FRAME]) for each in (program, late))
    for early, later in zip(first, tenth, strict=True):
        assert apart(later[0], early[0]) < 1e-5
        assert apart(later[2], early[2]) < 1e-5
    assert tenth[0][3][0] == TEN_HOURS


def test_gaps_are_seen_as_gaps(encoder: ParakeetEncoder) -> None:
    """The same rows, further apart, are another thing; all of them later by as much, the same."""
    upper, rows, filled = encoder.streamed_upper(), torch.randn(1, 8, SMALL.width), torch.ones(1, 8, 1)
    index = torch.arange(8)[None]

    def final(index: Tensor) -> Tensor:
        return upper(rows, filled, *encoder.angles(index), *encoder.upper_state().values())[0]

    assert apart(final(index + TEN_HOURS), final(index)) < 1e-5
    assert apart(final(index * 3), final(index)) > 1e-3


@pytest.mark.parametrize("chunk", [1, 4, 8, 16])
def test_bands_are_normalized_by_all_that_was_heard(chunk: int, noisy_tones: Tensor) -> None:
    """In the last chunk by what the whole utterance would be."""
    encoder, frames = drawn(replace(SMALL, fade_frames=1e9)), torch.tensor([64])
    samples = (noisy_tones[: 64 * FRAME] * torch.linspace(0.01, 1, 64 * FRAME))[None]
    in_chunks, whole = (encoder.features(samples, frames, each) for each in (chunk, 64))
    last = chunk * SMALL.subsampling
    assert apart(in_chunks[:, -last:], whole[:, -last:]) < 1e-4
    assert apart(in_chunks[:, :last], whole[:, :last]) > 0.1
    assert whole.mean(dim=1).abs().max() < 1e-5
    assert apart(whole.std(dim=1), torch.tensor(1.0)) < 1e-4


def test_what_was_heard_long_ago_is_forgotten() -> None:
    encoder = drawn(replace(SMALL, fade_frames=20.0))
    torch.manual_seed(0)
    samples, frames = torch.randn(1, 400 * FRAME) * 0.1, torch.tensor([400])
    after_noise = torch.cat([torch.randn(1, 40 * FRAME), samples[:, 40 * FRAME :]], dim=1)
    quiet, loud = (encoder.features(each, frames, 8) for each in (samples, after_noise))
    per_frame = (quiet - loud).abs().reshape(400, -1).amax(dim=1)
    assert per_frame[41:56].min() > 0.5
    assert per_frame[-8:].max() < 1e-3


def test_what_is_not_real_counts_for_nothing(encoder: ParakeetEncoder, noisy_tones: Tensor) -> None:
    program = StreamingProgram(encoder)
    pcm = noisy_tones[None, : 8 * FRAME].clone()
    given = (torch.tensor([3]), torch.tensor([0.0]), torch.tensor([0]), torch.tensor([1]))
    quiet, heard = program(pcm, *given)[0], program.heard_mean.clone()
    pcm[:, 3 * FRAME :] = 5.0
    assert apart(program(pcm, *given)[0][:3], quiet[:3]) < 1e-6
    assert torch.equal(program.heard_mean, heard)
    assert program.heard_frames == 3


def test_a_frame_reads_its_own_samples_to_the_last(encoder: ParakeetEncoder, noisy_tones: Tensor) -> None:
    samples = noisy_tones[None, : 8 * FRAME]
    other, frames = samples.clone(), torch.tensor([8])
    other[:, -40:] += 0.1 * torch.randn(40)
    mel, changed = (
        encoder.front.log_mel(encoder.front.spectrum(functional.pad(each, (241, 0)))) for each in (samples, other)
    )
    rows = ((mel - changed).abs().amax(dim=2) > 0).flatten()
    assert rows.nonzero().flatten().tolist() == [8 * int(frames) - 1]


def test_digital_silence_and_what_follows_it_are_numbers(encoder: ParakeetEncoder, noisy_tones: Tensor) -> None:
    samples = torch.cat([torch.zeros(24 * FRAME), noisy_tones[: 24 * FRAME], torch.zeros(8 * FRAME)])
    program = StreamingProgram(encoder)
    for outputs in run_program(program, samples):
        assert outputs[0].isfinite().all()
        assert outputs[2].isfinite().all()
    assert all(getattr(program, name).isfinite().all() for name in program.state_names)


def test_a_stream_with_a_learned_gate_equals_the_whole_utterance(noisy_tones: Tensor) -> None:
    config = replace(SMALL, gate=GateConfig(spike_left=0, spike_right=0, learned=True))
    encoder, samples = drawn(config).eval().requires_grad_(False), noisy_tones[: 64 * FRAME]
    assert encoder.lower.gate is not None
    encoder.lower.gate.weight.normal_()
    out = run_whole(encoder, samples)
    assert out.gate is not None
    ordered = out.gate.sigmoid()[0].sort().values
    near = range(16, 48)
    best = max(near, key=lambda i: float(ordered[i] - ordered[i - 1]))
    threshold = float(ordered[best - 1] + ordered[best]) / 2
    whole = run_whole(encoder, samples, threshold)
    steps = run_program(StreamingProgram(encoder), samples, threshold)
    assert 0.2 < whole.keep.float().mean() < 0.8
    assert torch.equal(torch.cat([keep for _, keep, *_ in steps]) > 0.5, whole.keep[0])
    for _, _, final, index, _ in steps:
        assert torch.allclose(final[index >= 0], whole.final[0, index[index >= 0]], atol=1e-4)


def test_all_of_it_learns(noisy_tones: Tensor) -> None:
    model = drawn(replace(SMALL, gate=GateConfig(learned=True), dropout=0.1)).train()
    samples, frames = noisy_tones[None, : 64 * FRAME], torch.tensor([61])
    features = model.features(samples, frames, 8)
    out = model(features, frames, torch.tensor([0.6]), 8, gate=False, with_middle=True)
    assert out.gate is not None
    assert out.middle is not None
    losses = [each.square().mean() for each in (out.final, out.intermediate, out.middle, out.gate)]
    torch.stack(losses).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 33, "heads": 3}, "width 33"),
        ({"width": 30}, "width 30"),
        ({"kernel": 4}, "kernel 4 is even"),
        ({"cut": 4}, "a cut after layer 4"),
        ({"cut": 0}, "a cut after layer 0"),
        ({"subsampling": 6, "mels": 18}, "subsampling 6"),
        ({"subsampling": 1}, "subsampling 1"),
        ({"mels": 20}, "mels 20"),
        ({"chunk_frames": 0}, "chunk_frames 0"),
        ({"chunk_frames": 7}, "left_context_frames 16"),
        ({"left_context_frames": 0}, "left_context_frames 0"),
        ({"kernel": 35}, "kernel 35 reaches beyond left_context_frames"),
        ({"blank_id": 12}, "blank_id 12"),
        ({"fade_frames": 0.0}, "fade_frames 0"),
    ],
    ids=str,
)
def test_contradictions_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ParakeetConfig.from_dict(SMALL.to_dict() | changed)


@pytest.mark.slow
def test_a_quantized_file_has_the_right_structure(tmp_path: Path) -> None:
    """What mixes the channels of the subsampling, and what asks for positions, is int8, too."""
    short = replace(SMALL, cut=1, layers=2)  # a layer is half a minute of export for each block size
    encoder, path = drawn(short).eval().requires_grad_(False), tmp_path / "model.pte"
    metadata = metadata_of(encoder, "int8")
    quantize(encoder, "int8")
    path.write_bytes(build_program(encoder, metadata, lambda _: None))
    report = inspect_pte(path)
    check_structure(report, "int8")
    delegates = report["methods"]["step"]["delegates"]
    linears = {(linear["inputs"], linear["outputs"], linear["datatype"]) for linear in delegates[0]["linears"]}
    assert {(6, 6, "qcint8"), (2 * 6, 32, "qcint8"), (8, 32, "qcint8"), (32, 96, "qcint8")} <= linears
    assert len(delegates) == 1 + 4
