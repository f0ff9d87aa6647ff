"""`edge-asr profile --target ssh:...`, from the command line to the report: real server, real runner, real speech."""

from __future__ import annotations

import functools
import json
import threading
import time
from pathlib import Path

import pytest

from edge_asr.commands import profile
from edge_asr.manifest import read_manifest
from edge_asr.native.build import Build
from edge_asr.profiling import session
from edge_asr.profiling.report import from_json
from tests.beeps import write_manifest
from tests.outcome import Run
from tests.profiling.targets.conftest import Server, left_behind
from tests.requirements import does_not_apply


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures need not be good here."""
    monkeypatch.setattr(profile, "Plan", functools.partial(session.Plan, cold_starts=1, pass_s=0.05))
    monkeypatch.setattr(session, "FEWEST_HEARD", 1)
    monkeypatch.setattr(session, "LEAD_IN_S", 0.1)


@pytest.fixture
def manifest(data_folder: Path, tmp_path: Path) -> Path:
    """Two utterances of AN4's test split."""
    utterances = read_manifest(data_folder / "an4" / "test.jsonl")[:2]
    entries = [{"audio_filepath": str(each.audio), "text": each.text} for each in utterances]
    return write_manifest(tmp_path / "two.jsonl", entries)


def test_a_report_from_another_machine(
    run: Run, ssh: Server, manifest: Path, shipped_pte: Path, native_build: Build, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    address = ssh.address(tmp_path / "there")
    options = ("--model", shipped_pte, "--target", address, "--passes", 2, "--energy", "none")
    outcome = run("profile", manifest, *options, "--json", tmp_path / "report.json")
    assert outcome.code == 0, outcome.err
    report = from_json((tmp_path / "report.json").read_text())
    assert report.conditions.target == str(address)
    assert report.conditions.cores > 0
    assert report.conditions.before.load_1min is not None
    for result in report.results:
        assert result.latency
        assert result.latency.warm_step_ms
        assert 0 < result.latency.rtf < 1
        assert len(result.passes) == 2
        assert result.accuracy
        assert result.accuracy.words > 5
    assert [ratio.quantity for ratio in report.ratios] == ["compute", "peak_rss"]
    assert left_behind(tmp_path / "there") == []
    same = run("compare", tmp_path / "report.json", tmp_path / "report.json", "--fail-if", "rtf>1x", "--json")
    assert same.json["broken"] is False


def test_a_host_that_cannot_be_reached_is_one_line(run: Run, ssh: Server, manifest: Path, shipped_pte: Path) -> None:
    run("profile", manifest, "--model", shipped_pte, "--target", "ssh:localhost:9").assert_fails(
        "connection was refused"
    )


def test_a_device_that_disappears_leaves_what_was_measured(
    run: Run, ssh: Server, manifest: Path, shipped_pte: Path, native_build: Build, tmp_path: Path
) -> None:
    """As soon as the first round is in the file, the connection is cut."""
    (tmp_path / "there").mkdir()
    report = tmp_path / "report.json"
    before = ssh.connections()

    def cut() -> None:
        while not report.exists():
            time.sleep(0.01)
        ssh.cut(set(ssh.connections()) - set(before))

    threading.Thread(target=cut, daemon=True).start()
    options = ("--model", shipped_pte, "--target", ssh.address(tmp_path / "there"), "--passes", 10_000)
    outcome = run("profile", manifest, *options, "--energy", "none", "--json", report)
    assert outcome.code == 1
    assert "the connection was lost" in outcome.err.splitlines()[-1]
    kept = from_json(report.read_text())
    assert all(1 <= len(result.passes) < 10_000 for result in kept.results)
    assert any("the connection was lost" in reason for reason in kept.verdict.reasons)
    assert left_behind(tmp_path / "there") == []


@pytest.mark.slow
def test_an_emulated_machine_has_no_times(
    run: Run,
    ssh: Server,
    manifest: Path,
    shipped_pte: Path,
    qemu_aarch64: list[str],
    aarch64_build: Build,
    tmp_path: Path,
) -> None:
    """Nor memory, which is the emulator's. What it heard counts."""
    if not qemu_aarch64:
        does_not_apply("this is such a machine")
    (tmp_path / "there").mkdir()
    options = ("--model", shipped_pte, "--target", ssh.address(tmp_path / "there"), "--limit", 1, "--passes", 1)
    outcome = run("profile", manifest, *options, "--run-with", " ".join(qemu_aarch64), "--json", "-")
    assert outcome.code == 0, outcome.err
    answer = json.loads(outcome.out)
    assert answer["conditions"]["emulated"] is True
    assert (answer["verdict"]["quotable"], answer["ratios"]) == (False, [])
    for result in answer["results"]:
        assert (result["latency"], result["passes"], result["memory"]["peak_rss_bytes"]) == (None, [], None)
        assert result["accuracy"]["wer"] < 50
    assert "emulated" in " ".join(answer["verdict"]["reasons"])
