"""Text that arrives on a terminal: what is final stays, what is partial is dim and may still change."""

from __future__ import annotations

import shutil
from typing import TextIO

DIM, PLAIN = "\x1b[2m", "\x1b[0m"
CLEAR_LINE = "\r\x1b[K"


class LiveText:
    """Redraws the last line only. Final text that fills the line is written for good, so any length of text flows."""

    def __init__(self, terminal: TextIO, width: int | None = None) -> None:
        """`width` in characters; the terminal's own where not given."""
        self._terminal = terminal
        self._width = width
        self._settled = 0  # characters of the final text that stand in finished lines

    def show(self, final: str, partial: str) -> None:
        """Show the whole text so far; `final` begins with the `final` of the call before."""
        width = (self._width or shutil.get_terminal_size().columns) - 1
        out = [CLEAR_LINE]
        rest = final[self._settled :]
        while len(rest) > width:
            cut = rest.rfind(" ", 0, width + 1)
            line = rest[:cut] if cut > 0 else rest[:width]
            out.append(line + "\n")
            taken = len(line) + (cut > 0)
            self._settled += taken
            rest = rest[taken:]
        out.append(rest)
        gap = " " if rest and partial else ""
        shown = (gap + partial)[-(width - len(rest)) :] if len(rest) < width else ""
        if shown:
            out += [DIM, shown, PLAIN]
        self._terminal.write("".join(out))
        self._terminal.flush()

    def finish(self, text: str) -> None:
        """The whole text is final: end the line."""
        self.show(text, "")
        self._terminal.write("\n")
        self._terminal.flush()

    def abandon(self) -> None:
        """Leave what is final, for a message that follows."""
        self._terminal.write("\n")
        self._terminal.flush()
