"""One folder for a board: runner, libraries, model. It runs wherever it is copied; no Python, no pip.

Everything lies side by side, because the runner and its libraries look for each other in their own folder, and the
runner for `model.pte` there.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import soundfile

from edge_asr import __version__
from edge_asr.audio import read_audio
from edge_asr.backends.program_file import ProgramFile, read_program_file
from edge_asr.contract import CONTRACT_VERSION
from edge_asr.demo import RECORDING
from edge_asr.errors import EdgeAsrError
from edge_asr.licences import licence_texts
from edge_asr.native.build import Build, build, compilers
from edge_asr.native.elf import closure
from edge_asr.native.runpath import ORIGIN, set_runpath
from edge_asr.native.sdk import SDK_VERSION
from edge_asr.native.target import BuildTarget
from edge_asr.shipped import CORPUS_LICENCE, model_card, shipped_checkpoint_of

FORMAT = "edge-asr-bundle"
FACTS = "bundle.json"  # marks a folder as ours, and lists its files
RUNNER = "edge-asr-run"
MODEL = "model.pte"
DEMO = "demo.wav"
README = "README.txt"
LICENCES = "licences"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Facts:
    """What is in a bundle."""

    format: str  # FORMAT
    edge_asr: str  # version that made it
    executorch: str  # version of the libraries in it
    target: str  # kind of machine
    glibc: str  # the oldest C library it runs on
    model_sha256: str  # of the .pte
    demo_text: str | None  # what the runner heard in the demo recording here; None where it cannot run here
    files: tuple[str, ...]  # relative names, this one included


def make_bundle(
    target: BuildTarget, output: Path, model: Path, *, force: bool = False, tell: Tell | None = None
) -> Facts:
    """Write the folder; it gets its name once it is whole. `tell` gets each stage.

    `force` replaces a bundle that is there. A folder that holds anything else is refused: nothing of the user's is
    ever deleted. Raises EdgeAsrError.
    """
    tell = tell or (lambda _: None)
    program = read_program_file(model)  # the bundle gets these bytes: the file may be replaced meanwhile
    require_free(output, force)
    built = build(target, tell=lambda stage: tell(f"native runtime, {stage}"))
    tell("collecting libraries")
    try:
        with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix=f".{output.name}-") as name:
            partial = Path(name) / "bundle"
            partial.mkdir(mode=0o755)
            facts = fill(partial, built, program, tell)
            require_free(output, force)
            if output.exists():
                output.rename(Path(name) / "replaced")
            partial.rename(output)
    except OSError as error:
        raise EdgeAsrError(f"{output}: cannot be written ({error.strerror or error})") from None
    return facts


def require_free(output: Path, force: bool) -> None:
    """Raises EdgeAsrError where a bundle may not be put there."""
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise EdgeAsrError(f"{output}: there is something that is no folder: name a new one")
    if not output.absolute().parent.is_dir():
        raise EdgeAsrError(f"{output}: the folder {output.absolute().parent} does not exist")
    if not output.is_dir() or not any(output.iterdir()):
        return
    own = files_of(output)
    if own is None:
        raise EdgeAsrError(f"{output}: the folder is not empty and holds no bundle: name a new one")
    others = sorted({str(path.relative_to(output)) for path in output.rglob("*") if not path.is_dir()} - own)
    if others:
        raise EdgeAsrError(f"{output}: the bundle there has been given other files ({others[0]}): name a new folder")
    if not force:
        raise EdgeAsrError(f"{output}: there is a bundle already: --force replaces it")


def files_of(folder: Path) -> set[str] | None:
    """What a bundle says it consists of, or None where the folder is none."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return set(facts["files"]) if facts["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fill(folder: Path, built: Build, model: ProgramFile, tell: Tell) -> Facts:
    """All files of a bundle."""
    libraries, glibc = closure([built.runner], lambda name: find_library(name, built))
    (folder / MODEL).write_bytes(model.content)
    shutil.copy(built.runner, folder / RUNNER)
    for name, library in libraries.items():
        shutil.copyfile(library, folder / name)
    for name in (RUNNER, *libraries):
        set_runpath(folder / name, ORIGIN)  # else any user of a board could plant libraries beside the folder
    rate_hz = model.metadata().sample_rate_hz
    soundfile.write(folder / DEMO, read_audio(RECORDING, rate_hz), rate_hz, subtype="PCM_16")
    add_licences(folder / LICENCES, built, model)
    tell("trying it")
    demo_text = hear_demo(folder) if built.target.is_here else None
    facts = Facts(
        format=FORMAT,
        edge_asr=__version__,
        executorch=SDK_VERSION,
        target=built.target.name,
        glibc=".".join(map(str, glibc)),
        model_sha256=hashlib.sha256(model.content).hexdigest(),
        demo_text=demo_text,
        files=tuple(sorted([README, FACTS, *(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())])),
    )
    (folder / README).write_text(readme(facts, built.target, rate_hz), encoding="utf-8")
    (folder / FACTS).write_text(json.dumps(asdict(facts), indent=1) + "\n", encoding="utf-8")
    return facts


