"""What is peculiar to the native backend. `tests/backends/test_every_backend.py` has what it shares with the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_asr.audio import read_audio
from edge_asr.backends import choose, native
from edge_asr.contract import TRAILER, sealed
from edge_asr.demo import RECORDING
from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import Build
from edge_asr.native.library import LIBRARY_VARIABLE
from edge_asr.recognizer import Recognizer
from edge_asr_export.verify import stream_steps
from tests.checkout import clean_environment
from tests.outcome import Run


@pytest.fixture(autouse=True)
def this_library(native_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in the cache."""
    monkeypatch.setenv(LIBRARY_VARIABLE, str(native_build.library))


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(LIBRARY_VARIABLE)
    monkeypatch.setenv("EDGE_ASR_CACHE", str(tmp_path))


def test_it_is_preferred_where_it_is_built(tiny_pte: Path) -> None:
    assert next(iter(choose.runtimes())) == "native"
    assert Recognizer.open(tiny_pte).backend_name == "native"


@pytest.mark.usefixtures("no_library")
def test_where_it_is_not_built_the_next_one_runs(tiny_pte: Path) -> None:
    assert native.missing() == "edge-asr native build"
    assert Recognizer.open(tiny_pte).backend_name == "executorch-python"
    with pytest.raises(EdgeAsrError, match="native: edge-asr native build"):
        Recognizer.open(tiny_pte, backend="native")


@pytest.mark.parametrize("threshold", [0.5, 1.0])
def test_steps_are_those_of_the_python_runtime_bit_for_bit(tiny_pte: Path, threshold: float) -> None:
    ours, theirs = (choose.open_backend(tiny_pte, name=name) for name in ("native", "executorch-python"))
    samples = read_audio(RECORDING)
    pairs = zip(stream_steps(ours, samples, threshold), stream_steps(theirs, samples, threshold), strict=True)
    for (frames, mine), (_, other) in pairs:
        assert np.array_equal(mine.partial[:frames], other.partial[:frames])
        assert np.array_equal(mine.keep[:frames], other.keep[:frames])
        assert np.array_equal(mine.final, other.final)
        assert np.array_equal(mine.index, other.index)
        assert mine.waiting == other.waiting


def test_a_chunk_of_another_length_is_refused_before_it_is_read(tiny_pte: Path) -> None:
    backend = choose.open_backend(tiny_pte, name="native")
    with pytest.raises(EdgeAsrError, match=rf"takes {backend.metadata.chunk_samples} samples, not \[100\]"):
        backend.step(np.zeros(100, np.float32), 1, 1.0, False)


def test_what_the_library_refuses_is_its_own_line(tiny_pte: Path) -> None:
    backend = choose.open_backend(tiny_pte, name="native")
    with pytest.raises(EdgeAsrError, match="frames of a step must lie between 0 and 16, not 17"):
        backend.step(np.zeros(backend.metadata.chunk_samples, np.float32), 17, 1.0, False)


def test_samples_need_not_be_contiguous(tiny_pte: Path) -> None:
    backend = choose.open_backend(tiny_pte, name="native")
    backend.reset()
    samples = read_audio(RECORDING)[: backend.metadata.chunk_samples]
    expected = backend.step(samples, 16, 1.0, False).partial
    backend.reset()
    assert np.array_equal(backend.step(np.repeat(samples, 2)[::2], 16, 1.0, False).partial, expected)


def test_a_file_that_is_no_library_is_named(tiny_pte: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake.so").write_bytes(b"no ELF")
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "fake.so"))
    with pytest.raises(EdgeAsrError, match=r"fake\.so: cannot be loaded .*native build --force"):
        choose.open_backend(tiny_pte, name="native")


def test_a_library_of_another_version_is_named(
    tiny_pte: Path, native_build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    native.open_library.cache_clear()
    monkeypatch.setattr(native, "ABI_VERSION", 99)
    with pytest.raises(EdgeAsrError, match=r"libedge_asr\.so: speaks version 2, expected 99"):
        choose.open_backend(tiny_pte, name="native")


def test_a_path_with_odd_letters_opens(tiny_pte: Path, tmp_path: Path) -> None:
    odd = tmp_path / "modèle für 語.pte"
    odd.write_bytes(tiny_pte.read_bytes())
    assert choose.open_backend(odd, name="native").metadata.chunk_frames == 16


@pytest.mark.parametrize("order", [("native", "executorch-python"), ("executorch-python", "native")])
def test_both_runtimes_live_in_one_process_on_one_pool(
    tiny_pte: Path, native_build: Build, order: tuple[str, str]
) -> None:
    """In a fresh process, because the first one loaded brings ExecuTorch's libraries for both."""
    code = """
import sys
from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Recognizer
model, audio, first, second = sys.argv[1:]
one, other = Recognizer.open(model, 2, first), Recognizer.open(model, 2, second)
assert one.transcribe(audio).text == other.transcribe(audio).text == one.transcribe(audio).text
from executorch.extension.pybindings import portable_lib
assert portable_lib._threadpool_get_thread_count() == 2
del one
try:
    Recognizer.open(model, 1, first)
except EdgeAsrError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tiny_pte, RECORDING, *order],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(**{LIBRARY_VARIABLE: str(native_build.library), "PYTHONPATH": ":".join(sys.path)}),
    )
    assert "the threads belong to the process" in done.stdout


def test_a_bad_file_prints_nothing_where_the_other_runtime_came_later(
    tiny_pte: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each runtime takes ExecuTorch's log over when it is loaded."""
    for name in ("native", "executorch-python"):
        choose.open_backend(tiny_pte, name=name)
    program = tiny_pte.read_bytes()[: -TRAILER.size]
    (tmp_path / "noise.pte").write_bytes(sealed(program[:48] + bytes(len(program) - 48)))
    capfd.readouterr()
    with pytest.raises(EdgeAsrError, match="damaged, not a whole ExecuTorch program"):
        choose.open_backend(tmp_path / "noise.pte", name="native")
    assert capfd.readouterr() == ("", "")


def test_commands_can_be_told_which_backend_and_say_which_it_was(run: Run, tiny_pte: Path) -> None:
    texts = set()
    for name in ("native", "executorch-python"):
        answer = run("transcribe", RECORDING, "--model", tiny_pte, "--backend", name, "--json").json
        assert answer["backend"] == name
        texts.add(answer["text"])
    assert len(texts) == 1
    run("transcribe", RECORDING, "--model", tiny_pte, "--backend", "gpu").assert_fails("native, executorch-python")


def test_evaluate_and_demo_say_which_backend_it_was(
    run: Run, tiny_pte: Path, beep_manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_ASR_DATA", raising=False)
    assert run("evaluate", beep_manifest, "--model", tiny_pte, "--json").json["backend"] == "native"
    assert "backend native" in run("evaluate", beep_manifest, "--model", tiny_pte).out
    answer = run("demo", "--model", tiny_pte, "--json").json
    assert answer["backend"] == "native"
    assert answer["memory_bytes"]["peak"] < 120_000_000  # Python, numpy and our modules: no torch


def test_a_process_that_recognizes_imports_no_torch(tiny_pte: Path, native_build: Build) -> None:
    code = """
import sys
from edge_asr.recognizer import Recognizer
Recognizer.open(sys.argv[1]).transcribe(sys.argv[2])
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "executorch", "safetensors"}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tiny_pte, RECORDING],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(**{LIBRARY_VARIABLE: str(native_build.library), "PYTHONPATH": ":".join(sys.path)}),
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")
