"""This machine as a target, and its file system."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.native.build import Build
from edge_asr.profiling.contenders import Work, gated
from edge_asr.profiling.program import read_program
from edge_asr.profiling.seen import by_recording
from edge_asr.profiling.targets.local import LocalFiles, LocalTarget, objects_of
from edge_asr.profiling.targets.protocol import RunRequest


@pytest.fixture
def tree(tmp_path: Path) -> LocalFiles:
    for name, text in (("energy_uj", "12345\n"), ("name", "package-0\n"), ("odd name", "x\n")):
        (tmp_path / "sys" / "rapl").mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys" / "rapl" / name).write_text(text)
    return LocalFiles(tmp_path)


def test_a_tree_of_a_tests_own_is_read_as_if_it_were_the_system(tree: LocalFiles) -> None:
    assert tree.read("/sys/rapl/energy_uj") == "12345"
    assert tree.read("/sys/rapl/nothing") is None
    assert tree.read("/sys/rapl") is None
    assert tree.glob("/sys/r*/n*") == ["/sys/rapl/name"]
    assert tree.glob("/sys/rapl/x*") == []


def test_programs_answer_or_do_not() -> None:
    files = LocalFiles()
    assert files.run(["echo", "a b"]) == "a b\n"
    assert files.run(["false"]) is None
    assert files.run(["no-such-program"]) is None


def test_files_are_sampled_without_a_process_each(tree: LocalFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "run", lambda command: pytest.fail("a process was started"))
    before_s = LocalTarget().clock_s()
    with tree.sample("cat /sys/rapl/name /sys/rapl/missing /sys/rapl/energy_uj", 0.01) as sampler:
        time.sleep(0.2)
    samples = sampler.samples()
    assert 10 <= len(samples) <= 25
    assert {sample.text for sample in samples} == {"package-0\n12345\n"}
    times = [sample.time_s for sample in samples]
    assert times == sorted(times)
    assert before_s <= times[0] < times[-1] <= LocalTarget().clock_s()
    time.sleep(0.05)
    assert len(sampler.samples()) == len(samples)


def test_any_other_line_is_the_shells() -> None:
    with LocalFiles().sample("echo $((6 * 7)); echo 'b'", 0.01) as sampler:
        time.sleep(0.3)
    assert {sample.text for sample in sampler.samples()} == {"42\nb\n"}


def test_a_run_yields_what_the_runner_prints(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    with LocalTarget() as target:
        target.prepare([tiny_pte], [beeps])
        first, second = target.run(RunRequest(tiny_pte, (beeps, beeps), threshold=0.5))
        assert (first["audio"], first["threshold"]) == (str(beeps), 0.5)
        assert second["text"] == first["text"]
        *updates, last = target.run(RunRequest(tiny_pte, (beeps,), threshold=1.0, steps=True))
        assert all(update["update"] for update in updates)
        assert last["kept_frames"] == last["frames"]
        (bench,) = target.run(RunRequest(tiny_pte, (beeps,), threshold=1.0, bench=True))
        assert bench["proportional_bytes"] <= bench["peak_resident_bytes"]


def test_updates_hold_what_the_last_object_does_not_repeat(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    with LocalTarget() as target:
        target.prepare([tiny_pte], [beeps])
        (plain,) = target.run(RunRequest(tiny_pte, (beeps,), threshold=0.5))
        ((updates, put_together),) = by_recording(target.run(RunRequest(tiny_pte, (beeps,), threshold=0.5, steps=True)))
    assert plain["text"]
    for key in ("text", "step_upper", "frames", "kept_frames", "audio_s"):
        assert put_together[key] == plain[key], key
    assert len(put_together["step_ms"]) == len(plain["step_ms"]) == sum(len(update["steps"]) for update in updates)


def test_what_the_runner_complains_of_is_the_error(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    with LocalTarget() as target, pytest.raises(EdgeAsrError, match=r"no\.wav"):
        list(target.run(RunRequest(tiny_pte, (Path("no.wav"),), threshold=0.5)))


def test_a_runner_that_is_not_listened_to_any_more_ends(native_build: Build, tiny_pte: Path, beeps: Path) -> None:
    with LocalTarget() as target:
        run = target.run(RunRequest(tiny_pte, (beeps,) * 2_000, threshold=1.0))
        next(run)
        started_s = time.monotonic()
        run.close()  # type: ignore[attr-defined]
        assert time.monotonic() - started_s < 1


def test_a_program_that_prints_no_more_ends_where_it_is_not_listened_to() -> None:
    run = objects_of(["sh", "-c", "echo '{}'; exec sleep 60"])
    next(run)
    started_s = time.monotonic()
    run.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started_s < 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("exit 3", "with status 3 and said nothing"),
        ("kill -9 $$", "by signal 9"),
        ("echo out of memory >&2; exit 1", "^out of memory$"),
        ("echo nonsense", "no result"),
    ],
)
def test_programs_that_fail(line: str, said: str) -> None:
    with pytest.raises(EdgeAsrError, match=said):
        list(objects_of(["sh", "-c", line]))


def test_a_file_says_what_it_is_without_a_runtime(tiny_pte: Path) -> None:
    program = read_program(tiny_pte)
    assert program.metadata.default_threshold == 0.9
    assert program.metadata.precision == "fp32"
    contender = gated(LocalTarget(), program, 1.0, prefix="tiny")
    assert (contender.setting.name, contender.setting.model_sha256) == ("tiny gate off", program.sha256)
    assert contender.file_bytes == tiny_pte.stat().st_size
    assert Work((tiny_pte,)).bench is False
