"""Utterances in memory, development speakers, and batches of similar length."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import sentencepiece

from edge_asr.audio import change_speed, read_audio
from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import Utterance
from edge_asr.tokens import BLANK, Tokens
from edge_asr.training.spelling import Spelling


@dataclass(frozen=True)
class Example:
    """One utterance ready for training."""

    waves: tuple[np.ndarray, ...]  # int16 at 16 kHz, one a speed
    ids: tuple[int, ...]  # token ids of the text
    text: str  # as the model would say it
    phones: tuple[int, ...] = ()  # phone ids of the text, where training asks for them


def hold_out(utterances: Sequence[Utterance], count: int) -> tuple[list[Utterance], list[Utterance]]:
    """Split into (train, development): whole speakers, in the order of a hash of their name, until `count` are held."""
    speakers = sorted({u.speaker for u in utterances}, key=lambda name: hashlib.sha256(name.encode()).digest())
    held: set[str] = set()
    for speaker in speakers:
        if sum(u.speaker in held for u in utterances) >= count:
            break
        held.add(speaker)
    return [u for u in utterances if u.speaker not in held], [u for u in utterances if u.speaker in held]


def learn_pieces(texts: Sequence[str], pieces: int, model_prefix: Path) -> sentencepiece.SentencePieceProcessor:
    """Learn a unigram vocabulary and write `model_prefix.model`. Id 0, sentencepiece's unknown, is CTC's blank.

    Raises EdgeAsrError where the text is too poor for so many pieces.
    """
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(model_prefix),
            vocab_size=pieces,
            model_type="unigram",
            character_coverage=1.0,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise EdgeAsrError(f"sentencepiece cannot learn {pieces} pieces from the training text ({error})") from None
    return sentencepiece.SentencePieceProcessor(model_file=f"{model_prefix}.model")


def copy_pieces(start_prefix: Path, model_prefix: Path) -> None:
    """Take over the vocabulary of another run. Raises EdgeAsrError where it has none."""
    start, copy = (prefix.with_suffix(".model") for prefix in (start_prefix, model_prefix))
    try:
        shutil.copyfile(start, copy)
    except OSError as error:
        raise EdgeAsrError(f"{start}: cannot start from that run ({error.strerror}): finish it first") from None


def tokens_of(processor: sentencepiece.SentencePieceProcessor) -> Tokens:
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    return Tokens(pieces=(BLANK, *pieces[1:]), blank_id=0)


def load_examples(
    utterances: Sequence[Utterance],
    spelling: Spelling,
    speeds: Sequence[float],
    frame_samples: int,
    manifest: Path,
    report_fault: Callable[[str], None] | None = None,
) -> list[Example]:
    """Read and resample all audio once; it stays in memory as int16. `frame_samples` is what an encoder frame covers.

    Raises EdgeAsrError that names the manifest's line where audio cannot be read, or where CTC has fewer frames than it
    needs for the text; with `report_fault`, such utterances are told to it instead, and left out.
    """
    examples = []
    for utterance in utterances:
        try:
            examples.append(load_example(utterance, spelling, speeds, frame_samples))
        except EdgeAsrError as error:
            fault = f"{manifest}:{utterance.line}: {error}"
            if report_fault is None:
                raise EdgeAsrError(fault) from None
            report_fault(fault)
    return examples


def load_example(
    utterance: Utterance,
    spelling: Spelling,
    speeds: Sequence[float],
    frame_samples: int,
) -> Example:
    samples = read_audio(utterance.audio)
    waves = tuple(to_int16(change_speed(samples, speed)) for speed in speeds)
    ids = tuple(spelling.encode(utterance.text))
    needed = len(ids) + sum(a == b for a, b in pairwise(ids))  # a blank between repeats
    shortest = -(-min(len(wave) for wave in waves) // frame_samples)
    if needed > shortest:
        raise EdgeAsrError(
            f"{utterance.audio}: {shortest} frames are too few for the {needed} that CTC needs for '{utterance.text}'"
        )
    return Example(waves=waves, ids=ids, text=spelling.as_written(utterance.text))


def to_int16(samples: np.ndarray) -> np.ndarray:
    return (samples.clip(-1, 1) * 32_767).round().astype(np.int16)


def join_utterances(
    lengths_s: Sequence[float], probability: float, longest_s: float, rng: np.random.Generator
) -> list[list[int]]:
    """Indices of utterances that follow one another, each in one stream: in random order, an utterance goes on
    with `probability` where the one before it ended, unless that makes more than `longest_s` seconds."""
    if not probability:
        return [[index] for index in range(len(lengths_s))]
    streams: list[list[int]] = []
    length_s = longest_s
    for index in rng.permutation(len(lengths_s)).tolist():
        length_s += lengths_s[index]
        if length_s > longest_s or rng.random() >= probability:
            streams.append([])
            length_s = lengths_s[index]
        streams[-1].append(index)
    return streams


def make_batches(lengths_s: Sequence[float], batch_s: float, rng: np.random.Generator) -> list[list[int]]:
    """Indices grouped by similar length, each group at most `batch_s` seconds after padding, in random order."""
    jittered = np.asarray(lengths_s) * rng.uniform(0.9, 1.1, len(lengths_s))
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0.0
    for index in np.argsort(jittered):
        longest = max(longest, lengths_s[index])
        if batch and longest * (len(batch) + 1) > batch_s:
            batches.append(batch)
            batch, longest = [], lengths_s[index]
        batch.append(int(index))
    batches.append(batch)
    return [batches[i] for i in rng.permutation(len(batches))]
