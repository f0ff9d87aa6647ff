"""`edge-asr` in a process of its own, whose model is the beep model, so that it starts without torch.

Usage: python tests/beep_program.py ARGUMENTS of edge-asr
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BEEP_PROGRAM = (sys.executable, str(REPOSITORY / "tests" / "beep_program.py"))


def main() -> int:
    sys.path.insert(0, str(REPOSITORY))
    from edge_asr import recognizer
    from edge_asr.cli import main as edge_asr
    from tests.beeps import BeepBackend

    recognizer.open_backend = lambda path, threads, name: BeepBackend()  # type: ignore[assignment]
    return edge_asr()


if __name__ == "__main__":
    raise SystemExit(main())
