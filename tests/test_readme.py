"""Every command that the README shows is run here, or is the one that runs these tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_asr.demo import TEXT
from tests.checkout import copy_sources

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", README, re.M | re.S) for line in block.strip().splitlines()
]
INSTALL = next(line for line in COMMANDS if "pip install" in line)
CHECK = "tests/check"
TRAIN = next(line for line in COMMANDS if line.startswith("torchrun"))
ORDINARY = [line for line in COMMANDS if line not in (INSTALL, CHECK, TRAIN)]

SHORTER = {  # what CI adds to a command that measures for minutes
    "edge-asr profile": " --limit 2 --passes 1",
    "edge-asr sweep": " --limit 2 --passes 1",
    "python -m edge_asr.profiling.disturbance": " --pairs 2",
}

TINY_RUN = """
[model]
subsampling_channels = 4
lower = {layers = 1, width = 16, heads = 2, kernel = 7}
upper = {layers = 1, width = 16, heads = 2, kernel = 7}

[training]
steps = 20
batch_s = 16.0
gate_from_step = 10
evaluate_every = 20
dev_thresholds = [1.0, 0.9]
"""


def shell(line: str, folder: Path, **environment: str) -> str:
    """Run a line as a user would, edge-asr's own folder first on the path. Returns stdout; fails with its stderr."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = os.environ | {"PATH": path} | environment
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stderr[-2_000:]}"
    assert "Traceback" not in done.stderr
    return done.stdout


def test_every_command_that_is_shortened_is_there() -> None:
    assert all(any(line.startswith(start) for line in ORDINARY) for start in SHORTER)


def test_the_second_command_is_what_ci_runs() -> None:
    assert COMMANDS.index(INSTALL) == 0
    assert COMMANDS[1] == CHECK
    assert CHECK in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_first_command_installs_on_a_fresh_machine_and_runs_the_demo(tmp_path: Path, shipped_pte: Path) -> None:
    """In a copy of the sources, with nothing installed. The exported model comes from this run's cache."""
    copy = copy_sources(tmp_path / "edge-asr")
    shown = shell(INSTALL, copy, EDGE_ASR_CACHE=str(shipped_pte.parent))
    assert TEXT in shown
    assert "less compute" in shown


@pytest.mark.slow
@pytest.mark.usefixtures("shipped_small_pte")
def test_commands_run_in_order_in_an_empty_folder(tmp_path: Path, data_folder: Path, shipped_pte: Path) -> None:
    variables = {"EDGE_ASR_DATA": str(data_folder.resolve()), "EDGE_ASR_CACHE": str(shipped_pte.parent)}
    for line in ORDINARY:
        shorter = next((more for start, more in SHORTER.items() if line.startswith(start)), "")
        shown = shell(line + shorter, tmp_path, **variables)
        assert shown.strip(), line


@pytest.mark.slow
def test_the_training_command_trains_on_two_processes(tmp_path: Path, data_folder: Path) -> None:
    """The README's line with a configuration of a few steps; it ends with a model that can be loaded."""
    (tmp_path / "tiny.toml").write_text(TINY_RUN, encoding="utf-8")
    shown = shell(f"{TRAIN} --config tiny.toml", tmp_path, EDGE_ASR_DATA=str(data_folder.resolve()))
    assert "2 process(es)" in shown
    from edge_asr.model.checkpoint import load_checkpoint

    assert load_checkpoint(tmp_path / "runs" / "an4-alone" / "model.safetensors").training["step"] == "20"


def test_the_picture_uses_the_codes_own_names() -> None:
    (picture,) = re.findall(r"^```text\n(.*?)^```", README, re.M | re.S)
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "export").rglob("*.py"))
    sources += "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "edge_asr" / "model").glob("*.py"))
    names = re.findall(r"\b(?:[A-Z][a-z]+[A-Z]\w+|Subsampling|\w+_\w+|torch\.cond)\b", picture)
    assert {"FrontEnd", "LowerStack", "UpperBlock", "torch.cond", "find_spikes", "waiting_rows"} <= set(names)
    assert [name for name in names if name not in sources] == []
