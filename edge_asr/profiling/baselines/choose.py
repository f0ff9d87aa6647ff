"""What a user types after `--against` for a recognizer that is not ours -> the baseline, ready to run."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_asr.contract import Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import require_extra
from edge_asr.file_hash import file_sha256
from edge_asr.profiling.baselines.baseline import Baseline
from edge_asr.profiling.report import Setting
from edge_asr.shipped import cache_folder, exporter_fingerprint, shipped_checkpoints

MODULES = "edge_asr.profiling.baselines"
ONNX_PREFIX = "onnxruntime-"
NAMES = ("onnxruntime-int8", "onnxruntime-fp32", "pocketsphinx")
KEY_DIGITS = 16  # of the hash that names a cached file

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Ingredients:
    """What baselines are made from, beside their names."""

    metadata: Metadata  # of the `.pte` that they are compared with
    checkpoint: Path | None = None  # its weights; None: a shipped one
    threads: int = 1
    cpus: str | None = None


def choose_baseline(name: str, ingredients: Ingredients, tell: Tell | None = None) -> Baseline:
    """One of NAMES, ready to run. Exporting an ONNX file takes half a minute, once. Raises EdgeAsrError."""
    if name not in NAMES:
        raise EdgeAsrError(f"no baseline is named '{name}': choose among {', '.join(NAMES)}, or name a .pte file")
    require_extra("baselines", f"the baseline {name}")
    if name.startswith(ONNX_PREFIX):
        return onnx_baseline(name.removeprefix(ONNX_PREFIX), ingredients, tell or (lambda _: None))
    return sphinx_baseline(ingredients)


def onnx_baseline(precision: str, ingredients: Ingredients, tell: Tell) -> Baseline:
    """The same weights, ungated. Raises EdgeAsrError where the checkpoint is not the one in the `.pte`."""
    metadata = ingredients.metadata
    checkpoint = exported_from(metadata, ingredients.checkpoint)
    path = made_onnx(checkpoint, precision, round(metadata.chunk_ms), tell)
    setting = Setting(
        name=f"onnxruntime {precision}",
        runtime="onnxruntime",
        runtime_version=importlib.metadata.version("onnxruntime"),
        model=path.name,
        model_sha256=file_sha256(path),
        precision=precision,
        threshold=None,
    )
    return Baseline(
        setting,
        path.stat().st_size,
        f"{MODULES}.onnxruntime",
        (str(path),),
        ingredients.threads,
        ingredients.cpus,
    )


def exported_from(metadata: Metadata, named: Path | None) -> Path:
    """The checkpoint that has the `.pte`'s weights: the named one, or a shipped one. Raises EdgeAsrError."""
    candidates = [named] if named else shipped_checkpoints()
    for checkpoint in candidates:
        if file_sha256(checkpoint) == metadata.training.get("checkpoint_sha256"):
            return checkpoint
    raise EdgeAsrError(
        f"{named or 'the shipped checkpoints'}: these are other weights than the .pte's: "
        "name the checkpoint that it was exported from"
    )


def made_onnx(checkpoint: Path, precision: str, chunk_ms: int, tell: Tell) -> Path:
    """The export in the cache folder; made where it is not there."""
    path = cached_onnx(checkpoint, precision, chunk_ms)
    if path.is_file():
        return path
    from edge_asr.profiling.baselines.onnx_export import export_onnx, quantize_onnx  # need torch

    path.parent.mkdir(parents=True, exist_ok=True)
    if precision == "fp32":
        export_onnx(checkpoint, path, chunk_ms=chunk_ms, progress=tell)
    else:
        plain = made_onnx(checkpoint, "fp32", chunk_ms, tell)
        tell("quantizing the ONNX file")
        quantize_onnx(plain, checkpoint, path)
    return path


def cached_onnx(checkpoint: Path, precision: str, chunk_ms: int) -> Path:
    """Where the export is kept. Other weights, another chunk or another exporter give another name."""
    digest = hashlib.sha256(f"{file_sha256(checkpoint)} {exporter_fingerprint()} {precision} {chunk_ms}".encode())
    digest.update(Path(__file__).with_name("onnx_export.py").read_bytes())
    for library in ("onnx", "onnxscript", "onnxruntime"):
        digest.update(f" {library} {importlib.metadata.version(library)}".encode())
    return cache_folder() / "onnx" / f"{checkpoint.stem}-{precision}-{digest.hexdigest()[:KEY_DIGITS]}.onnx"


def sphinx_baseline(ingredients: Ingredients) -> Baseline:
    """With AN4's language model and dictionary. Raises EdgeAsrError where they are not there."""
    from edge_asr.profiling.baselines.pocketsphinx import acoustic_model

    language_model, dictionary = of_corpus("an4.lm"), of_corpus("an4.dic")
    acoustic = sorted(path for path in acoustic_model().rglob("*") if path.is_file())
    files = [*acoustic, language_model, dictionary]
    setting = Setting(
        name="pocketsphinx",
        runtime="pocketsphinx",
        runtime_version=importlib.metadata.version("pocketsphinx"),
        model=f"en-us, {language_model.name}, {dictionary.name}",
        model_sha256=sha256_of_all(files),
        precision=None,
        threshold=None,
    )
    arguments = ("--lm", str(language_model), "--dictionary", str(dictionary))
    size = sum(path.stat().st_size for path in files)
    return Baseline(setting, size, f"{MODULES}.pocketsphinx", arguments, 1, ingredients.cpus)


def of_corpus(name: str) -> Path:
    """A file of AN4 in $EDGE_ASR_DATA. Raises EdgeAsrError."""
    data = os.environ.get("EDGE_ASR_DATA")
    if not data:
        raise EdgeAsrError(f"PocketSphinx needs AN4's {name}: set EDGE_ASR_DATA to the folder of the corpora")
    path = Path(data, "an4", name)
    if not path.is_file():
        raise EdgeAsrError(f"{path}: no such file: PocketSphinx needs it; mend EDGE_ASR_DATA")
    return path


def sha256_of_all(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()
