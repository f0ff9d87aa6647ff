"""The merged time line: skipped, waiting and resolved frames collapse to words, however the results arrive."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.backends.protocol import StepResult
from edge_asr.ctc import Clock, TimeLine, Word, collapse
from edge_asr.errors import EdgeAsrError
from edge_asr.tokens import Tokens

BLANK, A, L, HE, BARE, TWO, MUTE = range(7)
TOKENS = Tokens(pieces=("<blank>", "A", "L", "▁HE", "▁", "▁O▁K", ""), blank_id=BLANK)
FRAME_SAMPLES = 640
CLOCK = Clock(FRAME_SAMPLES, sample_rate_hz=16_000)
FRAME_S = 0.04


@dataclass(frozen=True)
class Frame:
    """What happens to one frame."""

    kept: bool
    partial: int  # what the intermediate head says
    final: int  # what the final head says where the frame is kept
    probability: float = 0.5  # of that


def rows(tokens: Sequence[int], probabilities: Sequence[float]) -> np.ndarray:
    out = np.full((len(tokens), len(TOKENS.pieces)), -100.0, np.float32)
    for row, (token, probability) in enumerate(zip(tokens, probabilities, strict=True)):
        out[row, token] = math.log(probability)
    return out


def step(frames: Sequence[Frame], resolved: Sequence[tuple[int, Frame]] = (), waiting: int = 0) -> StepResult:
    return StepResult(
        partial=rows([f.partial for f in frames], [f.probability for f in frames]),
        keep=np.array([f.kept for f in frames], bool),
        final=rows([f.final for _, f in resolved], [f.probability for _, f in resolved]),
        index=np.array([number for number, _ in resolved], np.int64),
        waiting=waiting,
    )


def at_once(frames: Sequence[Frame]) -> tuple[TimeLine, list[Word]]:
    """All frames in one step that resolves every kept one."""
    line = TimeLine(TOKENS, CLOCK)
    words = line.add(step(frames, [(n, f) for n, f in enumerate(frames) if f.kept]), len(frames) * FRAME_SAMPLES)
    return line, words


def kept(*tokens: int, probability: float = 0.5) -> list[Frame]:
    return [Frame(True, token, token, probability) for token in tokens]


SKIPPED = Frame(False, A, A)  # whatever the heads might have said of it


def text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def spoken(frames: Sequence[Frame]) -> str:
    line, words = at_once(frames)
    return text(words + line.finish())


# --- examples


def test_collapse_drops_repeats_then_blanks() -> None:
    assert collapse([BLANK, A, A, BLANK, A, L, L], BLANK) == [A, A, L]


def test_a_letter_on_both_sides_of_a_skipped_frame_is_two_letters() -> None:
    assert spoken([*kept(HE, L), SKIPPED, *kept(L, A)]) == "HELLA"


def test_a_letter_held_over_adjacent_frames_is_one_letter() -> None:
    assert spoken(kept(HE, L, L, A)) == "HELA"


def test_a_skipped_frame_is_blank_whatever_the_heads_say() -> None:
    assert spoken([SKIPPED, *kept(HE), SKIPPED]) == "HE"


def test_a_word_is_final_once_the_next_has_begun_and_not_before() -> None:
    line = TimeLine(TOKENS, CLOCK)
    first, second = kept(HE, L), kept(A, HE)
    assert line.add(step(first, list(enumerate(first))), 2 * FRAME_SAMPLES) == []
    assert text(line.partial_words()) == "HEL"
    assert text(line.add(step(second, list(enumerate(second, start=2))), 2 * FRAME_SAMPLES)) == "HELA"
    assert text(line.partial_words()) == "HE"
    assert text(line.finish()) == "HE"
    assert line.partial_words() == []


def test_a_waiting_frame_is_heard_as_the_intermediate_head_says_until_it_is_resolved() -> None:
    line = TimeLine(TOKENS, CLOCK)
    frame = Frame(True, partial=A, final=L)
    line.add(step([frame], waiting=1), FRAME_SAMPLES)
    assert text(line.partial_words()) == "A"
    line.add(step([], [(0, frame)]), 0)
    assert text(line.partial_words()) == "L"


def test_a_word_lasts_from_the_first_frame_of_its_first_piece_to_the_last_frame_of_its_last() -> None:
    _, (word,) = at_once([SKIPPED, *kept(HE, HE), SKIPPED, *kept(L, L, HE)])
    assert (word.text, word.start_s, word.end_s) == ("HEL", pytest.approx(1 * FRAME_S), pytest.approx(6 * FRAME_S))


def test_confidence_is_the_geometric_mean_of_the_best_frame_of_each_piece() -> None:
    frames = [*kept(HE, probability=0.9), *kept(L, probability=0.2), *kept(L, probability=0.4), *kept(HE)]
    _, (word,) = at_once(frames)
    assert word.confidence == pytest.approx(math.sqrt(0.9 * 0.4), rel=1e-5)


def test_a_bare_word_mark_opens_a_word_and_a_mark_inside_a_piece_splits_it() -> None:
    assert spoken(kept(A, BARE, L, TWO, A)) == "A L O KA"


def test_a_piece_without_text_lengthens_no_word() -> None:
    _, (word,) = at_once(kept(HE, MUTE, MUTE, HE))
    assert (word.text, word.end_s) == ("HE", pytest.approx(1 * FRAME_S))


def test_a_frame_resolved_out_of_turn_breaks_the_contract() -> None:
    line = TimeLine(TOKENS, CLOCK)
    frames = kept(A, L)
    with pytest.raises(EdgeAsrError, match="resolved frame 1, which was not next"):
        line.add(step(frames, [(1, frames[1])]), 2 * FRAME_SAMPLES)


def test_a_skipped_frame_cannot_be_resolved() -> None:
    with pytest.raises(EdgeAsrError, match="resolved frame 0"):
        TimeLine(TOKENS, CLOCK).add(step([SKIPPED], [(0, SKIPPED)]), FRAME_SAMPLES)


@pytest.mark.parametrize("says", [-1, 0, 2])
def test_another_number_of_waiting_frames_breaks_the_contract(says: int) -> None:
    with pytest.raises(EdgeAsrError, match=rf"says that {says} frames wait, and 1 do: export it again"):
        TimeLine(TOKENS, CLOCK).add(step([SKIPPED, *kept(A)], waiting=says), 2 * FRAME_SAMPLES)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("token", [BLANK, A, MUTE])
@pytest.mark.parametrize("head", ["partial", "final"])
def test_a_log_probability_that_is_not_finite_breaks_the_contract(head: str, token: int, odd: float) -> None:
    frames = [SKIPPED, *kept(A)]
    result = step(frames, [(1, frames[1])])
    getattr(result, head)[-1, token] = odd
    with pytest.raises(EdgeAsrError, match="not finite for frame 1: export it again"):
        TimeLine(TOKENS, CLOCK).add(result, 2 * FRAME_SAMPLES)


def test_rows_that_do_not_count_may_hold_anything() -> None:
    result = step([SKIPPED, *kept(A), *kept(A)], [(1, kept(L)[0])])
    result.partial[[0, 2]] = math.nan
    line = TimeLine(TOKENS, CLOCK)
    line.add(result, 2 * FRAME_SAMPLES)
    assert text(line.finish()) == "L"


def test_a_word_ends_where_the_audio_does_though_its_frame_does_not() -> None:
    line = TimeLine(TOKENS, CLOCK)
    samples = FRAME_SAMPLES + 123
    line.add(step(kept(HE, L), waiting=2), samples)
    (partial,) = line.partial_words()
    line.add(step([], list(enumerate(kept(HE, L)))), 0)
    (final,) = line.finish()
    assert (final.start_s, final.end_s, partial.end_s) == (0.0, samples / 16_000, samples / 16_000)


# --- properties

token_ids = st.integers(0, len(TOKENS.pieces) - 1)
frame_lists = st.lists(st.builds(Frame, st.booleans(), token_ids, token_ids, st.floats(0.01, 1.0)), max_size=40)


@dataclass(frozen=True)
class Schedule:
    """How frames arrive and when they are resolved, step by step."""

    frames: list[Frame]
    steps: list[tuple[int, int]]  # frames that arrive, kept frames that are resolved at most

    def run(self, line: TimeLine) -> Iterator[tuple[list[Word], int, int]]:
        """Yields (new final words, frames arrived, kept frames resolved), and ends with everything resolved."""
        order = [n for n, frame in enumerate(self.frames) if frame.kept]
        arrived = resolved = 0
        for arrive, resolve in [*self.steps, (len(self.frames), len(self.frames))]:
            new = self.frames[arrived : arrived + arrive]
            arrived += len(new)
            ready = [n for n in order[resolved:] if n < arrived][:resolve]
            resolved += len(ready)
            waiting = sum(n < arrived for n in order) - resolved
            result = step(new, [(n, self.frames[n]) for n in ready], waiting)
            yield line.add(result, len(new) * FRAME_SAMPLES), arrived, resolved


schedules = st.builds(Schedule, frame_lists, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=20))


@given(schedules)
def test_at_every_moment_the_text_is_the_reference_collapse_of_the_merged_sequence(schedule: Schedule) -> None:
    line = TimeLine(TOKENS, CLOCK)
    final: list[Word] = []
    for words, arrived, resolved in schedule.run(line):
        final += words
        merged, seen = [], itertools.count()
        for frame in schedule.frames[:arrived]:
            if not frame.kept:
                merged.append(BLANK)
            else:
                merged.append(frame.final if next(seen) < resolved else frame.partial)
        assert text(final + line.partial_words()) == TOKENS.to_text(collapse(merged, BLANK))
    assert text(final + line.finish()) == TOKENS.to_text(collapse(merged, BLANK))


@given(schedules)
def test_words_do_not_depend_on_how_the_results_arrived(schedule: Schedule) -> None:
    line = TimeLine(TOKENS, CLOCK)
    words = [word for new, _, _ in schedule.run(line) for word in new] + line.finish()
    whole, first = at_once(schedule.frames)
    assert words == first + whole.finish()


@given(frame_lists)
def test_words_follow_one_another_in_time_and_confidence_is_a_probability(frames: list[Frame]) -> None:
    line, words = at_once(frames)
    words += line.finish()
    assert all(word.text and 0 <= word.start_s < word.end_s for word in words)
    assert all(0 <= word.confidence <= 1 for word in words)
    assert all(a.start_s <= b.start_s for a, b in itertools.pairwise(words))


def test_memory_does_not_grow_with_the_stream() -> None:
    line = TimeLine(TOKENS, CLOCK)
    frames = [*kept(HE, L), SKIPPED, *kept(A)]

    def feed(first: int, steps: int) -> int:
        for n in range(first, first + steps):
            line.add(step(frames, [(4 * n + row, f) for row, f in enumerate(frames) if f.kept]), 4 * FRAME_SAMPLES)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    early_bytes = feed(0, 200)
    late_bytes = feed(200, 2_000)
    tracemalloc.stop()
    assert late_bytes - early_bytes < 2_000  # one byte a step at most


def test_silence_while_frames_wait_takes_no_memory() -> None:
    line = TimeLine(TOKENS, CLOCK)
    line.add(step(kept(HE), waiting=1), FRAME_SAMPLES)
    silence = step([SKIPPED] * 4, waiting=1)
    tracemalloc.start()
    line.add(silence, 4 * FRAME_SAMPLES)
    early_bytes = tracemalloc.get_traced_memory()[0]
    for _ in range(2_000):
        line.add(silence, 4 * FRAME_SAMPLES)
    late_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert late_bytes - early_bytes < 2_000
