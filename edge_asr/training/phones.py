"""Phones of words: a second target for the lower stack, in training only.

Pieces learnt on a small corpus are mostly whole words, and letters that are spoken by their names: in other corpora the
same pieces sound otherwise. Phones are what all of them share, so speech of any vocabulary teaches the lower stack
(CTC at a lower layer for a finer unit: Sanabria and Metze 2018). Pronunciations are those of espeak-ng.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence

from edge_asr.errors import EdgeAsrError

BLANK_PHONE = 0  # CTC's blank; phones count from 1
STRESS_AND_LENGTH = re.compile("[ˈˌː]")
ARTICLE = ("ə",)


class Pronunciations:
    """The phones of a set of texts. Raises EdgeAsrError where espeak-ng is missing."""

    def __init__(self, texts: Iterable[str]) -> None:
        words = sorted({word for text in texts for word in text.split()})
        self.phones_of = dict(zip(words, pronounce(words), strict=True))
        self.inventory = sorted({phone for phones in self.phones_of.values() for phone in phones} | set(ARTICLE))
        self.id_of = {phone: number for number, phone in enumerate(self.inventory, start=BLANK_PHONE + 1)}

    def ids(self, text: str) -> tuple[int, ...]:
        """The text's phones, one id each."""
        words = text.split()
        return tuple(
            self.id_of[phone]
            for number, word in enumerate(words)
            for phone in (ARTICLE if is_article(words, number) else self.phones_of[word])
        )


def is_article(words: Sequence[str], number: int) -> bool:
    """Whether the word is an `A` in a sentence, and not the letter: that stands alone, or beside other letters."""
    neighbours = [*words[max(0, number - 1) : number], *words[number + 1 : number + 2]]
    return words[number] == "A" and bool(neighbours) and all(len(word) > 1 or word == "I" for word in neighbours)


def pronounce(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Each word by itself, in US English, without stress and length. A single letter is spoken by its name."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise EdgeAsrError("phone_weight needs espeak-ng, which is not installed (Debian: apt install espeak-ng)")
    command = [program, "-q", "--ipa", "--sep=_", "-v", "en-us", "--stdin"]
    spoken = subprocess.run(command, input="\n\n".join(words), capture_output=True, text=True, check=True).stdout
    lines = spoken.split("\n")[: len(words)]
    phones = [tuple(filter(None, STRESS_AND_LENGTH.sub("", line).strip().split("_"))) for line in lines]
    if len(phones) != len(words) or not all(phones):
        raise EdgeAsrError("espeak-ng did not pronounce each of the training texts' words")
    return phones
