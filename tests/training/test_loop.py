"""A whole run on tones: it learns, and a run that was cut off ends where an uninterrupted one ends."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import read_manifest
from edge_asr.model.checkpoint import load_checkpoint
from edge_asr.model.config import EncoderConfig
from edge_asr.model.gated import EncoderOutput
from edge_asr.model.losses import gate_cross_entropy, valid_frames
from edge_asr.training import evaluation, phones
from edge_asr.training.batches import Batch, pad
from edge_asr.training.config import RunConfig
from edge_asr.training.data import hold_out
from edge_asr.training.evaluation import choose_threshold
from edge_asr.training.loop import Trainer
from tests.training.conftest import REPOSITORY, run_config


def logged(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def as_toml(config: RunConfig) -> str:
    """The configuration file of a run. JSON's numbers, strings and lists are TOML's."""

    def value(item: object) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{key} = {value(part)}" for key, part in item.items()) + "}"
        return json.dumps(item)

    sections = dataclasses.asdict(config)
    return "\n".join(
        line
        for name, fields in sections.items()
        for line in (f"[{name}]", *(f"{key} = {value(item)}" for key, item in fields.items()))
    )


class CrashingTrainer(Trainer):
    """Dies right after its state was saved, or two steps later, whose work is then lost."""

    steps_after_saving = 0

    def step(self, batch):  # type: ignore[no-untyped-def]
        if self.progress.step == 10 + self.steps_after_saving and self.state_path.is_file():
            raise RuntimeError("power cut")
        return super().step(batch)


def one_phone_a_letter(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(word) for word in words]


@pytest.mark.slow
@pytest.mark.parametrize("steps_after_saving", [0, 2])
def test_a_resumed_run_ends_where_a_straight_one_does(
    tones: Path, tmp_path: Path, straight_run: Path, steps_after_saving: int
) -> None:
    config = run_config(steps=20, evaluate_every=10)
    crashing = CrashingTrainer(config, tones, tmp_path)
    crashing.steps_after_saving = steps_after_saving
    with pytest.raises(RuntimeError, match="power cut"):
        crashing.train()
    resumed = Trainer(config, tones, tmp_path)
    assert resumed.progress.step == 10
    resumed.train()
    found, expected = (torch.load(folder / "state.pt", weights_only=True) for folder in (tmp_path, straight_run))
    assert found["progress"] == expected["progress"]
    for part in ("model", "average"):
        for name, value in expected[part].items():
            assert torch.equal(found[part][name], value), f"{part} {name}"


@pytest.mark.slow
def test_an_evaluation_that_was_due_when_it_was_interrupted_is_made_up_for(
    tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(steps=2, evaluate_every=100)
    trainer = Trainer(config, tones, tmp_path)
    step = trainer.step

    def pressed_in_the_last(batch: Batch) -> dict[str, float]:
        if trainer.progress.step == 1:
            signal.raise_signal(signal.SIGTERM)
        return step(batch)

    monkeypatch.setattr(trainer, "step", pressed_in_the_last)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert not trainer.model_path.exists()
    resumed = Trainer(config, tones, tmp_path)
    assert resumed.progress.step == 2
    resumed.train()
    assert load_checkpoint(resumed.model_path).training["step"] == "2"


def test_a_killed_run_goes_on_to_the_same_weights(tones: Path, tmp_path: Path, straight_run: Path) -> None:
    """kill -9 after the first evaluation has saved, whatever the run is doing then; the same command once more."""
    config = run_config(steps=20, evaluate_every=10)
    (tmp_path / "config.toml").write_text(as_toml(config))
    options = {"--config": "config.toml", "--data": tones, "--run-dir": "run", "--threads": torch.get_num_threads()}
    arguments = [str(part) for option in options.items() for part in option]
    command = [sys.executable, "-m", "edge_asr", "train", *arguments]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        while not (tmp_path / "run" / "state.pt").is_file() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    found, expected = (torch.load(f / "state.pt", weights_only=True) for f in (tmp_path / "run", straight_run))
    assert found["progress"] == expected["progress"]
    for name, value in expected["model"].items():
        assert torch.equal(found["model"][name], value), name


@pytest.fixture(scope="module")
def straight_run(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    Trainer(run_config(steps=20, evaluate_every=10), tones, folder).train()
    return folder


@pytest.mark.slow
def test_a_finished_run_leaves_a_model(tones: Path, straight_run: Path) -> None:
    checkpoint = load_checkpoint(straight_run / "model.safetensors")
    assert checkpoint.model.config.lower.width == 32
    assert len(checkpoint.tokens.pieces) == 13
    assert checkpoint.default_threshold in (1.0, 0.9)
    assert checkpoint.training["step"] in ("10", "20")
    evaluations = [entry for entry in logged(straight_run) if "dev" in entry]
    assert [entry["step"] for entry in evaluations[:2]] == [10, 20]


def test_the_seed_draws_weights_and_batches(tones: Path, tmp_path: Path) -> None:
    first, again, other = (Trainer(run_config(seed=seed), tones, tmp_path) for seed in (1, 1, 2))
    waves = [next(trainer.batches()).samples for trainer in (first, again, other)]
    assert torch.equal(first.model.lower.head.weight, again.model.lower.head.weight)
    assert torch.equal(waves[0], waves[1])
    assert not torch.equal(first.model.lower.head.weight, other.model.lower.head.weight)
    assert waves[0].shape != waves[2].shape or not torch.equal(waves[0], waves[2])


@pytest.mark.slow
def test_the_loss_falls(tones: Path, tmp_path: Path) -> None:
    trainer = Trainer(run_config(steps=30, evaluate_every=30, flat_start_steps=10), tones, tmp_path)
    batches = trainer.batches()
    losses = [trainer.step(next(batches)) for _ in range(30)]
    for head in ("intermediate", "final"):
        first, last = (np.mean([loss[head] for loss in part]) for part in (losses[:4], losses[-4:]))
        assert last < 0.6 * first
    assert trainer.progress.step == 30


@pytest.mark.parametrize(
    ("wers", "chosen"),
    [
        ({1.0: 8.0, 0.9: 8.1, 0.8: 8.3}, 0.9),  # it may cost a little
        ({1.0: 8.0, 0.9: 7.5, 0.8: 7.8}, 0.9),  # against the best one, not against skipping nothing
        ({1.0: 8.0, 0.9: 8.5, 0.8: 8.9}, 1.0),
        ({1.0: 8.0, 0.9: 8.9, 0.8: 7.9}, 0.8),
    ],
)
def test_the_default_threshold_skips_most_among_the_best(wers: dict[float, float], chosen: float) -> None:
    training = run_config(dev_thresholds=tuple(wers)).training
    results = {f"{threshold:g}": {"wer": wer} for threshold, wer in wers.items()}
    assert choose_threshold(results | {"intermediate": {"wer": 0.0}}, training) == chosen


def test_a_static_model_never_skips(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its threshold is 1, and the best of its weights are those that hear best without a gate."""
    trainer = Trainer(run_config(dev_thresholds=(1.0, 0.9), gate_probability=0.0), tones, tmp_path)
    for step, (off, on) in enumerate([(9.0, 9.0), (8.0, 12.0), (8.5, 5.0)], start=1):
        trainer.progress.step = step
        results = {"1": {"wer": off, "kept": 1.0}, "0.9": {"wer": on, "kept": 0.5}}
        monkeypatch.setattr(trainer, "evaluate", lambda speeds, gains_db, results=results: results)
        trainer.evaluate_and_save()
    best = load_checkpoint(trainer.best_path)
    assert (best.training["step"], best.default_threshold) == ("2", 1.0)


