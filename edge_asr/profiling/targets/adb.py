"""A phone with our app, by the system's `adb`: the app measures by itself and writes the report.

What is asked of the app, and what it answers, is in `android.md` beside this file.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.accuracy import accuracy_of, wer_change_of
from edge_asr.profiling.recordings import Recordings
from edge_asr.profiling.report import Report, from_json
from edge_asr.profiling.targets.protocol import RunRequest
from edge_asr.profiling.targets.shell_files import ShellFiles
from edge_asr.profiling.targets.tar_stream import Named, Tell, send

PACKAGE = "org.edge_asr.demo"
ACTIVITY = f"{PACKAGE}/.BenchmarkActivity"
RUNS = "files/benchmark"  # in the app's private folder
REPORT, HEARD, PROGRESS, ERROR = "report.json", "heard.jsonl", "progress.txt", "error.txt"
ANSWER_WITHIN_S = 60.0  # any command but the copying
LOOK_EVERY_S = 1.0
STALLED_AFTER_S = 300.0  # without a new line of progress
GUIDE = "android_demo/README.md"


def parse_serial(text: str) -> str:
    """What follows `adb:`: as `adb devices` prints it, `192.168.1.5:5555` included. Raises EdgeAsrError."""
    if not re.fullmatch(r"[^\s-]\S*", text):
        raise EdgeAsrError(f"adb:{text}: no serial number: write adb, or adb:SERIAL as `adb devices` shows it")
    return text


@dataclass(frozen=True)
class Benchmark:
    """What the app is to measure."""

    models: tuple[Path, ...]
    thresholds: tuple[float, ...]  # each model at each; 1 never skips
    recordings: Recordings
    threads: int
    passes: int  # of each setting
    cool_down_s: float  # before each pass
    command: str  # that reproduces it, for the report


class AdbTarget:
    """Not a target that runs `edge-asr-run`: call `measure`. `tell` gets each stage, for a person to see."""

    def __init__(
        self,
        serial: str | None = None,
        tell: Tell | None = None,
        look_every_s: float = LOOK_EVERY_S,
        stalled_after_s: float = STALLED_AFTER_S,
    ) -> None:
        self.serial = serial
        self.files = ShellFiles(self._start_shell)
        self._tell = tell or (lambda _: None)
        self._look_every_s = look_every_s
        self._stalled_after_s = stalled_after_s
        self._folder: str | None = None

    @property
    def name(self) -> str:
        return f"adb:{self.serial}" if self.serial else "adb"

    @property
    def emulated(self) -> bool:
        """Android's emulator names its devices so."""
        return (self.serial or "").startswith("emulator-")

    def __enter__(self) -> AdbTarget:
        """Find the device and the app. Raises EdgeAsrError."""
        if shutil.which("adb") is None:
            raise EdgeAsrError("adb is missing: on Debian, sudo apt install adb")
        self._tell("looking for the device")
        self.serial = choose_device(self.serial, self._adb("devices").text)
        if not self._shell(f"pm path {PACKAGE}").text.startswith("package:"):
            raise EdgeAsrError(f"{self.name}: the app is not installed there: build and install it, see {GUIDE}")
        as_app = self._shell(f"run-as {PACKAGE} true")
        if as_app.code:
            raise EdgeAsrError(
                f"{self.name}: the app's folder cannot be used ({as_app.last()}): install its debug build, see {GUIDE}"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The app ends, and its folder is emptied, where the device is still there."""
        self.files.close()
        if self._folder is not None:
            self._run(
                ["-s", str(self.serial), "shell", "-T", f"am force-stop {PACKAGE}; {self._as_app('rm -rf', RUNS)}"]
            )

    def prepare(self, models: Sequence[Path], recordings: Sequence[Path]) -> None:
        """Bring them into the app's folder. Raises EdgeAsrError."""
        names = [path.name for path in models]
        for name in names:
            if names.count(name) > 1:
                raise EdgeAsrError(
                    f"{name}: two models have this name, and a phone's report would mix them up: rename one"
                )
        self._folder = f"{RUNS}/{secrets.token_hex(4)}"
        self._require(self._shell(f"{self._as_app('rm -rf', RUNS)} && {self._as_app('mkdir -p', self._folder)}"))
        files = [(path, f"models/{path.name}") for path in models]
        files += [(path, audio_name(number)) for number, path in enumerate(recordings)]
        self._copy(files)

    def run(self, request: RunRequest) -> Iterator[dict[str, Any]]:
        raise EdgeAsrError(f"{self.name}: there is no edge-asr-run for Android: the app measures by itself")

    def clock_s(self) -> float:
        uptime_s = self.files.uptime_s()
        if uptime_s is None:
            raise EdgeAsrError(f"{self.name}: the device does not answer: is it still connected?")
        return uptime_s

    def measure(self, wanted: Benchmark) -> Report:
        """The app's report, with the accuracy of what it heard. Raises EdgeAsrError."""
        self.prepare(wanted.models, wanted.recordings.waves)
        self._begin(wanted)
        self._wait()
        try:
            report = from_json(self._fetch(REPORT))
        except EdgeAsrError as error:
            raise EdgeAsrError(f"{self.name}: the app's report: {error}: is the app as new as this edge-asr?") from None
        report = replace(
            report,
            command=wanted.command,
            conditions=replace(report.conditions, target=self.name, emulated=self.emulated),
            protocol=replace(
                report.protocol,
                recordings_sha256=wanted.recordings.sha256,
                references_sha256=wanted.recordings.references_sha256,
            ),
        )
        if self.emulated:
            report = replace(report, ratios=(), results=tuple(replace(each, latency=None) for each in report.results))
        if wanted.recordings.texts is None:
            return report
        heard = parse_heard(self._fetch(HEARD), report, len(wanted.recordings.waves), self.name)
        return with_accuracy(report, heard, wanted.recordings.texts)

    # --- the app

    def _begin(self, wanted: Benchmark) -> None:
        assert self._folder
        self._tell("starting the app")
        extras = [
            *("--es", "run", self._folder.rpartition("/")[2]),
            *("--es", "thresholds", ",".join(f"{threshold:.9g}" for threshold in wanted.thresholds)),
            *("--ei", "threads", str(wanted.threads)),
            *("--ei", "passes", str(wanted.passes)),
            *("--ef", "cool_down_s", f"{wanted.cool_down_s:g}"),
        ]
        # -S: a process of its own; -W: until it is there
        started = self._shell(shlex.join(["am", "start", "-S", "-W", "-n", ACTIVITY, *extras]))
        said = started.text + started.complaint
        trouble = re.search(r"^Error: ?(.*)", said, re.M)
        if "does not exist" in said:
            raise EdgeAsrError(
                f"{self.name}: the app there has no benchmark: it is an older one; install it again, see {GUIDE}"
            )
        if trouble:
            raise EdgeAsrError(f"{self.name}: the app could not be started ({trouble[1]})")
        self._require(started)

    def _wait(self) -> None:
        """Until the report is there. Raises EdgeAsrError."""
        script = (
            f'echo "process $(pidof {PACKAGE})"; cd {self._folder}; for f in {REPORT} {ERROR}; do '
            f'if [ -e $f ]; then echo "file $f"; fi; done; echo "progress $(tail -n 1 {PROGRESS} 2>/dev/null)"'
        )
        last, changed_s = "", time.monotonic()
        while True:
            seen = self._require(self._shell(self._as_app("sh -c", script))).text
            if f"file {REPORT}\n" in seen:
                return
            if f"file {ERROR}\n" in seen:
                raise EdgeAsrError(f"{self.name}: the app says: {' '.join(self._fetch(ERROR).split())}")
            if re.search(r"^process *$", seen, re.M):
                raise EdgeAsrError(f"{self.name}: the app ended without a result{self._crash()}")
            progress = (re.findall(r"^progress (.+)", seen, re.M) or [""])[-1]
            if progress != last:
                last, changed_s = progress, time.monotonic()
                self._tell(f"{self.name}: {progress}")
            if time.monotonic() - changed_s > self._stalled_after_s:
                raise EdgeAsrError(
                    f"{self.name}: no result, and nothing new for {self._stalled_after_s:g} s "
                    f"(last: {last or 'nothing at all'}): unlock the device, and leave its screen on"
                )
            time.sleep(self._look_every_s)

    def _crash(self) -> str:
        """What the system wrote down of it, as the end of a sentence."""
        log = self._run(["-s", str(self.serial), "logcat", "-d", "-b", "crash", "-v", "raw", "-t", "100"]).text
        found = re.findall(r"^(?:[\w.$]+(?:Exception|Error)\b.*|Fatal signal .*)$", log, re.M)
        return f": {found[-1]}" if found else "; `adb logcat -b crash` may tell why"

    def _fetch(self, name: str) -> str:
        return self._require(self._shell(self._as_app("cat", f"{self._folder}/{name}"))).text

    def _copy(self, files: Named) -> None:
        with self._process(["shell", "-T", self._as_app("tar -xf - -C", str(self._folder))]) as running:
            assert running.process.stdin
            send(files, running.process.stdin, self.name, self._tell)
            assert running.process.stdout
            running.process.stdout.read()
            self._require(Done(running.process.wait(), "", running.said()))

    def _as_app(self, command: str, argument: str) -> str:
        return f"run-as {PACKAGE} {command} {shlex.quote(argument)}"

    # --- adb

    def _shell(self, line: str) -> Done:
        return self._adb("shell", "-T", line)

    def _adb(self, *arguments: str) -> Done:
        """Raises EdgeAsrError where the device cannot be talked to."""
        chosen = ["-s", self.serial] if self.serial and arguments[0] != "devices" else []
        done = self._run([*chosen, *arguments])
        if done.code and (lost := re.search(r"^(?:adb: |error: )+(.+)", done.complaint, re.M)):
            raise EdgeAsrError(f"{self.name}: {transport_trouble(lost[1])}")
        return done

    def _run(self, arguments: Sequence[str]) -> Done:
        try:
            done = subprocess.run(
                ["adb", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_WITHIN_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Done(1, "", f"error: no answer within {ANSWER_WITHIN_S:g} s")
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def _require(self, done: Done) -> Done:
        if done.code:
            raise EdgeAsrError(f"{self.name}: {trouble_there(done)}")
        return done

    @contextmanager
    def _process(self, arguments: Sequence[str]) -> Iterator[Running]:
        with tempfile.TemporaryFile() as complaints:
            line = ["adb", "-s", str(self.serial), *arguments]
            with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints) as process:
                try:
                    yield Running(process, complaints)
                except BaseException:
                    process.kill()
                    raise

    def _start_shell(self, script: str | None) -> subprocess.Popen[bytes]:
        line = ["adb", "-s", str(self.serial), "shell", "-T", *([] if script is None else [script])]
        return subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )


@dataclass(frozen=True)
class Done:
    """A command of adb that has ended."""

    code: int
    text: str
    complaint: str

    def last(self) -> str:
        """The last line that tells something."""
        said = f"{self.text}\n{self.complaint}".strip().splitlines()
        return said[-1].strip() if said else f"status {self.code}"


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[bytes]
    complaints: IO[bytes]

    def said(self) -> str:
        self.complaints.seek(0)
        return self.complaints.read().decode(errors="replace")


def audio_name(number: int) -> str:
    """Of a recording in the app's folder; their order is that of their names."""
    return f"audio/{number:05}.wav"


# --- devices

STATES = {  # as `adb devices` has them -> what is wrong, and what to do
    "unauthorized": "the device is unauthorized: allow this computer's debugging on its screen",
    "authorizing": "the device is being authorized: allow this computer's debugging on its screen",
    "offline": "the device is offline: connect it again",
    "no": "adb may not use the USB device: see Android's documentation on udev rules",  # `no permissions (...)`
}


def choose_device(serial: str | None, listed: str) -> str:
    """The named device, or the only one, of what `adb devices` prints. Raises EdgeAsrError."""
    states = dict(re.findall(r"^([^\s*]\S*)\t(\S+)", listed, re.M))
    if serial is None:
        if not states:
            raise EdgeAsrError("adb: no device: connect one, with USB debugging switched on in its developer options")
        if len(states) > 1:
            raise EdgeAsrError(
                f"adb: several devices ({', '.join(states)}): name one, such as adb:{next(iter(states))}"
            )
        (serial,) = states
    if serial not in states:
        there = f"there is {', '.join(states)}" if states else "there is none"
        raise EdgeAsrError(f"adb:{serial}: no such device: {there}")
    if states[serial] != "device":
        trouble = STATES.get(states[serial], f"the device is in state '{states[serial]}': start Android on it")
        raise EdgeAsrError(f"adb:{serial}: {trouble}")
    return serial


def transport_trouble(said: str) -> str:
    """Why adb itself failed."""
    if "unauthorized" in said:
        return STATES["unauthorized"]
    if re.search(r"not found|no devices|offline|closed|no answer", said):
        return f"the device has gone ({said.strip()}): connect it again"
    return f"adb: {said.strip()}"


def trouble_there(done: Done) -> str:
    lost = re.search(r"^(?:adb: |error: )+(.+)", done.complaint, re.M)
    if lost:
        return transport_trouble(lost[1])
    if "No space" in done.complaint:
        return "no space on the device: make room"
    return f"a command failed there ({done.last()})"


# --- what was heard


def parse_heard(text: str, report: Report, recordings: int, who: str) -> dict[str, list[str]]:
    """Setting -> text of each recording, in order. Raises EdgeAsrError where one is missing."""
    found: dict[tuple[str, str], str] = {}
    try:
        for line in filter(None, text.split("\n")):
            item = json.loads(line)
            found[str(item["setting"]), str(item["audio"])] = str(item["text"])
        names = [audio_name(number).rpartition("/")[2] for number in range(recordings)]
        settings = [result.setting.name for result in report.results]
        return {setting: [found[setting, name] for name in names] for setting in settings}
    except (ValueError, TypeError, KeyError) as error:
        raise EdgeAsrError(f"{who}: the app's {HEARD} is broken or not whole ({error}): run it again") from None


def with_accuracy(report: Report, heard: dict[str, list[str]], references: Sequence[str]) -> Report:
    """The first setting is compared with each of the others."""
    results = [
        replace(result, accuracy=accuracy_of(references, heard[result.setting.name])) for result in report.results
    ]
    first, *others = heard
    changes = [wer_change_of(first, other, references, heard[first], heard[other]) for other in others]
    return replace(report, results=tuple(results), wer_changes=tuple(changes))
