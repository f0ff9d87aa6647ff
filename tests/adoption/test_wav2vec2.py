"""A model that `transformers` saved is adopted: at full context it says what `transformers` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from edge_asr.adoption.adopt import adopt
from edge_asr.model.checkpoint import load_checkpoint
from edge_asr.model.wav2vec2 import Wav2Vec2Encoder
from edge_asr.tokens import BLANK
from edge_asr.training.spelling import spelling_of
from tests.adoption.sources import KINDS, SMALL, model_of, saved
from tests.outcome import Run


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_at_full_context_it_equals_transformers(kind: str, tmp_path: Path) -> None:
    adopted = adopt(str(saved(kind, tmp_path)), cut=1).checkpoint
    assert isinstance(adopted.model, Wav2Vec2Encoder)
    samples = torch.randn(2, 16_000)
    with torch.no_grad():
        ours, theirs = adopted.model.whole(samples), model_of(kind)(samples).logits
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 1e-4
    assert theirs.std() > 0.1


def test_the_intermediate_head_begins_as_the_final_one(tmp_path: Path) -> None:
    adoption = adopt(str(saved("wav2vec2-layer", tmp_path)), cut=3)
    model = adoption.checkpoint.model
    assert isinstance(model, Wav2Vec2Encoder)
    assert torch.equal(model.lower.head.weight, model.upper.head.weight)
    assert not model.lower.condition.weight.any()
    assert set(adoption.new) == {
        f"lower.{part}.{kind}" for part in ("norm", "head", "condition") for kind in ("weight", "bias")
    }
    assert adoption.checkpoint.tokens.pieces == (BLANK, "", "", "", "▁", "A", "B", "C")
    assert adoption.checkpoint.default_threshold == 1.0


def test_a_model_without_a_head_gets_letters(tmp_path: Path) -> None:
    import transformers

    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**SMALL)).save_pretrained(tmp_path)
    adoption = adopt(str(tmp_path), cut=2)
    assert len(adoption.checkpoint.tokens.pieces) == 29
    assert {"upper.head.weight", "upper.head.bias"} <= set(adoption.new)


def test_pieces_are_learnt_on_the_texts_to_come(run: Run, tmp_path: Path, beep_manifest: Path) -> None:
    import transformers

    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**SMALL)).save_pretrained(tmp_path / "source")
    made = sorted({*(path.name for path in tmp_path.iterdir() if path.is_file()), "x.safetensors"})
    line = ("adopt", tmp_path / "source", "--cut", 1, "-o", tmp_path / "x.safetensors")
    assert run(*line, "--learn-pieces", 6, "--texts", beep_manifest).code == 0
    start = load_checkpoint(tmp_path / "x.safetensors")
    assert len(start.tokens.pieces) == 7
    assert start.tokenizer is not None
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == made
    assert start.tokens.to_text(spelling_of(start.tokens, start.tokenizer).encode("BEEP BOP")) == "BEEP BOP"
    assert "come together" in run(*line, "--learn-pieces", 6).err
    assert "cannot learn 60 pieces" in run(*line, "--learn-pieces", 60, "--texts", beep_manifest).err


def test_the_command_writes_a_checkpoint_and_says_what_it_is(run: Run, tmp_path: Path) -> None:
    source, output = saved("wav2vec2-group", tmp_path / "source"), tmp_path / "start.safetensors"
    report = run("adopt", source, "--cut", 1, "-o", output, "--json").json
    assert (report["lower"]["layers"], report["upper"]["layers"], report["frame_ms"]) == (1, 3, 20.0)
    model = load_checkpoint(output).model
    assert report["lower"]["parameters"] + report["upper"]["parameters"] == sum(p.numel() for p in model.parameters())
    lower, upper = report["lower"]["mmac_s"], report["upper"]["mmac_s"]
    # each of three layers, 50 rows a second: linears, and scores and sums over 32 + 96 rows, of 64 and 96 in a block
    layer = 50 * (4 * 32 * 32 + 2 * 32 * 48)
    assert 3 * layer / 1e6 < upper < 3 * (layer + 50 * 2 * 32 * 160) / 1e6 + 0.02
    assert report["expected_speed_up"]["times"] == pytest.approx((lower + upper) / (lower + 0.3 * upper), abs=1e-3)
    shown = run("adopt", source, "--cut", 1, "-o", output).out
    assert "3 layers" in shown
    assert "expected where 30% of the frames are kept" in shown


@pytest.mark.parametrize("cut", [4, 9])
def test_a_cut_that_leaves_nothing_above_is_refused(run: Run, tmp_path: Path, cut: int) -> None:
    outcome = run("adopt", saved("wav2vec2-group", tmp_path / "source"), "--cut", cut, "-o", tmp_path / "x.safetensors")
    outcome.assert_fails(f"a cut after layer {cut} leaves nothing on one side: there are 4 layers")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hidden_act": "relu"}, "hidden_act 'relu' is not built"),
        ({"add_adapter": True}, "add_adapter True is not built"),
        ({"num_hidden_layers": 5}, "wav2vec2.encoder.layers.4.attention.q_proj.weight is missing"),
        ({"hidden_size": 36}, "size mismatch"),
        ({"conv_dim": None}, "a value of its config.json is of another kind than expected"),
        ({"hidden_size": "32"}, "a value of its config.json is of another kind than expected"),
        ({"vocab_size": 9}, "says nothing of output 8 of 9"),
        ({"vocab_size": None}, "does not say what its outputs are"),
        ({"architectures": 5}, "does not say what its outputs are"),
        ({"num_attention_heads": 0}, "cannot be adopted"),
        ({"conv_stride": [0] * 7}, "cannot be adopted"),
    ],
)
def test_a_configuration_that_does_not_fit_is_told(
    run: Run, tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    source = saved("wav2vec2-group", tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | changed))
    run("adopt", source, "--cut", 1, "-o", tmp_path / "x.safetensors").assert_fails(told)


def test_several_cuts_are_several_files(run: Run, tmp_path: Path) -> None:
    source = saved("wav2vec2-group", tmp_path / "source")
    output = tmp_path / "start-{cut}.safetensors"
    reports = run("adopt", source, "--cut", 1, "--cut", 3, "-o", output, "--json").json["adoptions"]
    assert [report["cut"] for report in reports] == [1, 3]
    assert reports[0]["expected_speed_up"]["times"] > reports[1]["expected_speed_up"]["times"]
    for report in reports:
        assert report["path"] == str(tmp_path / f"start-{report['cut']}.safetensors")
        assert load_checkpoint(Path(report["path"])).model.spec.lower_layers == report["cut"]
    again = tmp_path / "again-{cut}.safetensors"
    run("adopt", source, "--cut", 1, "--cut", 9, "-o", again).assert_fails("a cut after layer 9")
    assert not list(tmp_path.glob("again*"))  # all of them, or none
    assert "write {cut}" in run("adopt", source, "--cut", 1, "--cut", 3, "-o", tmp_path / "start.safetensors").err


def test_what_has_no_place_here_is_named(run: Run, tmp_path: Path) -> None:
    source = saved("wav2vec2-group", tmp_path / "source")
    weights = load_file(source / "model.safetensors")
    save_file(weights | {"decoder.weight": torch.zeros(3)}, source / "model.safetensors")
    report = run("adopt", source, "--cut", 1, "-o", tmp_path / "x.safetensors", "--json").json
    assert report["left_tensors"] == ["decoder.weight", "wav2vec2.masked_spec_embed"]
    assert report["copied_tensors"] == len(weights) - 1


def test_a_head_that_is_promised_and_missing_is_told(run: Run, tmp_path: Path) -> None:
    source = saved("wav2vec2-group", tmp_path / "source")
    weights = load_file(source / "model.safetensors")
    headless = {name: value for name, value in weights.items() if not name.startswith("lm_head")}
    save_file(headless, source / "model.safetensors")
    outcome = run("adopt", source, "--cut", 1, "-o", tmp_path / "x.safetensors")
    outcome.assert_fails("its config.json names a CTC head that its weights do not hold")


def test_what_is_written_can_be_read_by_whoever_may_read_files_here(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "x.safetensors"
    run("adopt", saved("wav2vec2-group", tmp_path / "source"), "--cut", 1, "-o", output)
    (tmp_path / "usual").touch()
    assert output.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_weights_too_large_for_half_precision_are_not_written(run: Run, tmp_path: Path) -> None:
    source = saved("wav2vec2-group", tmp_path / "source")
    weights = load_file(source / "model.safetensors")
    weights["wav2vec2.encoder.layers.0.feed_forward.output_dense.bias"][0] = 1e5
    save_file(weights, source / "model.safetensors")
    outcome = run("adopt", source, "--cut", 1, "-o", tmp_path / "x.safetensors")
    outcome.assert_fails("lower.layers.0.down.bias is not finite in half precision")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
