"""What every family must show (see `GatedCtc`). Those of a `.pte` are in tests/export/test_families.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from edge_asr.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edge_asr.model.gated import SKIPPED_LOG_PROB, GatedCtc
from edge_asr.model.registry import FAMILIES
from edge_asr.tokens import Tokens
from edge_asr_export.program import StreamingProgram
from tests.families import SMALL, a_threshold, run_whole, small

FRAMES = 203  # the last chunk is not full


@pytest.fixture(params=sorted(SMALL))
def encoder(request: pytest.FixtureRequest) -> GatedCtc:
    return small(request.param)


def speech_like(samples: int, rate_hz: int) -> Tensor:
    """Tones that come and go, louder and softer, in noise."""
    time_s = torch.arange(samples) / rate_hz
    tones = sum(
        torch.sin(6.2832 * hz * time_s) * (torch.sin(rate * time_s) > 0.3) for hz, rate in ((300, 5), (1_900, 8))
    )
    return (0.1 + 0.05 * torch.sin(time_s)) * tones + 0.01 * torch.randn(samples)


@dataclass(frozen=True)
class Stream:
    partial: Tensor  # [T, V]
    keep: Tensor  # bool [T]
    final: Tensor  # [T, V], blank where skipped


def run_stream(encoder: GatedCtc, samples: Tensor, frames: int, threshold: float) -> Stream:
    spec = encoder.spec
    return stream_of(StreamingProgram(encoder), spec.chunk_frames * spec.frame_samples, samples, frames, threshold)


def stream_of(program: StreamingProgram, step: int, samples: Tensor, frames: int, threshold: float) -> Stream:
    spec = program.spec
    final = torch.full((frames, spec.vocabulary), SKIPPED_LOG_PROB)
    final[:, spec.blank_id] = 0.0
    partials, keeps = [], []
    for start in range(0, frames, spec.chunk_frames):
        count = min(spec.chunk_frames, frames - start)
        pcm = torch.zeros(1, step)
        chunk = samples[start * spec.frame_samples : (start + count) * spec.frame_samples]
        pcm[0, : len(chunk)] = chunk
        last = start + count == frames
        partial, keep, rows, index, _ = program(
            pcm,
            torch.tensor([count]),
            torch.tensor([threshold]),
            torch.tensor([int(last)]),
            torch.tensor([int(not start)]),
        )
        partials.append(partial[:count])
        keeps.append(keep[:count] > 0.5)
        final[index[index >= 0]] = rows[index >= 0]
    return Stream(torch.cat(partials), torch.cat(keeps), final)


@pytest.fixture
def samples(encoder: GatedCtc) -> Tensor:
    return speech_like(FRAMES * encoder.spec.frame_samples, encoder.spec.sample_rate_hz)


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@torch.no_grad()
def test_a_stream_equals_the_whole_utterance(encoder: GatedCtc, samples: Tensor, share: float) -> None:
    threshold = a_threshold(encoder, samples, share) if share < 1 else 1.0
    whole, stream = run_whole(encoder, samples, threshold), run_stream(encoder, samples, FRAMES, threshold)
    assert torch.allclose(stream.partial, whole.intermediate[0, :FRAMES], atol=2e-4)
    assert torch.equal(stream.keep, whole.keep[0, :FRAMES])
    assert share / 2 < stream.keep.float().mean() <= min(1.0, 5 * share)
    assert torch.allclose(stream.final, whole.final[0, :FRAMES], atol=2e-4)


@torch.no_grad()
def test_a_new_stream_knows_nothing_of_the_one_before(encoder: GatedCtc, samples: Tensor) -> None:
    spec = encoder.spec
    program, step = StreamingProgram(encoder), spec.chunk_frames * spec.frame_samples
    first = stream_of(program, step, samples, FRAMES, 0.9)
    stream_of(program, step, 0.5 * samples.flip(0), FRAMES, 0.9)
    again = stream_of(program, step, samples, FRAMES, 0.9)
    assert torch.equal(first.partial, again.partial)
    assert torch.equal(first.final, again.final)


@torch.no_grad()
def test_a_frame_reads_nothing_after_its_chunk(encoder: GatedCtc, samples: Tensor) -> None:
    spec = encoder.spec
    seen = 3 * spec.chunk_frames
    other = samples.clone()
    other[seen * spec.frame_samples :] = torch.randn(len(samples) - seen * spec.frame_samples)
    first, second = (run_whole(encoder, audio, 1.0) for audio in (samples, other))
    assert torch.equal(first.intermediate[0, :seen], second.intermediate[0, :seen])
    assert torch.equal(first.final[0, :seen], second.final[0, :seen])


@torch.no_grad()
def test_rows_that_are_not_real_change_nothing(encoder: GatedCtc, samples: Tensor) -> None:
    """The end of a stream lies in a chunk of zeros: what was there instead does not matter."""
    spec = encoder.spec
    program, step = StreamingProgram(encoder), spec.chunk_frames * spec.frame_samples
    frames = 2 * spec.chunk_frames + 3
    exact = stream_of(program, step, samples, frames, 1.0)
    cut = stream_of(program, step, samples[: frames * spec.frame_samples], frames, 1.0)
    assert torch.equal(exact.final, cut.final)


@torch.no_grad()
def test_steps_that_skip_all_leave_the_upper_stack_as_it_was(encoder: GatedCtc, samples: Tensor) -> None:
    """So a kept frame's result depends on the kept frames before it, not on how often the program was stepped."""
    spec = encoder.spec
    program, step = StreamingProgram(encoder), spec.chunk_frames * spec.frame_samples
    stream_of(program, step, samples, 2 * spec.chunk_frames, 1.0)
    counts, flush, goes_on = torch.tensor([spec.chunk_frames]), torch.tensor([1]), torch.tensor([0])
    program(samples[None, 2 * step : 3 * step], counts, torch.tensor([0.0]), flush, goes_on)  # after a spike is kept
    before = {name: getattr(program, name).clone() for name in encoder.upper_state()}
    for number in range(3, 7):
        pcm = samples[None, number * step : (number + 1) * step]
        _, keep, _, index, _ = program(pcm, counts, torch.tensor([0.0]), flush, goes_on)
        assert not keep.any()
        assert (index < 0).all()
    assert before
    for name, value in before.items():
        assert torch.equal(getattr(program, name), value), name


@torch.no_grad()
def test_a_checkpoint_holds_it(encoder: GatedCtc, samples: Tensor, tmp_path: Path) -> None:
    pieces = ("<blank>", *(f"▁{number}" for number in range(1, encoder.spec.vocabulary)))
    save_checkpoint(tmp_path / "x.safetensors", Checkpoint(encoder, Tokens(pieces, 0), default_threshold=0.5))
    loaded = load_checkpoint(tmp_path / "x.safetensors").model
    assert type(loaded) is type(encoder)
    assert loaded.to_dict() == encoder.to_dict()
    first, second = (run_whole(each, samples, 0.5).final for each in (encoder, loaded))
    assert torch.allclose(first, second, atol=0.2)  # weights are saved in half precision


def test_every_chunk_that_is_said_to_be_possible_is(encoder: GatedCtc) -> None:
    chunks = encoder.possible_chunks()
    assert encoder.spec.chunk_frames in chunks
    for frames in chunks:
        assert encoder.with_chunk(frames).spec.chunk_frames == frames
    with pytest.raises(ValueError, match="chunk"):
        encoder.with_chunk(encoder.spec.left_context_frames - 1)


def test_every_family_is_tested() -> None:
    assert {small(name).architecture for name in SMALL} == {family.architecture for family in FAMILIES}
