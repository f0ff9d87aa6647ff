"""Which of a board's power rails to add up, so that nothing is counted twice."""

from __future__ import annotations

from collections.abc import Sequence

# Rails that feed all the others, the widest first. NVIDIA: VDD_IN is the input of a Jetson module, POM_5V_IN that of a
# Jetson Nano, VIN that of a Jetson Thor's carrier board. Server supplies (PMBus, Corsair) name their input so.
WHOLE = {
    "VIN": "the board's input",
    "VDD_IN": "the module's input",
    "POM_5V_IN": "the board's 5 V input",
    "pin": "the supply's input",
    "power total": "the supply's output",
}
# NVIDIA, of Jetson AGX Orin: "VDDQ_VDD2_1V8AO power is also included in VIN_SYS_5V0 power"
WITHIN = {"VDDQ_VDD2_1V8AO": "VIN_SYS_5V0"}
NOT_CONNECTED = "NC"


def rails_to_sum(labels: Sequence[str]) -> list[int]:
    """Indices of the rails that together are all of them: those that feed the others, where there are such."""
    for whole in WHOLE:
        if whole in labels:
            return [index for index, label in enumerate(labels) if label == whole]
    return [
        index for index, label in enumerate(labels) if label != NOT_CONNECTED and WITHIN.get(label, "") not in labels
    ]


def covered(labels: Sequence[str]) -> str:
    """What the sum of these rails is of."""
    if labels and labels[0] in WHOLE:
        return f"{WHOLE[labels[0]]} ({labels[0]})"
    if len(labels) == 1:
        return f"the rail {labels[0]}"
    return f"the sum of {len(labels)} rails: {', '.join(labels)}"
