"""The files that a sweep leaves."""

from __future__ import annotations

import os
from pathlib import Path

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.sweep.result import Sweep


def write(result: Sweep, folder: Path) -> None:
    """All five files; each is whole or as it was. Raises EdgeAsrError."""
    from edge_asr.profiling.sweep.page import html, markdown
    from edge_asr.profiling.sweep.picture import draw, headline

    files: dict[str, bytes] = {"sweep.json": result.to_json().encode(), "sweep.md": markdown(result).encode()}
    if result.points:
        pictures = draw(result)
        files |= {f"sweep.{suffix}": picture for suffix, picture in pictures.items()}
        files["sweep.html"] = html(result, headline(result), pictures["svg"]).encode()
    for name, content in files.items():
        partial = folder / f".{name}.{os.getpid()}"
        try:
            partial.write_bytes(content)
            partial.replace(folder / name)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise EdgeAsrError(f"{folder / name}: cannot be written ({error.strerror})") from None
