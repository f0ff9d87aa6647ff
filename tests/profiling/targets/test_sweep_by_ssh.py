"""`edge-asr sweep --target ssh:...`: the same files, measured elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from edge_asr.demo import RECORDING, TEXT
from edge_asr.native.build import Build
from tests.beeps import write_manifest
from tests.outcome import Run
from tests.profiling.targets.conftest import Server, left_behind


def test_a_sweep_on_another_machine(
    run: Run, ssh: Server, shipped_pte: Path, native_build: Build, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    manifest = write_manifest(tmp_path / "dev.jsonl", [{"audio_filepath": str(RECORDING), "text": TEXT}])
    address = ssh.address(tmp_path / "there")
    outcome = run(
        *("sweep", manifest, "--model", shipped_pte, "--thresholds", "0.7", "--passes", 1, "--target", address),
        *("--energy", "none", "-o", tmp_path / "out", "--json"),
    )
    assert outcome.code == 0, outcome.err
    answer = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert answer["conditions"]["target"] == str(address)
    assert [point["accuracy"]["wer"] for point in answer["points"]] == [0.0, 0.0]
    assert answer["points"][1]["kept_frame_ratio"] < answer["points"][0]["kept_frame_ratio"] == 1.0
    assert left_behind(tmp_path / "there") == []


def test_a_phone_is_sent_to_profile(run: Run, shipped_pte: Path, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "dev.jsonl", [{"audio_filepath": str(RECORDING), "text": TEXT}])
    outcome = run("sweep", manifest, "--model", shipped_pte, "--target", "adb", "-o", tmp_path / "out")
    outcome.assert_fails("adb: a phone is measured by its app", "edge-asr profile")
    assert not (tmp_path / "out").exists()
