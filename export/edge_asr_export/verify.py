"""What a `.pte` must show before it gets its name: fp32 equals eager step by step, int8 and int4 say about the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np

from edge_asr.audio import read_audio
from edge_asr.backends.choose import open_backend
from edge_asr.backends.protocol import Backend, StepResult
from edge_asr.contract import NEVER_SKIP
from edge_asr.demo import RECORDING
from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Recognizer
from edge_asr_export.eager import EagerBackend

FP32_TOLERANCE = 1e-4  # largest difference of a log probability, fp32 against eager
FURTHEST = 0.2  # largest mean distance of a quantized file's probabilities from eager fp32's, 0 to 1
SURE_BLANK = 0.9  # probability of blank from which a frame is left out of that mean: most of them are, and agree
PAUSE_S = 1.5  # of silence between the recording and its quieter copy
NOISE_LEVEL = 0.003  # of what follows them


def verification_audio(sample_rate_hz: int) -> np.ndarray:
    """The bundled recording, a pause, the recording at a tenth of its level, and noise: float32 [samples]."""
    speech = read_audio(RECORDING, sample_rate_hz)
    noise = np.random.default_rng(0).standard_normal(sample_rate_hz) * NOISE_LEVEL
    pause = np.zeros(int(PAUSE_S * sample_rate_hz))
    return np.concatenate([speech, pause, 0.1 * speech, noise]).astype(np.float32)


def stream_steps(backend: Backend, samples: np.ndarray, threshold: float) -> Iterator[tuple[int, StepResult]]:
    """Step a whole stream by the contract, its end included. Yields the real frames of each step and its result."""
    metadata = backend.metadata
    waiting = 0
    for start in range(0, len(samples), metadata.chunk_samples):
        chunk = samples[start : start + metadata.chunk_samples]
        last = start + metadata.chunk_samples >= len(samples)
        pcm = np.zeros(metadata.chunk_samples, np.float32)
        pcm[: len(chunk)] = chunk
        frames = -(-len(chunk) // metadata.frame_samples)
        result = backend.step(pcm, frames, threshold, flush=last)
        waiting = result.waiting
        yield frames, result
    while waiting:
        result = backend.step(np.zeros(metadata.chunk_samples, np.float32), 0, threshold, flush=True)
        waiting = result.waiting
        yield 0, result


def largest_difference(tested: Backend, reference: Backend, samples: np.ndarray, threshold: float) -> float:
    """Over a whole stream, of both heads' log probabilities. Raises EdgeAsrError where gate or blocks differ."""
    worst = 0.0
    pairs = zip(stream_steps(tested, samples, threshold), stream_steps(reference, samples, threshold), strict=True)
    for number, ((frames, ours), (_, theirs)) in enumerate(pairs):
        if not np.array_equal(ours.keep[:frames], theirs.keep[:frames]) or not np.array_equal(ours.index, theirs.index):
            raise EdgeAsrError(f"the exported program keeps other frames than eager PyTorch in step {number}")
        worst = max(worst, float(np.abs(ours.partial[:frames] - theirs.partial[:frames]).max(initial=0.0)))
        worst = max(worst, float(np.abs(ours.final - theirs.final).max(initial=0.0)))
    return worst


def verify_fp32(path: Path, reference: EagerBackend) -> dict[str, float | str]:
    """Three streams through one loaded program, with resets between. Raises EdgeAsrError over the tolerance."""
    tested = open_backend(path)
    samples = verification_audio(reference.metadata.sample_rate_hz)
    differences = {}
    for name, threshold in (("gated", reference.metadata.default_threshold), ("off", NEVER_SKIP), ("again", 0.5)):
        tested.reset()
        reference.reset()
        differences[f"max difference to eager, {name}"] = largest_difference(tested, reference, samples, threshold)
    worst = max(differences.values())
    if not worst <= FP32_TOLERANCE:
        raise EdgeAsrError(f"the exported program differs from eager PyTorch by {worst:.2g}, over {FP32_TOLERANCE:g}")
    return dict(differences)


def verify_quantized(path: Path, reference: EagerBackend) -> dict[str, float | str]:
    """Probabilities of the final head against eager fp32, nothing skipped, and the texts, gated and not, for whoever
    reads them. Raises EdgeAsrError over the tolerance.

    Not the texts decide: of a model that is unsure, two words may be nearly as likely, and the better one changes with
    the last bit. The probabilities hardly do.
    """
    samples = verification_audio(reference.metadata.sample_rate_hz)
    backend = open_backend(path)
    distance = distance_of(backend, reference, samples)
    if not distance <= FURTHEST:
        raise EdgeAsrError(
            f"the quantized program's probabilities are {distance:.2f} away from eager fp32's, over {FURTHEST:g}: "
            "try --precision fp32"
        )
    backend.reset()
    reference.reset()
    checks: dict[str, float | str] = {"distance of probabilities from eager fp32": distance}
    with Recognizer(lambda: backend) as tested, Recognizer(lambda: reference) as eager:
        for name, threshold in (("gated", None), ("off", NEVER_SKIP)):
            expected = eager.transcribe(samples, threshold).text
            found = tested.transcribe(samples, threshold).text
            error = jiwer.cer(expected, found) if expected else float(len(found))
            checks[f"text, {name}"] = found
            checks[f"character disagreement with eager fp32, {name}"] = float(error)
    return checks


def distance_of(tested: Backend, reference: Backend, samples: np.ndarray) -> float:
    """Mean total variation distance of the final head's probabilities, of frames that the reference does not take for
    blank: 0 where they are the same, 1 where they have nothing in common."""
    blank = reference.metadata.blank_id
    pairs = zip(stream_steps(tested, samples, NEVER_SKIP), stream_steps(reference, samples, NEVER_SKIP), strict=True)
    distances = [np.zeros(0)]
    for (_, ours), (_, theirs) in pairs:
        p, q = np.exp(ours.final), np.exp(theirs.final)
        distances.append(np.abs(p - q).sum(axis=1)[q[:, blank] < SURE_BLANK] / 2)
    each = np.concatenate(distances)
    return float(each.mean()) if len(each) else 0.0
