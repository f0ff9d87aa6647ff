"""The app's benchmark against the profiler: figures of the same numbers, and a report that the profiler takes, made on
a desktop JVM with the real runtime. No phone took part: energy is made up, and cold starts are no fresh processes."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.errors import EdgeAsrError
from edge_asr.file_hash import file_sha256
from edge_asr.profiling.meters.battery import product_w
from edge_asr.profiling.meters.energy import energy_of
from edge_asr.profiling.meters.integrate import integrate_counter, integrate_power
from edge_asr.profiling.meters.protocol import Span, Window
from edge_asr.profiling.recordings import Recordings, as_waves, sources
from edge_asr.profiling.report import EnergyKind, Report, from_json
from edge_asr.profiling.report_schema import SCHEMA_FILE
from edge_asr.profiling.statistics import distribution, interleaved_ratio, relative_spread, student_quantile
from edge_asr.profiling.targets.adb import AdbTarget, Benchmark, audio_name, parse_heard
from edge_asr.profiling.targets.protocol import Files
from edge_asr.profiling.verdict import judge
from edge_asr.recognizer import Recognizer
from tests.android import apk, toolchain
from tests.android.conftest import DEMO
from tests.android.test_engine_parity import Engine, engine  # noqa: F401 (a fixture)
from tests.profiling.reports import make_report
from tests.profiling.targets.test_adb import Scene, scene  # noqa: F401 (a fixture)

SOURCES = Path(__file__).parent / "desktop_benchmark"
RUN = "0f3a9b2c"
THRESHOLDS = (0.7, 1.0)
UTTERANCES = 3
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def jars(engine: Engine, core_jar: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:  # noqa: F811
    made = tmp_path_factory.mktemp("desktop-benchmark") / "desktop-benchmark.jar"
    toolchain.compile_kotlin([SOURCES], engine.jars, made, jdk=True, friends=[core_jar])
    return [made, *engine.jars]


# --- figures


def positive(chance: random.Random, count: int) -> list[float]:
    return [chance.lognormvariate(0, 0.3) for _ in range(count)]


def window_cases(chance: random.Random) -> list[dict[str, Any]]:
    """Windows over samples that come unevenly, some with a gap in them or outside the samples."""
    cases = []
    for number in range(60):
        steps_s = [0.0, *(chance.choice((0.1, 0.11, 0.3)) for _ in range(40))]
        times_s = np.cumsum(steps_s) + (chance.choice((0, 2)) * (np.arange(41) > 20))
        begin_s = chance.uniform(-0.3, times_s[-1] / 2)
        cases.append(
            {
                "times_s": times_s.tolist(),
                "values": [round(value, 2) for value in positive(chance, 41)],
                "spans": [[begin_s, begin_s + chance.uniform(0, times_s[-1] / 2)]],
                "max_gap_s": 1.0,
                "slack_s": chance.choice((0.0, 0.2)),
                "clock_s": chance.choice((0.0, 0.01)),
                "repeats": chance.random() < 0.5,
                "resolution_j": chance.choice((0.0, 0.05)),
                "highest_w": (1.5, 1000.0)[number % 2],  # the former is less than some rises
            }
        )
    return cases


def energy_case(chance: random.Random, idle_from_s: float = 1.0) -> dict[str, Any]:
    times_s = np.arange(0, 60, 0.25)
    passes = [[10.1 + 6 * number, 14.9 + 6 * number] for number in range(7)]
    busy = [any(begin <= time <= end for begin, end in passes) for time in times_s]
    watts = [round(1 + 2 * on + chance.gauss(0, 0.05), 3) for on in busy]
    idle = [[idle_from_s, 6.3], [54.0, 59.0]]
    return {"times_s": times_s.tolist(), "values": watts, "passes": passes, "idle": idle, "audio_s": 12.5}


def cases() -> dict[str, list[Any]]:
    chance = random.Random(6)
    ties = [1.0, 1.0, 1.0, 2.0, 2.0, 5.0]
    lists = [[3.5], [2.0, 1.0], ties, *(positive(chance, count) for count in (3, 9, 10, 99, 100, 101, 1000))]
    windows = window_cases(chance)
    counters = [{**case, "values": np.cumsum(case["values"]).tolist()} for case in windows]
    late = energy_case(chance)
    late["passes"][-2:] = [[46.1, 70.0], [70.0, 80.0]]
    steady = {name: [1 + 0.01 * number for number in range(8)] for name in ("gate 0.7", "gate off")}
    return {
        "distribution": lists,
        "spread": lists[1:],
        "ratio": [[positive(chance, count), positive(chance, count)] for count in (1, 5, 6, 7, 10, 11, 20, 51, 200)],
        "student": [*range(1, 40), 100, 1000],
        "gate": [0, 0.5, 0.7, 0.123456789, 0.00001, 0.0001, 0.00012345678, 0.9999, 0.99999999, 0.3333333, 1],
        "power": windows,
        "counter": counters,
        "battery": [
            {"current": [-250_000, -12_000], "voltage": [4_000, 3_990]},
            {"current": [250, 400], "voltage": [4_000_000, 3_990_000]},
            {"current": [9_999, 10_000], "voltage": [4_000, 4_000]},
            {"current": [9_999, 9_998], "voltage": [4_000, 4_000]},
            {"current": [-250_000, 1], "voltage": [4_000, 4_000]},
        ],
        "energy": [energy_case(chance), late, energy_case(chance, idle_from_s=-5.0)],
        "verdict": [
            {"compute_s": steady, "emulated": False, "throttled": False},
            {"compute_s": {**steady, "gate off": [1.0, 1.5] * 4}, "emulated": False, "throttled": True},
            {"compute_s": {**steady, "gate off": [1.0, 1.12] * 4}, "emulated": False, "throttled": False},
            {"compute_s": {**steady, "gate off": [1.0, 1.1] * 4}, "emulated": False, "throttled": False},
            {"compute_s": {**steady, "gate off": [1.0, 1.1]}, "emulated": True, "throttled": False},
            {"compute_s": {**steady, "gate off": [1.0]}, "emulated": False, "throttled": False},
        ],
    }


@dataclass(frozen=True)
class Figures:
    """Cases, and what the app made of them, by kind."""

    cases: dict[str, list[Any]]
    answers: dict[str, list[Any]]

    def of(self, kind: str) -> list[tuple[Any, Any]]:
        pairs = list(zip(self.cases[kind], self.answers[kind], strict=True))
        assert pairs
        return pairs


@pytest.fixture(scope="module")
def figures(jars: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Figures:
    given = cases()
    for case in given["verdict"]:
        case["names"] = list(case["compute_s"])
    path = tmp_path_factory.mktemp("figures") / "cases.json"
    path.write_text(json.dumps(given), encoding="utf-8")
    printed = toolchain.run_java("org.edge_asr.desktop_benchmark.Figures", jars, str(path))
    return Figures(given, json.loads(printed))


def test_percentiles_are_pythons(figures: Figures) -> None:
    for values, answer in figures.of("distribution"):
        expected = distribution(values)
        assert expected
        assert answer[0] == expected.count
        assert answer[1] == pytest.approx(expected.mean_ms, rel=1e-12)
        assert answer[2:] == [expected.p50_ms, expected.p90_ms, expected.p99_ms]


def test_the_spread_is_pythons(figures: Figures) -> None:
    for values, answer in figures.of("spread"):
        assert answer == pytest.approx(relative_spread(values), rel=1e-12)


def test_ratios_are_pythons_and_their_intervals_too_but_for_the_drawing(figures: Figures) -> None:
    """Each draws its resamples by its own random numbers, so the ends of an interval differ a little."""
    for (above, below), (value, interval) in figures.of("ratio"):
        expected = interleaved_ratio(above, below)
        assert value == pytest.approx(expected.value, rel=1e-12)
        if expected.ci95 is None:
            assert interval is None
            assert len(above) < 6
        else:
            low, high = expected.ci95
            assert interval == pytest.approx([low, high], abs=0.05 * (high - low))


def test_students_t_is_pythons(figures: Figures) -> None:
    for degrees, answer in figures.of("student"):
        assert answer == pytest.approx(student_quantile(degrees), rel=1e-9)


def test_settings_have_the_profilers_names(figures: Figures) -> None:
    for threshold, answer in figures.of("gate"):
        assert answer == ("gate off" if threshold >= 1 else f"gate {threshold:g}")


def as_list(window: Window) -> list[float]:
    return [window.joules, window.seconds, window.samples, window.sample_hz, window.uncertainty_j]


@pytest.mark.parametrize("kind", ["power", "counter"])
def test_energy_of_a_window_is_pythons(figures: Figures, kind: str) -> None:
    refused = 0
    for case, answer in figures.of(kind):
        times_s, values = np.array(case["times_s"]), np.array(case["values"])
        (begin_s, end_s) = case["spans"][0]
        how = {"slack_s": case["slack_s"], "clock_s": case["clock_s"]}
        try:
            if kind == "power":
                how |= {"max_gap_s": case["max_gap_s"], "repeats": case["repeats"]}
                window = integrate_power(times_s, values, begin_s, end_s, **how)
            else:
                how |= {"resolution_j": case["resolution_j"], "highest_w": case["highest_w"]}
                window = integrate_counter(times_s, values, begin_s, end_s, **how)
        except EdgeAsrError:
            refused += 1
            assert answer == "refused"
            continue
        assert answer == pytest.approx(as_list(window), rel=1e-9)
    assert 5 < refused < len(figures.of(kind)) - 20


def test_a_batterys_power_is_pythons(figures: Figures) -> None:
    for case, answer in figures.of("battery"):
        try:
            expected = product_w(np.array(case["current"]), np.array(case["voltage"]))
        except EdgeAsrError:
            assert answer == "refused"
            continue
        assert answer == pytest.approx(expected.tolist(), rel=1e-12)


@dataclass(frozen=True)
class Sampled:
    """A meter over samples that are there already."""

    times_s: np.ndarray
    watts: np.ndarray
    name: str = "meter"
    kind: EnergyKind = "measured"
    covers: str = "it"
    problem: str | None = None
    automatic: bool = True

    def start(self, files: Files) -> None: ...

    def stop(self) -> None: ...

    def align(self, busy: Sequence[Span], idle: Sequence[Span]) -> None: ...

    def window(self, begin_s: float, end_s: float) -> Window:
        return integrate_power(self.times_s, self.watts, begin_s, end_s, max_gap_s=1.0, clock_s=0.0)


def test_energy_above_idle_is_pythons(figures: Figures) -> None:
    kinds = []
    for case, answer in figures.of("energy"):
        meter = Sampled(np.array(case["times_s"]), np.array(case["values"]))
        passes, idle = ([Span(*span) for span in case[name]] for name in ("passes", "idle"))
        expected = energy_of(meter, passes, idle, case["audio_s"])
        kinds.append(answer["kind"])
        assert answer["kind"] == expected.energy.kind
        assert answer["source"] == expected.energy.source
        assert answer["covered"] == (expected.energy.reason.partition(":")[0] if expected.energy.reason else None)
        for ours, theirs in zip(answer["passes"], expected.joules, strict=True):
            assert ours == (None if theirs is None else pytest.approx(theirs, rel=1e-9))
        for name in ("joules", "mj_per_audio_s", "uncertainty_mj_per_audio_s", "idle_w", "sample_hz", "samples"):
            value = getattr(expected.energy, name)
            assert answer[name] == (None if value is None else pytest.approx(value, rel=1e-9)), name
    assert kinds == ["measured", "measured", "not measured"]


class Passes:
    """As much of a setting as `judge` looks at."""

    def __init__(self, name: str, compute_s: list[float]) -> None:
        self.name, self.compute_s, self.passes = name, compute_s, compute_s


def test_the_verdict_is_pythons(figures: Figures) -> None:
    for case, answer in figures.of("verdict"):
        usual = make_report().conditions
        seen = replace(usual.before, throttled=case["throttled"], others_cpu_share=None)
        conditions = replace(usual, emulated=case["emulated"], before=seen, after=seen)
        expected = judge([Passes(*each) for each in case["compute_s"].items()], conditions)  # type: ignore[misc]
        assert answer["quotable"] == expected.quotable
        assert answer["reasons"] == list(expected.reasons)
        assert answer["spread"] == (None if expected.spread is None else pytest.approx(expected.spread, rel=1e-12))


# --- a report


@dataclass(frozen=True)
class Made:
    """A benchmark that was run, and what it was given."""

    folder: Path
    model: Path
    flacs: tuple[Path, ...]

    @property
    def report(self) -> Report:
        return from_json((self.folder / "report.json").read_text(encoding="utf-8"))


def benchmark(jars: list[Path], library: Path, files: Path, extras: dict[str, Any], *, plugged: bool = False) -> str:
    """How it ended."""
    arguments = (str(files), json.dumps(extras), str(plugged).lower())
    properties = {"edge_asr.jni": str(library)}
    main = "org.edge_asr.desktop_benchmark.DesktopBenchmark"
    return toolchain.run_java(main, jars, *arguments, properties=properties).strip()


@pytest.fixture(scope="module")
def made(
    jars: list[Path],
    engine: Engine,  # noqa: F811
    shipped_pte: Path,
    an4_test: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Made:
    files = tmp_path_factory.mktemp("files")
    folder = files / "benchmark" / RUN
    for name in ("models", "audio"):
        (folder / name).mkdir(parents=True)
    shutil.copy(shipped_pte, folder / "models" / "small model.pte")
    lines = an4_test.read_text(encoding="utf-8").splitlines()[:: 130 // UTTERANCES][:UTTERANCES]
    flacs = tuple(an4_test.parent / json.loads(line)["audio_filepath"] for line in lines)
    for number, flac in enumerate(flacs):
        soundfile.write(folder / audio_name(number), read_audio(flac), SAMPLE_RATE_HZ, subtype="PCM_16")
    extras = {"run": RUN, "thresholds": "0.7,1", "threads": 1, "passes": 6, "cool_down_s": 0.01}
    assert benchmark(jars, engine.library, files, extras) == "reported"
    return Made(folder, shipped_pte, flacs)


def test_the_report_follows_the_published_schema(made: Made) -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    text = (made.folder / "report.json").read_text(encoding="utf-8")
    jsonschema.validate(json.loads(text), schema, cls=jsonschema.Draft202012Validator)
    assert sorted(path.name for path in made.folder.iterdir() if path.is_file()) == [
        "heard.jsonl",
        "progress.txt",
        "report.json",
    ]


def test_the_profiler_reads_it(made: Made) -> None:
    report = made.report
    assert [result.setting.name for result in report.results] == ["gate 0.7", "gate off"]
    assert {result.setting.runtime for result in report.results} == {"android"}
    assert {result.setting.model for result in report.results} == {"small model.pte"}
    assert {result.setting.model_sha256 for result in report.results} == {file_sha256(made.model)}
    assert (report.conditions.target, report.conditions.threads, report.conditions.charging) == ("adb", 1, None)
    assert (report.protocol.passes, report.protocol.cool_down_s, report.protocol.recordings) == (6, 0.01, UTTERANCES)
    assert report.protocol.interleaved
    assert report.protocol.recordings_sha256 == sha256_of(made)
    assert {result.accuracy for result in report.results} == {None}
    assert report.wer_changes == ()


def sha256_of(made: Made) -> str:
    named = [made.folder / audio_name(number) for number in range(UTTERANCES)]
    with as_waves(sources(named), SAMPLE_RATE_HZ) as recordings:
        return recordings.sha256


def test_its_counts_are_pythons(made: Made) -> None:
    with Recognizer.open(made.model) as recognizer:
        for result in made.report.results:
            threshold = result.setting.threshold
            heard = [recognizer.transcribe(flac, threshold).counters for flac in made.flacs]
            assert result.frames == sum(counters.frames for counters in heard)
            assert result.kept_frames == sum(counters.kept_frames for counters in heard)
            assert result.upper_runs == sum(counters.upper_runs for counters in heard)
            assert result.steps == sum(counters.steps for counters in heard)
            assert result.audio_s == pytest.approx(sum(counters.audio_s for counters in heard))


def test_what_was_heard_is_what_python_hears(made: Made) -> None:
    text = (made.folder / "heard.jsonl").read_text(encoding="utf-8")
    heard = parse_heard(text, made.report, UTTERANCES, "adb")
    with Recognizer.open(made.model) as recognizer:
        for setting, threshold in zip(("gate 0.7", "gate off"), THRESHOLDS, strict=True):
            assert heard[setting] == [recognizer.transcribe(flac, threshold).text for flac in made.flacs]
    assert all(heard["gate 0.7"])


def test_its_times_make_sense(made: Made) -> None:
    report = made.report
    for result in report.results:
        assert result.latency
        assert result.latency.cold_load_ms
        assert result.latency.first_step_ms
        assert result.latency.cold_load_ms.count == result.latency.first_step_ms.count == report.protocol.cold_starts
        assert result.latency.start_to_first_result_ms is None  # nobody said when the process began
        assert result.latency.warm_step_ms
        assert result.steps
        assert result.latency.warm_step_ms.count == result.steps * report.protocol.traversals * report.protocol.passes
        assert len(result.passes) == 6
        assert 0 < result.latency.rtf < 1
        assert sum(each.compute_s for each in result.passes) == pytest.approx(
            1e-3 * result.latency.warm_step_ms.mean_ms * result.latency.warm_step_ms.count, rel=1e-6
        )
    assert sorted(each.order for result in report.results for each in result.passes) == list(range(12))
    (ratio,) = [ratio for ratio in report.ratios if ratio.quantity == "compute"]
    assert (ratio.of, ratio.to, ratio.pairs) == ("gate 0.7", "gate off", 6)
    assert ratio.ratio < 1  # a third of the frames is kept
    assert ratio.ci95


def test_energy_that_does_not_change_is_none_above_idle(made: Made) -> None:
    """The made-up battery gives 1.2 W whatever happens."""
    for result in made.report.results:
        assert result.energy.kind == "measured"
        assert result.energy.idle_w == pytest.approx(1.2)
        assert result.energy.mj_per_audio_s == pytest.approx(0, abs=1e-6)
    said = "raw current -300000 to -300000 at raw voltage 4000; taken for µA, negative when discharging"
    assert f"energy by android:battery: {said}" in made.report.notes


def test_the_adb_target_scores_it(made: Made, scene: Scene) -> None:  # noqa: F811
    folder = scene("good")
    for name in ("report.json", "heard.jsonl"):
        shutil.copy(made.folder / name, folder / name)
    references = tuple(
        json.loads(line)["text"] for line in heard_lines(made) if json.loads(line)["setting"] == "gate off"
    )
    waves = tuple(made.folder / audio_name(number) for number in range(UTTERANCES))
    recordings = Recordings(waves, references, made.report.results[0].audio_s, "ab" * 32)
    wanted = Benchmark(
        (made.model,), THRESHOLDS, recordings, threads=1, passes=6, cool_down_s=0.01, command="edge-asr profile"
    )
    with AdbTarget(look_every_s=0, stalled_after_s=0.5) as phone:
        report = phone.measure(wanted)
    assert report.conditions.target == "adb:R58M12ABCDE"
    accuracies = [result.accuracy for result in report.results]
    assert accuracies[1]
    assert accuracies[1].wer == 0
    assert [change.to for change in report.wer_changes] == ["gate off"]


def heard_lines(made: Made) -> list[str]:
    return (made.folder / "heard.jsonl").read_text(encoding="utf-8").splitlines()


def test_while_it_charges_energy_is_not_measured(
    jars: list[Path],
    engine: Engine,  # noqa: F811
    made: Made,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "benchmark" / RUN
    for name in ("models", "audio"):
        shutil.copytree(made.folder / name, folder / name)
    extras = {"run": RUN, "thresholds": "0.7", "passes": 1}
    assert benchmark(jars, engine.library, tmp_path, extras, plugged=True) == "reported"
    report = from_json((folder / "report.json").read_text(encoding="utf-8"))
    (result,) = report.results
    assert (result.energy.kind, result.energy.joules, result.passes[0].joules) == ("not measured", None, None)
    assert "fed over its cable" in (result.energy.reason or "")
    assert not report.verdict.quotable


def test_a_damaged_model_is_one_line_in_error_txt(
    jars: list[Path],
    engine: Engine,  # noqa: F811
    made: Made,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "benchmark" / RUN
    shutil.copytree(made.folder / "audio", folder / "audio")
    (folder / "models").mkdir()
    (folder / "models" / "cut.pte").write_bytes(made.model.read_bytes()[:100_000])
    said = benchmark(jars, engine.library, tmp_path, {"run": RUN})
    assert said.startswith("cut.pte: the model file is cut short (100000 bytes)")
    assert (folder / "error.txt").read_text(encoding="utf-8") == f"{said}\n"
    assert not (folder / "report.json").exists()


def test_the_runtime_is_the_one_that_is_packed() -> None:
    """The app cannot ask its runtime for a version."""
    source = apk.MAIN / "kotlin/org/edge_asr/demo/benchmark/AndroidRuntime.kt"
    named = re.findall(r'VERSION = "executorch ([^"]+)"', source.read_text(encoding="utf-8"))
    packed = re.findall(
        r'^executorch = "([^"]+)"', (DEMO / "gradle/libs.versions.toml").read_text(encoding="utf-8"), re.M
    )
    assert named == packed
    assert len(named) == 1
