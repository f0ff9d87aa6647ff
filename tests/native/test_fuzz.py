"""Hostile input: damaged models, damaged sound, misused C ABI. An error, never a crash, under sanitizers.

Our library, the runner and the drivers are built with AddressSanitizer and UndefinedBehaviorSanitizer. ExecuTorch's
libraries come compiled out of its wheel: of them the sanitizers see what they do to the heap, and crashes.
"""

from __future__ import annotations

import random
import re
import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path

import pytest

from edge_asr.contract import TRAILER, sealed
from edge_asr.native.build import Build, build
from edge_asr.native.target import target_here
from tests.native.drivers import SANITIZERS, Ran, compile_driver, run_cases, sanitizer_environment
from tests.native.odd_files import Sound, follows_the_toy, odd_metadata, write_sounds
from tests.native.programs import export_breaking, export_roomy

pytestmark = pytest.mark.slow

CASES = 1_000
ROOM_BYTES = 200_000  # for metadata
RUNNER_LIMIT_S = 60


@pytest.fixture(scope="module")
def sanitized(native_build: Build) -> Build:
    here = target_here()
    assert here is not None
    return build(here, sanitize=SANITIZERS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def fuzz_program(sanitized: Build, folder: Path) -> Path:
    return compile_driver(sanitized, "fuzz_program", folder, "cases.cpp", "mutate.cpp", "src/crc32.cpp")


@pytest.fixture(scope="module")
def fuzz_wav(sanitized: Build, folder: Path) -> Path:
    names = (
        *("audio_source", "byte_reader", "containers", "descriptors", "interrupt", "mixer", "recognizer", "resampler"),
        "wav",
    )
    parts = (f"src/runner/{name}.cpp" for name in names)
    return compile_driver(sanitized, "fuzz_wav", folder, "cases.cpp", "mutate.cpp", "src/crc32.cpp", *parts)


@pytest.fixture(scope="module")
def roomy(folder: Path) -> Path:
    return export_roomy(folder / "roomy.pte", ROOM_BYTES)


@pytest.fixture(scope="module")
def sounds(folder: Path) -> list[Sound]:
    return write_sounds(folder)


def show(capsys: pytest.CaptureFixture[str], title: str, counts: Counter[str]) -> None:
    with capsys.disabled():
        print(f"\n{title}")
        for what, number in counts.most_common():
            print(f"{number:6} {what}")


# models


@pytest.mark.parametrize(("model", "cases"), [("tiny_pte", CASES), ("shipped_pte", 200)])
def test_a_damaged_model_is_refused_before_anything_is_parsed(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], fuzz_program: Path, model: str, cases: int
) -> None:
    path = request.getfixturevalue(model)
    ran = run_cases(fuzz_program, "damaged", range(cases), path)
    show(capsys, f"{cases} damaged copies of {path.name}", ran.counts)
    assert sum(number for what, number in ran.counts.items() if what.startswith("refused: ")) == cases
    assert any("checksum" in what for what in ran.counts)


def test_a_damaged_model_with_a_right_checksum_crashes_none_of_our_code(
    capsys: pytest.CaptureFixture[str], fuzz_program: Path, tiny_pte: Path
) -> None:
    """Behind the checksum, which no accident passes, is ExecuTorch: its own crashes on such programs are counted."""
    ran = run_cases(fuzz_program, "resealed", range(CASES), tiny_pte)
    show(capsys, f"{CASES} damaged copies of {tiny_pte.name} with a right checksum", ran.counts)
    reports = crash_reports(ran)
    assert len(reports) == sum(number for what, number in ran.counts.items() if what.startswith("crashed"))
    ours = {case: report for case, report in reports.items() if is_our_crash(report)}
    assert not ours, "\n".join(f"case {case}:\n{report[:4_000]}" for case, report in ours.items())
    assert sum(number for what, number in ran.counts.items() if what.startswith("refused")) > CASES / 4
    assert ran.counts["ran to its end"] > 0


def crash_reports(ran: Ran) -> dict[int, str]:
    """Case -> what a sanitizer said of its end."""
    found = re.finditer(r"^crash\t(\d+)\n(.*?)^end of crash$", ran.out, re.M | re.S)
    return {int(match[1]): match[2] for match in found}


