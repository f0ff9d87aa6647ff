"""A training run in one committed TOML file: `[model]`, `[training]`, `[augmentation]`.

A file that differs from another in a few values names it, and states these: `like = "other.toml"`, a path from its own
folder or the name of one that comes with edge-asr, before the sections.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_asr.contract import NEVER_SKIP
from edge_asr.errors import EdgeAsrError
from edge_asr.training.toml_values import parse_section

DISTILLATIONS = ("kept", "all", "blank", "labels")  # what they teach is told at `model.losses.distillation`
SKIPPED = ("blank", "intermediate")  # as `model.gated.GatedCtc.skipped_line` tells
CHOICES = {"on_fault": ("fatal", "skip"), "distillation": DISTILLATIONS, "skipped": SKIPPED}  # field -> what it takes

LEAST = {  # fields -> the least that they may be
    ("steps", "warmup_steps", "evaluate_every", "dev_utterances", "pieces"): 1,
    ("batch_s", "peak_rate", "clip"): 1e-9,
    ("seed", "heads_first_steps", "chunks_from_step", "gate_from_step", "flat_start_steps", "body_rate"): 0,
    ("easy_manifests", "easy_epochs", "weight_decay", "teacher_weight", "average_decay", "threshold_cost"): 0,
}
CONFIGS = Path(__file__).parent / "configs"
SHAPE_FRAMES = 32  # batches are padded to a multiple of this: few shapes, each compiled once by oneDNN


@dataclass(frozen=True)
class AugmentationConfig:
    """What is done to a training utterance, anew each time it is seen."""

    speeds: tuple[float, ...] = (0.9, 1.0, 1.1)  # one is drawn; pitch changes with it
    gain_db: tuple[float, float] = (-40.0, 20.0)  # uniform, then clipped and rounded as 16 bits are
    noise_probability: float = 0.4  # of adding white to brown noise
    noise_snr_db: tuple[float, float] = (10.0, 35.0)  # uniform
    lead_s: float = 0.64  # up to this much near-silence before, so that chunks fall anywhere
    trail_s: float = 0.8  # and after
    warp: float = 0.0  # the frequency axis is stretched by up to this share of 1, at the same tempo; 0 leaves it
    frequency_masks: int = 2  # SpecAugment (Park et al. 2019)
    frequency_width: int = 20  # widest mask in mel bands
    time_masks: int = 2
    time_width: int = 24  # widest mask in mel frames of 10 ms
    join_probability: float = (
        0.0  # of an utterance following another in the same stream, as speech does outside corpora
    )
    longest_join_s: float = 12.0  # seconds of a stream that is joined
    nonspeech_ratio: float = 0.03  # of utterances replaced by noise or silence with empty text


@dataclass(frozen=True)
class TrainingConfig:
    """Schedule and objective."""

    start_from: str = ""  # a finished run's folder, beside this run's own: its weights and pieces are the start
    start_checkpoint: str = ""  # of `edge-asr adopt`: weights, pieces, and dimensions that [model] does not name
    teacher_checkpoint: str = ""  # its final head, with the whole utterance in sight, teaches this one's
    teacher_weight: float = 0.0  # of the divergence from it
    heads_first_steps: int = 0  # at first only what the adopted model's source did not have is trained
    body_rate: float = 1.0  # after that, the rest learns at this share of the rate, warmed up as slowly
    manifests: tuple[str, ...] = ("an4/train.jsonl",)  # under the data folder, or absolute
    repeats: tuple[int, ...] = ()  # how often an epoch meets the utterances of each manifest; once where left out
    on_fault: str = "fatal"  # a broken line, unreadable audio, text too long for its audio: "fatal", or "skip" and tell
    easy_manifests: int = 0  # in the first epochs, only so many of the manifests; 0: all of them
    easy_epochs: int = 0  # epochs that leave the harder manifests out, until CTC has found its first alignments
    dev_utterances: int = 100  # whole speakers are held out until this many utterances are
    dev_manifest: str = "an4/train.jsonl"  # the manifest they are taken from
    pieces: int = 112  # sentencepiece pieces learnt on the training text, blank included
    seed: int = 1  # of everything
    steps: int = 12_000  # optimizer steps
    batch_s: float = 64.0  # seconds of audio in a batch of one process
    peak_rate: float = 1.5e-3  # learning rate after warm-up, falling to 1 % of it in a cosine
    warmup_steps: int = 400
    weight_decay: float = 0.02
    clip: float = 2.0  # norm of the gradient
    flat_start_steps: int = 200  # cross-entropy on a uniform alignment, which gets CTC over the blank plateau
    spec_augment_from_step: int = 700
    gate_from_step: int = 1_500  # the gate joins here; before, blank is everywhere and a gate means nothing
    gate_probability: float = 0.7  # of a batch being gated from then on
    gate_exponent: tuple[float, float] = (-2.5, -0.3)  # threshold = 1 - 10^u, u uniform, drawn for each utterance
    intermediate_weight: float = 0.3  # CTC loss at the intermediate head
    final_weight: float = 0.7  # CTC loss at the final head
    distillation: str = "kept"  # what the intermediate head learns from the final one, one of DISTILLATIONS
    distillation_weight: float = 0.3  # of that divergence; 0: nothing is distilled
    skipped: str = "blank"  # what a skipped frame says to the losses of the final head, one of SKIPPED
    gate_weight: float = 0.0  # of a learned gate's cross-entropy from the final head, on batches that are not gated
    middle_weight: float = 0.0  # CTC loss at the final head after half of the upper layers
    phone_weight: float = 0.0  # CTC loss of phones at the lower stack's end, in training only; needs espeak-ng
    consistency_weight: float = 0.0  # KL between two maskings of each utterance; above 0 every batch is taken twice
    consistency_from_step: int = 0  # before, views that agree on blank everywhere would only be encouraged
    chunk_frames: tuple[int, ...] = (16, 16, 16, 32, 8)  # one is drawn for each batch
    chunks_from_step: int = 0  # before, every frame sees its whole utterance, as a pretrained encoder is used to
    start_share: float = (
        0.0  # of the weights that are written in the end, this share is the start's, the rest the run's
    )
    average_decay: float = 0.999  # exponential moving average of the weights; the average is what is saved
    evaluate_every: int = 500  # steps between evaluations on the development set, each of which also saves
    dev_thresholds: tuple[float, ...] = (
        1.0,
        0.99,
        0.95,
        0.9,
        0.8,
        0.7,
        0.6,
        0.5,
    )  # 1.0 skips nothing and must be there
    dev_speeds: tuple[float, ...] = (0.9, 0.95, 1.0, 1.05, 1.1)  # at which it is heard to choose the default threshold
    dev_gains_db: tuple[float, ...] = (0.0,)  # at which evaluations during the run hear it; clipped as 16 bits are
    threshold_cost: float = 0.2  # points of development WER that the default threshold may cost against the best one


@dataclass(frozen=True)
class RunConfig:
    """A whole configuration file."""

    model: dict[str, Any] = field(default_factory=dict)  # dimensions of the encoder but the vocabulary
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


def read_config(path: Path) -> RunConfig:
    """Parse a TOML file, or the one of this name that comes with edge-asr. Raises EdgeAsrError naming the unknown or
    mistyped key."""
    path = here_or_ours(path)
    values = read_values(path)
    unknown = set(values) - {"model", "training", "augmentation"}
    if unknown:
        raise EdgeAsrError(f"{path}: unknown section [{sorted(unknown)[0]}]")
    training = parse_section(TrainingConfig, values.get("training", {}), path)
    if NEVER_SKIP not in training.dev_thresholds or min(training.dev_thresholds) >= NEVER_SKIP:
        raise EdgeAsrError(f"{path}: dev_thresholds must hold {NEVER_SKIP} and a lower one: the gate off and on")
    if 1.0 not in training.dev_speeds:
        raise EdgeAsrError(f"{path}: dev_speeds must hold 1.0: evaluations during the run hear no other")
    for name, choices in CHOICES.items():
        if getattr(training, name) not in choices:
            *others, last = map(repr, choices)
            raise EdgeAsrError(f"{path}: {name} must be {', '.join(others)} or {last}, not {getattr(training, name)!r}")
    if not isinstance(values.get("model", {}), dict):
        raise EdgeAsrError(f"{path}: [model] is a table of dimensions")
    check_ranges(training, path)
    check_gate(values.get("model", {}), training, path)
    if not 0 <= training.start_share < 1 or (training.start_share and not training.start_from):
        raise EdgeAsrError(
            f"{path}: start_share must lie from 0 to below 1, and needs a start_from where it is above 0"
        )
    ragged = [frames for frames in training.chunk_frames if frames < 1 or SHAPE_FRAMES % frames]
    if ragged:
        raise EdgeAsrError(
            f"{path}: chunk_frames {ragged[0]} does not divide {SHAPE_FRAMES}, to which batches are padded"
        )
    if training.start_checkpoint and training.start_from:
        raise EdgeAsrError(f"{path}: start_from and start_checkpoint exclude each other: a run starts once")
    if (training.heads_first_steps or training.body_rate != 1.0) and not training.start_checkpoint:
        raise EdgeAsrError(f"{path}: heads_first_steps and body_rate need a start_checkpoint, which says what is new")
    if bool(training.teacher_checkpoint) != (training.teacher_weight > 0):
        raise EdgeAsrError(f"{path}: teacher_checkpoint and a teacher_weight above 0 come together")
    if training.repeats and len(training.repeats) != len(training.manifests):
        raise EdgeAsrError(f"{path}: repeats must name one number for each of the {len(training.manifests)} manifests")
    return RunConfig(
        model=values.get("model", {}),
        training=training,
        augmentation=parse_section(AugmentationConfig, values.get("augmentation", {}), path),
    )


def check_ranges(training: TrainingConfig, path: Path) -> None:
    """Numbers that make no run, and lists that hold nothing or a thing twice. Raises EdgeAsrError."""
    for names, least in LEAST.items():
        for name in names:
            if getattr(training, name) < least:
                raise EdgeAsrError(f"{path}: {name} must be at least {least:g}, not {getattr(training, name)!r}")
    for name in ("manifests", "chunk_frames", "dev_gains_db"):
        if not getattr(training, name):
            raise EdgeAsrError(f"{path}: {name} must name one at least")
    if len(set(training.manifests)) < len(training.manifests):
        raise EdgeAsrError(f"{path}: a manifest is named twice: repeats says how often an epoch meets it")


def check_gate(model: dict[str, Any], training: TrainingConfig, path: Path) -> None:
    """A learned gate and what teaches it come together. Raises EdgeAsrError."""
    gate = model.get("gate", {})
    if not (isinstance(gate, dict) and gate.get("learned")):
        if training.gate_weight:
            raise EdgeAsrError(f"{path}: gate_weight teaches a learned gate, and [model] gate has no learned = true")
    elif training.gate_weight <= 0:
        raise EdgeAsrError(f"{path}: a learned gate needs a gate_weight above 0, or nothing teaches it")
    elif training.gate_probability >= 1:
        raise EdgeAsrError(
            f"{path}: a learned gate needs a gate_probability below 1: batches that are not gated teach it"
        )


def here_or_ours(path: Path, folder: Path = Path()) -> Path:
    """A path from the folder; where there is no such file, a bare name is that of one that comes with edge-asr."""
    ours = CONFIGS / path
    return ours if not (folder / path).exists() and path.name == str(path) and ours.is_file() else folder / path


def read_values(path: Path, readers: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file's tables over those of the file that it is like; `readers` are the files that led here."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EdgeAsrError(f"{path}: no such configuration") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EdgeAsrError(f"{path}: not valid TOML ({error})") from None
    like = values.pop("like", None)
    if like is None:
        return values
    other = here_or_ours(Path(str(like)), path.parent).resolve()
    if other in (path.resolve(), *readers):
        raise EdgeAsrError(f"{path}: like = '{like}' leads back to itself")
    return merged(read_values(other, (*readers, path.resolve())), values)


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Tables within tables are merged; anything else is replaced."""
    both = {
        key: merged(values[key], change) if isinstance(values.get(key), dict) and isinstance(change, dict) else change
        for key, change in changes.items()
    }
    return values | both
