"""ExecuTorch's Python runtime on a toy program: state, several programs, bad files, threads, a quiet terminal."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from executorch.extension.pybindings import portable_lib

from edge_asr.backends import choose
from edge_asr.backends.protocol import Backend
from edge_asr.contract import TRAILER, Metadata, sealed
from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Recognizer

NAME = "executorch-python"


def open_backend(path: Path, threads: int = 1) -> Backend:
    """With this runtime, whatever else is installed."""
    return choose.open_backend(path, threads, NAME)


def pcm_of(metadata: Metadata, tokens: list[int]) -> np.ndarray:
    """Samples the toy hears as `tokens`, a frame a token."""
    return np.repeat(np.array(tokens, np.float32) / 10, metadata.frame_samples)


def indices(backend: Backend, frames: int = 4) -> list[int]:
    """Frame numbers of one step, which are the toy's state."""
    pcm = np.zeros(backend.metadata.chunk_samples, np.float32)
    return backend.step(pcm, frames, 1.0, flush=frames < 4).index.tolist()


def test_metadata_comes_out_of_the_file(toy: Path) -> None:
    backend = open_backend(toy)
    assert backend.metadata.pieces == ("<blank>", "▁A", "B", "▁C")
    assert backend.name == NAME


def test_a_step_gives_what_the_contract_says(toy: Path) -> None:
    backend = open_backend(toy)
    metadata = backend.metadata
    pcm = np.zeros(metadata.chunk_samples, np.float32)
    pcm[: 3 * metadata.frame_samples] = pcm_of(metadata, [1, 2, 0])
    result = backend.step(pcm, 3, 0.5, True)
    vocabulary = len(metadata.pieces)
    assert (result.partial.shape, result.partial.dtype) == ((metadata.chunk_frames, vocabulary), np.float32)
    assert (result.keep.shape, result.keep.dtype) == ((metadata.chunk_frames,), np.bool_)
    assert (result.final.shape, result.final.dtype) == ((3, vocabulary), np.float32)  # the empty row is gone
    assert (result.index.tolist(), result.index.dtype) == ([0, 1, 2], np.int64)
    assert result.waiting == 0
    assert isinstance(result.waiting, int)
    assert result.final.argmax(axis=1).tolist() == [1, 2, 0]
    assert np.allclose(np.exp(result.final).sum(axis=1), 1)


def test_results_belong_to_the_caller(toy: Path) -> None:
    backend = open_backend(toy)
    metadata = backend.metadata
    first = backend.step(pcm_of(metadata, [1, 2, 3, 0]), 4, 1.0, False)
    kept = first.partial.copy(), first.final.copy(), first.index.copy()
    backend.step(pcm_of(metadata, [0, 0, 1, 1]), 4, 1.0, False)
    assert np.array_equal(first.partial, kept[0])
    assert np.array_equal(first.final, kept[1])
    assert np.array_equal(first.index, kept[2])


def test_state_goes_on_from_step_to_step_and_reset_starts_anew(toy: Path) -> None:
    backend = open_backend(toy)
    assert indices(backend) == [0, 1, 2, 3]
    assert indices(backend, frames=2) == [4, 5]
    backend.reset()
    assert indices(backend) == [0, 1, 2, 3]


def test_two_loaded_programs_do_not_disturb_each_other(toy: Path) -> None:
    first, second = open_backend(toy), open_backend(toy)
    assert indices(first) == [0, 1, 2, 3]
    assert indices(second) == [0, 1, 2, 3]
    assert indices(first) == [4, 5, 6, 7]
    second.reset()
    assert indices(first) == [8, 9, 10, 11]
    assert indices(second) == [0, 1, 2, 3]


def test_a_backend_outlives_everything_else_of_its_file(toy: Path) -> None:
    backend = open_backend(toy)
    open_backend(toy)
    gc.collect()
    assert indices(backend) == [0, 1, 2, 3]


def test_a_recognizer_reads_words_with_it(toy: Path) -> None:
    with Recognizer.open(toy, backend=NAME) as recognizer:
        pcm = pcm_of(recognizer.metadata, [1, 0, 2, 2, 0, 2, 3])
        for _ in range(2):  # the second stream finds the program reset
            assert recognizer.transcribe([pcm[:100], pcm[100:]]).text == "ABB C"