def is_our_crash(report: str) -> bool:
    """Whether our code is on top of the stack, but for the functions of the system and of the sanitizers."""
    if re.search(r"edge_asr/native/\S+: runtime error", report):
        return True
    system = re.compile(r"nptl/|sysdeps/|libsanitizer|/lib(c|m|stdc\+\+|gcc_s|asan|ubsan)\.so|csu/|stdlib/|string/")
    frames = [line for line in report.splitlines() if re.match(r"\s+#\d+ ", line)]
    top = next((frame for frame in frames if not system.search(frame)), None)
    return top is None or "/edge_asr/native/" in top or "/tests/native/" in top


def test_the_one_who_is_to_blame_is_found() -> None:
    """Of the two kinds of stack that the test above tells apart."""
    system = "    #0 0x7f in __pthread_kill_implementation nptl/pthread_kill.c:44\n"
    theirs = "    #1 0x7f in executorch::runtime::Method::execute() (/x/lib/libexecutorch.so+0x184cc)\n"
    our_own = "    #2 0x7f in edge_asr::LoadedMethod::execute() /x/edge_asr/native/src/loaded_method.cpp:129\n"
    assert not is_our_crash(system + theirs + our_own)
    assert is_our_crash(system + our_own + theirs)
    assert is_our_crash("/x/edge_asr/native/src/stream.cpp:3:1: runtime error: signed integer overflow\n" + theirs)
    assert is_our_crash("")


def test_metadata_of_any_kind_is_refused_or_makes_sense(
    capsys: pytest.CaptureFixture[str], fuzz_program: Path, roomy: Path, folder: Path
) -> None:
    texts = odd_metadata(2 * CASES)
    (folder / "texts").write_bytes(b"".join(struct.pack("<I", len(text)) + text for text in texts))
    offset = roomy.read_bytes().index(b'{"format"')
    ran = run_cases(fuzz_program, "metadata", range(len(texts)), roomy, offset, ROOM_BYTES, folder / "texts")
    show(capsys, f"{len(texts)} texts in place of the metadata", ran.counts)
    accepted = [int(line[1]) for line in ran.lines if line[0] == "accepted"]
    assert accepted[0] == 0, "the right one"
    assert len(accepted) < len(texts) / 2
    expected = [case for case, text in enumerate(texts) if follows_the_toy(text[:ROOM_BYTES])]
    assert [texts[case][:2_000] for case in set(accepted) ^ set(expected)] == [], "Python and C++ read the same"


# sound


def test_damaged_sound_is_heard_or_refused(
    capsys: pytest.CaptureFixture[str], fuzz_wav: Path, tiny_pte: Path, sounds: list[Sound], folder: Path
) -> None:
    (folder / "headerless.pcm").write_bytes(sounds[0].path.read_bytes()[44:])
    paths = [*(sound.path for sound in sounds), folder / "headerless.pcm"]
    ran = run_cases(fuzz_wav, "fuzz", range(2 * CASES), tiny_pte, *paths)
    show(capsys, f"{2 * CASES} damaged sound files", ran.counts)
    refused = sum(number for what, number in ran.counts.items() if what.startswith("refused: "))
    assert refused + ran.counts["heard"] == 2 * CASES
    assert min(refused, ran.counts["heard"]) > CASES / 4


def test_sound_files_of_every_kind_give_their_samples(fuzz_wav: Path, tiny_pte: Path, sounds: list[Sound]) -> None:
    ran = run_cases(fuzz_wav, "read", range(len(sounds)), tiny_pte, *(sound.path for sound in sounds))
    found = {sounds[int(case)].path.name: (int(number), crc) for _, case, number, crc in ran.lines}
    expected = {s.path.name: (len(s.samples), f"{zlib.crc32(s.samples.astype('<f4').tobytes()):08x}") for s in sounds}
    assert found == expected


# the C ABI


def test_misuse_of_the_c_abi_is_answered(sanitized: Build, tiny_pte: Path, folder: Path) -> None:
    program = compile_driver(sanitized, "abuse_abi", folder, "mutate.cpp")
    said = run_sanitized(program, tiny_pte, export_breaking(folder / "breaking.pte"))
    assert said == "every misuse has its answer\n"
    decoder = compile_driver(sanitized, "abuse_decoder", folder, "mutate.cpp")
    assert run_sanitized(decoder, tiny_pte) == "every misuse has its answer\n"


def test_programs_beside_each_other_are_alike_bit_for_bit(
    sanitized: Build, tiny_pte: Path, shipped_pte: Path, folder: Path
) -> None:
    program = compile_driver(sanitized, "programs_beside", folder, "mutate.cpp")
    for pair in ((tiny_pte, tiny_pte), (tiny_pte, shipped_pte)):
        assert run_sanitized(program, *pair) == "alike\n"


