"""What many tests need: a command line, a model that hears beeps, a tiny real model and its `.pte`, the corpora, the
native runtime."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from edge_asr import recognizer, shipped
from edge_asr.cli import main
from edge_asr.native.build import Build, build, missing_tools
from edge_asr.native.target import BuildTarget, named_target, target_here
from tests.beeps import BeepBackend, write_beeps, write_manifest
from tests.outcome import Outcome, Run
from tests.requirements import absent, require_tool

REPOSITORY = Path(__file__).parent.parent


def pytest_configure() -> None:
    """What runs in a shell's background has Ctrl-C ignored, and what runs under nohup SIGHUP. Both are handed on to the
    programs that tests interrupt."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL, signal.SIGTERM: signal.SIG_DFL}
    for number, handler in usual.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The README's commands first: they take longest, and other processes have the rest meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")


def made_once(path: Path, make: Callable[[Path], object]) -> Path:
    """The file that `make(path)` writes. Where tests run in several processes, one makes it, and the others wait."""
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            make(path)
    return path


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes that these tests run in."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The corpora ($EDGE_ASR_DATA, or ../shared/data). Absent, the test is skipped; in CI it fails."""
    folder = Path(os.environ.get("EDGE_ASR_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "an4" / "test.jsonl").is_file():
        absent(f"no corpora in {folder}: set EDGE_ASR_DATA")
    return folder


@pytest.fixture(scope="session")
def native_build() -> Build:
    """The native runtime for this machine, from the user's cache; compiling it takes half a minute."""
    here = target_here()
    if here is None:
        absent("no native runtime for this kind of machine")
    return built(here)


@pytest.fixture(scope="session")
def aarch64_build() -> Build:
    """The native runtime for 64-bit Arm, cross-built."""
    return built(named_target("linux-aarch64"))


def built(target: BuildTarget) -> Build:
    missing = missing_tools(target)
    if missing:
        absent(f"{target.name} cannot be built without {', '.join(missing)}: apt install {' '.join(missing.values())}")
    return build(target)


@pytest.fixture(scope="session")
def qemu_aarch64() -> list[str]:
    """A command that runs a program for 64-bit Arm. The CPU is named: QEMU 7.2's `max` computes wrong int8 results."""
    if target_here() == named_target("linux-aarch64"):
        return []
    require_tool("qemu-aarch64-static", "qemu-user-static")
    return ["qemu-aarch64-static", "-cpu", "cortex-a76", "-L", "/usr/aarch64-linux-gnu"]


@pytest.fixture(scope="session")
def an4_test(data_folder: Path) -> Path:
    """AN4's test manifest."""
    return data_folder / "an4" / "test.jsonl"


@pytest.fixture(scope="session")
def tiny_checkpoint(shared_folder: Path) -> Path:
    """A checkpoint of a very small encoder with random weights: it hears nonsense, and exports in seconds. One file for
    all processes: safetensors writes its header in another order each time (its issue 584), and a `.pte` names the
    hash of the file."""
    return made_once(shared_folder / "tiny.safetensors", save_tiny)


def save_tiny(path: Path) -> None:
    import torch

    from edge_asr.model.checkpoint import Checkpoint, save_checkpoint
    from edge_asr.model.config import EncoderConfig, StackConfig
    from edge_asr.model.encoder import GatedEncoder
    from edge_asr.tokens import BLANK, Tokens

    torch.manual_seed(7)  # it hears words that change; others hear one word from end to end
    pieces = (BLANK, *(f"▁{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), *"AEIOU")
    config = EncoderConfig(
        vocabulary=len(pieces),
        subsampling_channels=8,
        lower=StackConfig(layers=1, width=32, heads=2, kernel=7),
        upper=StackConfig(layers=2, width=32, heads=2, kernel=7),
    )
    model = GatedEncoder(config).eval()
    save_checkpoint(path, Checkpoint(model, Tokens(pieces, 0), default_threshold=0.9, training={"step": "0"}))


@pytest.fixture(scope="session")
def tiny_pte(tiny_checkpoint: Path, shared_folder: Path) -> Path:
    """The tiny checkpoint as an fp32 `.pte`: what random weights hear hangs on the last bit, and int8 may hear another
    thing, which the exporter refuses."""
    from edge_asr_export.build import build

    return made_once(shared_folder / "tiny.pte", lambda path: build(tiny_checkpoint, path, precision="fp32"))


@pytest.fixture(scope="session")
def family_file(shared_folder: Path) -> Callable[[str], Path]:
    """By a name of `tests.families.SMALL`: that encoder as an fp32 `.pte` whose gate has work to do. Beside it lie its
    checkpoint (`.safetensors`) and what the export has shown (`.json`)."""
    return lambda name: made_once(shared_folder / f"{name}.pte", lambda path: save_family(name, path))


def save_family(name: str, path: Path) -> None:
    import torch

    from edge_asr.model.checkpoint import Checkpoint, save_checkpoint
    from edge_asr.tokens import Tokens
    from edge_asr_export.build import build
    from edge_asr_export.verify import verification_audio
    from tests.families import a_threshold, small

    encoder = small(name)
    samples = torch.from_numpy(verification_audio(encoder.spec.sample_rate_hz))
    with torch.no_grad():
        threshold = a_threshold(encoder, samples, 0.3)
    pieces = ("<blank>", *(f"▁{number}" for number in range(1, encoder.spec.vocabulary)))
    checkpoint = path.with_suffix(".safetensors")
    save_checkpoint(checkpoint, Checkpoint(encoder, Tokens(pieces, 0), threshold))
    report = build(checkpoint, path, precision="fp32").to_dict()
    path.with_suffix(".json").write_text(json.dumps(report), encoding="utf-8")


@pytest.fixture(scope="session")
def pretrained_tiny(shared_folder: Path) -> Path:
    """Moonshine tiny's encoder as a Hugging Face folder ($EDGE_ASR_MOONSHINE_TINY, or made of a wheel of PyPI)."""
    named = os.environ.get("EDGE_ASR_MOONSHINE_TINY")
    if named:
        return Path(named)
    tool = REPOSITORY.parent / "shared" / "tools" / "moonshine_weights.py"
    if not tool.is_file() or importlib.util.find_spec("onnxruntime") is None:
        absent("no weights of Moonshine: set EDGE_ASR_MOONSHINE_TINY to a folder of UsefulSensors/moonshine-tiny")
    folder = shared_folder / "moonshine-tiny"

    def make(_: Path) -> None:
        done = subprocess.run([sys.executable, tool, "tiny", folder], capture_output=True, text=True, check=False)
        if done.returncode:
            absent(f"Moonshine's weights could not be fetched: {done.stderr.strip().splitlines()[-1]}")

    folder.mkdir(exist_ok=True)
    return made_once(folder / "config.json", make).parent


@pytest.fixture(scope="session")
def shipped_pte() -> Path:
    """The shipped checkpoint as an int8 `.pte`, from the user's cache; exporting it takes minutes."""
    return shipped_size(shipped.BASE)


@pytest.fixture(scope="session")
def shipped_small_pte() -> Path:
    """As `shipped_pte`, the small size."""
    return shipped_size("small")


def shipped_size(size: str) -> Path:
    if not shipped.shipped_checkpoints():
        absent("no shipped checkpoint in this tree")
    return shipped.shipped_pte(tell=print, size=size)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("evaluate", manifest, "--json")` -> Outcome."""

    def run_line(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run_line


@pytest.fixture
def beep_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a model that is always the beep model."""
    path = tmp_path / "beep.pte"
    path.write_bytes(b"beep")
    monkeypatch.setattr(recognizer, "open_backend", lambda path, threads, name: BeepBackend())
    return path


@pytest.fixture
def beeps(tmp_path: Path) -> Path:
    """1.2 s with two tones."""
    return write_beeps(tmp_path / "beeps.wav", ".x..x.")


@pytest.fixture
def beep_manifest(tmp_path: Path) -> Path:
    """Two utterances, five reference words: one is deleted, one substituted, none inserted."""
    write_beeps(tmp_path / "one.wav", ".x.x.")
    write_beeps(tmp_path / "two.wav", "..x.x..")
    entries = [
        {"audio_filepath": "one.wav", "text": "BEEP BEEP BEEP", "duration": 1.0},
        {"audio_filepath": "two.wav", "text": "BEEP BOP"},
    ]
    return write_manifest(tmp_path / "manifest.jsonl", entries)
