"""`edge-asr profile`: what a user types, and what comes back. The runner is real, the model a tiny one."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile

from edge_asr.commands import profile, report_files
from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import Build
from edge_asr.profiling import session, stages
from edge_asr.profiling.contenders import Gated, Work
from edge_asr.profiling.report import Report, from_json
from edge_asr.profiling.report_schema import SCHEMA_FILE
from edge_asr.profiling.session import Plan
from tests.beeps import write_beeps, write_manifest
from tests.outcome import Outcome, Run

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch, native_build: Build) -> None:
    """Short passes, few cold starts, no torch."""
    plan = functools.partial(Plan, cold_starts=1, pass_s=0.005, stages=False)
    monkeypatch.setattr(profile, "Plan", plan)
    monkeypatch.setattr(session, "LOOK_AROUND_S", 0.01)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    write_beeps(tmp_path / "one.wav", ".x.x.")
    write_beeps(tmp_path / "two.wav", "..x.x..x")
    entries = [{"audio_filepath": "one.wav", "text": "A B"}, {"audio_filepath": "two.wav", "text": "C"}]
    return write_manifest(tmp_path / "manifest.jsonl", entries)


def report_of(outcome: Outcome) -> Report:
    """JSON that was asked for on stdout, and nothing else there."""
    assert outcome.code == 0, outcome.err
    jsonschema.validate(outcome.json, json.loads(SCHEMA_FILE.read_text()), cls=jsonschema.Draft202012Validator)
    return from_json(outcome.out)


# what it measures


def test_a_report_of_the_gate_on_and_off(run: Run, tiny_pte: Path, manifest: Path) -> None:
    report = report_of(run("profile", manifest, "--model", tiny_pte, "--passes", 6, "--json", "-"))
    on, off = report.results
    assert (on.setting.name, off.setting.name) == ("gate 0.9", "gate off")
    assert (on.setting.threshold, off.setting.threshold) == (0.9, 1.0)
    assert off.kept_frames == off.frames == on.frames
    assert on.audio_s == pytest.approx(13 * 0.2, abs=0.1)
    assert [len(result.passes) for result in report.results] == [6, 6]
    assert sorted(each.order for result in report.results for each in result.passes) == list(range(12))
    for result in report.results:
        assert result.accuracy
        assert result.accuracy.words == 3
        assert result.latency
        assert result.latency.warm_step_ms
        assert 0 < result.latency.warm_step_ms.p50_ms <= result.latency.warm_step_ms.p99_ms
        assert result.latency.end_of_speech_ms
        assert result.memory.file_bytes == tiny_pte.stat().st_size
        assert result.memory.peak_rss_bytes
        assert result.memory.pss_bytes
        assert result.memory.pss_bytes <= result.memory.peak_rss_bytes < 100e6
        assert result.energy.kind in ("not measured", "measured")
    compute = next(ratio for ratio in report.ratios if ratio.quantity == "compute")
    assert compute.ci95
    assert compute.ci95[0] <= compute.ratio <= compute.ci95[1]
    assert report.conditions.target == "local"
    assert report.protocol.recordings == 2


def test_a_table_is_for_people(run: Run, tiny_pte: Path, manifest: Path) -> None:
    outcome = run("profile", manifest, "--model", tiny_pte, "--passes", 2, "--energy", "none")
    assert (outcome.code, outcome.err) == (0, "")
    for part in (
        "tiny.pte, fp32",
        "gate 0.9",
        "gate off",
        "real-time factor",
        "p50/90/99",
        "start to first result",
        "end of speech",
        "peak memory",
        "frames kept",
        "gate 0.9 against gate off",
        "energy: not measured: not asked for",
        "not to be quoted",
        "too few for an interval",
    ):
        assert part in outcome.out


def test_the_bundled_recording_is_the_default(run: Run, tiny_pte: Path) -> None:
    report = report_of(run("profile", "--model", tiny_pte, "--passes", 1, "--json", "-"))
    assert (report.protocol.recordings, report.results[0].accuracy) == (1, None)
    assert report.protocol.traversals > 1


def test_the_command_is_in_the_report(run: Run, tiny_pte: Path, manifest: Path) -> None:
    line = ["profile", manifest, "--model", tiny_pte, "--threshold", "0.5", "--threshold", "off", "--passes", 1]
    report = report_of(run(*line, "--json", "-"))
    assert report.command == f"edge-asr profile {manifest} --model {tiny_pte} --threshold 0.5 --threshold off " + (
        "--passes 1 --json -"
    )
    assert [result.setting.name for result in report.results] == ["gate 0.5", "gate off"]


def test_files_are_told_apart_by_their_names(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pte"
    other.write_bytes(changed_copy(tiny_pte))
    line = ["profile", manifest, "--model", tiny_pte, "--against", other, "--against", "off", "--passes", 1]
    report = report_of(run(*line, "--json", "-"))
    assert [result.setting.name for result in report.results] == ["tiny gate 0.9", "other gate 0.9", "tiny gate off"]
    assert {ratio.to for ratio in report.ratios} == {"other gate 0.9", "tiny gate off"}


def changed_copy(pte: Path) -> bytes:
    """Another file of the same program: a later date in its metadata would do the same."""
    from edge_asr.contract import TRAILER, sealed

    program = pte.read_bytes()[: -TRAILER.size]
    old = b'"step": "0"'
    assert old in program
    return sealed(program.replace(old, b'"step": "1"', 1))


def test_one_setting_alone(run: Run, tiny_pte: Path, manifest: Path) -> None:
    report = report_of(run("profile", manifest, "--model", tiny_pte, "--against", "none", "--passes", 1, "--json", "-"))
    assert [result.setting.name for result in report.results] == ["gate 0.9"]
    assert (report.ratios, report.protocol.interleaved) == ((), False)


def test_a_manifest_without_text_gives_latency_only(run: Run, tiny_pte: Path, tmp_path: Path) -> None:
    write_beeps(tmp_path / "one.wav", ".x.x.")
    manifest = write_manifest(tmp_path / "silent.jsonl", [{"audio_filepath": "one.wav"}])
    report = report_of(run("profile", manifest, "--model", tiny_pte, "--passes", 1, "--json", "-"))
    assert report.results[0].latency
    assert report.results[0].accuracy is None
    assert "no reference texts: accuracy is not measured" in report.notes


def test_words_that_are_missing_are_told_before_anything_is_measured(
    run: Run, tiny_pte: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times and memory need no words, so it goes on: who wanted a WER sees the line, and stops it."""
    write_beeps(tmp_path / "one.wav", ".x.x.")
    manifest = write_manifest(tmp_path / "empty.jsonl", [{"audio_filepath": "one.wav", "text": " "}])
    line = ["profile", manifest, "--model", tiny_pte, "--passes", 1, "--json", "-"]
    outcome = run(*line)
    assert f"{manifest}: no reference words: accuracy is not measured, all else is" in outcome.err
    report = report_of(outcome)
    assert (report.results[0].accuracy, report.wer_changes, report.protocol.references_sha256) == (None, (), None)
    assert report.results[0].latency
    fails_in_pass(1, EdgeAsrError("the device has gone"), monkeypatch)
    assert "no reference words" in run(*line).err.splitlines()[0]


