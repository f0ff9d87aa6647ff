"""Decode a manifest with one file or several and score them: accuracy, compute and what the gate did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_asr.audio import AS_RECORDED, change_speed, read_audio
from edge_asr.manifest import Utterance
from edge_asr.metrics import WerDifference, error_rates, wer_difference
from edge_asr.recognizer import Recognizer, Result
from edge_asr.sound.level import change_level


@dataclass(frozen=True)
class ModelAtThreshold:
    """A file at a threshold."""

    model: Path  # the `.pte`
    recognizer: Recognizer  # which has it loaded
    threshold: float  # of the gate; 1 never skips


@dataclass(frozen=True)
class Decoded:
    """One utterance and what a setting heard in it."""

    utterance: Utterance
    speed: float  # it was played at; 1 as recorded
    gain_db: float  # by which it was louder; 0 as recorded
    setting: ModelAtThreshold
    result: Result


@dataclass(frozen=True)
class Evaluation:
    """Totals over a manifest. The names are those of `edge-asr evaluate --json`."""

    utterances: int
    speeds: tuple[float, ...]  # each utterance is heard at each; all that follows is over all of them
    gain_db: float  # each utterance was louder by so much, clipped and rounded as 16 bits are; 0 as recorded
    words: int  # of the references
    wer: float  # percent
    wer_ci95: tuple[float, float]  # percent, bootstrap over utterances, whose copies are drawn together
    cer: float  # percent
    substitutions: int  # words
    deletions: int  # words
    insertions: int  # words
    audio_s: float  # seconds of audio
    compute_s: float  # wall clock inside the model's steps
    rtf: float  # compute_s / audio_s
    threshold: float  # of the gate; 1 never skips
    kept_frame_ratio: float  # frames that went through the upper layers / all frames
    frames: int
    kept_frames: int
    upper_runs: int  # steps in which the upper layers ran
    steps: int  # calls of the program


def decode(
    settings: Sequence[ModelAtThreshold],
    utterances: Iterable[Utterance],
    speeds: Sequence[float] = (AS_RECORDED,),
    gain_db: float = 0.0,
) -> Iterator[Decoded]:
    """Stream one utterance after the other, at each speed, through each setting: they take turns, so that a slow
    minute slows all of them. Raises EdgeAsrError that names the audio file."""
    for utterance in utterances:
        for speed in speeds:
            changed: dict[int, np.ndarray] = {}  # by rate
            for setting in settings:
                audio: Path | np.ndarray = utterance.audio  # then it is read block by block, however long it is
                if speed != 1.0 or gain_db:
                    rate_hz = setting.recognizer.metadata.sample_rate_hz
                    if rate_hz not in changed:
                        changed[rate_hz] = altered(read_audio(utterance.audio, rate_hz), speed, gain_db)
                    audio = changed[rate_hz]
                result = setting.recognizer.transcribe(audio, setting.threshold)
                yield Decoded(utterance, speed, gain_db, setting, result)


def altered(samples: np.ndarray, speed: float, gain_db: float) -> np.ndarray:
    faster = change_speed(samples, speed)
    return change_level(faster, gain_db) if gain_db else faster


def score(decoded: Sequence[Decoded]) -> Evaluation:
    """Of one setting. Raises EdgeAsrError where there is nothing to score."""
    rates = error_rates(said_in(decoded), heard_in(decoded), copies_of=utterances_of(decoded))
    counters = [d.result.counters for d in decoded]
    audio_s, compute_s = sum(c.audio_s for c in counters), sum(c.compute_s for c in counters)
    frames, kept_frames = sum(c.frames for c in counters), sum(c.kept_frames for c in counters)
    return Evaluation(
        utterances=rates.utterances,
        speeds=tuple(dict.fromkeys(d.speed for d in decoded)),
        gain_db=decoded[0].gain_db,
        words=rates.reference_words,
        wer=rates.wer,
        wer_ci95=rates.wer_ci95,
        cer=rates.cer,
        substitutions=rates.substitutions,
        deletions=rates.deletions,
        insertions=rates.insertions,
        audio_s=audio_s,
        compute_s=compute_s,
        rtf=compute_s / audio_s,
        threshold=decoded[0].setting.threshold,
        kept_frame_ratio=kept_frames / frames,
        frames=frames,
        kept_frames=kept_frames,
        upper_runs=sum(c.upper_runs for c in counters),
        steps=sum(c.steps for c in counters),
    )


@dataclass(frozen=True)
class Compared:
    """Another setting, and what sets the model apart from it."""

    name: str  # as asked for
    evaluation: Evaluation
    difference: WerDifference  # the model minus this one
    model_sha256: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "setting": self.name,
            "wer_difference": self.difference.wer,
            "wer_difference_ci95": self.difference.wer_ci95,
            **asdict(self.evaluation),
            "model_sha256": self.model_sha256,
        }


def compare(first: Sequence[Decoded], second: Sequence[Decoded]) -> WerDifference:
    """Two settings that heard the same, in the same order: second minus first. Raises EdgeAsrError where nothing was
    said in it."""
    return wer_difference(said_in(first), heard_in(first), heard_in(second), copies_of=utterances_of(first))


def said_in(decoded: Sequence[Decoded]) -> list[str]:
    return [d.utterance.text for d in decoded]


def heard_in(decoded: Sequence[Decoded]) -> list[str]:
    return [d.result.text for d in decoded]


def utterances_of(decoded: Sequence[Decoded]) -> list[int]:
    """By their lines of the manifest."""
    return [d.utterance.line for d in decoded]
