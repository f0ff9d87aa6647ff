"""The checkpoints that come with the package, and their `.pte`s, exported once into the user's cache folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from edge_asr import __version__
from edge_asr.backends.program_file import check_program_file
from edge_asr.contract import CONTRACT_VERSION, Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.file_hash import file_sha256

FOLDER = Path(__file__).parent
BASE = "base"
CHECKPOINTS = {BASE: "an4.safetensors", "small": "an4-small.safetensors"}  # by size; a model card lies beside each
CORPUS_LICENCE = FOLDER / "AN4-LICENSE.txt"  # asks to go wherever weights trained on AN4 go
CACHE_VARIABLE = "EDGE_ASR_CACHE"
PRECISION = "int8"

EXPORTER_SOURCES = ("edge_asr_export", "edge_asr.model")  # packages whose code decides what is written into a .pte
EXPORTER_LIBRARIES = ("torch", "torchao", "executorch")
KEY_DIGITS = 16  # of the hash that names a cached file


def cache_folder() -> Path:
    """Where exported files are kept: $EDGE_ASR_CACHE, or the system's place for a user's caches.

    Raises EdgeAsrError where there is none: a user without a home folder, as in some containers.
    """
    named = os.environ.get(CACHE_VARIABLE)
    try:
        folder = Path(named).expanduser() if named else platformdirs.user_cache_path("edge-asr")
    except RuntimeError:
        folder = None
    if folder is None or str(folder).startswith("~"):  # what older versions of platformdirs return
        raise EdgeAsrError(f"no home folder, and so no cache folder: set {CACHE_VARIABLE} to one")
    return folder


def names_size(model: Path | str) -> bool:
    """Whether it is the size of a shipped model, and no path."""
    return str(model) in CHECKPOINTS


def shipped_checkpoint(size: str = BASE) -> Path:
    """Raises EdgeAsrError where the package came without it."""
    path = FOLDER / CHECKPOINTS[size]
    if not path.is_file():
        raise EdgeAsrError(f"{path}: the shipped checkpoint is missing: install edge-asr again, or pass --model")
    return path


def shipped_checkpoints() -> list[Path]:
    """All that are there."""
    return [path for path in (FOLDER / name for name in CHECKPOINTS.values()) if path.is_file()]


def shipped_checkpoint_of(metadata: Metadata) -> Path | None:
    """The shipped checkpoint that a `.pte` was exported from, by the hash that the file names; None where it is of
    another one."""
    named = metadata.training.get("checkpoint_sha256")
    return next((path for path in shipped_checkpoints() if file_sha256(path) == named), None)


def model_card(checkpoint: Path) -> Path:
    """What a shipped checkpoint was made from and what it is good for."""
    return checkpoint.with_suffix(".md")


def cached_pte(checkpoint: Path) -> Path:
    """Where the `.pte` of a checkpoint is kept. Another checkpoint or another exporter gives another name."""
    digest = hashlib.sha256(f"{file_sha256(checkpoint)} {exporter_fingerprint()} {PRECISION}".encode()).hexdigest()
    return cache_folder() / f"{checkpoint.stem}-{PRECISION}-{digest[:KEY_DIGITS]}.pte"


def shipped_pte(tell: Callable[[str], None], progress: Callable[[str], None] | None = None, size: str = BASE) -> Path:
    """A shipped model as a `.pte`. `tell` gets one line where it must first be exported, `progress` each stage. What
    the cache holds of it is exported again where it is not whole.

    Raises EdgeAsrError where the export fails or the cache folder cannot be written.
    """
    checkpoint = shipped_checkpoint(size)
    path = cached_pte(checkpoint)
    if trouble_with(path) is None:
        return path
    try:
        require_extra("export", "the shipped model must first be exported, which")
    except EdgeAsrError as error:
        raise EdgeAsrError(f"{error}, or pass --model with a .pte that was exported elsewhere") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock_path(path).touch()  # the lock would take a folder that it cannot write to for a lock that is held
    except OSError as error:
        raise EdgeAsrError(
            f"{path.parent}: cannot keep the exported model there ({error.strerror}): set {CACHE_VARIABLE} to a folder"
        ) from None
    with alone(path, tell):
        trouble = trouble_with(path)  # another process may have exported it meanwhile
        if trouble is not None:
            found = f"{trouble}; " if path.exists() else ""
            once = "this happens once and takes two to four minutes"
            tell(f"{found}exporting the shipped model into {path.parent}; {once}")
            export_shipped(checkpoint, path, progress)
    return path


def trouble_with(path: Path) -> str | None:
    """Why a file in the cache cannot be used, in one line; None where it can."""
    try:
        check_program_file(path)
    except EdgeAsrError as error:
        return str(error)
    return None


@contextmanager
def alone(path: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, no other process is in such a block for this file. `tell` hears that there is a wait."""
    from filelock import FileLock, Timeout  # comes with what exports

    lock = FileLock(lock_path(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell("another process is exporting the shipped model; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def export_shipped(checkpoint: Path, path: Path, progress: Callable[[str], None] | None) -> None:
    from edge_asr_export.build import build  # needs torch

    own = path.with_name(f"{path.stem}.{os.getpid()}.pte")  # the report is there before the file has its name
    report = build(checkpoint, own, precision=PRECISION, progress=progress)
    report_path(path).write_text(json.dumps(report.to_dict()), encoding="utf-8")
    own.replace(path)


def lock_path(pte: Path) -> Path:
    """What the process that exports a file into the cache holds."""
    return pte.with_suffix(".lock")


def report_path(pte: Path) -> Path:
    """What the export of a file in the cache has shown, kept beside it."""
    return pte.with_suffix(".json")


def earlier_export(checkpoint: Path, precision: str, chunk_ms: int | None) -> tuple[Path, dict[str, Any]] | None:
    """The file that the cache has of just this export, with its report; None where it has none, or not whole."""
    if precision != PRECISION or chunk_ms is not None or checkpoint not in shipped_checkpoints():
        return None
    path = cached_pte(checkpoint)
    try:
        report = json.loads(report_path(path).read_text(encoding="utf-8"))
        return (path, report) if file_sha256(path) == report["sha256"] else None
    except (OSError, ValueError, KeyError):
        return None


def exporter_fingerprint() -> str:
    """Changes whenever an export might write other bytes: our sources, the contract, the libraries that lower."""
    digest = hashlib.sha256(f"{__version__} contract {CONTRACT_VERSION}".encode())
    for library in EXPORTER_LIBRARIES:
        digest.update(f" {library} {version_of(library)}".encode())
    for package in EXPORTER_SOURCES:
        for source in sorted(package_folder(package).rglob("*.py")):
            digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def version_of(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def package_folder(package: str) -> Path:
    """Where a package lies, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EdgeAsrError(f"the package '{package}' is missing: install edge-asr again")
    return Path(spec.submodule_search_locations[0])
