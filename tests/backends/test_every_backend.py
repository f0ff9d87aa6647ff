"""Every backend on a toy program: results, state, several programs, bad files, threads, a quiet terminal."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_asr.backends import choose
from edge_asr.backends.protocol import Backend
from edge_asr.contract import TRAILER, Metadata, sealed
from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Recognizer
from tests.backends.conftest import HOLD

Open = Callable[..., Backend]


@pytest.fixture(params=["executorch-python", "native"])
def name(request: pytest.FixtureRequest) -> str:
    """Each backend in turn."""
    if request.param == "native":
        request.getfixturevalue("native_build")
    chosen: str = request.param
    return chosen


@pytest.fixture
def open_backend(name: str) -> Open:
    """`open_backend(path)`: with this backend, whatever else is there."""
    return partial(choose.open_backend, name=name)


def pcm_of(metadata: Metadata, tokens: list[int]) -> np.ndarray:
    """Samples the toy hears as `tokens`, a frame a token."""
    return np.repeat(np.array(tokens, np.float32) / 10, metadata.frame_samples)


def indices(backend: Backend, frames: int = 4) -> list[int]:
    """Frame numbers of one step, which are the toy's state."""
    pcm = np.zeros(backend.metadata.chunk_samples, np.float32)
    return backend.step(pcm, frames, 1.0, flush=frames < 4).index.tolist()


def test_metadata_comes_out_of_the_file(toy: Path, name: str, open_backend: Open) -> None:
    backend = open_backend(toy)
    assert backend.metadata.pieces == ("<blank>", "▁A", "B", "▁C")
    assert backend.name == name


def test_a_step_gives_what_the_contract_says(toy: Path, open_backend: Open) -> None:
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


def test_a_block_may_hold_two_chunks_of_frames(toy: Path, open_backend: Open) -> None:
    backend = open_backend(toy)
    metadata = backend.metadata
    held = backend.step(pcm_of(metadata, [1, 2, 3, 0]), 4, HOLD, False)
    assert (held.index.tolist(), held.final.shape, held.waiting) == ([], (0, len(metadata.pieces)), 4)
    result = backend.step(pcm_of(metadata, [3, 3, 1, 2]), 4, HOLD, False)
    assert (result.index.tolist(), result.waiting) == (list(range(metadata.block_frames)), 0)
    assert result.final.argmax(axis=1).tolist() == [1, 2, 3, 0, 3, 3, 1, 2]
    assert result.partial.argmax(axis=1).tolist() == [3, 3, 1, 2]


@pytest.mark.parametrize("last", [[], [1, 2]])
def test_the_end_resolves_all_that_waits_in_one_step(toy: Path, name: str, last: list[int]) -> None:
    """Whether samples are left for that step or not."""
    with Recognizer.open(toy, backend=name) as recognizer:
        stream = recognizer.stream(HOLD)
        (step,) = stream.accept(pcm_of(recognizer.metadata, [1, 2, 3, 2, *last])).new_steps
        result = stream.finish()
    (end,) = result.new_steps
    assert (step.upper_ran, step.waiting) == (False, 4)
    assert (end.upper_ran, end.waiting, len(end.keep)) == (True, 0, len(last))
    assert result.text == ("AB CB AB" if last else "AB CB")


def test_results_belong_to_the_caller(toy: Path, open_backend: Open) -> None:
    backend = open_backend(toy)
    metadata = backend.metadata
    first = backend.step(pcm_of(metadata, [1, 2, 3, 0]), 4, 1.0, False)
    kept = first.partial.copy(), first.final.copy(), first.index.copy()
    backend.step(pcm_of(metadata, [0, 0, 1, 1]), 4, 1.0, False)
    assert np.array_equal(first.partial, kept[0])
    assert np.array_equal(first.final, kept[1])
    assert np.array_equal(first.index, kept[2])


def test_state_goes_on_from_step_to_step_and_reset_starts_anew(toy: Path, open_backend: Open) -> None:
    backend = open_backend(toy)
    assert indices(backend) == [0, 1, 2, 3]
    assert indices(backend, frames=2) == [4, 5]
    backend.reset()
    assert indices(backend) == [0, 1, 2, 3]
    assert indices(backend) == [4, 5, 6, 7]  # one reset starts one stream


def test_two_loaded_programs_do_not_disturb_each_other(toy: Path, open_backend: Open) -> None:
    first, second = open_backend(toy), open_backend(toy)
    assert indices(first) == [0, 1, 2, 3]
    assert indices(second) == [0, 1, 2, 3]
    assert indices(first) == [4, 5, 6, 7]
    second.reset()
    assert indices(first) == [8, 9, 10, 11]
    assert indices(second) == [0, 1, 2, 3]


def test_a_backend_outlives_everything_else_of_its_file(toy: Path, open_backend: Open) -> None:
    backend = open_backend(toy)
    open_backend(toy)
    gc.collect()
    assert indices(backend) == [0, 1, 2, 3]


def test_a_recognizer_reads_words_with_it(toy: Path, name: str) -> None:
    with Recognizer.open(toy, backend=name) as recognizer:
        pcm = pcm_of(recognizer.metadata, [1, 0, 2, 2, 0, 2, 3])
        for _ in range(2):  # the second stream finds the program reset
            assert recognizer.transcribe([pcm[:100], pcm[100:]]).text == "ABB C"


def test_streams_open_at_once_read_their_own_words(toy: Path, name: str) -> None:
    with Recognizer.open(toy, backend=name) as recognizer:
        first, second = recognizer.stream(), recognizer.stream()
        for tokens, other in (([1, 2, 0, 0, 2], [3]), ([0, 3], [1, 2])):
            first.accept(pcm_of(recognizer.metadata, tokens))
            second.accept(pcm_of(recognizer.metadata, other))
        assert (first.finish().text, second.finish().text) == ("ABB C", "C AB")


