"""Training speech from text-to-speech programs: many voices for texts like those of a manifest.

Two free synthesizers are used where they are installed (Debian packages `espeak-ng` and `flite`). Texts come from the
manifests given: half of them as they are, half with words exchanged for others of their class (letters for letters,
digits for digits, months for months), so that a model meets sequences that no speaker of the corpus said.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import Utterance, read_manifest, write_manifest
from edge_asr.training.data import hold_out

ESPEAK_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-us-nyc")
ESPEAK_VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt2", "klatt3"),
    *("klatt4", "adam", "Alex", "Alicia", "Andrea", "Andy", "Annie", "aunty", "belinda", "benjamin", "caleb", "david"),
    *("ed", "edward", "john", "Lee", "linda", "max", "Michael", "Mike", "paul", "quincy", "rob", "robert", "steph"),
    *("steph2", "victor", "norbert", "shelby", "travis", "grandpa"),
)
FLITE_VOICES = ("kal", "kal16", "awb", "rms", "slt")
FLITE_SHARE = 0.4  # of the utterances, where both programs are there: fewer voices, but closer to speech
WORD_CLASSES = (
    tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("ZERO", "OH", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"),
    ("TWENTY", "THIRTY", "FORTY", "FIFTY", "SIXTY", "SEVENTY", "EIGHTY", "NINETY"),
    ("TEN", "ELEVEN", "TWELVE", "THIRTEEN", "FOURTEEN", "FIFTEEN", "SIXTEEN", "SEVENTEEN", "EIGHTEEN", "NINETEEN"),
    (
        *("JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER"),
        *("NOVEMBER", "DECEMBER"),
    ),
    (
        *("FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH", "SEVENTH", "EIGHTH", "NINTH", "TENTH", "ELEVENTH"),
        *("TWELFTH", "FIFTEENTH", "SIXTEENTH", "EIGHTEENTH", "TWENTIETH", "THIRTIETH"),
    ),
    ("GO", "YES", "NO", "STOP", "START", "HELP", "REPEAT", "ENTER", "ERASE", "RUBOUT"),
)
CLASS_OF = {word: words for words in WORD_CLASSES for word in words}


@dataclass(frozen=True)
class PlannedUtterance:
    """One line to be spoken. Everything random about it is drawn beforehand, so that a seed names the corpus."""

    number: int
    text: str
    program: str  # espeak-ng or flite
    voice: str
    speed: float  # 1 is the voice's own
    pitch: float  # 1 is the voice's own
    commas: bool  # a short rest after each word, as when spelling


def synthesize(
    manifests: Sequence[Path],
    folder: Path,
    utterances: int,
    seed: int = 1,
    held_out: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> Path:
    """Write `utterances` FLAC files and `train.jsonl` into `folder`; returns the manifest. `progress` hears of each.

    `held_out` leaves out the texts of the speakers that `training.data.hold_out` keeps for development from the first
    manifest. Files that are there already are kept, so that an interrupted run goes on. Raises EdgeAsrError where
    neither program is installed, one of them fails, or the folder cannot be written or holds another plan's files.
    """
    programs = tuple(name for name in ("espeak-ng", "flite") if shutil.which(name))
    if not programs:
        raise EdgeAsrError("neither espeak-ng nor flite is installed: apt install espeak-ng flite")
    first, _ = hold_out(read_manifest(manifests[0]), held_out)
    others = [utterance for manifest in manifests[1:] for utterance in read_manifest(manifest)]
    plan = draw_plan([utterance.text for utterance in first + others], utterances, programs, seed)
    audio = prepare_folder(folder, plan)
    spoken: list[Utterance] = []
    with ThreadPoolExecutor() as pool:
        for utterance, duration_s in zip(plan, pool.map(lambda item: speak(item, audio), plan), strict=True):
            spoken.append(
                Utterance(
                    audio=file_of(utterance, audio),
                    text=utterance.text,
                    speaker=f"{utterance.program}-{utterance.voice}",
                    duration_s=round(duration_s, 3),
                    line=len(spoken) + 1,
                )
            )
            progress()
    manifest = folder / "train.jsonl"
    write_manifest(manifest, spoken)
    return manifest


def prepare_folder(folder: Path, plan: Sequence[PlannedUtterance]) -> Path:
    """Make the folder of the audio, and note whose it is. Raises EdgeAsrError where it is another plan's."""
    digest = hashlib.sha256(json.dumps([asdict(utterance) for utterance in plan]).encode()).hexdigest()
    audio, mark = folder / "train", folder / "plan.sha256"
    try:
        audio.mkdir(parents=True, exist_ok=True)
        if mark.is_file() and mark.read_text() != digest:
            raise EdgeAsrError(f"{folder}: holds speech for other texts, voices or another seed: name an empty folder")
        mark.write_text(digest)
    except OSError as error:
        raise EdgeAsrError(f"{folder}: cannot be written ({error.strerror})") from None
    return audio


