"""What a caller of the recognizer can rely on, shown on a scripted backend whose answer is a function of the PCM.

Each frame of PCM spells out what the model makes of it: see `spell`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edge_asr import recognizer as recognizer_module
from edge_asr.backends.protocol import StepResult
from edge_asr.contract import CONTRACT_VERSION, Metadata
from edge_asr.ctc import collapse
from edge_asr.errors import EdgeAsrError
from edge_asr.recognizer import Recognizer, Result, Stream, Threshold, Update
from edge_asr.tokens import Tokens
from tests.beeps import BeepBackend, write_beeps

FRAME_SAMPLES = 5
CHUNK_FRAMES = 4
CHUNK_SAMPLES = FRAME_SAMPLES * CHUNK_FRAMES
PIECES = ("<blank>", "▁A", "B", "▁C", "L")
BLANK_LEVELS = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
DEFAULT_THRESHOLD = 0.6
METADATA = Metadata(
    contract_version=CONTRACT_VERSION,
    sample_rate_hz=16_000,
    chunk_samples=CHUNK_SAMPLES,
    chunk_frames=CHUNK_FRAMES,
    frame_samples=FRAME_SAMPLES,
    blank_id=0,
    pieces=PIECES,
    default_threshold=DEFAULT_THRESHOLD,
    precision="fp32",
    lower_layers=1,
    upper_layers=1,
    training={},
    exporter={},
)


@dataclass(frozen=True)
class Frame:
    """What the scripted model makes of one frame."""

    partial: int  # the intermediate head's token
    final: int  # the final head's token
    blank_level: int  # its blank probability, an index into BLANK_LEVELS


def spell(frames: Sequence[Frame]) -> np.ndarray:
    """PCM int16 [samples] whose frames the scripted backend reads as `frames`. Only a frame's first sample counts."""
    pcm = np.full((len(frames), FRAME_SAMPLES), -1, np.int16)
    for row, frame in enumerate(frames):
        pcm[row, 0] = (frame.partial * len(PIECES) + frame.final) * len(BLANK_LEVELS) + frame.blank_level
    return pcm.ravel()