def test_streams_open_at_once_read_their_own_words(toy: Path) -> None:
    with Recognizer.open(toy, backend=NAME) as recognizer:
        first, second = recognizer.stream(), recognizer.stream()
        for tokens, other in (([1, 2, 0, 0, 2], [3]), ([0, 3], [1, 2])):
            first.accept(pcm_of(recognizer.metadata, tokens))
            second.accept(pcm_of(recognizer.metadata, other))
        assert (first.finish().text, second.finish().text) == ("ABB C", "C AB")


@pytest.mark.parametrize("threads", [2, 1])
def test_threads_are_those_of_the_runtimes_pool(toy: Path, threads: int) -> None:
    open_backend(toy, threads=threads)
    assert portable_lib._threadpool_get_thread_count() == threads


# --- bad files


def refused(path: Path, trouble: str, capfd: pytest.CaptureFixture[str]) -> None:
    """One line that names the file, and nothing of ExecuTorch's on the terminal."""
    capfd.readouterr()
    with pytest.raises(EdgeAsrError, match=trouble) as caught:
        open_backend(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.9999])
def test_a_file_cut_short(toy: Path, tmp_path: Path, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    content = toy.read_bytes()
    (tmp_path / "cut.pte").write_bytes(content[: int(share * len(content))])
    refused(tmp_path / "cut.pte", "cut short", capfd)


def test_a_program_of_noise_behind_a_sound_header(toy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its checksum is right: it is the runtime that refuses it."""
    program = toy.read_bytes()[: -TRAILER.size]
    noise = np.random.default_rng(5).bytes(len(program) - 48)
    (tmp_path / "noise.pte").write_bytes(sealed(program[:48] + noise))
    refused(tmp_path / "noise.pte", "damaged, not a whole ExecuTorch program", capfd)


def test_a_program_that_is_not_ours(toy_without_reset: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refused(toy_without_reset, r"not a model made by edge-asr \(it has no reset\)", capfd)


@pytest.mark.parametrize(
    ("written", "instead", "trouble"),
    [
        (
            '"contract_version": 2',
            '"contract_version": 3',
            "made for contract 3, this edge-asr reads contract 2: upgrade",
        ),
        ('"contract_version": 2', '"contract_version": 1', "contract 1, .* contract 2: export the checkpoint again"),
        ('"edge-asr"', '"edge-tts"', "metadata is missing or foreign"),
        ('"precision"', '"decision!"', "does not follow contract 2"),
        ('"chunk_samples": 640', '"chunk_samples": 160', "step method does not follow its metadata"),
        ('"chunk_frames": 4', '"chunk_frames": 8', "step method does not follow its metadata"),
        ('"<blank>", ', "           ", "step method does not follow its metadata"),
    ],
)
def test_metadata_that_does_not_fit(
    toy: Path, tmp_path: Path, written: str, instead: str, trouble: str, capfd: pytest.CaptureFixture[str]
) -> None:
    program = toy.read_bytes()[: -TRAILER.size]
    assert program.count(written.encode()) == 1
    assert len(written) == len(instead)
    (tmp_path / "other.pte").write_bytes(sealed(program.replace(written.encode(), instead.encode())))
    refused(tmp_path / "other.pte", trouble, capfd)


def test_loading_leaves_standard_error_open_for_others(toy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_backend(toy)
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


FRESH_PROCESS = """
import logging, sys
from edge_asr.backends.choose import open_backend
open_backend(sys.argv[1], name="executorch-python")
print("loaded", file=sys.stderr)
logging.getLogger("torch._dynamo").warning("torch still logs")
"""


def test_the_first_load_of_a_process_prints_nothing_and_leaves_torchs_log_working(toy: Path) -> None:
    command = [sys.executable, "-c", FRESH_PROCESS, str(toy)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, _, after = done.stderr.partition("loaded\n")
    assert (done.stdout, before) == ("", "")
    assert after.strip().endswith("torch still logs")
    assert len(after.splitlines()) == 1