def test_recognizers_on_two_threads_read_their_own_words(toy: Path, name: str) -> None:
    said = {("ABB C", (1, 2, 0, 2, 3)): [], ("C AB", (3, 1, 2)): []}  # type: dict[tuple[str, tuple[int, ...]], list[str]]

    def listen(tokens: tuple[int, ...], heard: list[str]) -> None:
        with Recognizer.open(toy, backend=name) as recognizer:
            for _ in range(50):
                heard.append(recognizer.transcribe(pcm_of(recognizer.metadata, list(tokens))).text)

    threads = [threading.Thread(target=listen, args=(tokens, heard)) for (_, tokens), heard in said.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(heard == [text] * 50 for (text, _), heard in said.items())


def test_the_pool_is_not_replaced_under_a_loaded_program(toy: Path, open_backend: Open) -> None:
    """It would crash in its next step: see `edge_asr.backends.thread_pool`."""
    backend = open_backend(toy, threads=2)
    with pytest.raises(EdgeAsrError, match="open in it with 2: close that recognizer first"):
        open_backend(toy, threads=1)
    assert indices(open_backend(toy, threads=2)) == [0, 1, 2, 3]
    assert indices(backend) == [0, 1, 2, 3]
    del backend
    gc.collect()
    assert indices(open_backend(toy, threads=1)) == [0, 1, 2, 3]


# --- bad files


Refused = Callable[[Path, str], None]


@pytest.fixture
def refused(open_backend: Open, capfd: pytest.CaptureFixture[str]) -> Refused:
    """`refused(path, trouble)`: one line that names the file, and nothing of ExecuTorch's on the terminal."""

    def check(path: Path, trouble: str) -> None:
        capfd.readouterr()
        with pytest.raises(EdgeAsrError, match=trouble) as caught:
            open_backend(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
        assert capfd.readouterr() == ("", "")

    return check


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.9999])
def test_a_file_cut_short(toy: Path, tmp_path: Path, share: float, refused: Refused) -> None:
    content = toy.read_bytes()
    (tmp_path / "cut.pte").write_bytes(content[: int(share * len(content))])
    refused(tmp_path / "cut.pte", "cut short")


def test_a_program_of_noise_behind_a_sound_header(toy: Path, tmp_path: Path, refused: Refused) -> None:
    """Its checksum is right: it is the runtime that refuses it."""
    program = toy.read_bytes()[: -TRAILER.size]
    noise = np.random.default_rng(5).bytes(len(program) - 48)
    (tmp_path / "noise.pte").write_bytes(sealed(program[:48] + noise))
    refused(tmp_path / "noise.pte", "damaged, not a whole ExecuTorch program")


def test_a_program_that_is_not_ours(toy_without_step: Path, refused: Refused) -> None:
    refused(toy_without_step, r"not a model made by edge-asr \(it has no step\)")


def test_a_step_without_a_reset_input_is_refused(toy_of_four_inputs: Path, refused: Refused) -> None:
    refused(toy_of_four_inputs, "does not follow its metadata: export it again")


def test_a_program_whose_blocks_hold_one_chunk(toy_of_small_blocks: Path, refused: Refused) -> None:
    refused(toy_of_small_blocks, "methods? do(es)? not follow its metadata")


@pytest.mark.parametrize(
    ("written", "instead", "trouble"),
    [
        (
            '"contract_version": 4',
            '"contract_version": 5',
            "made for contract 5, this edge-asr reads contract 4: upgrade",
        ),
        ('"contract_version": 4', '"contract_version": 3', "contract 3, .* contract 4: export the checkpoint again"),
        ('"edge-asr"', '"edge-tts"', "metadata is missing or foreign"),
        ('"precision"', '"decision!"', r"does not follow contract 4 \(precision\): export it again"),
        ('"chunk_samples": 640', '"chunk_samples": 160', r"does not follow contract 4 \(chunk_samples\)"),
        (
            '"chunk_samples": 640, "chunk_frames": 4, "frame_samples": 160',
            '"chunk_samples": 160, "chunk_frames": 4, "frame_samples":  40',
            "methods? do(es)? not follow its metadata",
        ),
        (
            '"chunk_frames": 4, "frame_samples": 160',
            '"chunk_frames": 8, "frame_samples":  80',
            "methods? do(es)? not follow its metadata",
        ),
        ('"<blank>", ', "           ", "methods? do(es)? not follow its metadata"),
    ],
)
def test_metadata_that_does_not_fit(
    toy: Path, tmp_path: Path, written: str, instead: str, trouble: str, refused: Refused
) -> None:
    program = toy.read_bytes()[: -TRAILER.size]
    assert program.count(written.encode()) == 1
    assert len(written) == len(instead)
    (tmp_path / "other.pte").write_bytes(sealed(program.replace(written.encode(), instead.encode())))
    refused(tmp_path / "other.pte", trouble)


def test_loading_leaves_standard_error_open_for_others(
    toy: Path, open_backend: Open, capfd: pytest.CaptureFixture[str]
) -> None:
    open_backend(toy)
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


FRESH_PROCESS = """
import sys
from edge_asr.backends.choose import open_backend
open_backend(sys.argv[1], name=sys.argv[2])
print("loaded", file=sys.stderr)
"""


def test_the_first_load_of_a_process_prints_nothing(toy: Path, name: str) -> None:
    command = [sys.executable, "-c", FRESH_PROCESS, str(toy), name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "loaded\n")