def run_sanitized(*command: Path) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, env=sanitizer_environment(), timeout=RUNNER_LIMIT_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# the runner as a process


def run_runner(sanitized: Build, folder: Path, *arguments: object, stdin: bytes = b"") -> int:
    """Its exit status, which is 0 or 1; where it is 1, there is one line on stderr, and else none, but for warnings."""
    log = folder / "sanitizers"  # the runner keeps what libraries print off the screen
    done = subprocess.run(
        [sanitized.runner, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=sanitizer_environment(log_path=str(log)),
        timeout=RUNNER_LIMIT_S,
        check=False,
    )
    reports = "".join(path.read_text() for path in folder.glob("sanitizers.*"))
    told = "".join(line for line in done.stderr.decode().splitlines(keepends=True) if ": warning: " not in line)
    assert (done.returncode in (0, 1), reports) == (True, ""), (arguments, done.returncode, told, reports)
    assert len(told.splitlines()) == done.returncode, told
    assert told == "" or (told.startswith("edge-asr-run: ") and len(told) > len("edge-asr-run: ") + 10)
    return done.returncode


def test_the_runner_survives_any_sound(sanitized: Build, tiny_pte: Path, sounds: list[Sound], tmp_path: Path) -> None:
    model = ("--model", tiny_pte)
    for sound in sounds:
        assert run_runner(sanitized, tmp_path, *model, sound.path) == int(sound.is_cut)
    chance = random.Random(1)
    statuses = Counter[int]()
    for case in range(40):
        content = damaged_file(chance.choice(sounds).path.read_bytes(), chance)
        odd = tmp_path / "odd.wav"
        odd.write_bytes(content)
        layout = chance.choice(([], [], [], ["--raw", "s16le"], ["--raw", "f32le"]))
        form = chance.choice(([], ["--json"], ["--json-steps"], ["--bench"]))
        from_stdin = case % 3 == 0
        name = "-" if from_stdin else odd
        statuses[run_runner(sanitized, tmp_path, *model, *layout, *form, name, stdin=content * from_stdin)] += 1
    assert min(statuses[0], statuses[1]) > 3, statuses
    for raw in (b"\0", b"\0\0\0", chance.randbytes(9_999), b"\xff" * 8_000):
        run_runner(sanitized, tmp_path, *model, "--raw", "f32le", "-", stdin=raw)
        run_runner(sanitized, tmp_path, *model, "--raw", "s16le", "-", stdin=raw)


def test_the_runner_refuses_any_damaged_model(
    sanitized: Build, tiny_pte: Path, roomy: Path, sounds: list[Sound], tmp_path: Path
) -> None:
    whole, odd = tiny_pte.read_bytes(), tmp_path / "odd.pte"
    chance = random.Random(2)
    contents = [damaged_file(whole, chance) for _ in range(20)]
    contents += [b"", b"\n", whole[:40], whole[:-1], whole[:-12], whole + b"\0", whole * 2, sounds[0].path.read_bytes()]
    contents += [sealed(b""), sealed(bytes(1_000)), sealed(whole[:41])]
    contents += [with_metadata(roomy, text) for text in odd_metadata(CASES)[1:] if text.count(b"[") > 60_000]
    assert len(contents) > 40
    for content in contents:
        odd.write_bytes(content)
        assert run_runner(sanitized, tmp_path, "--json", "--model", odd, sounds[0].path) == 1


def damaged_file(content: bytes, chance: random.Random) -> bytes:
    """Another file than it was."""
    broken = bytearray(content)
    while broken == content:
        first = chance.choice((chance.randrange(64), chance.randrange(len(broken))))
        count = chance.choice((1, 4, 300))
        kind = chance.randrange(5)
        if kind == 0:
            del broken[first:]
        elif kind == 1:
            del broken[first : first + count]
        elif kind == 2:
            broken[first:first] = chance.randbytes(count)
        elif kind == 3:
            broken[first : first + count] = chance.randbytes(count)
        else:
            broken[first : first + 4] = chance.choice((bytes(4), b"\xff" * 4, b"\xff\xff\xff\x7f"))
    return bytes(broken)


def with_metadata(program: Path, text: bytes) -> bytes:
    content = program.read_bytes()[: -TRAILER.size]
    first = content.index(b'{"format"')
    return sealed(content[:first] + text[:ROOM_BYTES].ljust(ROOM_BYTES) + content[first + ROOM_BYTES :])