def read(pcm: np.ndarray) -> list[Frame]:
    codes = np.round(pcm[::FRAME_SAMPLES] * 32_768).astype(int).tolist()
    return [Frame(*divmod(code // len(BLANK_LEVELS), len(PIECES)), code % len(BLANK_LEVELS)) for code in codes]


def log_probabilities(tokens: Sequence[int], count: int) -> np.ndarray:
    out = np.full((count, len(PIECES)), math.log(0.05), np.float32)
    out[np.arange(len(tokens)), list(tokens)] = math.log(0.8)
    return out


@dataclass
class ScriptedBackend:
    """A gate and an upper stack as the contract describes them, which also checks that the host follows it."""

    name: str = "scripted"
    metadata: Metadata = METADATA
    stuck: bool = False  # flushing resolves nothing
    resets: int = 0
    steps: int = 0
    seen: int = 0
    ended: bool = False
    pending: list[tuple[int, int]] = field(default_factory=list)

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        assert pcm.shape == (CHUNK_SAMPLES,)
        assert pcm.dtype == np.float32
        assert not pcm[frames * FRAME_SAMPLES :].any(), "zeros follow the end of the stream"
        assert flush or frames == CHUNK_FRAMES, "only the end of a stream is short"
        assert not (self.ended and frames), "nothing follows the end of a stream"
        assert frames or self.pending, "a needless step"
        self.steps += 1
        self.ended |= flush
        heard = read(pcm)
        keep = np.array([BLANK_LEVELS[f.blank_level] <= threshold for f in heard])
        self.pending += [(self.seen + n, f.final) for n, f in enumerate(heard[:frames]) if keep[n]]
        self.seen += frames
        ready: list[tuple[int, int]] = []
        if (len(self.pending) >= CHUNK_FRAMES or flush or not keep[:frames].any()) and not self.stuck:
            ready, self.pending = self.pending, []
        return StepResult(
            partial=log_probabilities([f.partial for f in heard], CHUNK_FRAMES),
            keep=keep,
            final=log_probabilities([token for _, token in ready], len(ready)),
            index=np.array([number for number, _ in ready], np.int64),
            waiting=len(self.pending),
        )

    def reset(self) -> None:
        self.resets += 1
        self.seen, self.ended, self.pending = 0, False, []


def scripted() -> tuple[Recognizer, list[ScriptedBackend]]:
    """A recognizer, and the backends it has loaded so far."""
    loaded: list[ScriptedBackend] = []

    def load() -> ScriptedBackend:
        loaded.append(ScriptedBackend())
        return loaded[-1]

    return Recognizer(load), loaded


def expected_text(frames: Sequence[Frame], threshold: float) -> str:
    """Reference: CTC over the final head, blank where the gate skipped."""
    merged = [f.final if BLANK_LEVELS[f.blank_level] <= threshold else 0 for f in frames]
    return Tokens(PIECES, 0).to_text(collapse(merged, 0))


def cut(pcm: np.ndarray, lengths: Sequence[int]) -> list[np.ndarray]:
    return np.split(pcm, np.minimum(np.cumsum(lengths, dtype=int), len(pcm)))


def says(word_frames: str, blank_level: int = 0) -> list[Frame]:
    """A frame a letter: A and C open a word, `.` is blank."""
    ids = [".ABCL".index(letter) for letter in word_frames]
    return [Frame(i, i, blank_level) for i in ids]


frame_lists = st.lists(
    st.builds(
        Frame,
        st.integers(0, len(PIECES) - 1),
        st.integers(0, len(PIECES) - 1),
        st.integers(0, len(BLANK_LEVELS) - 1),
    ),
    max_size=30,
)
cuts = st.lists(st.integers(0, 2 * CHUNK_SAMPLES + 1), max_size=30)
thresholds = st.sampled_from([0.0, 0.4, 0.6, 0.9, 1.0])
# samples missing from the last frame: a stream ends anywhere, but the first sample tells what the frame is
short_ends = st.integers(0, FRAME_SAMPLES - 1)


# --- the text


@given(frame_lists, cuts, thresholds, short_ends)
def test_any_way_of_cutting_pcm_gives_the_reference_text(
    frames: list[Frame], lengths: list[int], threshold: float, missing: int
) -> None:
    recognizer, _ = scripted()
    pcm = spell(frames)
    pcm = pcm[: max(0, len(pcm) - missing)]
    stream = recognizer.stream(threshold)
    for block in cut(pcm, lengths):
        stream.accept(block)
    result = stream.finish()
    assert result.text == expected_text(frames, threshold)
    whole = recognizer.transcribe(pcm, threshold)
    assert (result.text, result.words) == (whole.text, whole.words)
    assert result.counters.frames == len(frames)


@given(frame_lists, cuts, thresholds)
def test_final_text_only_grows_and_the_new_words_make_up_the_result(
    frames: list[Frame], lengths: list[int], threshold: float
) -> None:
    stream = scripted()[0].stream(threshold)
    updates = [stream.accept(block) for block in cut(spell(frames), lengths)]
    result = stream.finish()
    finals = [u.final.split() for u in updates] + [result.text.split()]
    for earlier, later in itertools.pairwise(finals):
        assert later[: len(earlier)] == earlier
    assert [w for answer in (*updates, result) for w in answer.new_words] == list(result.words)
    assert [w.text for w in result.words] == result.text.split()


@given(frame_lists, cuts)
def test_changed_says_whether_the_text_differs_from_the_update_before(frames: list[Frame], lengths: list[int]) -> None:
    stream = scripted()[0].stream()
    before = ("", "")
    for block in cut(spell(frames), lengths):
        update = stream.accept(block)
        assert update.changed == ((update.final, update.partial) != before)
        before = (update.final, update.partial)


def test_the_same_partial_word_after_a_new_final_one_is_a_change() -> None:
    stream = scripted()[0].stream()
    first, second, silence = (stream.accept(spell(says(letters))) for letters in ("A...", "A...", "...."))
    assert (first.final, first.partial, first.changed) == ("", "A", True)
    assert (second.final, second.partial, second.changed) == ("A", "A", True)
    assert (silence.final, silence.partial, silence.changed) == ("A", "A", False)


def test_int16_and_float32_are_the_same_audio() -> None:
    recognizer, _ = scripted()
    pcm = spell(says("AB.CLL"))
    assert recognizer.transcribe(pcm).text == recognizer.transcribe(pcm.astype(np.float32) / 32_768).text == "AB CL"


def test_the_last_word_is_partial_until_the_stream_ends() -> None:
    stream = scripted()[0].stream()
    update = stream.accept(spell(says("ABCL")))
    assert (update.final, update.partial, update.text) == ("AB", "CL", "AB CL")
    assert [word.text for word in update.partial_words] == ["CL"]
    result = stream.finish()
    assert (result.text, [word.text for word in result.new_words]) == ("AB CL", ["CL"])


def test_what_waits_is_shown_as_the_intermediate_head_hears_it_and_corrected_later() -> None:
    unsure = [Frame(1, 3, 0), *says("...", blank_level=5)]  # heard as A, in truth C; the rest is skipped
    stream = scripted()[0].stream()
    assert stream.accept(spell(unsure)).text == "A"
    assert stream.finish().text == "C"


# --- what a step cost


def test_counters_and_steps_tell_what_the_gate_did() -> None:
    frames = says("AB", 0) + says("..", 5) + says("CL", 0)
    stream = scripted()[0].stream()
    first = stream.accept(spell(frames))
    result = stream.finish()
    (info,) = first.new_steps
    assert (info.keep, info.upper_ran, info.waiting) == ((True, True, False, False), False, 2)
    (last,) = result.new_steps
    assert (last.keep, last.upper_ran, last.waiting) == ((True, True), True, 0)
    counters = result.counters
    assert (counters.frames, counters.kept_frames, counters.upper_runs, counters.steps) == (6, 4, 1, 2)
    assert counters.audio_s == pytest.approx(6 * FRAME_SAMPLES / 16_000)


def test_an_upper_run_takes_all_that_waits_more_than_a_chunk_of_it() -> None:
    stream = scripted()[0].stream()
    (waits,) = stream.accept(spell(says("ABC", 0) + says(".", 5))).new_steps
    (runs,) = stream.accept(spell(says("LABC"))).new_steps
    assert (waits.upper_ran, waits.waiting, runs.upper_ran, runs.waiting) == (False, 3, True, 0)
    result = stream.finish()
    assert (result.text, result.new_steps) == ("AB CL AB C", ())


def test_an_update_without_a_full_chunk_took_no_step() -> None:
    update = scripted()[0].stream().accept(spell(says("AB")))
    assert (update.new_steps, update.text, update.changed) == ((), "", False)


def test_compute_time_is_the_time_inside_step_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0

    class SlowBackend(ScriptedBackend):
        def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
            nonlocal now_s
            now_s += 0.25
            return super().step(pcm, frames, threshold, flush)

    monkeypatch.setattr(recognizer_module.time, "perf_counter", lambda: now_s)
    stream = Recognizer(SlowBackend).stream("off")
    for _ in range(3):
        now_s += 10
        update = stream.accept(spell(says("ABAB")))
    assert update.counters.compute_s == 0.75
    assert [info.latency_ms for info in update.new_steps] == [250.0]


# --- the end of a stream


def test_no_samples_are_an_empty_result_without_a_step() -> None:
    recognizer, (backend,) = scripted()
    stream = recognizer.stream()
    stream.accept(np.zeros(0, np.float32))
    result = stream.finish()
    assert (result.text, result.words, result.counters.steps) == ("", (), 0)
    assert backend.steps == 0


def test_whole_chunks_take_no_step_at_the_end_where_nothing_waits() -> None:
    result = scripted()[0].transcribe(spell(says("ABCL" * 3)))
    assert result.counters.steps == 3


def test_whole_chunks_take_one_step_more_where_frames_wait() -> None:
    result = scripted()[0].transcribe(spell(says("AB", 0) + says("..", 5)))
    assert (result.text, result.counters.steps) == ("AB", 2)


def test_a_model_whose_flush_resolves_nothing_is_an_error_and_not_an_endless_loop() -> None:
    with pytest.raises(EdgeAsrError, match="does not end its stream"):
        Recognizer(lambda: ScriptedBackend(stuck=True)).transcribe(spell(says("AB")))


@pytest.mark.parametrize("end", [Stream.finish, Stream.close])
def test_a_stream_that_is_over_takes_nothing_more(end: object) -> None:
    stream = scripted()[0].stream()
    assert callable(end)
    end(stream)
    with pytest.raises(EdgeAsrError, match="this stream is over"):
        stream.accept(np.zeros(1, np.float32))
    with pytest.raises(EdgeAsrError, match="this stream is over"):
        stream.finish()


# --- the threshold


@pytest.mark.parametrize(
    ("threshold", "kept"), [(None, 4), (DEFAULT_THRESHOLD, 4), ("off", 8), (1.0, 8), (1, 8), (0.4, 2), (0, 0)]
)
def test_threshold_decides_what_is_kept(threshold: Threshold, kept: int) -> None:
    frames = [f for level in (1, 2, 3, 5) for f in says("AB", blank_level=level)]  # 0.3, 0.5, 0.7 and 1
    assert scripted()[0].transcribe(spell(frames), threshold).counters.kept_frames == kept


@pytest.mark.parametrize("threshold", [-0.01, 1.01, math.nan, math.inf, "on", "0.5", True])
def test_a_threshold_outside_0_to_1_is_refused(threshold: Threshold) -> None:
    with pytest.raises(EdgeAsrError, match="between 0 and 1, or be 'off'"):
        scripted()[0].stream(threshold)


# --- PCM that cannot be right


@pytest.mark.parametrize(
    ("pcm", "trouble"),
    [
        (np.zeros(4, np.float64), "not float64"),
        (np.zeros(4, np.int32), "not int32"),
        (np.zeros((4, 2), np.float32), r"mono.* not of shape \[4, 2\]"),
        (np.float32(0.5), "numpy array"),
        ([0.0, 0.1], "not list"),
        (b"\0\0", "not bytes"),
        (np.array([0, np.nan], np.float32), "not a finite number"),
        (np.array([0, -np.inf], np.float32), "not a finite number"),
        (np.array([12_000], np.float32), r"reaches 12000"),
    ],
)
def test_other_pcm_is_refused_and_leaves_the_stream_as_it_was(pcm: np.ndarray, trouble: str) -> None:
    stream = scripted()[0].stream()
    stream.accept(spell(says("AB")))
    with pytest.raises(EdgeAsrError, match=trouble) as caught:
        stream.accept(pcm)
    assert "\n" not in str(caught.value)
    stream.accept(spell(says("CL")))
    assert stream.finish().text == "AB CL"


def test_the_second_of_a_bad_sample_is_counted_from_the_start_of_the_stream() -> None:
    stream = scripted()[0].stream()
    stream.accept(np.zeros(24_000, np.float32))
    bad = np.zeros(16_000, np.float32)
    bad[8_000] = np.nan
    with pytest.raises(EdgeAsrError, match=r"at 2\.00 s"):
        stream.accept(bad)


def test_the_callers_array_is_not_kept_or_changed() -> None:
    stream = scripted()[0].stream()
    pcm = spell(says("AB")).astype(np.float32) / 32_768
    before = pcm.copy()
    stream.accept(pcm)
    assert np.array_equal(pcm, before)
    pcm[:] = 0
    assert stream.finish().text == "AB"


# --- programs lent to streams


def test_streams_open_at_once_have_programs_of_their_own() -> None:
    recognizer, loaded = scripted()
    first, second = recognizer.stream(), recognizer.stream()
    for block in np.split(spell(says("ABCLABCL")), 5):
        first.accept(block)
        second.accept(block[::-1].copy() * 0)
    assert first.finish().text == "AB CL AB CL"
    assert second.finish().text == ""
    assert len(loaded) == 2


@pytest.mark.parametrize("end", [Stream.finish, Stream.close])
def test_a_program_that_comes_back_is_reset_and_lent_again(end: object) -> None:
    recognizer, loaded = scripted()
    stream = recognizer.stream()
    stream.accept(spell(says("ABABC")))
    assert callable(end)
    end(stream)
    assert recognizer.transcribe(spell(says("CL"))).text == "CL"
    assert len(loaded) == 1
    assert loaded[0].resets == 2


def test_a_stream_that_fails_gives_its_program_back() -> None:
    recognizer, loaded = scripted()
    with pytest.raises(EdgeAsrError, match="not a finite number"):
        recognizer.transcribe([spell(says("ABAB")), np.array([np.nan], np.float32)])
    assert recognizer.transcribe(spell(says("CL"))).text == "CL"
    assert len(loaded) == 1


def test_a_closed_recognizer_starts_no_stream_but_lets_an_open_one_end() -> None:
    recognizer, _ = scripted()
    with recognizer:
        stream = recognizer.stream()
    with pytest.raises(EdgeAsrError, match="closed"):
        recognizer.stream()
    stream.accept(spell(says("AB")))
    assert stream.finish().text == "AB"


# --- a step that fails


@dataclass
class FailingBackend(ScriptedBackend):
    """Its second step raises `failure`, or breaks the contract where there is none."""

    failure: BaseException | None = None

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        result = super().step(pcm, frames, threshold, flush)
        if self.steps == 2:
            if self.failure:
                raise self.failure
            result.partial[0] = math.nan
        return result


FAILURES = [None, EdgeAsrError("the model failed in a step"), KeyboardInterrupt(), MemoryError()]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_step_that_fails_ends_the_stream_and_its_program_is_not_lent_again(
    failure: BaseException | None, at_the_end: bool
) -> None:
    loaded: list[FailingBackend] = []

    def load() -> FailingBackend:
        loaded.append(FailingBackend(failure=failure))
        return loaded[-1]

    recognizer = Recognizer(load)
    stream = recognizer.stream("off")
    stream.accept(spell(says("ABCL")))
    with pytest.raises(type(failure) if failure else EdgeAsrError):  # noqa: PT012
        stream.accept(spell(says("AB" if at_the_end else "ABAB")))
        stream.finish()
    for call in (lambda: stream.accept(spell(says("A"))), stream.finish):
        with pytest.raises(EdgeAsrError, match="this stream is over"):
            call()
    stream.close()
    assert recognizer.transcribe(spell(says("AB"))).text == "AB"
    assert (len(loaded), loaded[0].steps, loaded[0].resets) == (2, 2, 0)


def test_a_model_that_does_not_end_its_stream_ends_it_for_the_host() -> None:
    stream = Recognizer(lambda: ScriptedBackend(stuck=True)).stream()
    stream.accept(spell(says("AB")))
    for error in ("does not end its stream", "this stream is over"):
        with pytest.raises(EdgeAsrError, match=error):
            stream.finish()


# --- a model of its own rate


class TelephonyBackend(BeepBackend):
    """Of 8 kHz: its frames last 80 ms."""

    metadata = dataclasses.replace(BeepBackend.metadata, sample_rate_hz=8_000)


@pytest.mark.parametrize("file_hz", [8_000, 16_000, 44_100])
def test_a_file_is_brought_to_the_rate_of_the_model(tmp_path: Path, file_hz: int) -> None:
    path = write_beeps(tmp_path / "beeps.wav", ".x..x.", file_hz)
    result = Recognizer(TelephonyBackend).transcribe(path)
    assert result.text == "BEEP BEEP"
    assert result.counters.audio_s == pytest.approx(1.2, abs=0.001)
    assert [word.start_s for word in result.words] == pytest.approx([0.2, 0.8], abs=0.08)
    assert result.counters.frames == 15


def test_pcm_is_at_the_rate_of_the_model() -> None:
    recognizer = Recognizer(TelephonyBackend)
    samples = np.zeros(2 * recognizer.metadata.sample_rate_hz, np.float32)
    assert recognizer.transcribe(samples).counters.audio_s == 2.0
    samples[12_000] = math.nan
    with pytest.raises(EdgeAsrError, match=r"at 1\.50 s"):
        recognizer.stream().accept(samples)


# --- the end of the audio


@given(frame_lists, cuts, short_ends)
def test_words_lie_inside_the_audio(frames: list[Frame], lengths: list[int], missing: int) -> None:
    pcm = spell(frames)
    pcm = pcm[: max(0, len(pcm) - missing)]
    audio_s = len(pcm) / METADATA.sample_rate_hz
    stream = scripted()[0].stream("off")
    answers: list[Update | Result] = [stream.accept(block) for block in cut(pcm, lengths)]
    words = [word for update in answers if isinstance(update, Update) for word in update.partial_words]
    result = stream.finish()
    for word in (*words, *result.words):
        assert 0 <= word.start_s < word.end_s <= audio_s
    assert result.counters.audio_s == audio_s


# --- conveniences


def test_transcribe_takes_a_file_an_array_or_blocks(tmp_path: Path) -> None:
    recognizer, _ = scripted()
    pcm = spell(says("ABCL.L"))
    soundfile.write(tmp_path / "a.wav", pcm, 16_000)
    texts = {
        recognizer.transcribe(audio).text for audio in (tmp_path / "a.wav", str(tmp_path / "a.wav"), pcm, cut(pcm, [7]))
    }
    assert texts == {"AB CLL"}


def test_answers_cannot_be_changed() -> None:
    stream = scripted()[0].stream()
    answers: tuple[Update | Result, ...] = (stream.accept(spell(says("AB"))), stream.finish())
    for answer in answers:
        with pytest.raises(AttributeError):
            answer.counters = None  # type: ignore[misc, assignment]


# --- imports

DEVICE_SIDE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "executorch", "torchao"):
            raise ModuleNotFoundError(f"{name} is not on the device")
sys.meta_path.insert(0, Absent())
import edge_asr
from edge_asr import audio, contract, ctc, errors, manifest, metrics, recognizer, tokens
from edge_asr.backends import choose, program_file, protocol
assert choose.runtimes()  # imports every backend module
try:
    import torch
except ModuleNotFoundError:
    print("imported")
"""


def test_the_device_side_imports_without_torch_and_executorch() -> None:
    done = subprocess.run([sys.executable, "-c", DEVICE_SIDE], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("imported", 0), done.stderr
