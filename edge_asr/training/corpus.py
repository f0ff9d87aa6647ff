"""A run's utterances, from the manifests that its configuration names: to train on, and held out for development."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edge_asr.manifest import Utterance, read_manifest
from edge_asr.training.config import RunConfig, TrainingConfig
from edge_asr.training.data import Example, hold_out, load_examples
from edge_asr.training.phones import Pronunciations
from edge_asr.training.spelling import Spelling


@dataclass(frozen=True)
class Split:
    """Lines of manifests, nothing of which is heard yet."""

    train: dict[str, list[Utterance]]  # by the manifest's name
    held: list[Utterance]

    def texts(self, repeats: tuple[int, ...]) -> list[str]:
        """Of the training utterances, each as often as an epoch meets it."""
        weighed = zip(self.train.values(), repeats, strict=True)
        return [u.text for utterances, repeat in weighed for u in utterances * repeat]


@dataclass(frozen=True)
class Corpus:
    """Utterances in memory."""

    examples: list[Example]  # as often as an epoch meets them
    easy: int  # of the easy manifests, which come first
    dev: list[Example]
    held: list[Utterance]  # those of `dev`
    pronunciations: Pronunciations | None  # where training asks for phones


def split_manifests(training: TrainingConfig, data: Path, report_fault: Callable[[str], None] | None) -> Split:
    """Read the manifests and hold out the development speakers."""
    train: dict[str, list[Utterance]] = {}
    held: list[Utterance] = []
    for name in training.manifests:
        train[name] = read_manifest(data / name, report_fault)
        if name == training.dev_manifest:
            train[name], held = hold_out(train[name], training.dev_utterances)
    return Split(train, held)


def repeats_of(training: TrainingConfig) -> tuple[int, ...]:
    """How often an epoch meets the utterances of each manifest."""
    return training.repeats or (1,) * len(training.manifests)


def load_corpus(
    split: Split,
    spelling: Spelling,
    config: RunConfig,
    frame_samples: int,
    data: Path,
    report_fault: Callable[[str], None] | None,
) -> Corpus:
    """Read all audio. `frame_samples` is what an encoder frame covers. Raises EdgeAsrError as `load_examples` does."""
    training = config.training
    pronunciations = (
        Pronunciations(u.text for utterances in split.train.values() for u in utterances)
        if training.phone_weight
        else None
    )
    examples: list[Example] = []
    easy = 0
    loads = zip(split.train.items(), repeats_of(training), strict=True)
    for number, ((name, utterances), repeat) in enumerate(loads, start=1):
        loaded = load_examples(
            utterances, spelling, config.augmentation.speeds, frame_samples, data / name, report_fault
        )
        if pronunciations:
            loaded = [replace(example, phones=pronunciations.ids(example.text)) for example in loaded]
        examples += loaded * repeat
        if number <= (training.easy_manifests or len(split.train)):
            easy = len(examples)
    source, speeds = data / training.dev_manifest, training.dev_speeds
    heard = {u: load_examples([u], spelling, speeds, frame_samples, source, report_fault) for u in split.held}
    return Corpus(
        examples=examples,
        easy=easy,
        dev=[example for loaded in heard.values() for example in loaded],
        held=[u for u, loaded in heard.items() if loaded],
        pronunciations=pronunciations,
    )
