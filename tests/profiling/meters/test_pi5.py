"""Raspberry Pi 5.

The output of `vcgencmd pmic_read_adc` is as jfikar/RPi5-power records it on GitHub (its README, which sums the rails as
we do); geerlingguy's review of the Pi 5 has the same form. A Pi 4 answers `error=1 error_msg="Command not registered"`.
"""

from __future__ import annotations

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters import pi5
from tests.profiling.meters.fake_files import FakeFiles

PRINTED = """\
 3V7_WL_SW_A current(0)=0.00000000A
   3V3_SYS_A current(1)=0.06245952A
   1V8_SYS_A current(2)=0.16102850A
  DDR_VDD2_A current(3)=0.00780744A
  DDR_VDDQ_A current(4)=0.00000000A
   1V1_SYS_A current(5)=0.17566740A
    0V8_SW_A current(6)=0.32791250A
  VDD_CORE_A current(7)=10.87674000A
   3V3_DAC_A current(17)=0.00036630A
   3V3_ADC_A current(18)=0.00042735A
   0V8_AON_A current(16)=0.00579975A
      HDMI_A current(22)=0.01367520A
 3V7_WL_SW_V volt(8)=3.79999600V
   3V3_SYS_V volt(9)=3.30632200V
   1V8_SYS_V volt(10)=1.79828900V
  DDR_VDD2_V volt(11)=1.10292900V
  DDR_VDDQ_V volt(12)=0.60476130V
   1V1_SYS_V volt(13)=1.10439400V
    0V8_SW_V volt(14)=0.80256330V
  VDD_CORE_V volt(15)=0.89745940V
   3V3_DAC_V volt(20)=3.30494200V
   3V3_ADC_V volt(21)=3.30219400V
   0V8_AON_V volt(19)=0.79736190V
      HDMI_V volt(23)=5.07056000V
     EXT5V_V volt(24)=5.06788000V
      BATT_V volt(25)=3.01110800V
"""
# 3V3_SYS + 1V8_SYS + DDR_VDD2 + 1V1_SYS + 0V8_SW + VDD_CORE + 3V3_DAC + 3V3_ADC + 0V8_AON + HDMI
WATTS = 0.20651 + 0.28958 + 0.00861 + 0.19401 + 0.26317 + 9.76143 + 0.00121 + 0.00141 + 0.00462 + 0.06934


@pytest.fixture
def board(files: FakeFiles) -> FakeFiles:
    files.write({"/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"})
    files.programs["vcgencmd pmic_read_adc"] = PRINTED
    return files


def test_the_rails_that_have_both_voltage_and_current_are_added(board: FakeFiles):
    (meter,) = pi5.find(board)
    assert meter.covers.startswith("the sum of 12 rails; not what hangs on 5 V directly")
    meter.start(board)
    begin_s = board.now_s
    board.live(5)
    meter.stop()
    window = meter.window(begin_s + 1, begin_s + 4)
    assert window.joules / window.seconds == pytest.approx(WATTS, abs=1e-4)


def test_a_user_outside_the_group_video(board: FakeFiles):
    del board.programs["vcgencmd pmic_read_adc"]
    (meter,) = pi5.find(board)
    assert meter.problem
    assert "usermod -aG video" in meter.problem
    with pytest.raises(EdgeAsrError, match="pi5:pmic cannot measure"):
        meter.start(board)


def test_other_boards_are_not_asked(files: FakeFiles):
    files.write({"/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"})
    files.programs["vcgencmd pmic_read_adc"] = 'error=1 error_msg="Command not registered"\n'
    assert list(pi5.find(files)) == []


def test_a_firmware_that_answers_no_more_leaves_a_gap(board: FakeFiles):
    (meter,) = pi5.find(board)
    meter.start(board)
    begin_s = board.now_s
    board.live(2)
    board.programs["vcgencmd pmic_read_adc"] = ""
    board.live(3)
    meter.stop()
    with pytest.raises(EdgeAsrError, match="samples end"):
        meter.window(begin_s + 1, begin_s + 4)
