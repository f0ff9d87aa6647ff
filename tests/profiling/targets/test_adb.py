"""A phone by adb: calls and answers are replayed from a transcript, written by hand, so what is shown here is that the
profiler's side follows it; no device took part."""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.recordings import Recordings
from edge_asr.profiling.report import Report, to_json
from edge_asr.profiling.targets.adb import AdbTarget, Benchmark, choose_device, parse_serial
from edge_asr.profiling.targets.phone_settings import phone_thresholds
from edge_asr.profiling.targets.protocol import RunRequest
from tests.outcome import Run
from tests.profiling.reports import make_report, make_result

HERE = Path(__file__).parent
Scene = Callable[[str], Path]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """`scene("good")` puts an adb into the PATH that plays it; returns the folder of what it reads and keeps."""

    def play(name: str) -> Path:
        folder = tmp_path / "adb"
        folder.mkdir()
        program = folder / "adb"
        line = f'exec {sys.executable} {HERE}/fake_adb.py {HERE}/adb_transcript.txt "{name}" {folder} "$@"'
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return play


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    model = tmp_path / "small model.pte"
    model.write_bytes(b"model" * 100_000)
    waves = (tmp_path / "one.wav", tmp_path / "two.wav")
    for wave in waves:
        wave.write_bytes(b"RIFF" + wave.name.encode())
    recordings = Recordings(waves, ("GO NOW", "STOP"), 2.5, "ab" * 32)
    return Benchmark((model,), (0.7, 1.0), recordings, threads=2, passes=2, cool_down_s=1.5, command="edge-asr profile")


def app_report() -> Report:
    return make_report(make_result("gate 0.7", wer=None), make_result("gate off", wer=None), target="adb")


def measure(benchmark: Benchmark, told: list[str] | None = None) -> Report:
    with AdbTarget(tell=(told if told is not None else []).append, look_every_s=0, stalled_after_s=0.5) as phone:
        return phone.measure(benchmark)


def put_answers(folder: Path, *heard: tuple[str, str]) -> None:
    (folder / "report.json").write_text(to_json(app_report()))
    lines = [
        json.dumps({"setting": setting, "audio": f"{number:05}.wav", "text": text})
        for setting, *texts in heard
        for number, text in enumerate(texts)
    ]
    (folder / "heard.jsonl").write_text("\n".join(lines) + "\n")


def test_the_report_comes_back_with_the_accuracy_of_what_was_heard(scene: Scene, benchmark: Benchmark) -> None:
    folder = scene("good")
    put_answers(folder, ("gate 0.7", "GO", "STOP"), ("gate off", "GO NOW", "STOP"))
    told: list[str] = []
    report = measure(benchmark, told)
    assert report.conditions.target == "adb:R58M12ABCDE"
    assert report.command == "edge-asr profile"
    assert report.protocol.recordings_sha256 == benchmark.recordings.sha256
    gated, ungated = (result.accuracy for result in report.results)
    assert gated
    assert ungated
    assert (round(gated.wer, 1), gated.deletions, gated.words, ungated.wer) == (33.3, 1, 3, 0)
    (change,) = report.wer_changes
    assert (change.of, change.to, round(change.points, 1)) == ("gate 0.7", "gate off", 33.3)
    assert report.results[0].latency == app_report().results[0].latency
    assert "adb:R58M12ABCDE: pass 2 of 2, gate off" in told
    assert any(stage.startswith("copying to adb:R58M12ABCDE: 0.5 of 0.5 MB") for stage in told)


def test_the_app_gets_the_files_and_the_settings(scene: Scene, benchmark: Benchmark) -> None:
    folder = scene("good")
    put_answers(folder, ("gate 0.7", "GO", "STOP"), ("gate off", "GO NOW", "STOP"))
    measure(benchmark)
    with tarfile.open(folder / "copied.tar") as copied:
        assert copied.getnames() == ["models/small model.pte", "audio/00000.wav", "audio/00001.wav"]
        wave = copied.extractfile("audio/00001.wav")
        assert wave
        assert wave.read() == benchmark.recordings.waves[1].read_bytes()
    calls = (folder / "calls").read_text().splitlines()
    (start,) = [call for call in calls if " am start " in call]
    assert "--es thresholds 0.7,1 --ei threads 2 --ei passes 2 --ef cool_down_s 1.5" in start
    run = start.split("--es run ")[1].split()[0]
    assert f"mkdir -p files/benchmark/{run}" in "\n".join(calls)
    assert calls[-1].endswith("am force-stop org.edge_asr.demo; run-as org.edge_asr.demo rm -rf files/benchmark")


def test_from_the_command_line(run: Run, scene: Scene, shipped_pte: Path, beep_manifest: Path) -> None:
    """Two utterances, five words."""
    folder = scene("good")
    put_answers(folder, ("gate 0.7", "BEEP BEEP", "BEEP BEEP"), ("gate off", "BEEP BEEP BEEP", "BEEP BEEP"))
    options = ("--model", shipped_pte, "--target", "adb", "--passes", 2, "--cool-down", 3)
    answer = run("profile", beep_manifest, *options, "--json", "-").json
    assert answer["conditions"]["target"] == "adb:R58M12ABCDE"
    assert [result["accuracy"]["wer"] for result in answer["results"]] == [40, 20]
    assert "--target adb" in answer["command"]
    calls = (folder / "calls").read_text()
    assert "--ei threads 1 --ei passes 2 --ef cool_down_s 3" in calls
    assert ",1 --ei" in calls  # against the gate off
    run("profile", beep_manifest, *options, "--cpus", "0").assert_fails("--cpus is not for phones")
    run("profile", beep_manifest, *options, "--against", "pocketsphinx").assert_fails(
        "baselines run on this machine only"
    )


