"""The training loop: one process, or several under `torchrun`. Every random draw is a function of seed, step and rank,
so a run resumed after a crash goes on exactly as it would have gone."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import jiwer
import numpy as np
import sentencepiece
import torch
from torch import Tensor, distributed

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.contract import NEVER_SKIP
from edge_asr.ctc import collapse
from edge_asr.errors import EdgeAsrError
from edge_asr.json_text import json_text, without_infinities
from edge_asr.manifest import Utterance, read_manifest, write_manifest
from edge_asr.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edge_asr.model.config import EncoderConfig
from edge_asr.model.encoder import GatedEncoder
from edge_asr.model.gated import EncoderOutput
from edge_asr.model.heads import factorized_start
from edge_asr.model.losses import (
    consistency,
    ctc_per_token,
    distillation,
    flat_start,
    gate_cross_entropy,
    valid_frames,
)
from edge_asr.sound.level import change_level
from edge_asr.source_identity import git_commit
from edge_asr.tokens import Tokens
from edge_asr.training.augmentation import draw_wave, mask_mel, warp_bands
from edge_asr.training.config import RunConfig
from edge_asr.training.data import (
    Example,
    copy_pieces,
    hold_out,
    join_utterances,
    learn_pieces,
    load_examples,
    make_batches,
    tokens_of,
)
from edge_asr.training.phones import BLANK_PHONE, Pronunciations

SHAPE_FRAMES = 32  # batches are padded to a multiple of this: few shapes, each compiled once by oneDNN
AS_RECORDED = 1.0  # speed
REPORT_EVERY = 50  # steps between lines of progress


@dataclass
class Batch:
    """Padded waves and targets."""

    samples: Tensor  # float32 [N, S], S a multiple of SHAPE_FRAMES frames
    frames: Tensor  # int64 [N], encoder frames of each utterance
    targets: Tensor  # int64 [N, U]
    lengths: Tensor  # int64 [N], tokens of each utterance
    phones: Tensor  # int64 [N, P]
    phone_lengths: Tensor  # int64 [N], phones of each utterance

    def twice(self) -> Batch:
        """The same utterances again, after themselves."""
        return Batch(*(torch.cat([part, part]) for part in vars(self).values()))


@dataclass
class Progress:
    """What a resumed run must know beside weights and optimizer."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    best_dev_wer: float = math.inf


