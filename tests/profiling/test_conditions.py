"""What a device tells of itself, on trees as real devices have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_asr.profiling.conditions import (
    charging,
    core_count,
    cpu_name,
    describe_device,
    read_device,
    system_name,
)
from edge_asr.profiling.targets.local import LocalFiles, LocalTarget

CPU = "sys/devices/system/cpu"


class FakeFiles(LocalFiles):
    """A tree in a folder, and programs that print what they are given."""

    def __init__(self, root: Path, programs: dict[str, str] | None = None) -> None:
        super().__init__(root)
        self.root = root
        self.programs = programs or {}

    def put(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text + "\n")

    def run(self, command: Sequence[str]) -> str | None:
        return self.programs.get(" ".join(command))


@pytest.fixture
def pi5(tmp_path: Path) -> FakeFiles:
    """A Raspberry Pi 5: four Cortex-A76, whose /proc/cpuinfo has no name."""
    files = FakeFiles(
        tmp_path,
        {
            "vcgencmd get_throttled": "throttled=0x50000\n",
            "lscpu": "Architecture: aarch64\nModel name:                           Cortex-A76\n",
            "getconf CLK_TCK": "100\n",
        },
    )
    for cpu in range(4):
        files.put(f"{CPU}/cpu{cpu}/cpufreq/scaling_governor", "ondemand")
        files.put(f"{CPU}/cpu{cpu}/cpufreq/scaling_cur_freq", f"{1_500_000 + 1000 * cpu}")
    files.put("proc/cpuinfo", "\n".join(f"processor\t: {cpu}\nCPU part\t: 0xd0b\n" for cpu in range(4)))
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    files.put("sys/class/thermal/thermal_zone0/type", "cpu-thermal")
    files.put("sys/class/thermal/thermal_zone0/temp", "48312")
    files.put("sys/class/hwmon/hwmon0/name", "rp1_adc")
    files.put("sys/class/hwmon/hwmon0/temp1_input", "51200")
    files.put("proc/loadavg", "0.25 0.10 0.05 1/150 999")
    files.put("proc/stat", "cpu  1000 0 500 8000 100 0 0 0 0 0\ncpu0 1 2 3 4")
    files.put("proc/sys/kernel/ostype", "Linux")
    files.put("proc/sys/kernel/osrelease", "6.6.31+rpt-rpi-2712")
    files.put("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian"')
    return files


def test_a_raspberry_pi(pi5: FakeFiles) -> None:
    assert cpu_name(pi5) == "Cortex-A76, Raspberry Pi 5 Model B Rev 1.0"
    assert core_count(pi5) == 4
    assert system_name(pi5) == "Debian GNU/Linux 12 (bookworm), Linux 6.6.31+rpt-rpi-2712"
    assert charging(pi5) is None
    snapshot = read_device(pi5, ours_s=0.0).snapshot
    assert snapshot.governor == "ondemand"
    assert snapshot.frequencies_mhz == (1500, 1501, 1502, 1503)
    assert snapshot.temperatures_c == {"cpu-thermal": 48.312, "rp1_adc": 51.2}
    assert snapshot.load_1min == 0.25
    assert snapshot.others_cpu_share is None


def test_a_pi_is_throttled_where_it_is_now_not_where_it_was_once(pi5: FakeFiles) -> None:
    assert read_device(pi5, 0.0).snapshot.throttled is False  # 0x50000: has happened since the start
    pi5.programs["vcgencmd get_throttled"] = "throttled=0x50005\n"
    assert read_device(pi5, 0.0).snapshot.throttled is True


def test_what_others_used_is_all_but_idle_and_ours(pi5: FakeFiles) -> None:
    """10 s of four CPUs: 15 s of them busy, 9 s by the measurement, 2 s stolen by another virtual machine."""
    before = read_device(pi5, ours_s=1.0)
    pi5.put("proc/stat", "cpu  2000 0 800 10400 200 0 0 200 0 0")
    after = read_device(pi5, ours_s=10.0, before=before)
    assert after.snapshot.others_cpu_share == pytest.approx((15 - 9) / 40)


def test_what_is_not_known_is_not_made_up(tmp_path: Path) -> None:
    """A bare chroot."""
    reading = read_device(FakeFiles(tmp_path), ours_s=None)
    again = read_device(FakeFiles(tmp_path), ours_s=None, before=reading)
    snapshot = again.snapshot
    assert (snapshot.governor, snapshot.frequencies_mhz, snapshot.temperatures_c) == (None, None, None)
    assert (snapshot.throttled, snapshot.load_1min, snapshot.others_cpu_share) == (None, None, None)
    assert cpu_name(FakeFiles(tmp_path)) == "unknown"


def test_x86_counts_throttling(tmp_path: Path) -> None:
    files = FakeFiles(tmp_path)
    files.put(f"{CPU}/cpu0/thermal_throttle/core_throttle_count", "7")
    before = read_device(files, 0.0)
    assert before.snapshot.throttled is None
    assert read_device(files, 0.0, before).snapshot.throttled is False
    files.put(f"{CPU}/cpu0/thermal_throttle/core_throttle_count", "8")
    assert read_device(files, 0.0, before).snapshot.throttled is True


def test_a_phones_cooling_devices_tell_of_throttling(tmp_path: Path) -> None:
    files = FakeFiles(tmp_path, {"getprop ro.build.version.release": "14\n"})
    files.put("sys/class/thermal/cooling_device0/type", "thermal-cpufreq-0")
    files.put("sys/class/thermal/cooling_device0/cur_state", "0")
    files.put("sys/class/thermal/cooling_device1/type", "gpu")
    files.put("sys/class/thermal/cooling_device1/cur_state", "3")
    assert read_device(files, 0.0).snapshot.throttled is False
    files.put("sys/class/thermal/cooling_device0/cur_state", "2")
    assert read_device(files, 0.0).snapshot.throttled is True
    assert system_name(files) == "Android 14"


@pytest.mark.parametrize(
    ("status", "expected"), [("Discharging", False), ("Charging", True), ("Full", True), ("Not charging", True)]
)
def test_a_battery_charges_or_not(tmp_path: Path, status: str, expected: bool) -> None:
    files = FakeFiles(tmp_path)
    files.put("sys/class/power_supply/AC/type", "Mains")
    files.put("sys/class/power_supply/BAT0/type", "Battery")
    files.put("sys/class/power_supply/BAT0/status", status)
    assert charging(files) is expected


def test_sensors_of_one_name_are_told_apart_and_dead_ones_left_out(tmp_path: Path) -> None:
    files = FakeFiles(tmp_path)
    for zone, value in enumerate(("41000", "42000", "-274000", "broken")):
        files.put(f"sys/class/thermal/thermal_zone{zone}/type", "soc")
        files.put(f"sys/class/thermal/thermal_zone{zone}/temp", value)
    assert read_device(files, 0.0).snapshot.temperatures_c == {"soc": 41.0, "soc 2": 42.0}


def test_this_machine() -> None:
    target = LocalTarget()
    snapshot = read_device(target.files, 0.0).snapshot
    found = describe_device(target, 1, None, snapshot, snapshot)
    assert found.target == "local"
    assert found.cores >= 1
    assert "Linux" in found.system
    assert found.machine in {"x86_64", "aarch64"}
    assert snapshot.load_1min is not None
