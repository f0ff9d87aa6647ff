"""`edge-asr evaluate`: what a manifest scores, and every way in which a manifest can be wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.beeps import write_manifest
from tests.outcome import Run

PROMISED = {
    *("utterances", "words", "wer", "wer_ci95", "cer", "substitutions", "deletions", "insertions"),
    *("audio_s", "compute_s", "rtf", "threshold", "kept_frame_ratio", "upper_runs", "threads", "model_sha256"),
}


def test_json_holds_everything_that_was_promised(run: Run, beep_model: Path, beep_manifest: Path) -> None:
    outcome = run("evaluate", beep_manifest, "--model", beep_model, "--json")
    answer = outcome.json
    assert (outcome.code, outcome.err) == (0, "")
    assert set(answer) >= PROMISED
    assert (answer["utterances"], answer["words"]) == (2, 5)
    assert (answer["substitutions"], answer["deletions"], answer["insertions"]) == (1, 1, 0)
    assert answer["wer"] == pytest.approx(40.0)
    assert answer["wer_ci95"][0] <= answer["wer"] <= answer["wer_ci95"][1]
    assert answer["audio_s"] == pytest.approx(2.4)
    assert answer["rtf"] == pytest.approx(answer["compute_s"] / answer["audio_s"])
    assert answer["threshold"] == 0.9  # the model's own
    assert answer["kept_frame_ratio"] == pytest.approx(20 / 60)
    assert answer["threads"] == 1
    assert answer["model_sha256"] == hashlib.sha256(beep_model.read_bytes()).hexdigest()


def test_threshold_off_never_skips(run: Run, beep_model: Path, beep_manifest: Path) -> None:
    answer = run("evaluate", beep_manifest, "--model", beep_model, "--threshold", "off", "--json").json
    assert (answer["threshold"], answer["kept_frame_ratio"]) == (1.0, 1.0)


def test_a_gain_changes_what_is_heard(run: Run, beep_model: Path, beep_manifest: Path) -> None:
    """The toy model hears beeps by their level alone, which ours must not."""
    answer = run("evaluate", beep_manifest, "--model", beep_model, "--gain", -40, "--json").json
    assert (answer["gain_db"], answer["deletions"]) == (-40, answer["words"])
    assert ", -40 dB" in run("evaluate", beep_manifest, "--model", beep_model, "--gain", -40).out


def test_limit_takes_the_first_utterances(run: Run, beep_model: Path, beep_manifest: Path) -> None:
    answer = run("evaluate", beep_manifest, "--model", beep_model, "--limit", 1, "--json").json
    assert (answer["utterances"], answer["words"]) == (1, 3)


def test_the_table_shows_rate_and_gate(run: Run, beep_model: Path, beep_manifest: Path) -> None:
    out = run("evaluate", beep_manifest, "--model", beep_model).out
    assert "40.00 %" in out
    assert "threshold 0.9" in out


def test_hypotheses_are_written_a_line_each(run: Run, beep_model: Path, beep_manifest: Path, tmp_path: Path) -> None:
    heard = tmp_path / "heard.jsonl"
    run("evaluate", beep_manifest, "--model", beep_model, "--hypotheses", heard)
    entries = [json.loads(line) for line in heard.read_text().splitlines()]
    assert [entry["hypothesis"] for entry in entries] == ["BEEP BEEP", "BEEP BEEP"]
    assert [entry["text"] for entry in entries] == ["BEEP BEEP BEEP", "BEEP BOP"]


def test_a_rate_without_reference_words_is_null_in_json(
    run: Run, beep_model: Path, beeps: Path, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "empty.jsonl", [{"audio_filepath": beeps.name, "text": ""}])
    assert run("evaluate", manifest, "--model", beep_model, "--json").json["wer"] is None
    out = run("evaluate", manifest, "--model", beep_model).out
    assert "– %  (95 % interval – to –; 0 sub, 0 del, 2 ins)" in out
    assert "inf" not in out


def test_an_unwritable_hypotheses_file_is_told_before_decoding(
    run: Run, beep_model: Path, beep_manifest: Path, tmp_path: Path
) -> None:
    target = tmp_path / "absent" / "heard.jsonl"
    run("evaluate", beep_manifest, "--model", beep_model, "--hypotheses", target).assert_fails(
        "No such file", str(target)
    )


def test_a_missing_manifest(run: Run, tmp_path: Path) -> None:
    run("evaluate", tmp_path / "none.jsonl").assert_fails("none.jsonl", "no such manifest")


def test_a_folder_is_no_manifest(run: Run, tmp_path: Path) -> None:
    run("evaluate", tmp_path).assert_fails(str(tmp_path))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"audio_filepath": "gone.wav", "text": "A"}', "gone.wav"),
        ('{"audio_filepath": "one.wav", "text": ', "broken JSON"),
        ('{"audio_filepath": "one.wav"}', "'text'"),
        ('["one.wav", "A"]', "object"),
        ('{"audio_filepath": "one.wav", "text": "A", "duration": "long"}', "duration"),
    ],
)
def test_a_bad_line_is_named_by_its_number(run: Run, beep_manifest: Path, line: str, reason: str) -> None:
    with beep_manifest.open("a") as file:
        file.write(f"\n{line}\n")
    run("evaluate", beep_manifest).assert_fails(f"{beep_manifest}:4", reason)


def test_audio_that_breaks_off_is_named(run: Run, beep_model: Path, beep_manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "two.wav").write_bytes(b"no audio at all")
    run("evaluate", beep_manifest, "--model", beep_model).assert_fails("two.wav")


@pytest.mark.parametrize("option", [("--limit", "0"), ("--threads", "0"), ("--threshold", "2")])
def test_numbers_out_of_range_are_wrong_usage(run: Run, beep_manifest: Path, option: tuple[str, str]) -> None:
    run("evaluate", beep_manifest, *option).assert_fails(option[0], code=2)
