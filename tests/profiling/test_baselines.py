"""Other recognizers beside ours: the same weights in ONNX Runtime, ungated, and PocketSphinx."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.contract import NEVER_SKIP
from edge_asr.demo import RECORDING
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.manifest import read_manifest
from edge_asr.metrics import error_rates
from edge_asr.native.build import Build
from edge_asr.profiling.baselines.choose import Ingredients, choose_baseline
from edge_asr.profiling.contenders import Work, gated
from edge_asr.profiling.program import read_program
from edge_asr.profiling.targets.local import LocalTarget
from edge_asr.recognizer import Recognizer
from tests.beeps import BeepBackend
from tests.requirements import absent

UTTERANCES = 26


@pytest.fixture(scope="module", autouse=True)
def extra() -> None:
    try:
        require_extra("baselines", "these tests")
    except EdgeAsrError as error:
        absent(str(error))


@pytest.fixture(scope="module")
def tiny_onnx(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edge_asr.profiling.baselines.onnx_export import export_onnx

    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    export_onnx(tiny_checkpoint, path)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """2.145 s: three chunks, and 6 frames of a fourth."""
    path = tmp_path / "speech.wav"
    soundfile.write(path, read_audio(RECORDING), SAMPLE_RATE_HZ, subtype="PCM_16")
    return path


def test_one_step_after_the_other_it_is_the_pte_that_never_skips(tiny_onnx: Path, tiny_pte: Path) -> None:
    """The whole stream, a second one after a reset, and the same words of it."""
    from edge_asr.profiling.baselines.onnxruntime import OnnxBackend

    samples = read_audio(RECORDING)
    ours = Recognizer(lambda: OnnxBackend(tiny_onnx))
    with Recognizer.open(tiny_pte) as theirs:
        expected = theirs.transcribe(samples, NEVER_SKIP)
        for _ in range(2):
            found = ours.transcribe(samples)
            assert found.text == expected.text
            assert found.counters.frames == found.counters.kept_frames == expected.counters.kept_frames
            assert [word.start_s for word in found.words] == [word.start_s for word in expected.words]
    assert expected.text


def test_an_export_that_computes_something_else_is_refused(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_asr.profiling.baselines import onnx_export

    right = onnx_export.fourier_filters  # not louder: the front end follows the level
    monkeypatch.setattr(onnx_export, "fourier_filters", lambda front_end: right(front_end).roll(2, dims=0))
    with pytest.raises(EdgeAsrError, match="differs from eager PyTorch"):
        onnx_export.export_onnx(tiny_checkpoint, tmp_path / "wrong.onnx")
    assert list(tmp_path.iterdir()) == []


def test_int8_quantizes_the_linear_layers_and_nothing_else(
    tiny_checkpoint: Path, tiny_onnx: Path, tmp_path: Path
) -> None:
    import onnx
    from torch import nn

    from edge_asr.model.checkpoint import load_checkpoint
    from edge_asr.profiling.baselines.onnx_export import quantize_onnx
    from edge_asr.profiling.baselines.onnxruntime import OnnxBackend

    encoder = load_checkpoint(tiny_checkpoint).model
    quantize_onnx(tiny_onnx, tiny_checkpoint, tmp_path / "int8.onnx")
    assert OnnxBackend(tmp_path / "int8.onnx").metadata.precision == "int8"
    graph = onnx.load(tmp_path / "int8.onnx").graph
    operators = [node.op_type for node in graph.node]
    linears = sum(isinstance(module, nn.Linear) for module in encoder.modules())
    assert operators.count("MatMulInteger") == linears
    assert operators.count("RMSNormalization") == sum(
        type(module).__name__ == "RMSNorm" for module in encoder.modules()
    )
    assert operators.count("Conv") == sum(isinstance(module, nn.Conv2d) for module in encoder.modules()) + 1  # Fourier
    weights = [constant for constant in graph.initializer if constant.data_type == onnx.TensorProto.INT8]
    assert sum(len(constant.dims) == 2 for constant in weights) == linears
    scales = {constant.name: constant.dims for constant in graph.initializer if constant.name.endswith("_scale")}
    assert len(scales) == linears
    assert all(dims[0] > 1 for dims in scales.values()), "one scale an output channel"


def lines_of(baseline: str, arguments: list[object], capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    import importlib

    from edge_asr.terminal.process import run

    module = importlib.import_module(f"edge_asr.profiling.baselines.{baseline}")
    assert run(module.command, baseline, [str(argument) for argument in arguments]) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_a_process_prints_what_the_runner_prints(
    tiny_onnx: Path, recording: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (one,) = lines_of("onnxruntime", [tiny_onnx, recording], capfd)
    assert one["audio"] == str(recording)
    assert one["steps"] == len(one["step_ms"]) == 4  # type: ignore[arg-type]
    assert one["audio_s"] == pytest.approx(2.145, abs=1e-3)
    assert one["compute_s"] == pytest.approx(sum(one["step_ms"]) / 1e3, abs=1e-6)  # type: ignore[arg-type]
    assert one["peak_resident_bytes"] >= one["resident_bytes"] > 10e6  # type: ignore[operator]
    assert one["load_ms"] > 0  # type: ignore[operator]


def test_updates_end_in_the_whole_text(tiny_onnx: Path, recording: Path, capfd: pytest.CaptureFixture[str]) -> None:
    *updates, last = lines_of("onnxruntime", [tiny_onnx, recording, "--json-steps"], capfd)
    assert len(updates) == 4
    assert all(update["update"] is True for update in updates)
    words = [word["text"] for update in updates for word in update["new_words"]]  # type: ignore[attr-defined]
    assert " ".join(words) == last["text"]
    assert [len(update["steps"][0]["keep"]) for update in updates] == [16, 16, 16, 6]  # type: ignore[index]


def test_bench_is_one_object(tiny_onnx: Path, recording: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (bench,) = lines_of("onnxruntime", [tiny_onnx, recording, recording, "--bench"], capfd)
    assert {"load_ms", "first_result_ms", "first_step_ms", "peak_resident_bytes", "cpu_s"} <= set(bench)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none.onnx", "{recording}"], "none.onnx: ONNX Runtime cannot load it"),
        (["{model}", "none.wav"], "none.wav: no such audio file"),
        (["{model}", "{recording}", "--cpus", "900"], "--cpus 900: no such CPUs here"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], complaint: str, tiny_onnx: Path, recording: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from edge_asr.profiling.baselines.onnxruntime import command
    from edge_asr.terminal.process import run

    named = [argument.format(model=tiny_onnx, recording=recording) for argument in arguments]
    assert run(command, "onnxruntime", named) == 1
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert complaint in said[0]


def test_names_weights_and_files_are_checked_before_anything_runs(
    tiny_pte: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = read_program(tiny_pte).metadata
    with pytest.raises(EdgeAsrError, match="no baseline is named 'whisper': choose among onnxruntime-int8"):
        choose_baseline("whisper", Ingredients(metadata))
    with pytest.raises(EdgeAsrError, match=r"other weights than the \.pte's"):
        choose_baseline("onnxruntime-fp32", Ingredients(metadata))  # the shipped checkpoint is not the tiny one
    monkeypatch.setenv("EDGE_ASR_DATA", str(tmp_path))
    with pytest.raises(EdgeAsrError, match=r"an4\.lm: no such file: PocketSphinx needs it"):
        choose_baseline("pocketsphinx", Ingredients(metadata))
    monkeypatch.delenv("EDGE_ASR_DATA")
    with pytest.raises(EdgeAsrError, match="set EDGE_ASR_DATA"):
        choose_baseline("pocketsphinx", Ingredients(metadata))


def test_pocketsphinx_hears_speech(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three utterances in a process of its own: most words are right, and all three numbers of the clock agree."""
    monkeypatch.setenv("EDGE_ASR_DATA", str(data_folder))
    utterances = read_manifest(data_folder / "an4" / "test.jsonl")[:3]
    metadata = BeepBackend.metadata
    baseline = choose_baseline("pocketsphinx", Ingredients(metadata))
    heard = list(baseline.run(Work(tuple(utterance.audio for utterance in utterances))))
    rates = error_rates([utterance.text for utterance in utterances], [item["text"] for item in heard])
    assert rates.wer < 60
    for item in heard:
        assert item["compute_s"] == pytest.approx(sum(item["step_ms"]) / 1e3, abs=1e-6)
        assert "frames" not in item
    assert baseline.file_bytes > 5e6


@pytest.mark.slow
def test_the_shipped_weights_have_one_text_in_both_runtimes(
    data_folder: Path, shipped_pte: Path, native_build: Build, tmp_path: Path
) -> None:
    """fp32 in ONNX Runtime against the shipped int8 `.pte` with the gate off: they may differ by rounding alone."""
    utterances = read_manifest(data_folder / "an4" / "test.jsonl")[:UTTERANCES]
    program = read_program(shipped_pte)
    waves = []
    for utterance in utterances:
        waves.append(tmp_path / f"{utterance.line}.wav")
        soundfile.write(waves[-1], read_audio(utterance.audio), SAMPLE_RATE_HZ, subtype="PCM_16")
    work = Work(tuple(waves))
    target = LocalTarget()
    target.prepare([shipped_pte], waves)
    expected = [item["text"] for item in gated(target, program, NEVER_SKIP).run(work)]
    for name, most in (("onnxruntime-fp32", 1.0), ("onnxruntime-int8", 3.0)):
        found = [item["text"] for item in choose_baseline(name, Ingredients(program.metadata)).run(work)]
        assert error_rates(expected, found).wer <= most, name