class Trainer:
    """One run in one folder. `train()` starts or resumes it, and ends by writing `model.safetensors` there."""

    def __init__(self, config: RunConfig, data: Path, folder: Path, resume: bool = True) -> None:
        self.config = config
        self.folder = folder
        self.rank = int(os.environ.get("RANK", "0"))
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        gpu = int(os.environ.get("LOCAL_RANK", "0"))
        self.device = torch.device("cuda", gpu) if torch.cuda.is_available() else torch.device("cpu")
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        if self.world > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        folder.mkdir(parents=True, exist_ok=True)
        self.load_data(data)
        torch.manual_seed(config.training.seed)
        encoder = self.encoder_config()
        self.model = GatedEncoder(encoder).to(self.device)
        if config.training.start_from:
            self.take_over(self.start_folder / self.model_path.name)
        self.average = GatedEncoder(encoder).to(self.device).eval()
        self.average.load_state_dict(self.model.state_dict())
        phones = len(self.pronunciations.inventory) + 1 if self.pronunciations else 0
        self.phone_head = torch.nn.Linear(encoder.lower.width, phones).to(self.device) if phones else None
        self.parameters = [*self.model.parameters(), *(self.phone_head.parameters() if self.phone_head else ())]
        matrices = [p for p in self.parameters if p.dim() > 1]
        vectors = [p for p in self.parameters if p.dim() <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.training.weight_decay},
                {"params": vectors, "weight_decay": 0},
            ],
            lr=config.training.peak_rate,
            betas=(0.9, 0.98),
        )
        self.progress = Progress()
        if resume and self.state_path.is_file():
            self.load_state()

    @property
    def state_path(self) -> Path:
        return self.folder / "state.pt"

    @property
    def best_path(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def model_path(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def development_path(self) -> Path:
        return self.folder / "development.jsonl"

    @property
    def start_folder(self) -> Path:
        return self.folder.parent / self.config.training.start_from

    def encoder_config(self) -> EncoderConfig:
        """The configuration's [model] for the pieces learnt. Raises EdgeAsrError where it does not make one."""
        try:
            return EncoderConfig.from_dict({"vocabulary": len(self.tokens.pieces), **self.config.model})
        except (TypeError, ValueError) as error:
            raise EdgeAsrError(f"the configuration's [model] does not make a model: {error}") from None

    def take_over(self, checkpoint: Path) -> None:
        """Start from another run's weights. The gate may be cut differently, as it has none, or learned where the other
        was not: then its head is fresh. There may be fewer upper layers: then the lowest are taken. Heads may become
        factorized ones: see `factorized_start`. Raises EdgeAsrError where anything else differs."""
        start = load_checkpoint(checkpoint).model
        weights, own = start.state_dict(), self.model.state_dict()
        if self.model.spec.labels_wait and not start.spec.labels_wait:
            for prefix in ("lower.head.", "upper.head."):
                head = {name: weights.pop(prefix + name) for name in ("weight", "bias")}
                parts = factorized_start(head, start.spec.blank_id)
                weights |= {prefix + name: value for name, value in parts.items()}
        above = [name for name in weights if name.startswith("upper.stack.layers.") and name not in own]
        fresh = {name: value for name, value in own.items() if name.startswith("lower.gate.") and name not in weights}
        try:
            self.model.load_state_dict(fresh | {name: value for name, value in weights.items() if name not in above})
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise EdgeAsrError(f"{checkpoint}: its weights do not fit this run's [model] ({reason})") from None

    def load_data(self, data: Path) -> None:
        """Read manifests, hold out the development speakers, learn the pieces on the training text.

        The utterances held out, without those at fault, are written as a manifest, for whoever compares models later.
        """
        training = self.config.training
        report = self.report_fault if training.on_fault == "skip" else None
        repeats = training.repeats or (1,) * len(training.manifests)
        train: dict[str, list[Utterance]] = {}
        held: list[Utterance] = []
        for name in training.manifests:
            train[name] = read_manifest(data / name, report)
            if name == training.dev_manifest:
                train[name], held = hold_out(train[name], training.dev_utterances)
        prefix = self.folder / "tokens"
        if self.rank == 0 and training.start_from:
            copy_pieces(self.start_folder / prefix.name, prefix)
        elif self.rank == 0 and not prefix.with_suffix(".model").is_file():
            weighed = zip(train.values(), repeats, strict=True)
            texts = [u.text for utterances, repeat in weighed for u in utterances * repeat]
            learn_pieces(texts, training.pieces, prefix)
        if self.world > 1:
            distributed.barrier()
        processor = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
        self.tokens: Tokens = tokens_of(processor)
        speeds, frame_samples = self.config.augmentation.speeds, self.encoder_config().frame_samples
        self.pronunciations = (
            Pronunciations(u.text for utterances in train.values() for u in utterances)
            if training.phone_weight
            else None
        )
        self.examples: list[Example] = []
        self.easy = 0  # examples of the easy manifests, which come first
        for number, (name, utterances) in enumerate(train.items(), start=1):
            loaded = load_examples(utterances, processor, speeds, frame_samples, data / name, report)
            if self.pronunciations:
                loaded = [replace(example, phones=self.pronunciations.ids(example.text)) for example in loaded]
            self.examples += loaded * repeats[number - 1]
            if number <= (training.easy_manifests or len(train)):
                self.easy = len(self.examples)
        source = data / training.dev_manifest
        loaded_of = {u: load_examples([u], processor, training.dev_speeds, frame_samples, source, report) for u in held}
        self.dev = [example for loaded in loaded_of.values() for example in loaded]
        if self.rank == 0:
            write_manifest(self.development_path, (u for u, loaded in loaded_of.items() if loaded))
        if not self.examples:
            raise EdgeAsrError("no utterance is left to train on: mend the lines reported above")

    def report_fault(self, fault: str) -> None:
        self.log(f"skipped: {fault}")
        self.record({"skipped": fault})

    def train(self) -> None:
        """Run until `steps`, evaluating and saving on the way. Ctrl-C ends the step that is under way, saves, and
        raises KeyboardInterrupt."""
        training = self.config.training
        self.log(
            f"{len(self.examples)} training utterances, {len(self.dev)} development utterances, "
            f"{sum(p.numel() for p in self.model.parameters()) / 1e6:.2f} M parameters, "
            f"{self.world} process(es) on {self.device}, from step {self.progress.step}"
        )
        started_s, first = time.monotonic(), self.progress.step
        batches = self.batches()
        with deferred_interrupt() as interrupted:
            while self.progress.step < training.steps:
                losses = self.step(next(batches))
                if self.progress.step % REPORT_EVERY == 0:
                    rate = (self.progress.step - first) / (time.monotonic() - started_s)
                    self.report(losses, rate)
                if interrupted():
                    self.save_state()
                    self.log(f"interrupted at step {self.progress.step}; the same command resumes")
                    raise KeyboardInterrupt
                if self.progress.step % training.evaluate_every == 0 or self.progress.step == training.steps:
                    self.evaluate_and_save()
        self.finish()

    def batches(self) -> Iterator[Batch]:
        """Endless batches of this rank, each epoch in an order of its own."""
        every_length = [len(example.waves[0]) / SAMPLE_RATE_HZ + 0.7 for example in self.examples]
        while True:
            easy = self.progress.epoch < self.config.training.easy_epochs
            lengths = every_length[: self.easy] if easy else every_length
            order = np.random.default_rng((self.config.training.seed, self.progress.epoch))
            augmentation = self.config.augmentation
            streams = join_utterances(lengths, augmentation.join_probability, augmentation.longest_join_s, order)
            groups = make_batches(
                [sum(lengths[i] for i in stream) for stream in streams], self.config.training.batch_s, order
            )
            groups = groups[: len(groups) // self.world * self.world] or groups * self.world
            while self.progress.batch < len(groups) // self.world:
                indices = groups[self.progress.batch * self.world + self.rank]
                self.progress.batch += 1
                yield self.collate([[self.examples[i] for i in streams[stream]] for stream in indices])
            self.progress.epoch += 1
            self.progress.batch = 0

    def rng(self) -> np.random.Generator:
        return np.random.default_rng((self.config.training.seed, self.progress.step, self.rank))

    def collate(self, streams: Sequence[Sequence[Example]]) -> Batch:
        """Augment each utterance, join those of a stream, then pad with silence."""
        rng = self.rng()
        waves, ids, phones = [], [], []
        for examples in streams:
            drawn = [draw_wave(example, self.config.augmentation, rng) for example in examples]
            said = [example for example, (_, spoken) in zip(examples, drawn, strict=True) if spoken]
            waves.append(np.concatenate([wave for wave, _ in drawn]))
            ids.append([i for example in said for i in example.ids])
            phones.append([i for example in said for i in example.phones])
        return pad(waves, ids, self.model.config, phones)

    def step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step; returns the losses."""
        training, progress = self.config.training, self.progress
        rng = self.rng()
        torch.manual_seed(int(rng.integers(2**31)))
        gate = progress.step >= training.gate_from_step and rng.random() < training.gate_probability
        chunk_frames = int(rng.choice(training.chunk_frames))
        exponents = torch.empty(len(batch.frames)).uniform_(*training.gate_exponent)
        self.model.train()
        with torch.no_grad():
            mel = self.model.features(batch.samples.to(self.device), batch.frames.to(self.device), chunk_frames)
            if training.consistency_weight:
                batch, mel, exponents = batch.twice(), torch.cat([mel, mel]), torch.cat([exponents, exponents])
            if self.config.augmentation.warp:
                mel = warp_bands(mel, self.model.config.front_end, self.config.augmentation.warp, rng)
            if progress.step >= training.spec_augment_from_step:
                mel = mask_mel(mel, batch.frames * self.model.spec.feature_rows, self.config.augmentation, rng)
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.model(
                mel,
                batch.frames.to(self.device),
                (1 - 10**exponents).to(self.device),
                chunk_frames,
                gate,
                with_middle=training.middle_weight > 0,
                skipped=training.skipped,
            )
        losses = self.losses(output, batch, mel, gate)
        rate = self.rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        self.share_gradients()
        torch.nn.utils.clip_grad_norm_(self.parameters, training.clip)
        self.optimizer.step()
        progress.step += 1
        self.update_average()
        values = {name: value.item() for name, value in losses.items()}
        values |= {"kept": float(output.keep.sum() / batch.frames.sum()), "rate": rate}
        return values

    def losses(self, output: EncoderOutput, batch: Batch, mel: Tensor, gated: bool) -> dict[str, Tensor]:
        training = self.config.training
        blank = self.model.config.blank_id
        targets, lengths = batch.targets.to(self.device), batch.lengths.to(self.device)
        intermediate = ctc_per_token(output.intermediate, output.frames, targets, lengths, blank)
        final = ctc_per_token(output.final, output.frames, targets, lengths, blank)
        losses = {"intermediate": intermediate, "final": final}
        if self.progress.step < training.flat_start_steps:
            total = flat_start(output, mel, targets, lengths, blank)
        else:
            losses["distillation"] = distillation(output, blank, training.distillation)
            total = (
                training.intermediate_weight * intermediate
                + training.final_weight * final
                + training.distillation_weight * losses["distillation"]
            )
            if output.middle is not None:
                losses["middle"] = ctc_per_token(output.middle, output.frames, targets, lengths, blank)
                total = total + training.middle_weight * losses["middle"]
            if output.gate is not None and not gated:
                losses["gate"] = gate_cross_entropy(output, blank)
                total = total + training.gate_weight * losses["gate"]
            if self.phone_head is not None:
                losses["phones"] = self.phones(output, batch)
                total = total + training.phone_weight * losses["phones"]
            if training.consistency_weight and self.progress.step >= training.consistency_from_step:
                losses["consistency"] = self.consistency(output) / lengths.sum().clamp(min=1)
                total = total + training.consistency_weight * losses["consistency"]
        return losses | {"total": total}

    def consistency(self, output: EncoderOutput) -> Tensor:
        """Of both heads, weighted as their CTC losses are; the final head's on frames that both views kept."""
        training = self.config.training
        return training.intermediate_weight * consistency(
            output.intermediate, valid_frames(output)
        ) + training.final_weight * consistency(output.final, output.keep)

    def phones(self, output: EncoderOutput, batch: Batch) -> Tensor:
        """CTC loss per phone, on every frame of the lower stack, kept or not."""
        assert self.phone_head is not None
        log_probs = torch.log_softmax(self.phone_head(output.handed.float()), dim=-1)
        targets, lengths = batch.phones.to(self.device), batch.phone_lengths.to(self.device)
        return ctc_per_token(log_probs, output.frames, targets, lengths, BLANK_PHONE)

    def rate(self) -> float:
        """Linear warm-up, then a cosine to 1 % of the peak."""
        training, step = self.config.training, self.progress.step
        warm = min(1.0, (step + 1) / training.warmup_steps)
        done = min(1.0, step / training.steps)
        return training.peak_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def share_gradients(self) -> None:
        """Average gradients over the processes, in one message. Where a loss leaves a parameter out, its share is 0."""
        if self.world == 1:
            return
        parameters = self.parameters
        flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in parameters])
        distributed.all_reduce(flat)
        flat /= self.world
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.view_as(parameter)

    def update_average(self) -> None:
        """Exponential moving average, faster in the first steps so that it forgets the initial weights."""
        decay = min(self.config.training.average_decay, (1 + self.progress.step) / (10 + self.progress.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)

    def evaluate(self, speeds: Sequence[float], gains_db: Sequence[float]) -> dict[str, dict[str, float]]:
        """Development WER and kept frames of the averaged weights, at each threshold, as a stream would decode; of all
        utterances at each of the speeds and of the levels."""
        thresholds = self.config.training.dev_thresholds
        hypotheses: dict[float, list[str]] = {threshold: [] for threshold in thresholds}
        early: list[str] = []
        kept = dict.fromkeys(thresholds, 0)
        frames = 0
        numbers = [self.config.training.dev_speeds.index(speed) for speed in speeds]
        order = [(e.waves[number], gain_db, e.text) for gain_db in gains_db for number in numbers for e in self.dev]
        order.sort(key=lambda said: len(said[0]))
        for start in range(0, len(order), 20):
            waves = [change_level(wave / 32_768, gain_db) for wave, gain_db, _ in order[start : start + 20]]
            batch = pad(waves, [()] * len(waves), self.average.config)
            frames += int(batch.frames.sum())
            for threshold in thresholds:
                with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
                    samples, counts = batch.samples.to(self.device), batch.frames.to(self.device)
                    mel = self.average.features(samples, counts, self.average.config.chunk_frames)
                    levels = torch.full(batch.frames.shape, threshold, device=self.device)
                    output = self.average(mel, counts, levels, self.average.config.chunk_frames)
                hypotheses[threshold] += self.texts(output.final, batch.frames)
                kept[threshold] += int(output.keep.sum())
            early += self.texts(output.intermediate, batch.frames)
        references = [text for *_, text in order]
        results = {
            f"{threshold:g}": {
                "wer": 100 * jiwer.wer(references, hypotheses[threshold]),
                "kept": kept[threshold] / frames,
            }
            for threshold in thresholds
        }
        return results | {"intermediate": {"wer": 100 * jiwer.wer(references, early), "kept": 0.0}}

    def texts(self, log_probs: Tensor, frames: Tensor) -> list[str]:
        best = log_probs.argmax(dim=-1).cpu()
        return [
            self.tokens.to_text(collapse(row[:count].tolist(), self.tokens.blank_id))
            for row, count in zip(best, frames.tolist(), strict=True)
        ]

    def evaluate_and_save(self) -> None:
        """Evaluate on rank 0, save the run's state, and the averaged weights where they are the best so far.

        Best is the mean WER over the gated thresholds, or that of never skipping where training did not: the model is
        chosen for how it is used.
        """
        if self.rank == 0:
            results = self.evaluate((AS_RECORDED,), self.config.training.dev_gains_db)
            self.log(
                f"step {self.progress.step} dev WER/kept: "
                + "  ".join(f"{name}: {r['wer']:.1f}/{r['kept']:.2f}" for name, r in results.items())
            )
            self.record({"step": self.progress.step, "dev": results})
            gated = [t for t in self.thresholds if t < NEVER_SKIP] or [NEVER_SKIP]
            wer = sum(results[f"{t:g}"]["wer"] for t in gated) / len(gated)
            if wer <= self.progress.best_dev_wer:
                self.progress.best_dev_wer = wer
                self.save_model(self.best_path, self.choose_threshold(results), self.progress.step)
            self.save_state()
        if self.world > 1:
            distributed.barrier()

    def finish(self) -> None:
        """Write the best weights as the run's model, with the threshold that the development set chooses for them: at
        several speeds, as a few hundred words tell thresholds apart by chance, and at the recorded level.

        With `start_share` they are mixed with the weights that the run started from, of the same shape then (Wortsman
        et al. 2022): what a short run learns anew is kept, and most of what it forgets comes back.
        """
        if self.rank == 0:
            best = load_checkpoint(self.best_path)
            weights = best.model.state_dict()
            if share := self.config.training.start_share:
                start = load_checkpoint(self.start_folder / self.model_path.name).model.state_dict()
                weights = {name: torch.lerp(value, start[name], share) for name, value in weights.items()}
            self.average.load_state_dict(weights)
            results = self.evaluate(self.config.training.dev_speeds, (0.0,))
            threshold = self.choose_threshold(results)
            step = int(best.training["step"])
            self.save_model(self.model_path, threshold, step, results)
            self.record({"step": step, "dev": results, "default_threshold": threshold})
            self.log(f"{self.model_path}: the averaged weights of step {step}, default threshold {threshold:g}")
        if self.world > 1:
            distributed.barrier()

    def choose_threshold(self, results: dict[str, dict[str, float]]) -> float:
        """The one that skips most among those whose WER is at most `threshold_cost` above the best one's."""
        limit = min(results[f"{t:g}"]["wer"] for t in self.thresholds) + self.config.training.threshold_cost
        return min(t for t in self.thresholds if results[f"{t:g}"]["wer"] <= limit)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Those that the model is trained for: a static one knows no gate."""
        training = self.config.training
        return training.dev_thresholds if training.gate_probability else (NEVER_SKIP,)

    def save_model(
        self, path: Path, threshold: float, step: int, dev: dict[str, dict[str, float]] | None = None
    ) -> None:
        identity = {
            "config_sha256": hashlib.sha256(json.dumps(asdict(self.config), sort_keys=True).encode()).hexdigest(),
            "step": str(step),
            "git_commit": git_commit(),
        }
        if dev is not None:
            identity["dev"] = json.dumps({name: {k: round(v, 4) for k, v in r.items()} for name, r in dev.items()})
        save_checkpoint(path, Checkpoint(self.average, self.tokens, default_threshold=threshold, training=identity))

    def save_state(self) -> None:
        if self.rank != 0:
            return
        partial = self.state_path.with_suffix(".partial")
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "phone_head": self.phone_head.state_dict() if self.phone_head else None,
                "progress": asdict(self.progress),
            },
            partial,
        )
        partial.replace(self.state_path)

    def load_state(self) -> None:
        state: dict[str, Any] = torch.load(self.state_path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        if self.phone_head:
            self.phone_head.load_state_dict(state["phone_head"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])

    def report(self, losses: dict[str, float], steps_a_second: float) -> None:
        left_min = (self.config.training.steps - self.progress.step) / steps_a_second / 60
        self.log(
            f"step {self.progress.step} epoch {self.progress.epoch} "
            + " ".join(f"{name} {value:.3g}" for name, value in losses.items())
            + f" | {steps_a_second:.2f} steps/s, {left_min:.0f} min left"
        )
        self.record({"step": self.progress.step, "losses": losses})

    def log(self, line: str) -> None:
        if self.rank == 0:
            print(line, flush=True)

    def record(self, entry: dict[str, Any]) -> None:
        if self.rank == 0:
            with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json_text(without_infinities(entry)) + "\n")


def pad(
    waves: Sequence[np.ndarray],
    ids: Sequence[Sequence[int]],
    config: EncoderConfig,
    phones: Sequence[Sequence[int]] | None = None,
) -> Batch:
    """Stack waves and targets; the time axis is a multiple of SHAPE_FRAMES frames."""
    frames = [-(-len(wave) // config.frame_samples) for wave in waves]
    granule = SHAPE_FRAMES * config.frame_samples
    longest = -(-max(len(wave) for wave in waves) // granule) * granule
    samples = torch.zeros(len(waves), longest)
    for row, wave in enumerate(waves):
        samples[row, : len(wave)] = torch.from_numpy(wave)
    return Batch(samples, torch.tensor(frames), *pad_ids(ids), *pad_ids(phones or [()] * len(waves)))


def pad_ids(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """-> int64 [N, U], zeros at the end, and the length of each, int64 [N]."""
    padded = torch.zeros(len(ids), max(1, max(len(row) for row in ids)), dtype=torch.int64)
    for number, row in enumerate(ids):
        padded[number, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return padded, torch.tensor([len(row) for row in ids])


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Inside, Ctrl-C does nothing but make the yielded function answer True; a second Ctrl-C works as ever."""
    pressed = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread can have handlers, and only it is interrupted
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
