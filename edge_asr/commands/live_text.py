"""Text that arrives: redrawn on a terminal, where what is partial is dim; word by word, once final, anywhere else."""

from __future__ import annotations

import shutil
from typing import Protocol, TextIO

DIM, PLAIN = "\x1b[2m", "\x1b[0m"
CLEAR_LINE = "\r\x1b[K"


class ShownText(Protocol):
    """The text of one input, while it is decoded."""

    def show(self, final: str, partial: str) -> None:
        """The whole text so far; `final` begins with the `final` of the call before."""

    def finish(self, text: str) -> None:
        """The whole text is final."""

    def abandon(self) -> None:
        """Leave what is final, for a message that follows."""


class NoText:
    """For those who get the text in another form."""

    def show(self, final: str, partial: str) -> None: ...

    def finish(self, text: str) -> None: ...

    def abandon(self) -> None: ...


class FlowingText:
    """Writes each word once it is final, and ends the line with the input: plain text, one line an input."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._written = 0  # characters

    def show(self, final: str, partial: str) -> None:
        if len(final) > self._written:
            self._out.write(final[self._written :])
            self._out.flush()
            self._written = len(final)

    def finish(self, text: str) -> None:
        self.show(text, "")
        self._out.write("\n")
        self._out.flush()

    def abandon(self) -> None:
        if self._written:
            self.finish("")


class LiveText:
    """Redraws the last line only. Final text that fills the line is written for good, so any length of text flows."""

    def __init__(self, terminal: TextIO, width: int | None = None) -> None:
        """`width` in characters; the terminal's own where not given."""
        self._terminal = terminal
        self._width = width
        self._settled = 0  # characters of the final text that stand in finished lines

    def show(self, final: str, partial: str) -> None:
        """Show the whole text so far; `final` begins with the `final` of the call before."""
        width = max(1, (self._width or shutil.get_terminal_size().columns) - 1)
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