def test_a_reference_without_words_loses_no_measurement(run: Run, tiny_pte: Path, tmp_path: Path) -> None:
    """A quarter of the resamples of these two have errors and no words: WER has no upper limit."""
    for name in ("one", "two"):
        write_beeps(tmp_path / f"{name}.wav", ".x.x.")
    entries = [{"audio_filepath": "one.wav", "text": ""}, {"audio_filepath": "two.wav", "text": "A B"}]
    manifest = write_manifest(tmp_path / "half.jsonl", entries)
    page = tmp_path / "page.html"
    line = ["profile", manifest, "--model", tiny_pte, "--threshold", "off", "--against", "none", "--passes", 1]
    report = report_of(run(*line, "--json", "-", "--html", page))
    accuracy = report.results[0].accuracy
    assert accuracy
    assert accuracy.insertions > 0  # else this shows nothing
    assert accuracy.wer_ci95[1] is None
    assert " to –)" in run(*line).out
    assert " to –)" in page.read_text()


def test_an_estimate_is_called_one_everywhere(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    plan = functools.partial(Plan, cold_starts=1, metered_pass_s=1.2, idle_s=1.2, stages=False)
    page = tmp_path / "page.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "Plan", plan)
        patch.setattr("edge_asr.profiling.meters.choose.SOURCES", ())  # a machine without meters
        line = ["profile", manifest, "--model", tiny_pte, "--against", "none", "--passes", 2]
        outcome = run(*line, "--energy-estimate", 4, "--html", page)
    assert outcome.code == 0, outcome.err
    assert "ESTIMATE, not measured" in outcome.out
    assert "mJ/audio s" in outcome.out
    for text in (outcome.out, page.read_text()):
        for line_of_text in re.split(r"\n|</td>|</li>", text):
            if "mJ/audio s" in line_of_text:
                assert "estimate" in line_of_text.lower()


# files


def test_the_page_needs_nothing_from_elsewhere(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    page = tmp_path / "profile.html"
    outcome = run("profile", manifest, "--model", tiny_pte, "--passes", 6, "--html", page)
    assert outcome.code == 0, outcome.err
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|src=|url\(|https?://", text)
    assert "prefers-color-scheme: dark" in text
    for part in (
        "tiny.pte, fp32",
        "gate off",
        "Compute",
        "A warm step",
        "How steady it was",
        "the whole report as JSON",
    ):
        assert part in text
    inside = re.search(r"JSON</summary><pre>(.*?)</pre>", text, re.S)
    assert inside
    from html import unescape

    assert from_json(unescape(inside[1])).results


def test_names_from_outside_cannot_break_the_page(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    odd = tmp_path / "<b>&model.pte"
    odd.write_bytes(tiny_pte.read_bytes())
    page = tmp_path / "profile.html"
    assert run("profile", manifest, "--model", odd, "--passes", 1, "--html", page).code == 0
    assert "<b>&model" not in page.read_text()
    assert "&lt;b&gt;&amp;model.pte" in page.read_text()


def test_json_in_a_file_leaves_the_table_on_the_screen(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path
) -> None:
    outcome = run("profile", manifest, "--model", tiny_pte, "--passes", 1, "--json", tmp_path / "p.json")
    assert "real-time factor" in outcome.out
    assert from_json((tmp_path / "p.json").read_text()).results
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.jsonl", "one.wav", "p.json", "two.wav"]


def test_an_anonymous_report_names_no_folder(run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    """Absolute paths are what a local report holds, and by default a line says so."""
    files = tmp_path / "p.json", tmp_path / "p.html"
    line = ["profile", manifest, "--model", tiny_pte, "--passes", 1, "--json", files[0], "--html", files[1]]
    open_outcome = run(*line)
    assert open_outcome.err == "edge-asr: the report names absolute paths; --anonymous leaves that out\n"
    assert str(tmp_path) in files[0].read_text()
    hidden_outcome = run(*line, "--anonymous")
    assert hidden_outcome.err == ""
    for text in (files[0].read_text(), files[1].read_text(), hidden_outcome.out):
        assert str(tmp_path) not in text
        assert str(tiny_pte.parent) not in text
    report = from_json(files[0].read_text())
    assert report.command.startswith("edge-asr profile manifest.jsonl --model tiny.pte --passes 1 --json p.json")


def test_passes_so_far_are_anonymous_too(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed leaves the file of the round before."""
    fails_in_pass(6, EdgeAsrError(f"{tmp_path}/x: the device has gone"), monkeypatch)
    kept: list[str] = []
    write = report_files.write_whole
    monkeypatch.setattr(report_files, "write_whole", lambda path, text: (kept.append(text), write(path, text)))
    assert run("profile", manifest, "--model", tiny_pte, "--json", tmp_path / "p.json", "--anonymous").code == 1
    assert len(kept) > 2
    assert not [text for text in kept if str(tmp_path) in text]
    assert from_json(kept[-1]).verdict.unfinished == "it failed: x: the device has gone"


def fails_in_pass(number: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is lost in the middle of a pass."""
    runs = Gated.run
    passes = 0

    def run_or_fail(self: Gated, work: Work) -> Iterator[dict[str, Any]]:
        nonlocal passes
        passes += not work.bench and not work.steps
        for item in runs(self, work):
            if passes == number:
                raise error
            yield item

    monkeypatch.setattr(Gated, "run", run_or_fail)


def test_a_failure_keeps_the_passes_before_it(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_in_pass(6, EdgeAsrError("the device has gone"), monkeypatch)
    kept = tmp_path / "kept.json"
    outcome = run("profile", manifest, "--model", tiny_pte, "--json", kept)
    assert outcome.code == 1
    assert "real-time factor" in outcome.out
    assert "the device has gone" in outcome.err.splitlines()[-1]
    assert f"{kept}" in outcome.err
    report = from_json(kept.read_text())
    assert [len(result.passes) for result in report.results] == [3, 2]
    assert report.verdict.reasons[0] == "it failed: the device has gone"


def test_a_failure_before_the_first_pass_is_one_line(
    run: Run, tiny_pte: Path, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_in_pass(1, EdgeAsrError("the device has gone"), monkeypatch)
    run("profile", manifest, "--model", tiny_pte, "--json", tmp_path / "p.json").assert_fails("the device has gone")
    assert not (tmp_path / "p.json").exists()


def test_ctrl_c_keeps_the_finished_passes(tiny_pte: Path, manifest: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    line = [sys.executable, "-m", "edge_asr", "profile", manifest, "--model", tiny_pte, "--passes", "1000"]
    with subprocess.Popen(
        [*line, "--json", kept, "--energy", "none"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as running:
        for _ in range(600):
            if kept.exists():
                break
            time.sleep(0.1)
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert "real-time factor" in out
    report = from_json(kept.read_text())
    assert len(report.results[0].passes) >= 1
    assert report.verdict.reasons[0] == "interrupted"


# codes and errors


def test_strict_has_a_code_of_its_own_for_what_is_not_to_be_quoted(run: Run, tiny_pte: Path, manifest: Path) -> None:
    line = ["profile", manifest, "--model", tiny_pte, "--passes", 2]
    assert run(*line).code == 0
    outcome = run(*line, "--strict")
    assert outcome.code == 3
    assert "not to be quoted" in outcome.out
    assert "3 not to be quoted" in run("profile", "--help").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.wav"], "none.wav: no such audio file"),
        (["--model", "none.pte"], "none.pte: no such model file"),
        (["--against", "nonsense"], "neither `off`, a .pte file"),
        (["--against", "none.pte"], "none.pte: no such model file"),
        (["--json", "no/such/folder.json"], "there is no folder"),
        (["--html", "."], "a folder: name a file"),
        (["--target", "nonsense"], "is no target"),
        (["--energy", "rapl:package-7"], "no meter 'rapl:package-7'"),
        (["--energy-columns", "nonsense"], "KEY=VALUE"),
        (["a.wav", "b.jsonl"], "a manifest stands alone"),
        (["--cpus", "1000"], "CPU"),
        (["--threshold", "0.7", "--threshold", "0.70000001"], "two settings are both called 'gate 0.7'"),
        (["--target", "adb", "--against", "pocketsphinx"], "this machine only"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    run: Run, tiny_pte: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    model = [] if "--model" in arguments else ["--model", tiny_pte]
    run("profile", *model, *arguments).assert_fails(said)


def test_a_damaged_model_is_told_before_anything_is_measured(run: Run, tiny_pte: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pte"
    cut.write_bytes(tiny_pte.read_bytes()[:50_000])
    run("profile", "--model", cut).assert_fails("cut.pte", "cut short")


@pytest.mark.parametrize("option", ["--cool-down", "--energy-estimate"])
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_numbers_that_are_none_are_a_misuse(run: Run, option: str, number: str) -> None:
    run("profile", option, number).assert_fails("is not a finite number", code=2)


def test_a_folder_that_may_not_be_written_is_told_at_once(run: Run, tiny_pte: Path) -> None:
    """Not even by root."""
    run("profile", "--model", tiny_pte, "--json", "/proc/self/p.json").assert_fails("cannot be written")


def test_a_full_disk_is_one_line(run: Run, tiny_pte: Path, manifest: Path) -> None:
    """/dev/full takes nothing."""
    outcome = run("profile", manifest, "--model", tiny_pte, "--passes", 1, "--json", "/dev/full")
    assert outcome.code == 1
    assert "/dev/full: cannot be written (No space left on device)" in outcome.err.splitlines()[-1]


def test_a_recording_that_is_no_audio_is_told(run: Run, tiny_pte: Path, tmp_path: Path) -> None:
    (tmp_path / "no.wav").write_text("not audio")
    run("profile", tmp_path / "no.wav", "--model", tiny_pte).assert_fails("no.wav", "cannot be read as audio")


def test_recordings_of_any_rate_and_name_will_do(run: Run, tiny_pte: Path, tmp_path: Path) -> None:
    for number, rate in enumerate((8_000, 48_000)):
        (tmp_path / f"{number}").mkdir()
        soundfile.write(tmp_path / f"{number}" / "a name.flac", np.zeros((rate, 2)), rate)
    line = [tmp_path / "0" / "a name.flac", tmp_path / "1" / "a name.flac"]
    report = report_of(run("profile", *line, "--model", tiny_pte, "--passes", 1, "--json", "-"))
    assert report.results[0].audio_s == pytest.approx(2, abs=0.01)


# stages, from ExecuTorch's own trace


def test_stages_add_up_to_a_step(run: Run, tiny_pte: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "Plan", functools.partial(Plan, cold_starts=1, pass_s=0.005))
    line = ["profile", manifest, "--model", tiny_pte, "--against", "none", "--passes", 1, "--operators", "--json", "-"]
    report = report_of(run(*line))
    latency = report.results[0].latency
    assert latency
    assert latency.stages_ms
    assert list(latency.stages_ms) == [*stages.STAGES, "decode"]
    assert all(value > 0 for value in latency.stages_ms.values())
    assert latency.operators_ms
    assert any(name.startswith("xnnpack: Fully Connected") for name in latency.operators_ms)
    traced_ms = sum(latency.stages_ms.values()) - latency.stages_ms["decode"]
    assert 0.2 * traced_ms < sum(latency.operators_ms.values()) < 1.2 * traced_ms
    assert any("ETDump" in note for note in report.notes)


def test_stages_of_both_kinds_of_step_are_mixed_as_they_occur() -> None:
    ran = stages.StepTimes(3, {"upper": 1.0, "lower": 0.5}, {"mul": 0.2})
    skipped = stages.StepTimes(5, {"upper": 0.0, "lower": 0.5}, {"mul": 0.1, "add": 0.4})
    mean = stages.mixed(stages.StageTimes(ran, skipped), upper_share=0.25)
    assert mean
    assert (mean.steps, mean.stages_ms["upper"], mean.stages_ms["lower"]) == (8, 0.25, 0.5)
    assert mean.operators_ms == pytest.approx({"add": 0.3, "mul": 0.125})
    assert stages.mixed(stages.StageTimes(ran, None), upper_share=0.5) is None
    assert stages.mixed(stages.StageTimes(ran, None), upper_share=1.0) == stages.StepTimes(
        3, {**dict.fromkeys(stages.STAGES, 0), "upper": 1.0, "lower": 0.5}, {"mul": 0.2}
    )


def test_where_torch_is_missing_the_report_says_so(
    run: Run, tiny_pte: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "Plan", functools.partial(Plan, cold_starts=1, pass_s=0.005))
    monkeypatch.setattr(stages, "missing", lambda: "torch not installed")
    report = report_of(run("profile", manifest, "--model", tiny_pte, "--passes", 1, "--json", "-"))
    assert report.results[0].latency
    assert report.results[0].latency.stages_ms is None
    assert "stages: not measured (torch not installed)" in report.notes