def draw_plan(texts: Sequence[str], utterances: int, programs: Sequence[str], seed: int) -> list[PlannedUtterance]:
    rng = np.random.default_rng(seed)
    plan = []
    for number in range(utterances):
        text = texts[int(rng.integers(len(texts)))]
        if rng.random() < 0.5:
            text = vary(text, rng)
        both = len(programs) == 2
        program = ("flite" if rng.random() < FLITE_SHARE else "espeak-ng") if both else programs[0]
        plan.append(
            PlannedUtterance(
                number=number,
                text=text,
                program=program,
                voice=draw_voice(program, rng),
                speed=float(rng.uniform(0.75, 1.25)),
                pitch=float(rng.uniform(0.75, 1.3)),
                commas=bool(rng.random() < 0.3),
            )
        )
    return plan


def draw_voice(program: str, rng: np.random.Generator) -> str:
    if program == "flite":
        return str(rng.choice(FLITE_VOICES))
    return f"{rng.choice(ESPEAK_ACCENTS)}+{rng.choice(ESPEAK_VARIANTS)}"


def vary(text: str, rng: np.random.Generator) -> str:
    """Each word that belongs to a class becomes any word of the class."""
    return " ".join(str(rng.choice(CLASS_OF[word])) if word in CLASS_OF else word for word in text.split())


def file_of(utterance: PlannedUtterance, folder: Path) -> Path:
    return folder / f"{utterance.number:05d}.flac"


def speak(utterance: PlannedUtterance, folder: Path) -> float:
    """Write one FLAC file at 16 kHz where it is not there yet; returns its duration in seconds."""
    path = file_of(utterance, folder)
    if not path.is_file():
        raw = path.with_suffix(".wav")
        command = espeak_command(utterance, raw) if utterance.program == "espeak-ng" else flite_command(utterance, raw)
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode or not raw.is_file():
            raise EdgeAsrError(f"{command[0]} failed on '{utterance.text}': {outcome.stderr.strip() or 'no audio'}")
        samples = read_audio(raw)
        raw.unlink()
        partial = path.with_suffix(".partial")
        soundfile.write(partial, samples.clip(-1, 1), SAMPLE_RATE_HZ, format="FLAC")
        partial.replace(path)
    return float(soundfile.info(path).duration)


def espeak_command(utterance: PlannedUtterance, output: Path) -> list[str]:
    spelt = all(word in CLASS_OF for word in utterance.text.split())
    # alone, `A` is the article to espeak-ng; [[eI]] is its notation for the letter's name
    words = ["[[eI]]" if word == "A" and spelt else word.lower() for word in utterance.text.split()]
    text = (", " if utterance.commas else " ").join(words).replace("rubout", "rub out")
    rate, pitch = round(160 * utterance.speed), round(50 * utterance.pitch)
    return ["espeak-ng", "-v", utterance.voice, "-s", str(rate), "-p", str(pitch), "-w", str(output), text]


def flite_command(utterance: PlannedUtterance, output: Path) -> list[str]:
    text = (", " if utterance.commas else " ").join(utterance.text.split())
    settings = {"duration_stretch": 1 / utterance.speed, "int_f0_target_mean": 110 * utterance.pitch}
    sets = [part for name, value in settings.items() for part in ("--setf", f"{name}={value:.3f}")]
    return ["flite", "-voice", utterance.voice, *sets, "-t", text, "-o", str(output)]
