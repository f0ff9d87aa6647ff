"""A stream, step by step, gives what the whole utterance gives in parallel, whatever the gate decides."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gate import plan_blocks, size_of_block
from edge_asr.model.gated import SKIPPED_LOG_PROB, EncoderOutput
from edge_asr.model.layers import ChunkNeighbours
from edge_asr.model.losses import without_blank
from edge_asr_export.program import StreamingProgram
from tests.model.conftest import SMALL, with_learned_gate

TOLERANCE = 1e-4
FRAME = SMALL.frame_samples


@dataclass(frozen=True)
class Stream:
    """What a whole stream gave."""

    partial: Tensor  # [frames, vocabulary]
    keep: Tensor  # bool [frames]
    final: Tensor  # [frames, vocabulary], skipped frames as blank
    blocks: list[list[int]]  # frames of each upper run
    steps: list[int]  # the step of each upper run


def run_stream(program: StreamingProgram, samples: Tensor, threshold: float) -> Stream:
    config = program.spec
    chunk = config.chunk_frames
    frames = -(-len(samples) // FRAME)
    final = torch.full((frames, config.vocabulary), SKIPPED_LOG_PROB)
    final[:, config.blank_id] = 0.0
    partials, keeps, blocks, steps = [], [], [], []
    step, waiting = 0, 0
    while step * chunk < frames or waiting:
        pcm = torch.zeros(1, chunk * FRAME)
        piece = samples[step * chunk * FRAME : (step + 1) * chunk * FRAME]
        pcm[0, : len(piece)] = piece
        count = -(-len(piece) // FRAME)
        last = (step + 1) * chunk >= frames
        with torch.no_grad():
            partial, keep, rows, index, left = program(
                pcm,
                torch.tensor([count]),
                torch.tensor([threshold]),
                torch.tensor([int(last)]),
                torch.tensor([int(step == 0)]),
            )
        waiting = int(left)
        assert waiting < chunk
        ran = index >= 0
        final[index[ran]] = rows[ran]
        partials.append(partial[:count])
        keeps.append(keep[:count] > 0.5)
        if ran.any():
            blocks.append(index[ran].tolist())
            steps.append(step)
        step += 1
    return Stream(torch.cat(partials), torch.cat(keeps), final, blocks, steps)


def run_parallel(encoder: GatedEncoder, samples: Tensor, threshold: float) -> EncoderOutput:
    chunk = encoder.config.chunk_frames
    frames = -(-len(samples) // FRAME)
    padded = torch.zeros(1, -(-frames // chunk) * chunk * FRAME)
    padded[0, : len(samples)] = samples
    count = torch.tensor([frames])
    with torch.no_grad():
        return encoder(encoder.features(padded, count, chunk), count, torch.tensor([threshold]), chunk)


def with_chunk(encoder: GatedEncoder, chunk_frames: int) -> GatedEncoder:
    other = GatedEncoder(replace(SMALL, chunk_frames=chunk_frames)).eval()
    other.load_state_dict(encoder.state_dict())
    return other


def threshold_that_spikes(encoder: GatedEncoder, samples: Tensor, ratio: float) -> float:
    """Between two neighbours in the sorted blank probabilities, so that rounding cannot change a decision."""
    out = run_parallel(encoder, samples, 1.0)
    blank = out.intermediate[:, :, encoder.config.blank_id].exp() if out.gate is None else out.gate.sigmoid()
    blank = blank[0, : -(-len(samples) // FRAME)].sort().values
    near = range(max(1, int(len(blank) * (ratio - 0.1))), int(len(blank) * (ratio + 0.1)))
    best = max(near, key=lambda i: float(blank[i] - blank[i - 1]))
    return float(blank[best - 1] + blank[best]) / 2


def thresholds_of(encoder: GatedEncoder, samples: Tensor) -> list[float]:
    """Never skipping, skipping what is not certain, and where there is enough to hear, two between."""
    between = (0.2, 0.35) if len(samples) > 10 * FRAME else ()
    return [1.0, 0.0, *(threshold_that_spikes(encoder, samples, ratio) for ratio in between)]


def assert_equal(stream: Stream, whole: EncoderOutput) -> None:
    frames = len(stream.keep)
    assert torch.equal(stream.keep, whole.keep[0, :frames])
    assert torch.allclose(stream.partial, whole.intermediate[0, :frames], atol=TOLERANCE)
    assert torch.allclose(stream.final, whole.final[0, :frames], atol=TOLERANCE)


@pytest.mark.parametrize("chunk_frames", [8, 16, 4])
@pytest.mark.parametrize(
    "samples",
    [96_000, 8 * 16 * FRAME, 8 * 16 * FRAME + 1, 3 * FRAME - 5, 1],
    ids=["6 s", "whole chunks", "one sample more", "less than a chunk", "one sample"],
)
def test_a_stream_equals_the_whole_utterance(
    small_encoder: GatedEncoder, noisy_tones: Tensor, chunk_frames: int, samples: int
) -> None:
    encoder = with_chunk(small_encoder, chunk_frames)
    audio = noisy_tones[:samples]
    for threshold in thresholds_of(encoder, audio):
        whole = run_parallel(encoder, audio, threshold)
        stream = run_stream(StreamingProgram(encoder), audio, threshold)
        assert_equal(stream, whole)


@pytest.mark.parametrize("stack", ["lower", "upper"])
def test_a_stack_without_attention_streams_as_well(noisy_tones: Tensor, stack: str) -> None:
    torch.manual_seed(0)
    config = replace(SMALL, **{stack: replace(getattr(SMALL, stack), attention=False)})
    encoder = GatedEncoder(config).eval().requires_grad_(False)
    encoder.lower.head.weight *= 16
    threshold = threshold_that_spikes(encoder, noisy_tones, 0.3)
    stream = run_stream(StreamingProgram(encoder), noisy_tones, threshold)
    whole = run_parallel(encoder, noisy_tones, threshold)
    frames = len(stream.keep)
    assert 0 < stream.keep.sum() < frames
    assert_equal(stream, whole)


@pytest.mark.parametrize("samples", [96_000, 3 * FRAME - 5], ids=["6 s", "less than a chunk"])
def test_a_factorized_stream_equals_the_whole_utterance(
    factorized_encoder: GatedEncoder, noisy_tones: Tensor, samples: int
) -> None:
    """But for the labels of the intermediate head, of which the program knows nothing when it tells `partial`."""
    audio, blank_id = noisy_tones[:samples], factorized_encoder.config.blank_id
    for threshold in thresholds_of(factorized_encoder, audio):
        whole = run_parallel(factorized_encoder, audio, threshold)
        stream = run_stream(StreamingProgram(factorized_encoder), audio, threshold)
        frames = len(stream.keep)
        assert torch.equal(stream.keep, whole.keep[0, :frames])
        assert torch.allclose(stream.final, whole.final[0, :frames], atol=TOLERANCE)
        least = 2 / (SMALL.vocabulary + 1)
        blank = whole.intermediate[0, :frames, blank_id].exp().clamp(min=least)
        assert torch.allclose(stream.partial[:, blank_id].exp(), blank, atol=TOLERANCE)
        label = ((1 - blank) / (SMALL.vocabulary - 1))[:, None].expand(-1, SMALL.vocabulary - 1)
        assert torch.allclose(without_blank(stream.partial, blank_id).exp(), label, atol=TOLERANCE)


@pytest.mark.parametrize("extension", [{}, {"spike_left": 1}, {"spike_right": 2}], ids=str)
@pytest.mark.parametrize("samples", [96_000, 3 * FRAME - 5], ids=["6 s", "less than a chunk"])
def test_a_stream_with_a_learned_gate_equals_the_whole_utterance(
    small_encoder: GatedEncoder, noisy_tones: Tensor, samples: int, extension: dict[str, int]
) -> None:
    """The gate decides by its own head, and the fixed extension goes on top; `partial` is the intermediate head's."""
    encoder, audio = with_learned_gate(small_encoder, noisy_tones, **extension), noisy_tones[:samples]
    for threshold in thresholds_of(encoder, audio):
        whole = run_parallel(encoder, audio, threshold)
        stream = run_stream(StreamingProgram(encoder), audio, threshold)
        frames = len(stream.keep)
        assert_equal(stream, whole)
        assert whole.gate is not None
        spikes = whole.gate[0, :frames].sigmoid() <= threshold
        reach = [extension.get(side, 0) for side in ("spike_right", "spike_left")]
        for frame, kept in enumerate(stream.keep):
            chunk_end = (frame // SMALL.chunk_frames + 1) * SMALL.chunk_frames
            assert kept == spikes[max(frame - reach[0], 0) : min(frame + reach[1] + 1, chunk_end)].any()
        if 0 < threshold < 1:
            assert 0 < stream.keep.sum() < frames
            assert not torch.equal(spikes, whole.intermediate[0, :frames, SMALL.blank_id].exp() <= threshold)


def test_a_factorized_model_may_have_a_learned_gate(factorized_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    """What `partial` says of blank is the intermediate head's still."""
    encoder, blank_id = with_learned_gate(factorized_encoder, noisy_tones), factorized_encoder.config.blank_id
    threshold = threshold_that_spikes(encoder, noisy_tones, 0.3)
    whole = run_parallel(encoder, noisy_tones, threshold)
    stream = run_stream(StreamingProgram(encoder), noisy_tones, threshold)
    frames = len(stream.keep)
    assert whole.gate is not None
    assert 0 < stream.keep.sum() < frames
    assert torch.equal(stream.keep, whole.gate[0, :frames].sigmoid() <= threshold)
    assert torch.allclose(stream.final, whole.final[0, :frames], atol=TOLERANCE)
    blank = whole.intermediate[0, :frames, blank_id].exp().clamp(min=2 / (SMALL.vocabulary + 1))
    assert torch.allclose(stream.partial[:, blank_id].exp(), blank, atol=TOLERANCE)


def test_a_learned_gate_that_is_sure_of_nothing_above_skips_nothing_at_one(
    learned_encoder: GatedEncoder, noisy_tones: Tensor
) -> None:
    encoder = copy.deepcopy(learned_encoder)
    encoder.lower.gate.bias += 1_000.0
    for threshold, kept in ((1.0, True), (0.999, False)):
        assert (run_parallel(encoder, noisy_tones, threshold).keep[0, :150] == kept).all()
        assert (run_stream(StreamingProgram(encoder), noisy_tones, threshold).keep == kept).all()


def test_a_factorized_program_never_guesses_a_label(factorized_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    """Even where blank is surely not what was said, no label is the best of a row, until the upper stack has run."""
    encoder = copy.deepcopy(factorized_encoder)
    for stack in (encoder.lower, encoder.upper):
        stack.head.blank.bias -= 20.0
    stream = run_stream(StreamingProgram(encoder), noisy_tones, 0.5)
    assert stream.keep.all()
    assert (stream.partial.argmax(dim=1) == encoder.config.blank_id).all()
    assert stream.partial.exp().sum(dim=1).allclose(torch.ones(len(stream.keep)))
    assert (stream.final.argmax(dim=1) != encoder.config.blank_id).all()


def test_the_labels_of_a_factorized_program_run_on_kept_frames_only(
    factorized_encoder: GatedEncoder, noisy_tones: Tensor
) -> None:
    encoder = copy.deepcopy(factorized_encoder)
    rows = {"labels": 0, "condition": 0}

    def count(name: str) -> Callable[..., None]:
        def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            rows[name] += output.shape[1]

        return add

    encoder.lower.head.labels.register_forward_hook(count("labels"))
    encoder.lower.condition.register_forward_hook(count("condition"))
    threshold = threshold_that_spikes(encoder, noisy_tones, 0.2)
    rows = dict.fromkeys(rows, 0)
    stream = run_stream(StreamingProgram(encoder), noisy_tones, threshold)
    ran = [size_of_block(len(block), SMALL.chunk_frames) for block in stream.blocks]
    assert set(ran) == {4, 8, 10, 16}
    assert rows["labels"] == rows["condition"] == sum(ran)
    assert rows["labels"] < len(stream.keep)


def test_the_gate_of_these_tests_decides(small_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    for ratio in (0.2, 0.35):
        threshold = threshold_that_spikes(small_encoder, noisy_tones, ratio)
        kept = run_parallel(small_encoder, noisy_tones, threshold).keep.float().mean()
        assert 0.2 <= kept <= 0.6


def test_threshold_one_keeps_all(small_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    stream = run_stream(StreamingProgram(small_encoder), noisy_tones, 1.0)
    assert stream.keep.all()
    assert stream.blocks == [list(range(start, min(start + 8, 150))) for start in range(0, 150, 8)]


def test_threshold_zero_skips_all_but_certain_labels(small_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    stream = run_stream(StreamingProgram(small_encoder), noisy_tones, 0.0)
    assert not stream.keep.any()
    assert stream.blocks == []
    assert (stream.final.argmax(dim=1) == SMALL.blank_id).all()


def kept_per_chunk(stream: Stream, chunk: int) -> list[list[int]]:
    frames = len(stream.keep)
    return [
        [frame for frame in range(start, min(start + chunk, frames)) if stream.keep[frame]]
        for start in range(0, frames, chunk)
    ]


@pytest.mark.parametrize("ratio", [0.15, 0.3, 0.5])
def test_blocks_run_as_planned(small_encoder: GatedEncoder, noisy_tones: Tensor, ratio: float) -> None:
    """`plan_blocks`, by which training cuts kept frames into blocks, is what the program does."""
    threshold = threshold_that_spikes(small_encoder, noisy_tones, ratio)
    stream = run_stream(StreamingProgram(small_encoder), noisy_tones, threshold)
    chunk, wait = SMALL.chunk_frames, SMALL.gate.max_wait_chunks
    assert stream.blocks == plan_blocks(kept_per_chunk(stream, chunk), chunk, wait)
    assert len(stream.blocks) > 4
    assert (max(map(len, stream.blocks)) > chunk) == (ratio > 0.2)  # a block may hold more than a chunk
    for step, block in zip(stream.steps, stream.blocks, strict=True):
        assert 0 <= step - block[0] // chunk <= wait


@pytest.mark.parametrize("wait", [1, 2])
def test_overdue_blocks_run_half_empty(small_encoder: GatedEncoder, wait: int) -> None:
    """In steady noise few frames are kept, but some in each chunk, so that blocks run before they are full."""
    torch.manual_seed(2)
    noise = 0.1 * torch.randn(96_000)
    gate = replace(SMALL.gate, spike_left=0, spike_right=0, max_wait_chunks=wait)
    encoder = GatedEncoder(replace(SMALL, gate=gate)).eval()
    encoder.load_state_dict(small_encoder.state_dict())
    threshold = threshold_that_spikes(encoder, noise, 0.2)
    stream = run_stream(StreamingProgram(encoder), noise, threshold)
    kept = kept_per_chunk(stream, SMALL.chunk_frames)
    assert stream.blocks == plan_blocks(kept, SMALL.chunk_frames, wait)
    assert stream.blocks != plan_blocks(kept, SMALL.chunk_frames, wait + 1)  # the bound decided
    for step, block in zip(stream.steps, stream.blocks, strict=True):
        assert step - block[0] // SMALL.chunk_frames <= wait
    whole = run_parallel(encoder, noise, threshold)
    assert torch.allclose(stream.final, whole.final[0, : len(stream.keep)], atol=TOLERANCE)


def test_reset_makes_a_fresh_stream(small_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    program = StreamingProgram(small_encoder)
    threshold = threshold_that_spikes(small_encoder, noisy_tones, 0.3)
    expected = run_stream(program, noisy_tones, threshold)
    for name in program.state_names:  # as fresh memory may be
        buffer = getattr(program, name)
        buffer.copy_(torch.full_like(buffer, torch.nan if buffer.is_floating_point() else 12_345))
    found = run_stream(program, noisy_tones, threshold)
    assert torch.equal(found.partial, expected.partial)
    assert torch.equal(found.final, expected.final)
    assert found.blocks == expected.blocks


def test_a_batch_gives_each_utterance_what_it_gives_alone(small_encoder: GatedEncoder, noisy_tones: Tensor) -> None:
    """Padding, other lengths and other thresholds in the batch change nothing."""
    lengths = (96_000, 41_000, 20_480)
    thresholds = [1.0, *(threshold_that_spikes(small_encoder, noisy_tones[:n], 0.3) for n in lengths[1:])]
    longest = -(-lengths[0] // (8 * FRAME)) * 8 * FRAME
    batch = torch.zeros(3, longest)
    for row, length in enumerate(lengths):
        batch[row, :length] = noisy_tones[:length]
    frames = torch.tensor([-(-length // FRAME) for length in lengths])
    together = small_encoder(small_encoder.features(batch, frames, 8), frames, torch.tensor(thresholds), 8)
    for row, length in enumerate(lengths):
        alone = run_parallel(small_encoder, noisy_tones[:length], thresholds[row])
        count = int(frames[row])
        assert torch.equal(together.keep[row, :count], alone.keep[0, :count])
        assert not together.keep[row, count:].any()
        assert torch.allclose(together.final[row, :count], alone.final[0, :count], atol=TOLERANCE)


@pytest.mark.parametrize("left", [3, 8, 16])
def test_a_chunk_has_the_rows_before_it_in_front_however_many(left: int) -> None:
    """Fewer than a chunk has, as many, more: training takes any of them."""
    chunk = 8
    rows = torch.arange(1.0, 2 * 3 * chunk + 1).reshape(2 * 3, chunk, 1)  # two utterances of three chunks
    windows = ChunkNeighbours(2, chunk, left, conv_tail=2).windows(rows, 2, left)
    for utterance, whole in enumerate(rows.reshape(2, 3 * chunk, 1)):
        padded = torch.cat([torch.zeros(left, 1), whole])
        for number in range(3):
            expected = padded[number * chunk : number * chunk + left + chunk]
            assert torch.equal(windows[3 * utterance + number], expected)