def test_the_settings_that_a_phone_is_asked_for() -> None:
    assert phone_thresholds(0.7, (), ()) == (0.7, 1.0)
    assert phone_thresholds(0.7, (0.5, 0.6), ()) == (0.5, 0.6)
    assert phone_thresholds(0.7, (1.0,), ("off",)) == (1.0,)
    assert phone_thresholds(0.7, (), ("none",)) == (0.7,)
    assert phone_thresholds(0.7, (), ("int4.pte", "off")) == (0.7, 1.0)


def test_without_references_there_is_no_accuracy(scene: Scene, benchmark: Benchmark) -> None:
    folder = scene("good")
    (folder / "report.json").write_text(to_json(app_report()))
    recordings = Recordings(benchmark.recordings.waves, None, 2.5, "ab" * 32)
    fields = {**benchmark.__dict__, "recordings": recordings}
    assert [result.accuracy for result in measure(Benchmark(**fields)).results] == [None, None]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no device", "adb: no device: connect one, with USB debugging switched on in its developer options"),
        ("unauthorized", "adb:R58M12ABCDE: the device is unauthorized: allow this computer's debugging on its screen"),
        ("no permissions", "adb:????????????: adb may not use the USB device"),
        ("recovery", "adb:R58M12ABCDE: the device is in state 'recovery': start Android on it"),
        ("several", "adb: several devices (R58M12ABCDE, emulator-5554): name one, such as adb:R58M12ABCDE"),
        ("not installed", "the app is not installed there: build and install it"),
        ("release build", "the app's folder cannot be used (run-as: package not debuggable: org.edge_asr.demo)"),
        ("older app", "the app there has no benchmark: it is an older one"),
        ("refused start", "the app could not be started (Activity not started, unknown error code 102)"),
        ("no space", "no space on the device"),
        ("crash", "the app ended without a result: java.lang.IllegalStateException: model.pte: contract 9"),
        ("native crash", "the app ended without a result: Fatal signal 11 (SIGSEGV)"),
        ("killed", "the app ended without a result; `adb logcat -b crash` may tell why"),
        ("says why", "the app says: other.pte: exported for contract 9, this app knows 3: export it again"),
        ("stuck", "no result, and nothing new for 0.5 s (last: pass 1 of 2, gate 0.7): unlock the device"),
        ("unplugged", "the device has gone (device 'R58M12ABCDE' not found): connect it again"),
        ("unplugged while copying", "the device has gone (device offline): connect it again"),
        ("another schema", "the app's report: a profile of schema 99"),
        ("half heard", "the app's heard.jsonl is broken or not whole"),
    ],
)
def test_what_can_be_wrong_is_one_line(scene: Scene, benchmark: Benchmark, name: str, message: str) -> None:
    folder = scene(name)
    (folder / "report.json").write_text(to_json(app_report()))
    with pytest.raises(EdgeAsrError) as caught:
        measure(benchmark)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("adb")
    calls = (folder / "calls").read_text()
    if "mkdir" in calls:
        assert calls.splitlines()[-1].endswith("rm -rf files/benchmark")


def test_a_profiler_that_is_interrupted_stops_the_app(scene: Scene, benchmark: Benchmark) -> None:
    folder = scene("stuck")

    def interrupt(stage: str) -> None:
        if "pass 1" in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), AdbTarget(tell=interrupt) as phone:
        phone.measure(benchmark)
    assert "am force-stop" in (folder / "calls").read_text().splitlines()[-1]


def test_no_adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EdgeAsrError, match="adb is missing: on Debian, sudo apt install adb"):
        AdbTarget().__enter__()


def test_two_models_of_one_name_are_refused(scene: Scene, benchmark: Benchmark, tmp_path: Path) -> None:
    scene("good")
    fields = {**benchmark.__dict__, "models": (tmp_path / "a" / "m.pte", tmp_path / "b" / "m.pte")}
    with pytest.raises(EdgeAsrError, match=r"m\.pte: two models have this name"):
        measure(Benchmark(**fields))


def test_it_runs_no_runner(scene: Scene, benchmark: Benchmark) -> None:
    scene("good")
    with AdbTarget() as phone, pytest.raises(EdgeAsrError, match="the app measures by itself"):
        phone.run(RunRequest(benchmark.models[0], (), 0.7))


def test_a_named_device_is_taken() -> None:
    listed = "List of devices attached\nA1\tdevice\n192.168.1.5:5555\tdevice\n\n"
    assert choose_device("192.168.1.5:5555", listed) == "192.168.1.5:5555"
    with pytest.raises(EdgeAsrError, match=r"adb:B2: no such device: there is A1, 192\.168\.1\.5:5555"):
        choose_device("B2", listed)


def test_androids_emulator_is_one() -> None:
    assert AdbTarget("emulator-5554").emulated
    assert not AdbTarget("R58M12ABCDE").emulated


@pytest.mark.parametrize("text", ["", "-s", "a b"])
def test_what_is_no_serial_number(text: str) -> None:
    with pytest.raises(EdgeAsrError, match="no serial number"):
        parse_serial(text)
