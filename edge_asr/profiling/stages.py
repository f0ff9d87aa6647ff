"""Time by stage and by operator, from ExecuTorch's own trace (ETDump). Where ExecuTorch's Python runtime is installed.

Usage: python -m edge_asr.profiling.stages MODEL.pte AUDIO --threshold T [--threads N]

In a process of its own, as torch takes hundreds of MB. Tracing slows a step, so the stages tell where time goes; how
long a step takes is measured without.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge_asr.audio import read_audio
from edge_asr.contract import STEP
from edge_asr.errors import EdgeAsrError
from edge_asr.terminal.import_path import run_module
from edge_asr.terminal.options import Threshold
from edge_asr.terminal.process import run
from edge_asr.terminal.screen import print_json

FRONT_END, LOWER, GATE, UPPER, STATE = "front end", "lower", "gate", "upper", "state"
STAGES = (FRONT_END, LOWER, GATE, UPPER, STATE)
WARM_UP_STEPS = 3
TRACED_STEPS = 40  # ExecuTorch takes a tenth of a second to read the trace of one
NS_PER_MS = 1e6
INSTRUCTIONS = ("DELEGATE_CALL", "OPERATOR_CALL", "JF_CALL", "MOVE_CALL")
KERNEL_PREFIX = "native_call_"
DELEGATE_PREFIX = "xnnpack: "


@dataclass(frozen=True)
class StepTimes:
    """Means of one kind of step."""

    steps: int
    stages_ms: dict[str, float]  # by STAGES
    operators_ms: dict[str, float]  # by name, the longest first


@dataclass(frozen=True)
class StageTimes:
    """Of steps in which the upper layers ran, and of those in which they did not; None where there was none."""

    ran: StepTimes | None
    skipped: StepTimes | None


def missing() -> str | None:
    """Why there are no stage times here, or None."""
    absent = [name for name in ("torch", "executorch") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(absent)} not installed" if absent else None


def measure_stages(model: Path, recordings: Sequence[Path], threshold: float, threads: int) -> StageTimes:
    """In a process of its own; a few seconds. Raises EdgeAsrError."""
    command = [*run_module("edge_asr.profiling.stages"), str(model), *map(str, recordings)]
    command += ["--threshold", f"{threshold:.9g}", "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgeAsrError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    kinds = {kind: value and StepTimes(**value) for kind, value in json.loads(done.stdout).items()}
    return StageTimes(**kinds)


def mixed(times: StageTimes, upper_share: float) -> StepTimes | None:
    """Of all steps, of which the upper layers ran in `upper_share`; None where a kind that occurs was not traced."""
    weighted = ((times.ran, upper_share), (times.skipped, 1 - upper_share))
    if any(kind is None and weight > 0 for kind, weight in weighted):
        return None
    stages: Counter[str] = Counter(dict.fromkeys(STAGES, 0))
    operators: Counter[str] = Counter()
    steps = 0
    for kind, weight in weighted:
        if kind is not None and weight > 0:
            stages.update({name: weight * value for name, value in kind.stages_ms.items()})
            operators.update({name: weight * value for name, value in kind.operators_ms.items()})
            steps += kind.steps
    return StepTimes(steps, dict(stages), dict(operators.most_common()))


# --- in the process that traces


@dataclass(frozen=True)
class Branch:
    """Where `step` branches, in numbers of its instructions."""

    at: int
    end: int  # one past both sides


@dataclass(frozen=True)
class Branches:
    """Where a stream starts, and where the stacks run."""

    start: Branch
    lower: Branch
    upper: Branch


def trace(model: Path, recordings: Sequence[Path], threshold: float, threads: int) -> StageTimes:
    """Run the recordings, or as much of them as TRACED_STEPS are, and read what ExecuTorch noted."""
    program = load(model, threads)
    kinds = list(run_steps(program.load_method(STEP).execute, model, recordings, threshold))
    executions = read_executions(program)
    if len(executions) != len(kinds):
        raise EdgeAsrError(f"ExecuTorch traced {len(executions)} calls of {len(kinds)}")
    branches = find_branches(model)
    seen: dict[str, list[list[Any]]] = {"ran": [], "skipped": []}
    for kind, events in list(zip(kinds, executions, strict=True))[WARM_UP_STEPS:]:
        seen[kind].append(events)
    return StageTimes(**{kind: summarize(events, branches) for kind, events in seen.items()})


def load(model: Path, threads: int) -> Any:
    from edge_asr.backends.executorch_python import _import_runtime

    portable_lib, runtime = _import_runtime()
    portable_lib._unsafe_reset_threadpool(threads)
    return runtime.load_program(model, enable_etdump=True)


def run_steps(step: Callable[[Any], Any], model: Path, recordings: Sequence[Path], threshold: float) -> Iterator[str]:
    """Calls the program and yields of which kind each call was: `ran` or `skipped`."""
    import torch

    from edge_asr.backends.program_file import read_program_file

    metadata = read_program_file(model).metadata()
    limits = torch.tensor([threshold], dtype=torch.float32)
    left = WARM_UP_STEPS + TRACED_STEPS
    while left:
        for recording in recordings:
            audio = read_audio(recording, metadata.sample_rate_hz)
            for start in range(0, len(audio), metadata.chunk_samples):
                if not left:
                    return
                left -= 1
                piece = audio[start : start + metadata.chunk_samples]
                pcm = np.zeros((1, metadata.chunk_samples), np.float32)
                pcm[0, : len(piece)] = piece
                frames = torch.tensor([-(-len(piece) // metadata.frame_samples)])
                flush = torch.tensor([int(len(piece) < metadata.chunk_samples)])
                reset = torch.tensor([int(start == 0)])
                outputs = step((torch.from_numpy(pcm), frames, limits, flush, reset))
                yield "ran" if int(outputs[3][0]) >= 0 else "skipped"


def read_executions(program: Any) -> list[list[Any]]:
    """The events of each call, in order."""
    from executorch.devtools.etdump.serialize import deserialize_from_etdump_flatcc

    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, "trace.etdp")
        program.write_etdump_result_to_file(str(dump), str(Path(folder, "trace.bin")))
        found = deserialize_from_etdump_flatcc(dump.read_bytes())
    blocks = [block for block in found.run_data if block.name == "Execute"]
    return [[event.profile_event for event in block.events if event.profile_event] for block in blocks]


def find_branches(model: Path) -> Branches:
    """Those in no other: one at the start, one for each stack. Raises EdgeAsrError where there are not three."""
    from edge_asr_export.inspect import inspect_pte

    outermost: list[Branch] = []
    for branch in inspect_pte(model)["methods"][STEP]["branches"]:
        if not outermost or branch["instruction"] >= outermost[-1].end:
            outermost.append(Branch(branch["instruction"], branch["not_taken"]["instructions"]["end"]))
    if len(outermost) != 3:
        raise EdgeAsrError(f"{model}: its step has {len(outermost)} branches where 3 are expected: export it again")
    return Branches(*outermost)


def stage_of(instruction: int, branches: Branches) -> str:
    """Up to the lower stack all is its input; after it, the gate decides; at the end, state is put away."""
    if instruction < branches.lower.at:
        return FRONT_END
    if instruction < branches.lower.end:
        return LOWER
    if instruction < branches.upper.at:
        return GATE
    return UPPER if instruction < branches.upper.end else STATE


def summarize(executions: Sequence[Sequence[Any]], branches: Branches) -> StepTimes | None:
    if not executions:
        return None
    stages: dict[str, float] = dict.fromkeys(STAGES, 0.0)
    operators: dict[str, float] = defaultdict(float)
    ms = 1 / NS_PER_MS / len(executions)
    for events in executions:
        for event in events:
            taken_ms = (event.end_time - event.start_time) * ms
            if event.name in INSTRUCTIONS:
                stages[stage_of(event.instruction_id, branches)] += taken_ms
            elif event.name is None and event.delegate_debug_id_str:
                operators[DELEGATE_PREFIX + event.delegate_debug_id_str.partition(" #")[0]] += taken_ms
            elif event.name and event.name.startswith(KERNEL_PREFIX):
                operators[event.name.removeprefix(KERNEL_PREFIX)] += taken_ms
    longest_first = sorted(operators.items(), key=lambda item: -item[1])
    return StepTimes(len(executions), stages, dict(longest_first))


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--threshold", type=Threshold(), required=True)
@click.option("--threads", type=click.IntRange(min=1), default=1)
def command(model: Path, recordings: tuple[Path, ...], threshold: float, threads: int) -> None:
    """Print the means of steps with and without the upper layers, in ms, as JSON."""
    print_json(dataclasses.asdict(trace(model, recordings, threshold, threads)))


if __name__ == "__main__":
    raise SystemExit(run(command, "stages"))