def find_library(name: str, built: Build) -> Path:
    """In the build, or where the compiler that made it has its own. Raises EdgeAsrError."""
    beside = built.library.parent / name
    if beside.is_file():
        return beside
    for compiler in filter(shutil.which, compilers(built.target)):
        done = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=False)
        path = Path(done.stdout.strip())
        if path.is_absolute() and path.is_file():
            return path
    raise EdgeAsrError(f"{name}, which the runner needs, is not found: is the compiler for {built.target.name} whole?")


def hear_demo(folder: Path) -> str:
    """What the bundle itself makes of its recording, with nothing around it. Raises EdgeAsrError."""
    done = subprocess.run(
        [folder / RUNNER, folder / DEMO], capture_output=True, text=True, env={}, cwd=folder.parent, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise EdgeAsrError(f"the runner does not run with this model: {said}")
    return done.stdout.strip()


def readme(facts: Facts, target: BuildTarget, rate_hz: int) -> str:
    """Five lines."""
    heard = f' (it hears "{facts.demo_text}")' if facts.demo_text else ""
    return (
        f"edge-asr {facts.edge_asr} for {facts.target}: speech to text, streaming, without Python; "
        f"contract {CONTRACT_VERSION}, ExecuTorch {facts.executorch}, {MODEL} sha256 {facts.model_sha256[:12]}\n"
        f"Needs: Linux on {target.machine} with glibc {facts.glibc} or newer. Copy the whole folder anywhere.\n"
        f"Try:   ./{RUNNER} {DEMO}{heard}; ./{RUNNER} --help tells the rest, --bench measures speed and memory\n"
        f"Live:  arecord -q -f S16_LE -r {rate_hz} -c 1 -t raw | ./{RUNNER} --raw s16le -\n"
        f"Licences of what is in it: {LICENCES}/\n"
    )


# --- licences

NOTICE = """\
What the files of this bundle are under. The texts lie beside this one.

edge-asr-run, libedge_asr.so
    edge-asr: Apache-2.0 (edge-asr.txt). JSON for Modern C++ is compiled in: MIT (nlohmann-json.txt)
libexecutorch*.so
    ExecuTorch, https://github.com/pytorch/executorch, from its wheel on PyPI, unchanged but for the folders in which
    the loader looks for libraries (RUNPATH): BSD-3-Clause (ExecuTorch.txt). Compiled in, by licence:
    BSD-3-Clause: XNNPACK (XNNPACK.txt), PocketFFT (PocketFFT.txt), parts of PyTorch (PyTorch.txt)
    BSD-2-Clause: pthreadpool (pthreadpool.txt), cpuinfo (cpuinfo.txt)
    MIT: FP16 (FP16.txt), FXdiv (FXdiv.txt)
    Apache-2.0: FlatBuffers (FlatBuffers.txt); for Arm, KleidiAI (KleidiAI.txt, with BSD-3-Clause)
    MPL-2.0: Eigen's BLAS (Eigen.txt), whose source is at https://gitlab.com/libeigen/eigen
libstdc++.so.6, libgcc_s.so.1
    GCC's run-time libraries, unchanged, from the Linux distribution that the bundle was made on, which has the sources:
    GPL-3.0 with the GCC Runtime Library Exception (GCC.txt, where that machine had it)
"""
MODEL_NOTICE = f"""\
{MODEL}
    edge-asr's shipped model, Apache-2.0: what it was trained on, and what it is good for, is in model.md. Weights that
    were trained on AN4 come with that corpus's licence (AN4-LICENSE.txt)
"""
UNKNOWN_MODEL_NOTICE = f"""\
{MODEL}
    not a model that edge-asr ships: ask whoever gave it to you
"""

DEBIAN_NAMES = {"aarch64": "arm64", "x86_64": "amd64"}  # of machines, in names of packages


def add_licences(folder: Path, built: Build, model: ProgramFile) -> None:
    """The texts, and which file each is for."""
    folder.mkdir()
    cross = "" if built.target.is_here else f"-{DEBIAN_NAMES[built.target.machine]}-cross"
    checkpoint = shipped_checkpoint_of(model.metadata())
    (folder / "NOTICE.txt").write_text(
        NOTICE + (MODEL_NOTICE if checkpoint else UNKNOWN_MODEL_NOTICE), encoding="utf-8"
    )
    texts = {
        **{text.name: text for text in licence_texts()},
        "edge-asr.txt": own_licence(),
        "GCC.txt": Path("/usr/share/doc") / f"libstdc++6{cross}" / "copyright",
        "model.md": model_card(checkpoint) if checkpoint else None,
        "AN4-LICENSE.txt": CORPUS_LICENCE if checkpoint else None,
    }
    for name, text in texts.items():
        if text is not None and text.is_file():
            shutil.copyfile(text, folder / name)


def own_licence() -> Path | None:
    """Beside the sources, or in the metadata of the installed package."""
    beside = Path(__file__).parents[2] / "LICENSE"
    if beside.is_file():
        return beside
    try:
        files = importlib.metadata.distribution("edge-asr").files or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(item.locate())) for item in files if item.name == "LICENSE"), None)
