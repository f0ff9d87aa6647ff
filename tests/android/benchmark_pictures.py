"""The pictures of the benchmark's screen that are looked at. **Every figure is made up**: no phone was there."""

from __future__ import annotations

from typing import Any

from tests.android.pictures import LANDSCAPE, LARGE_FONTS, NIGHT, PORTRAIT, SMALL

ON, OFF = "gate 0.7", "gate off"
CHARGED = "the phone charges: a battery tells what the phone draws only when it is unplugged"


def result(setting: str, kept_frames: int, rtf: float, energy: dict[str, Any], step_p50_ms: float) -> dict[str, Any]:
    return {
        "setting": setting,
        "frames": 1000,
        "kept_frames": kept_frames,
        "rtf": rtf,
        "energy": energy,
        "step_p50_ms": step_p50_ms,
        "step_p99_ms": 1.7 * step_p50_ms,
        "load_ms": 184.0,
        "peak_bytes": 118_400_000,
    }


def ratio(quantity: str, value: float, *, of: str = ON, to: str = OFF, interval: bool = True) -> dict[str, Any]:
    ends = {"ci95": [value - 0.012, value + 0.014]} if interval else {}
    return {"of": of, "to": to, "quantity": quantity, "ratio": value, **ends}


def report(*, energy: bool = True, reasons: tuple[str, ...] = (), interval: bool = True) -> dict[str, Any]:
    saved, whole = ({"mj": 37.9, "uncertainty_mj": 0.8}, {"mj": 53.2, "uncertainty_mj": 1.1})
    if not energy:
        saved = whole = {"reason": CHARGED}
    quantities = {"compute": 0.651, "energy": 0.712, "peak_rss": 1.0} if energy else {"compute": 0.651, "peak_rss": 1.0}
    return {
        "reasons": list(reasons),
        "results": [result(ON, 271, 0.0282, saved, 17.92), result(OFF, 1000, 0.0433, whole, 27.55)],
        "ratios": [ratio(quantity, value, interval=interval) for quantity, value in quantities.items()],
    }


def two_models() -> dict[str, Any]:
    """Names as the app makes them of two files."""
    names = [f"{model} {gate}" for model in ("zipformer_int8", "zipformer_int4") for gate in (ON, OFF)]
    figures = [(271, 0.0282), (1000, 0.0433), (270, 0.0241), (1000, 0.0377)]
    return {
        "reasons": [],
        "results": [
            result(name, kept, rtf, {"mj": 1340 * rtf, "uncertainty_mj": 0.8}, 640 * rtf)
            for name, (kept, rtf) in zip(names, figures, strict=True)
        ],
        "ratios": [ratio("compute", figures[0][1] / figures[at][1], of=names[0], to=names[at]) for at in (1, 2, 3)],
    }


def benchmark_pictures() -> list[dict[str, Any]]:
    running = {"progress": ["loading model.pte", "pass 3 of 10, gate 0.7"]}
    done = {"progress": ["writing the report"], "folder": "manual", "report": report()}
    spread = f"{ON}: its passes spread by 14% (limit 10%)"
    few = "3 pass(es) are too few for an interval (at least 6)"
    doubtful = {"folder": "manual", "report": report(energy=False, reasons=(spread, few), interval=False)}
    left = (
        "the benchmark's screen was left (another app, a call or the lock button), and what is not seen is slowed "
        "down: run it again and leave the phone alone"
    )
    failed = {**running, "failure": left}
    several = {"folder": "0f3a9b2c", "report": two_models()}
    return [
        {"name": "benchmark-running-light", **PORTRAIT, "benchmark": running},
        {"name": "benchmark-running-dark", **PORTRAIT, **NIGHT, "benchmark": running},
        {"name": "benchmark-done-light", **PORTRAIT, "benchmark": done},
        {"name": "benchmark-done-dark", **PORTRAIT, **NIGHT, "benchmark": done},
        {"name": "benchmark-done-landscape-light", **LANDSCAPE, "benchmark": done},
        {"name": "benchmark-done-large-fonts-light", **PORTRAIT, **LARGE_FONTS, "benchmark": done},
        {"name": "benchmark-done-large-fonts-dark", **SMALL, **LARGE_FONTS, **NIGHT, "benchmark": done},
        {"name": "benchmark-doubtful-light", **PORTRAIT, "benchmark": doubtful},
        {"name": "benchmark-doubtful-dark", **PORTRAIT, **NIGHT, "benchmark": doubtful},
        {"name": "benchmark-several-light", **SMALL, "benchmark": several},
        {"name": "benchmark-failed-light", **PORTRAIT, "benchmark": failed},
        {"name": "benchmark-failed-dark", **PORTRAIT, **NIGHT, "benchmark": failed},
    ]
