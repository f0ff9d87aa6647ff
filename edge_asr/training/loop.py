"""The training loop: one process, or several under `torchrun`. Every random draw is a function of seed, step and rank,
so a run resumed after a crash goes on exactly as it would have gone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed

from edge_asr.audio import AS_RECORDED, SAMPLE_RATE_HZ
from edge_asr.errors import EdgeAsrError
from edge_asr.json_text import json_text, without_infinities
from edge_asr.manifest import write_manifest
from edge_asr.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edge_asr.model.encoder import GatedEncoder
from edge_asr.training.augmentation import mask_mel, warp_bands
from edge_asr.training.batches import Batch, collate
from edge_asr.training.checkpointing import (
    Progress,
    RunState,
    identity_of,
    identity_of_model,
    mixed_with_start,
    take_over,
)
from edge_asr.training.config import RunConfig
from edge_asr.training.corpus import Split, load_corpus, repeats_of, split_manifests
from edge_asr.training.data import join_utterances, make_batches
from edge_asr.training.evaluation import Results, choose_threshold, evaluate, wer_in_use
from edge_asr.training.interrupt import deferred_interrupt
from edge_asr.training.objective import Objective
from edge_asr.training.optimizer import make_optimizer, set_rates
from edge_asr.training.spelling import Spelling
from edge_asr.training.start import Start
from edge_asr.training.teacher import Teacher

REPORT_EVERY = 50  # steps between lines of progress


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
        self.start = Start(config, folder / "tokens", self.start_folder / "tokens")
        split = self.read_manifests(data)
        self.tokens, spelling = self.start.writing()
        torch.manual_seed(config.training.seed)
        self.model = self.start.encoder(self.tokens).to(self.device)
        if config.training.start_from:
            take_over(self.model, self.start_folder / self.model_path.name)
        self.average = self.start.encoder(self.tokens).to(self.device).eval()
        self.average.load_state_dict(self.model.state_dict())
        self.load_data(split, spelling, data)
        phones = len(self.pronunciations.inventory) + 1 if self.pronunciations else 0
        self.phone_head = torch.nn.Linear(self.model.spec.handed_width, phones).to(self.device) if phones else None
        self.parameters = [*self.model.parameters(), *(self.phone_head.parameters() if self.phone_head else ())]
        new = self.start.new_parameters
        body = {id(p) for name, p in self.model.named_parameters() if new is not None and name not in new}
        self.optimizer = make_optimizer(self.parameters, body, config.training)
        teacher = config.training.teacher_checkpoint
        self.teacher = Teacher(Path(teacher), self.model, self.tokens, self.device) if teacher else None
        self.objective = Objective(config.training, self.model.spec.blank_id, self.phone_head)
        identity = identity_of_model(self.model, self.tokens)
        self.state = RunState(self.model, self.average, self.phone_head, self.optimizer, identity)
        if resume and self.state_path.is_file():
            self.state.load(self.state_path, self.device)

    @property
    def progress(self) -> Progress:
        return self.state.progress

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

    @property
    def fault_report(self) -> Callable[[str], None] | None:
        return self.report_fault if self.config.training.on_fault == "skip" else None

    def read_manifests(self, data: Path) -> Split:
        """Hold out the development speakers, learn the pieces on the training text."""
        split = split_manifests(self.config.training, data, self.fault_report)
        if self.rank == 0:
            self.start.make_pieces(lambda: split.texts(repeats_of(self.config.training)))
        if self.world > 1:
            distributed.barrier()
        return split

    def load_data(self, split: Split, spelling: Spelling, data: Path) -> None:
        """Read the audio. The utterances held out, without those at fault, are written as a manifest, for whoever
        compares models later."""
        corpus = load_corpus(split, spelling, self.config, self.model.spec.frame_samples, data, self.fault_report)
        self.examples, self.easy, self.dev = corpus.examples, corpus.easy, corpus.dev
        self.pronunciations = corpus.pronunciations
        if self.rank == 0:
            write_manifest(self.development_path, corpus.held)
        if not self.examples:
            raise EdgeAsrError(
                "no utterance is left to train on: lower dev_utterances, for which whole speakers are held out, or "
                "mend the lines that were reported"
            )
        if not self.dev:
            raise EdgeAsrError("no utterance is held out for development: dev_manifest must be one of the manifests")

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
        for name in ("heads_first_steps", "chunks_from_step", "gate_from_step"):
            if getattr(training, name) >= training.steps:
                self.log(f"it ends after {training.steps} steps, before {name} ({getattr(training, name)})")
        started_s, first = time.monotonic(), self.progress.step
        batches = self.batches()
        with deferred_interrupt() as interrupted:
            self.evaluate_where_due()  # a run that was interrupted may owe one
            while self.progress.step < training.steps:
                losses = self.step(next(batches))
                if self.progress.step % REPORT_EVERY == 0:
                    rate = (self.progress.step - first) / (time.monotonic() - started_s)
                    self.report(losses, rate)
                if interrupted():
                    self.save_state()
                    self.log(f"interrupted at step {self.progress.step}; the same command resumes")
                    raise KeyboardInterrupt
                self.evaluate_where_due()
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
                joined = [[self.examples[i] for i in streams[stream]] for stream in indices]
                yield collate(joined, augmentation, self.model.spec.frame_samples, self.rng())
            self.progress.epoch += 1
            self.progress.batch = 0

    def rng(self) -> np.random.Generator:
        return np.random.default_rng((self.config.training.seed, self.progress.step, self.rank))

    def step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step; returns the losses."""
        training, progress = self.config.training, self.progress
        rng = self.rng()
        torch.manual_seed(int(rng.integers(2**31)))
        gate = progress.step >= training.gate_from_step and rng.random() < training.gate_probability
        chunk_frames = int(rng.choice(training.chunk_frames))
        if progress.step < training.chunks_from_step:
            chunk_frames = batch.samples.shape[1] // self.model.spec.frame_samples
        exponents = torch.empty(len(batch.frames)).uniform_(*training.gate_exponent)
        self.model.train()
        with torch.no_grad():
            mel = self.model.features(batch.samples.to(self.device), batch.frames.to(self.device), chunk_frames)
            if training.consistency_weight:
                batch, mel, exponents = batch.twice(), torch.cat([mel, mel]), torch.cat([exponents, exponents])
            if self.config.augmentation.warp:
                assert isinstance(self.model, GatedEncoder)  # `Start` has seen to it
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
        taught = self.teacher.final(batch) if self.teacher else None
        losses = self.objective.losses(output, batch, mel, progress.step, gate, taught)
        rate = self.rate()
        set_rates(self.optimizer, rate, progress.step, training)
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

    def evaluate(self, speeds: Sequence[float], gains_db: Sequence[float]) -> Results:
        """What the averaged weights hear of the development set."""
        return evaluate(self.average, self.tokens, self.dev, self.config.training, speeds, gains_db)

    def evaluate_where_due(self) -> None:
        step, training = self.progress.step, self.config.training
        due = step and (step % training.evaluate_every == 0 or step >= training.steps)
        if due and self.progress.evaluated != step:
            self.progress.evaluated = step
            self.evaluate_and_save()

    def evaluate_and_save(self) -> None:
        """Evaluate on rank 0, save the run's state, and the averaged weights where they are the best so far in use."""
        if self.rank == 0:
            results = self.evaluate((AS_RECORDED,), self.config.training.dev_gains_db)
            self.log(
                f"step {self.progress.step} dev WER/kept: "
                + "  ".join(f"{name}: {r['wer']:.1f}/{r['kept']:.2f}" for name, r in results.items())
            )
            self.record({"step": self.progress.step, "dev": results})
            wer = wer_in_use(results, self.config.training)
            if wer <= self.progress.best_dev_wer:
                self.progress.best_dev_wer = wer
                self.save_model(self.best_path, choose_threshold(results, self.config.training), self.progress.step)
            self.save_state()
        if self.world > 1:
            distributed.barrier()

    def finish(self) -> None:
        """Write the best weights as the run's model, with the threshold that the development set chooses for them: at
        several speeds, as a few hundred words tell thresholds apart by chance, and at the recorded level.

        With `start_share` they are mixed with the weights that the run started from.
        """
        if self.rank == 0:
            best = load_checkpoint(self.best_path)
            weights = best.model.state_dict()
            if share := self.config.training.start_share:
                weights = mixed_with_start(weights, self.start_folder / self.model_path.name, share)
            self.average.load_state_dict(weights)
            results = self.evaluate(self.config.training.dev_speeds, (0.0,))
            threshold = choose_threshold(results, self.config.training)
            step = int(best.training["step"])
            self.save_model(self.model_path, threshold, step, results)
            self.record({"step": step, "dev": results, "default_threshold": threshold})
            self.log(f"{self.model_path}: the averaged weights of step {step}, default threshold {threshold:g}")
        if self.world > 1:
            distributed.barrier()

    def save_model(self, path: Path, threshold: float, step: int, dev: Results | None = None) -> None:
        identity = identity_of(self.config, step, dev)
        save_checkpoint(path, Checkpoint(self.average, self.tokens, threshold, identity, self.start.tokenizer()))

    def save_state(self) -> None:
        if self.rank == 0:
            self.state.save(self.state_path)

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