def test_the_development_set_is_heard_at_each_speed(
    tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(run_config(dev_speeds=(0.9, 1.0, 1.1)), tones, tmp_path)
    lengths = [len(wave) for wave in trainer.dev[0].waves]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 3
    heard: list[int] = []
    monkeypatch.setattr(
        evaluation, "texts", lambda scores, frames, tokens: heard.extend(frames.tolist()) or [""] * len(frames)
    )
    trainer.evaluate((0.9, 1.0, 1.1), (0.0,))
    assert sorted(heard)[:: len(heard) // len(set(heard))] == sorted(-(-length // 640) for length in lengths)


def test_no_development_speaker_is_trained_on(tones: Path, tmp_path: Path) -> None:
    trainer = Trainer(run_config(steps=1), tones, tmp_path)
    assert len(trainer.dev) == 6  # whole speakers have six utterances
    assert len(trainer.examples) == 18


def test_the_development_set_is_left_as_a_manifest(
    tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads back to what was held out, from anywhere, and a resumed run leaves it as it is."""
    monkeypatch.chdir(tones.parent)
    trainer = Trainer(run_config(steps=1), Path(tones.name), tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run" / "development.jsonl"
    found = read_manifest(path)
    train, held = hold_out(read_manifest(tones / "tones.jsonl"), 4)
    assert [(u.audio, u.text, u.speaker, u.duration_s) for u in found] == [
        (u.audio, u.text, u.speaker, u.duration_s) for u in held
    ]
    assert [u.text for u in found] == [example.text for example in trainer.dev]
    assert not {u.speaker for u in found} & {u.speaker for u in train}
    written = path.read_bytes()
    Trainer(run_config(steps=1), tones, tmp_path / "run")
    assert path.read_bytes() == written


def test_the_first_process_alone_writes_the_development_set(
    tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trainer(run_config(steps=1), tones, tmp_path)
    (tmp_path / "development.jsonl").unlink()
    monkeypatch.setenv("RANK", "1")
    Trainer(run_config(steps=1), tones, tmp_path)
    assert not (tmp_path / "development.jsonl").exists()


@pytest.fixture
def faulty(tones: Path, tmp_path: Path) -> Path:
    """A data folder whose manifest has a broken line, a missing, a corrupt and a far too short recording."""
    folder = tmp_path / "faulty"
    shutil.copytree(tones, folder)
    (folder / "corrupt.wav").write_bytes(b"RIFF, they say")
    soundfile.write(folder / "short.wav", np.zeros(800), 16_000)
    lines = (folder / "tones.jsonl").read_text().splitlines()
    for name in ("missing.wav", "corrupt.wav", "short.wav"):
        lines.append(json.dumps({"audio_filepath": name, "text": "LOW MID TOP", "speaker": "s0"}))
    (folder / "tones.jsonl").write_text("\n".join([*lines[:2], "{broken", *lines[2:]]))
    return folder


def test_faulty_utterances_are_told_with_their_line_and_skipped(
    faulty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(run_config(steps=1, on_fault="skip"), faulty, tmp_path / "run")
    assert len(trainer.examples) + len(trainer.dev) == 24
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("skipped: ")]
    for line, what in ((3, "broken JSON"), (26, "missing.wav"), (27, "corrupt.wav"), (28, "too few")):
        assert any(f"tones.jsonl:{line}:" in fault and what in fault for fault in told), (line, told)
    assert len(told) == 4
    assert [entry["skipped"] for entry in logged(tmp_path / "run")] == [
        fault.removeprefix("skipped: ") for fault in told
    ]


def test_development_utterances_at_fault_are_not_in_its_manifest(faulty: Path, tmp_path: Path) -> None:
    lines = (faulty / "tones.jsonl").read_text().replace('"speaker": "s0"}', '"speaker": "s3"}')  # whom it holds out
    (faulty / "tones.jsonl").write_text(lines)
    trainer = Trainer(run_config(steps=1, on_fault="skip"), faulty, tmp_path / "run")
    assert len(trainer.dev) == 6
    assert [u.text for u in read_manifest(trainer.development_path)] == [example.text for example in trainer.dev]
    assert not {u.audio.name for u in read_manifest(trainer.development_path)} & {"corrupt.wav", "short.wav"}


@pytest.mark.parametrize(("keep", "message"), [(3, ":3: broken JSON"), (27, ":26: .*corrupt"), (28, ":26: .*too few")])
def test_a_fault_is_fatal_unless_told_otherwise(faulty: Path, tmp_path: Path, keep: int, message: str) -> None:
    lines = (faulty / "tones.jsonl").read_text().splitlines()
    sound = lines[:2] + lines[3:25]
    (faulty / "tones.jsonl").write_text("\n".join(lines[:3] if keep == 3 else [*sound, "", lines[keep - 1]]))
    with pytest.raises(EdgeAsrError, match=message):
        Trainer(run_config(steps=1), faulty, tmp_path / "run")


def test_joined_utterances_are_one_stream_of_all_their_words(tones: Path, tmp_path: Path) -> None:
    alone = run_config(batch_s=4.0)
    joined = dataclasses.replace(
        alone, augmentation=dataclasses.replace(alone.augmentation, join_probability=0.9, nonspeech_ratio=0.0)
    )
    trainer = Trainer(joined, tones, tmp_path)
    batch = next(trainer.batches())
    tokens = zip(batch.targets, batch.lengths, strict=True)
    words = [len(trainer.tokens.to_text(row[:count].tolist()).split()) for row, count in tokens]
    assert max(words) >= 4
    assert all(count % 2 == 0 for count in words)  # two words an utterance
    longest_alone_s = max(len(wave) for example in trainer.examples for wave in example.waves) / 16_000 + 0.2
    assert int(batch.frames.max()) * 0.04 > longest_alone_s


def test_repeats_weigh_manifests(tones: Path, tmp_path: Path) -> None:
    once, thrice = (Trainer(run_config(steps=1, repeats=r), tones, tmp_path / str(len(r))) for r in ((), (3,)))
    assert len(thrice.examples) == 3 * len(once.examples)
    assert len(thrice.dev) == len(once.dev)


def test_the_first_epochs_meet_the_easy_manifests_only(tones: Path, tmp_path: Path) -> None:
    (tones / "hard.jsonl").write_text((tones / "tones.jsonl").read_text())
    settings = {"manifests": ("tones.jsonl", "hard.jsonl"), "easy_manifests": 1, "easy_epochs": 1, "batch_s": 2.0}
    trainer = Trainer(run_config(steps=1, **settings), tones, tmp_path)
    seen = {0: 0, 1: 0}
    for batch in trainer.batches():
        if trainer.progress.epoch > 1:
            break
        seen[trainer.progress.epoch] += len(batch.frames)
    assert seen == {0: 18, 1: 18 + 24}


def test_all_objectives_together_train(tones: Path, tmp_path: Path) -> None:
    config = run_config(steps=4, flat_start_steps=1, gate_from_step=2, middle_weight=0.3, consistency_weight=0.2)
    trainer = Trainer(config, tones, tmp_path)
    batches = trainer.batches()
    losses = [trainer.step(next(batches)) for _ in range(4)]
    for loss in losses[1:]:
        assert loss["consistency"] > 0
        assert loss["middle"] > 0
        parts = (
            0.3 * loss["intermediate"] + 0.7 * loss["final"] + 0.3 * loss["distillation"],
            0.3 * loss["middle"] + 0.2 * loss["consistency"],
        )
        assert loss["total"] == pytest.approx(sum(parts), rel=1e-4)


@pytest.mark.parametrize("changes", [{"distillation": "blank"}, {"distillation": "all"}, {"skipped": "intermediate"}])
def test_switches_reach_the_objective(tones: Path, tmp_path: Path, changes: dict[str, str]) -> None:
    """The gate skips something in the second step, after one in which both runs are alike."""
    settings = {"flat_start_steps": 1, "gate_from_step": 1, "gate_probability": 1.0, "gate_exponent": (-0.4, -0.3)}
    seen = []
    for number, switches in enumerate(({}, changes)):
        trainer = Trainer(run_config(steps=2, **settings, **switches), tones, tmp_path / str(number))
        batch = next(trainer.batches())
        trainer.step(batch)
        with torch.no_grad():
            trainer.model.lower.head.weight *= 16  # what a frame is taken for spreads
            trainer.model.lower.head.bias[0] += 2.0
        seen.append(trainer.step(batch))
    usual, switched = seen
    assert 0.05 < usual["kept"] == switched["kept"] < 0.95
    assert usual["intermediate"] == switched["intermediate"]
    named = "final" if "skipped" in changes else "distillation"
    assert usual[named] != pytest.approx(switched[named], rel=1e-3)
    assert switched["total"] == pytest.approx(
        0.3 * switched["intermediate"] + 0.7 * switched["final"] + 0.3 * switched["distillation"], rel=1e-4
    )


def test_a_factorized_model_trains_by_the_same_objective(tones: Path, tmp_path: Path) -> None:
    usual = run_config(steps=3, flat_start_steps=1, gate_from_step=1, gate_probability=1.0, distillation="blank")
    trainer = Trainer(dataclasses.replace(usual, model={**usual.model, "factorized": True}), tones, tmp_path)
    batch = next(trainer.batches())
    before = {name: value.clone() for name, value in trainer.model.state_dict().items() if "head" in name}
    for _ in range(3):
        loss = trainer.step(batch)
        assert all(np.isfinite(value) for value in loss.values())
    assert len(before) == 8
    assert not any(torch.equal(trainer.model.state_dict()[name], value) for name, value in before.items())


LEARNED = {"gate": {"learned": True, "spike_left": 0, "spike_right": 0}}


def learned_config(**training: object) -> RunConfig:
    usual = run_config(**{"gate_weight": 0.5, **training})
    return dataclasses.replace(usual, model={**usual.model, **LEARNED})


def test_batches_that_are_not_gated_teach_a_learned_gate(tones: Path, tmp_path: Path) -> None:
    """After the flat start, which teaches both CTC heads alone; of a gated batch the final head has not seen all."""
    config = learned_config(flat_start_steps=1, gate_from_step=2, gate_probability=1.0)
    trainer = Trainer(config, tones, tmp_path)
    batch = next(trainer.batches())
    for taught in (False, True, False):
        before = trainer.model.lower.gate.weight.detach().clone()
        loss = trainer.step(batch)
        assert ("gate" in loss) == taught
        assert torch.equal(trainer.model.lower.gate.weight, before) != taught
        if trainer.progress.step > 1:
            parts = 0.3 * loss["intermediate"] + 0.7 * loss["final"] + 0.3 * loss["distillation"]
            assert loss["total"] == pytest.approx(parts + 0.5 * loss.get("gate", 0.0), rel=1e-4)


def test_a_learned_gate_foresees_the_upper_stack(tones: Path, tmp_path: Path) -> None:
    """Taught by nothing else, its head learns what is blank to an upper stack of random weights and no layers, of
    speakers that it has not heard: most of what the share of blank alone does not tell. Nothing but that head moves."""
    alone = {"intermediate_weight": 0.0, "final_weight": 0.0, "distillation_weight": 0.0, "weight_decay": 0.0}
    never = {"flat_start_steps": 0, "gate_from_step": 30, "spec_augment_from_step": 30}
    config = learned_config(steps=30, peak_rate=5e-2, average_decay=0.9, batch_s=4.0, **alone, **never)
    model = {**config.model, "upper": {**config.model["upper"], "layers": 0}}
    trainer = Trainer(dataclasses.replace(config, model=model), tones, tmp_path)
    waves = [example.waves[0].astype(np.float32) / 32_768 for example in trainer.dev]
    batch = pad(waves, [()] * len(waves), trainer.model.spec.frame_samples)

    def hear() -> EncoderOutput:
        with torch.no_grad():
            mel = trainer.average.features(batch.samples, batch.frames, 8)
            return trainer.average(mel, batch.frames, torch.ones(len(waves)), 8, gate=False)

    trainer.average.upper.head.weight.data[0] *= 16  # what a frame is taken for spreads
    trainer.average.upper.head.bias.data[0] -= hear().final[:, :, 0].exp().logit().median()
    trainer.model.load_state_dict(trainer.average.state_dict())
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    batches = trainer.batches()
    for _ in range(30):
        trainer.step(next(batches))

    moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"lower.gate.weight", "lower.gate.bias"}
    out = hear()
    blank = out.final[:, :, 0].exp()
    share = torch.full_like(blank, float(blank[valid_frames(out)].mean()))
    least, most = (gate_cross_entropy(dataclasses.replace(out, gate=gate.logit(1e-6)), 0) for gate in (blank, share))
    assert most - least > 0.03
    assert gate_cross_entropy(out, 0) - least < 0.5 * (most - least)


def test_phones_train_the_lower_stack_and_resume(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "pronounce", one_phone_a_letter)
    config = run_config(steps=4, evaluate_every=4, flat_start_steps=1, phone_weight=0.5)
    trainer = Trainer(config, tones, tmp_path)
    batch = next(trainer.batches())
    trainer.step(batch)
    untrained = trainer.phone_head.weight.detach().clone()
    loss = trainer.step(batch)
    assert not torch.equal(trainer.phone_head.weight, untrained)
    parts = 0.3 * loss["intermediate"] + 0.7 * loss["final"] + 0.3 * loss["distillation"] + 0.5 * loss["phones"]
    assert loss["total"] == pytest.approx(parts, rel=1e-4)
    trainer.save_state()
    assert torch.equal(Trainer(config, tones, tmp_path).phone_head.weight, trainer.phone_head.weight)


def test_batches_are_padded_to_few_shapes() -> None:
    config = EncoderConfig(vocabulary=5)
    batch = pad([np.ones(641, np.float32), np.ones(20_480, np.float32)], [(1, 2, 3), ()], config.frame_samples)
    assert batch.samples.shape == (2, 32 * 640)
    assert batch.frames.tolist() == [2, 32]
    assert batch.samples[0, :641].min() == 1
    assert batch.samples[0, 641:].abs().max() == 0
    assert batch.targets.tolist() == [[1, 2, 3], [0, 0, 0]]
    assert batch.lengths.tolist() == [3, 0]


def test_a_run_starts_from_another_ones_weights_and_pieces(tones: Path, tmp_path: Path, straight_run: Path) -> None:
    shutil.copytree(straight_run, tmp_path / "first")
    wider_gate = {**run_config().model, "gate": {"spike_left": 0, "spike_right": 2}}
    config = dataclasses.replace(run_config(start_from="first", pieces=99), model=wider_gate)
    started = Trainer(config, tones, tmp_path / "second")
    expected = load_checkpoint(tmp_path / "first" / "model.safetensors")
    assert started.tokens.pieces == expected.tokens.pieces
    assert started.model.config.gate.spike_right == 2
    for weights in (started.model.state_dict(), started.average.state_dict()):
        assert all(torch.equal(weights[name], value) for name, value in expected.model.state_dict().items())


def test_a_share_of_the_start_is_in_what_is_written(tones: Path, tmp_path: Path, straight_run: Path) -> None:
    shutil.copytree(straight_run, tmp_path / "first")
    config = run_config(start_from="first", start_share=0.25, steps=2, flat_start_steps=0, evaluate_every=2)
    Trainer(config, tones, tmp_path / "second").train()
    start, run, written = (
        load_checkpoint(tmp_path / name).model.state_dict()
        for name in ("first/model.safetensors", "second/best.safetensors", "second/model.safetensors")
    )
    assert any(not torch.equal(run[name], start[name]) for name in start)
    for name, value in written.items():  # float16 on disk
        assert torch.allclose(value, 0.75 * run[name] + 0.25 * start[name], atol=2e-3)


def test_development_speech_is_heard_at_each_level(tones: Path, tmp_path: Path) -> None:
    """Where it is too quiet for 16 bits there is nothing to hear: half of the words then."""
    quiet = Trainer(run_config(dev_gains_db=(0.0, -120.0)), tones, tmp_path)
    heard: list[torch.Tensor] = []
    quiet.average.register_forward_pre_hook(lambda module, inputs: heard.append(inputs[0]))
    quiet.evaluate((1.0,), quiet.config.training.dev_gains_db)
    rows = torch.cat([mel.flatten(1) for mel in heard[:: len(quiet.config.training.dev_thresholds)]])
    assert len(rows) == 2 * len(quiet.dev)
    assert (rows.std(dim=1) == 0).sum() == len(quiet.dev)


def test_a_shallower_model_starts_from_the_lowest_layers(tones: Path, tmp_path: Path, straight_run: Path) -> None:
    shutil.copytree(straight_run, tmp_path / "first")
    layers = run_config().model["upper"]["layers"]
    model = {**run_config().model, "upper": {**run_config().model["upper"], "layers": layers - 1}}
    config = dataclasses.replace(run_config(start_from="first"), model=model)
    own = Trainer(config, tones, tmp_path / "second").model.state_dict()
    first = load_checkpoint(tmp_path / "first" / "model.safetensors").model.state_dict()
    assert {name for name in first if name not in own} == {
        name for name in first if name.startswith(f"upper.stack.layers.{layers - 1}.")
    }
    assert all(torch.equal(value, first[name]) for name, value in own.items())
    deeper = {**run_config().model, "upper": {**run_config().model["upper"], "layers": layers + 1}}
    with pytest.raises(EdgeAsrError, match=r"do not fit this run's \[model\]"):
        Trainer(dataclasses.replace(config, model=deeper), tones, tmp_path / "third")


def test_a_gate_begins_to_learn_in_a_run_that_starts_from_another(
    tones: Path, tmp_path: Path, straight_run: Path
) -> None:
    """Its head is fresh, all else is taken over; and what it has learnt is not dropped without a word."""
    shutil.copytree(straight_run, tmp_path / "first")
    started = Trainer(learned_config(start_from="first"), tones, tmp_path / "second")
    first = load_checkpoint(tmp_path / "first" / "model.safetensors").model.state_dict()
    for weights in (started.model.state_dict(), started.average.state_dict()):
        assert weights.keys() - first.keys() == {"lower.gate.weight", "lower.gate.bias"}
        assert all(torch.equal(weights[name], value) for name, value in first.items())
    assert torch.equal(started.average.lower.gate.weight, started.model.lower.gate.weight)
    started.save_model(started.model_path, threshold=0.9, step=0)
    third = Trainer(learned_config(start_from="second"), tones, tmp_path / "third")
    assert torch.equal(third.model.lower.gate.weight, started.model.lower.gate.weight.half().float())
    with pytest.raises(EdgeAsrError, match=r"do not fit this run's \[model\]"):
        Trainer(run_config(start_from="second"), tones, tmp_path / "fourth")


def test_a_factorized_model_starts_from_one_that_is_not(tones: Path, tmp_path: Path, straight_run: Path) -> None:
    """Labels keep their probabilities among each other, in both heads; all else is taken as it is."""
    shutil.copytree(straight_run, tmp_path / "first")
    config = dataclasses.replace(run_config(start_from="first"), model={**run_config().model, "factorized": True})
    model = Trainer(config, tones, tmp_path / "second").model
    first = load_checkpoint(tmp_path / "first" / "model.safetensors").model
    labels = [index for index in range(first.config.vocabulary) if index != first.config.blank_id]
    for own, stack in ((model.lower, first.lower), (model.upper, first.upper)):
        hidden = torch.randn(5, stack.head.weight.shape[1])
        expected = torch.log_softmax(stack.head(hidden)[:, labels], dim=-1)
        torch.testing.assert_close(torch.log_softmax(own.head(hidden)[:, labels], dim=-1), expected)
    taken = first.state_dict()
    assert all(torch.equal(value, taken[name]) for name, value in model.state_dict().items() if ".head." not in name)


def test_a_start_that_is_not_there_or_does_not_fit_is_told(tones: Path, tmp_path: Path, straight_run: Path) -> None:
    with pytest.raises(EdgeAsrError, match=r"nowhere/tokens.model: cannot start from that run"):
        Trainer(run_config(start_from="nowhere"), tones, tmp_path / "second")
    shutil.copytree(straight_run, tmp_path / "first")
    changes = ({"subsampling_channels": 8}, LEARNED | {"subsampling_channels": 8})
    for number, change in enumerate(changes):
        other = dataclasses.replace(run_config(start_from="first"), model={**run_config().model, **change})
        with pytest.raises(EdgeAsrError, match=r"do not fit this run's \[model\]"):
            Trainer(other, tones, tmp_path / f"other {number}")
