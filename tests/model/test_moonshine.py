"""`MoonshineEncoder` gives in a stream what it gives in training, whatever the gate decides, and so does its file."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edge_asr.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edge_asr.model.config import GateConfig
from edge_asr.model.gated import SKIPPED_LOG_PROB
from edge_asr.model.moonshine import MoonshineEncoder
from edge_asr.model.moonshine_config import MoonshineConfig
from edge_asr.model.moonshine_front import TAIL_SAMPLES, windows
from edge_asr.model.moonshine_layers import PartialRotary
from edge_asr.tokens import BLANK, Tokens
from edge_asr_export.eager import EagerBackend
from edge_asr_export.program import StreamingProgram
from edge_asr_export.verify import stream_steps
from tests.families import apart, metadata_of, run_whole

TOLERANCE = 1e-4
FRAME = MoonshineConfig.FRAME_SAMPLES
TEN_HOURS = 1_500_000  # frames

SMALL = MoonshineConfig(
    vocabulary=12,
    blank_id=5,
    width=32,
    layers=5,
    cut=2,
    heads=2,
    inner=48,
    rotary_width=12,
    chunk_frames=8,
    left_context_frames=16,
    prior_square=0.03,
)
PIECES = (*(f"▁{letter}" for letter in "ABCDE"), BLANK, *(f"▁{letter}" for letter in "FGHIJK"))


def balanced(encoder: MoonshineEncoder, samples: Tensor) -> MoonshineEncoder:
    """The gate really decides: what it reads spreads around 1/2 on the samples."""
    head = encoder.lower.head if encoder.lower.gate is None else encoder.lower.gate
    row = encoder.config.blank_id if encoder.lower.gate is None else 0
    head.weight *= 8
    out = run_whole(encoder, samples, 1.0)
    logits = out.intermediate[0, :, row].exp().logit() if out.gate is None else out.gate[0]
    head.bias[row] -= logits[: len(samples) // FRAME].median()
    return encoder


@pytest.fixture(scope="module")
def encoder(noisy_tones: Tensor) -> MoonshineEncoder:
    torch.manual_seed(0)
    drawn = MoonshineEncoder(SMALL).eval().requires_grad_(False)
    torch.nn.init.normal_(drawn.lower.condition.weight, std=0.2)
    drawn.front.first.weight *= 8  # as a trained one, it makes something of the samples
    return balanced(drawn, noisy_tones)


@pytest.fixture(scope="module")
def learned(noisy_tones: Tensor) -> MoonshineEncoder:
    torch.manual_seed(0)
    gate = GateConfig(spike_left=0, spike_right=0, learned=True)
    drawn = MoonshineEncoder(replace(SMALL, gate=gate)).eval().requires_grad_(False)
    drawn.front.first.weight *= 8
    return balanced(drawn, noisy_tones)


def padded_to_chunks(samples: Tensor, chunk_frames: int) -> tuple[Tensor, Tensor]:
    frames = -(-len(samples) // FRAME)
    missing = -(-frames // chunk_frames) * chunk_frames * FRAME - len(samples)
    return functional.pad(samples, (0, missing))[None], torch.tensor([frames])


def run_stream(backend: EagerBackend, samples: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """-> partial [frames, V], keep bool [frames], final [frames, V] with skipped frames as blank."""
    partial, keep, final = [], [], torch.full((-(-len(samples) // FRAME), SMALL.vocabulary), SKIPPED_LOG_PROB)
    final[:, SMALL.blank_id] = 0.0
    backend.reset()
    for frames, result in stream_steps(backend, samples.numpy(), threshold):
        partial.append(torch.from_numpy(result.partial[:frames]))
        keep.append(torch.from_numpy(result.keep[:frames]))
        final[torch.from_numpy(result.index)] = torch.from_numpy(result.final)
    return torch.cat(partial), torch.cat(keep), final


def assert_stream_equals_whole(encoder: MoonshineEncoder, samples: Tensor, threshold: float) -> float:
    """-> the share of frames kept"""
    whole = run_whole(encoder, samples, threshold)
    partial, keep, final = run_stream(EagerBackend(encoder, metadata_of(encoder)), samples, threshold)
    frames = len(keep)
    assert torch.equal(keep, whole.keep[0, :frames])
    assert apart(partial, whole.intermediate[0, :frames]) < TOLERANCE
    assert apart(final, whole.final[0, :frames]) < TOLERANCE
    return float(keep.float().mean())


def gap_at(encoder: MoonshineEncoder, samples: Tensor, ratio: float) -> float:
    """A threshold between two neighbours in what the gate reads, so that rounding cannot change a decision."""
    out = run_whole(encoder, samples, 1.0)
    blank = out.intermediate[0, :, SMALL.blank_id].exp() if out.gate is None else out.gate[0].sigmoid()
    blank = blank[: -(-len(samples) // FRAME)].sort().values
    near = range(max(1, int(len(blank) * (ratio - 0.1))), int(len(blank) * (ratio + 0.1)))
    best = max(near, key=lambda i: float(blank[i] - blank[i - 1]))
    return float(blank[best - 1] + blank[best]) / 2


@pytest.mark.parametrize("chunk_frames", [8, 16, 4, 1])
@pytest.mark.parametrize(
    "samples",
    [48_000, 6 * 16 * FRAME, 6 * 16 * FRAME + 1, 3 * FRAME - 5, 1],
    ids=["3 s", "whole chunks", "one sample more", "less than a chunk", "one sample"],
)
def test_a_stream_equals_the_whole_utterance(
    encoder: MoonshineEncoder, noisy_tones: Tensor, samples: int, chunk_frames: int
) -> None:
    chunked, audio = encoder.with_chunk(chunk_frames).requires_grad_(False), noisy_tones[:samples]
    long = samples > 10 * FRAME
    shares = [assert_stream_equals_whole(chunked, audio, threshold) for threshold in (1.0, 0.0)]
    assert shares == [1.0, 0.0]
    for ratio in (0.2, 0.35) if long else ():
        assert 0.05 < assert_stream_equals_whole(chunked, audio, gap_at(chunked, audio, ratio)) < 0.95


def test_a_stream_with_a_learned_gate_equals_the_whole_utterance(
    learned: MoonshineEncoder, noisy_tones: Tensor
) -> None:
    for ratio in (0.25, 0.5):
        assert 0.1 < assert_stream_equals_whole(learned, noisy_tones, gap_at(learned, noisy_tones, ratio)) < 0.9


def test_a_batch_gives_each_utterance_what_it_gives_alone(encoder: MoonshineEncoder, noisy_tones: Tensor) -> None:
    lengths = (96_000, 41_000, 20_480)
    thresholds = [1.0, *(gap_at(encoder, noisy_tones[:n], 0.3) for n in lengths[1:])]
    longest = padded_to_chunks(noisy_tones[: lengths[0]], 8)[0].shape[1]
    batch = torch.stack([functional.pad(noisy_tones[:n], (0, longest - n)) for n in lengths])
    frames = torch.tensor([-(-n // FRAME) for n in lengths])
    together = encoder(encoder.features(batch, frames, 8), frames, torch.tensor(thresholds), 8, with_middle=True)
    assert together.middle is not None
    for row, length in enumerate(lengths):
        alone, count = run_whole(encoder, noisy_tones[:length], thresholds[row]), int(frames[row])
        assert torch.equal(together.keep[row, :count], alone.keep[0, :count])
        assert apart(together.final[row, :count], alone.final[0, :count]) < TOLERANCE


def test_what_lies_after_the_last_real_frame_is_not_heard(encoder: MoonshineEncoder, noisy_tones: Tensor) -> None:
    program = StreamingProgram(encoder)
    pcm = noisy_tones[None, : 8 * FRAME].clone()
    given = (torch.tensor([3]), torch.tensor([0.0]), torch.tensor([0]), torch.tensor([1]))
    quiet, statistics = program(pcm, *given)[0], program.statistics.clone()
    pcm[:, 3 * FRAME :] = 5.0
    assert apart(program(pcm, *given)[0][:3], quiet[:3]) < 1e-6
    assert torch.equal(program.statistics, statistics)
    assert statistics[0, 0, 2] == 3


def test_reset_makes_a_fresh_stream(encoder: MoonshineEncoder, noisy_tones: Tensor) -> None:
    backend, threshold = EagerBackend(encoder, metadata_of(encoder)), gap_at(encoder, noisy_tones, 0.3)
    expected = run_stream(backend, noisy_tones, threshold)
    for name in backend.program.state_names:  # as fresh memory may be
        buffer = getattr(backend.program, name)
        buffer.copy_(torch.full_like(buffer, torch.nan if buffer.is_floating_point() else 12_345))
    for found, before in zip(run_stream(backend, noisy_tones, threshold), expected, strict=True):
        assert torch.equal(found, before)


def test_a_kept_frame_does_not_know_what_was_skipped(encoder: MoonshineEncoder, noisy_tones: Tensor) -> None:
    out = run_whole(encoder, noisy_tones, gap_at(encoder, noisy_tones, 0.3))
    line = encoder.skipped_line(out.intermediate, "blank")
    assert 0.2 < out.keep.float().mean() < 0.9
    other = torch.where(out.keep[:, :, None], out.handed, torch.randn(out.handed.shape))
    ((found,), (expected,)) = (encoder.run_upper(rows, out.keep, line, 8) for rows in (other, out.handed))
    assert torch.equal(found, expected)


def test_gaps_are_seen_as_gaps(encoder: MoonshineEncoder) -> None:
    """The same rows, further apart, are another thing; all of them later by as much, the same."""
    upper, rows, filled = encoder.streamed_upper(), torch.randn(1, 8, SMALL.width), torch.ones(1, 8, 1)
    index = torch.arange(8)[None]

    def final(index: Tensor) -> Tensor:
        return upper(rows, filled, *encoder.rotary(index), *encoder.upper_state().values())[0]

    assert apart(final(index + TEN_HOURS), final(index)) < 1e-5
    assert apart(final(index * 3), final(index)) > 1e-3


def test_the_tenth_hour_is_as_the_first(encoder: MoonshineEncoder, noisy_tones: Tensor) -> None:
    program, late = StreamingProgram(encoder), StreamingProgram(encoder)
    late.next_frame += TEN_HOURS
    for number in range(12):
        pcm = noisy_tones[None, number * 8 * FRAME : (number + 1) * 8 * FRAME]
        given = (torch.tensor([8]), torch.tensor([1.0]), torch.tensor([0]), torch.tensor([0]))
        first, tenth = program(pcm, *given), late(pcm, *given)
        assert apart(tenth[0], first[0]) < 1e-5
        assert apart(tenth[2], first[2]) < 1e-5
        assert tenth[3][0] == number * 8 + TEN_HOURS


@pytest.mark.parametrize("start", [0, TEN_HOURS, 100 * TEN_HOURS])
def test_angles_are_exact_at_any_hour(start: int) -> None:
    """Differences of angles, which are what attention sees, over the whole left context."""
    config = MoonshineConfig(vocabulary=12)
    index = torch.tensor([start, start + config.left_context_frames])
    cos, sin = (part.double() for part in PartialRotary(config)(index[None]))
    found = torch.atan2(sin[0, 1, 0], cos[0, 1, 0]) - torch.atan2(sin[0, 0, 0], cos[0, 0, 0])
    exact = config.left_context_frames * 10_000.0 ** -(torch.arange(0, 32, 2).double() / 32)
    exact = torch.cat([exact, torch.zeros(2)])
    error = found - torch.cat([-exact, exact])
    assert (error - (error / (2 * torch.pi)).round() * 2 * torch.pi).abs().max() < 2e-6


@pytest.mark.parametrize(("kernel", "stride"), [(7, 3), (3, 2)])
@pytest.mark.parametrize("count", [7, 8, 9, 10, 13, 19])
def test_linears_on_windows_are_convolutions(kernel: int, stride: int, count: int) -> None:
    rows, weight = torch.randn(2, count, 4), torch.randn(5, 4, kernel)
    found = windows(rows, kernel, stride) @ weight.permute(2, 1, 0).flatten(0, 1)
    expected = functional.conv1d(rows.permute(0, 2, 1), weight, stride=stride).permute(0, 2, 1)
    assert apart(found, expected) < 1e-5


def test_a_stream_frame_is_moonshines_511_samples_later(encoder: MoonshineEncoder, noisy_tones: Tensor) -> None:
    """Were its statistics those of the whole utterance."""
    front, samples = encoder.front, noisy_tones[None, : 40 * FRAME]
    rows = front.rows(functional.pad(samples, (TAIL_SAMPLES, 0)))
    known = torch.stack([rows.mean(), rows.square().mean(), torch.tensor(1.0)]) * 1_000
    found = front.frames(rows, known.reshape(1, 1, 3) - front.prior)
    assert apart(found, front.whole(functional.pad(samples, (511, 0)))) < 1e-5


def test_statistics_start_from_the_prior_and_forget(encoder: MoonshineEncoder) -> None:
    front = encoder.front
    chunk = torch.tensor([0.0, 8 * 0.5, 8.0]).reshape(1, 1, 3)
    statistics = torch.zeros(1, 1, 3)
    for _ in range(2_000):
        statistics = front.remember(statistics, chunk)
    assert statistics[0, 0, 2] == pytest.approx(SMALL.memory_frames)
    assert statistics[0, 0, 1] == pytest.approx(SMALL.memory_frames * 0.5, rel=1e-4)
    known = chunk + front.prior  # one chunk of a loud voice moves the prior by its share
    expected = (SMALL.prior_frames * SMALL.prior_square + 4) / (SMALL.prior_frames + 8)
    assert known[0, 0, 1] / known[0, 0, 2] == pytest.approx(expected)
    many = chunk.reshape(1, 1, 3).expand(2, 300, 3)
    assert apart(front.running(many)[:, -1], statistics[0].expand(2, 3)) < 1e-2


def test_all_of_it_learns(noisy_tones: Tensor) -> None:
    model = MoonshineEncoder(replace(SMALL, gate=GateConfig(learned=True), dropout=0.1)).train()
    padded, frames = padded_to_chunks(noisy_tones, 8)
    out = model(model.features(padded, frames, 8), frames, torch.tensor([0.6]), 8, gate=False, with_middle=True)
    assert out.gate is not None
    (out.final.square().mean() + out.intermediate.square().mean() + out.gate.square().mean()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_round_trip_through_a_checkpoint(encoder: MoonshineEncoder, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint(encoder, Tokens(PIECES, SMALL.blank_id), default_threshold=0.9))
    loaded = load_checkpoint(path).model
    assert isinstance(loaded, MoonshineEncoder)
    assert loaded.config == encoder.config
    expected = encoder.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name].half().float()) for name, value in loaded.state_dict().items())


def test_possible_chunks_are_possible(encoder: MoonshineEncoder) -> None:
    assert encoder.possible_chunks() == [1, 2, 4, 8, 16]
    assert [encoder.with_chunk(frames).spec.chunk_frames for frames in (1, 16)] == [1, 16]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 30}, "width 30"),
        ({"rotary_width": 18}, "rotary_width 18"),
        ({"cut": 5}, "cut 5"),
        ({"cut": 0}, "cut 0"),
        ({"chunk_frames": 7}, "left_context_frames 16"),
        ({"chunk_frames": 0}, "chunk_frames 0"),
        ({"prior_square": 0.0}, "prior_square"),
        ({"memory_frames": 0}, "memory_frames"),
        ({"blank_id": 12}, "blank_id 12"),
    ],
    ids=str,
)
def test_contradictions_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MoonshineConfig.from_dict(SMALL.to_dict() | changed)


@pytest.mark.slow
def test_a_file_with_a_learned_gate_equals_eager(
    learned: MoonshineEncoder, noisy_tones: Tensor, tmp_path: Path
) -> None:
    """`build` itself holds the structure: a branch and one delegate for each stack, nothing heavy outside."""
    from edge_asr.backends.choose import open_backend
    from edge_asr_export.build import build

    encoder = learned
    path, output = tmp_path / "model.safetensors", tmp_path / "model.pte"
    threshold = gap_at(encoder, noisy_tones, 0.3)
    save_checkpoint(path, Checkpoint(encoder, Tokens(PIECES, SMALL.blank_id), default_threshold=threshold))
    report = build(path, output, precision="fp32")
    assert report.chunk_ms == 8 * 24
    loaded = load_checkpoint(path).model.requires_grad_(False)
    assert isinstance(loaded, MoonshineEncoder)
    reference, tested = EagerBackend(loaded, metadata_of(loaded)), open_backend(output)
    for threshold in (1.0, gap_at(loaded, noisy_tones, 0.3), 0.0):
        tested.reset()
        found = list(stream_steps(tested, noisy_tones.numpy(), threshold))
        reference.reset()
        expected = list(stream_steps(reference, noisy_tones.numpy(), threshold))
        for (frames, ours), (_, theirs) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours.keep[:frames], theirs.keep[:frames])
            np.testing.assert_array_equal(ours.index, theirs.index)
            np.testing.assert_allclose(ours.partial[:frames], theirs.partial[:frames], atol=TOLERANCE)
            np.testing.assert_allclose(ours.final, theirs.final, atol=TOLERANCE)


@pytest.mark.slow
def test_a_quantized_file_has_the_right_structure(encoder: MoonshineEncoder, tmp_path: Path) -> None:
    """The second and the third convolution are int8, too."""
    from edge_asr_export.inspect import inspect_pte
    from edge_asr_export.lower import build_program
    from edge_asr_export.quantize import quantize
    from edge_asr_export.structure import check_structure

    copied, path = copy.deepcopy(encoder), tmp_path / "model.pte"
    quantize(copied, "int8")
    path.write_bytes(build_program(copied, metadata_of(encoder, "int8"), lambda _: None))
    report = inspect_pte(path)
    check_structure(report, "int8")
    delegates = report["methods"]["step"]["delegates"]
    linears = {(linear["inputs"], linear["outputs"], linear["datatype"]) for linear in delegates[0]["linears"]}
    assert {(7 * 32, 64, "qcint8"), (3 * 64, 32, "qcint8")} <= linears
    assert len(delegates) == 1 + 4
