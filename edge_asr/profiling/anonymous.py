"""Reports that do not say who measured, on which host, nor in which folders: for those who publish them.

What a report may hold of that: the target (`ssh:USER@HOST`, `adb:SERIAL`), the command line, names of settings that are
paths, and sentences (notes, reasons) that quote errors. File names stay, without their folders.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex
import socket
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

HIDDEN = {"ssh": "ssh:USER@HOST", "adb": "adb:SERIAL"}  # by kind of target
HOST, HOME = "HOST", "~"
SENTENCES = ("notes", "reasons", "reason", "unfinished")  # fields that may quote an error
IN_PATH = r"""[^\s'"`,;:|()<>]"""
ABSOLUTE = rf"(?<![\w.~/@*-])(?:~[\w.-]*)?/{IN_PATH}+"
PUBLIC = re.compile(r"/(?:sys|proc|dev)/")  # the same on every Linux
A_HOME = re.compile(r"/(?:home|Users)/[^/]+|/root|~[\w.-]*")
OPTION = re.compile(r"(--[\w-]+=|-\w(?=[/~]))?(.*)", re.S)  # `--output=/a`, `-o/a`
IP_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)|(?<![\w:])(?:[\da-fA-F]{1,4}:){7}[\da-fA-F]{1,4}(?![\w:])"
    r"|(?<![\w:])[\da-fA-F:]*::[\da-fA-F:]*(?:%\w+)?(?![\w:])"
)


def hidden_target(target: str) -> str:
    """How it was reached, without user, host and serial number."""
    kind, colon, _ = target.partition(":")
    return HIDDEN.get(kind, target) if colon else target


class Anonymizer:
    """Of the reports of one measurement. `found` then says what they held, in words."""

    def __init__(self, target: str, command: str) -> None:
        self.found: dict[str, None] = {}  # in the order it was met
        self._target = target
        self._shown: dict[str, str] = {}  # path -> what stands for it, of each path another
        words = words_of(command)
        values = [OPTION.fullmatch(word) for word in words]
        given = [found[2] for found in values if found and found[2].startswith(("/", "~"))]
        self._given = sorted(dict.fromkeys(given), key=len, reverse=True)  # they may have spaces in them
        for path in dict.fromkeys(given):
            self._name_of(path)
        folders = {str(Path.cwd()), str(Path.home())} - {"/"}  # they too may have spaces in them
        below = "".join(rf"{re.escape(folder)}(?:/{IN_PATH}*)?|" for folder in sorted(folders, reverse=True))
        self._absolute = re.compile(below + ABSOLUTE)
        self._names = hosts_of(target)

    def __call__(self, value: T) -> T:
        """The same report, or part of one, without them."""
        hidden: T = self._mapped(value, "")
        return hidden

    def _mapped(self, value: Any, field: str) -> Any:
        if isinstance(value, str):
            return self._text(value, field)
        if isinstance(value, dict):
            return {key: self._mapped(item, key) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._mapped(item, field) for item in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [each.name for each in dataclasses.fields(value)]
            return dataclasses.replace(value, **{name: self._mapped(getattr(value, name), name) for name in names})
        return value

    def _text(self, text: str, field: str) -> str:
        if field == "target":
            return self._instead(text, hidden_target(text), text)
        if field == "command":
            words = words_of(text)
            if words:
                return shlex.join(self._word(word) for word in words)
        return self._sentence(text, field)

    def _word(self, word: str) -> str:
        """Of the command line."""
        found = OPTION.fullmatch(word)
        option, value = (found[1] or "", found[2]) if found else ("", word)
        if value.startswith(("ssh:", "adb:")):
            return option + self._instead(value, hidden_target(value), value)
        if value.startswith(("/", "~")) and not PUBLIC.match(value):
            return option + self._instead(value, self._name_of(value), "absolute paths")
        return option + self._sentence(value, "")

    def _sentence(self, text: str, field: str) -> str:
        if hidden_target(self._target) != self._target:
            text = self._instead(text, text.replace(self._target, hidden_target(self._target)), self._target)
        for path in self._given:
            if not PUBLIC.match(path):
                text = self._instead(text, text.replace(path, self._name_of(path)), "absolute paths")
        text = self._instead(text, self._absolute.sub(self._path, text), "absolute paths")
        if field in SENTENCES:
            for name, instead in self._names:
                text = self._instead(text, name.sub(instead, text), "host names")
            text = self._instead(text, IP_ADDRESS.sub(HOST, text), "host names")
        return text

    def _instead(self, text: str, hidden: str, what: str) -> str:
        if hidden != text:
            self.found[what] = None
        return hidden

    def _path(self, found: re.Match[str]) -> str:
        return found[0] if PUBLIC.match(found[0]) else self._name_of(found[0])

    def _name_of(self, path: str) -> str:
        """Its last part, which a second path of the same has with a number."""
        whole = path.rstrip("./") or "/"
        if whole not in self._shown:
            plain = HOME if A_HOME.fullmatch(whole) else whole.rpartition("/")[2] or whole
            names = (plain if number == 1 else f"{plain} ({number})" for number in itertools.count(1))
            self._shown[whole] = next(name for name in names if name not in self._shown.values())
        return self._shown[whole]


def words_of(command: str) -> list[str]:
    """None of what is no command line."""
    try:
        return shlex.split(command)
    except ValueError:
        return []


def hosts_of(target: str) -> list[tuple[re.Pattern[str], str]]:
    """What names a host in a sentence, and what stands for it: the target's, and this machine's."""
    kind, _, address = target.partition(":")
    names = []
    if kind == "adb" and address:
        names.append((re.compile(rf"(?<!\w){re.escape(address)}(?!\w)"), "SERIAL"))
    host = re.sub(r"^[^@/]*@|/.*$", "", address).strip("[]") if kind == "ssh" else ""
    host = re.sub(r"\]?:\d+$", "", host) if host.count(":") == 1 or "]" in host else host
    here = socket.gethostname()
    for name in dict.fromkeys(filter(None, (host, here, here.partition(".")[0]))):
        if name not in ("local", "localhost"):
            names.append((re.compile(rf"(?:[\w.+-]+@|(?<![\w.@-])){re.escape(name)}(?![\w-])"), HOST))
    return names
