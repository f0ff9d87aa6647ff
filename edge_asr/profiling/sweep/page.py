"""A sweep for people: a table in Markdown, and one self-contained page of HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from string import Template

from edge_asr.profiling.sweep.result import Point, Sweep
from edge_asr.rate_text import NOTHING, interval_text, rate_text

COLUMNS = (
    "setting",
    "WER % (95 %)",
    "change, points (95 %)",
    "frames kept",
    "step p50 / p90, ms",
    "RTF",
    "compute against {reference} (95 %)",
    "energy, mJ / s audio",
    "peak memory, MB",
    "file, MB",
)
PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 66rem; padding: 2.2rem 1.4rem 4rem; background: #fff; color: #1c2430;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.65rem; line-height: 1.2; margin: 0 0 .4rem; }
.words { font-size: 1.08rem; margin: 0 0 1.4rem; max-width: 48rem; }
.picture svg { width: 100%; height: auto; }
.table { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .42rem .7rem; text-align: right; border-bottom: 1px solid #e8ebef; white-space: nowrap; }
th { font-weight: 600; color: #5b6675; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; }
tr.chosen { background: #fdf6e6; font-weight: 600; }
tr.front td:first-child::before { content: "●"; color: #d9a441; margin-right: .45rem; }
tr.behind td:first-child::before { content: "●"; color: transparent; margin-right: .45rem; }
ul { padding-left: 1.2rem; color: #3a4452; }
footer { color: #5b6675; font-size: .86rem; border-top: 1px solid #e8ebef; margin-top: 2rem; padding-top: 1rem; }
code { font-size: .84rem; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="words">$words</p>
<div class="picture">$picture</div>
<div class="table"><table><thead><tr>$head</tr></thead><tbody>
$rows
</tbody></table></div>
<ul>$notes</ul>
<footer>$footer<br><code>$command</code></footer>
</body>
</html>
"""
)


def markdown(sweep: Sweep) -> str:
    """The recommendation, the table, the notes, and the command."""
    lines = [sweep.in_words, "", row_of(head_of(sweep)), row_of(["---"] * len(COLUMNS))]
    lines += [row_of(emphasized(cells_of(point), point, sweep)) for point in sweep.points]
    lines += ["", *(f"- {note}" for note in [*sweep.notes, *circumstances(sweep)]), "", f"`{sweep.command}`"]
    return "\n".join(lines) + "\n"


def head_of(sweep: Sweep) -> list[str]:
    return [column.format(reference=sweep.reference) for column in COLUMNS]


def row_of(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def emphasized(cells: Sequence[str], point: Point, sweep: Sweep) -> Sequence[str]:
    return [f"**{cell}**" for cell in cells] if is_chosen(point, sweep) else cells


def is_chosen(point: Point, sweep: Sweep) -> bool:
    return sweep.recommendation is not None and sweep.recommendation.name == point.setting.name


def html(sweep: Sweep, title: str, svg: bytes) -> str:
    """`svg` is the picture, put into the page: nothing is loaded from anywhere."""
    picture = svg.decode()
    rows = "\n".join(
        f'<tr class="{classes(point, sweep)}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells_of(point))}</tr>'
        for point in sweep.points
    )
    return PAGE.substitute(
        title=escape(title),
        words=escape(sweep.in_words),
        picture=re.sub(r"^.*?(?=<svg)", "", picture, count=1, flags=re.S),
        head="".join(f"<th>{escape(column)}</th>" for column in head_of(sweep)),
        rows=rows,
        notes="".join(f"<li>{escape(note)}</li>" for note in sweep.notes),
        footer="<br>".join(escape(line) for line in [*circumstances(sweep), f"Taken {sweep.created_utc}"]),
        command=escape(sweep.command),
    )


def classes(point: Point, sweep: Sweep) -> str:
    front = "front" if point.on_front else "behind"
    return f"{front} chosen" if is_chosen(point, sweep) else front


def cells_of(point: Point) -> list[str]:
    return [
        point.setting.name,
        wer_of(point),
        change_of(point),
        NOTHING if point.kept_frame_ratio is None else f"{point.kept_frame_ratio:.1%}",
        steps_of(point),
        f"{point.rtf:.4f}",
        ratio_of(point),
        energy_of(point),
        megabytes(point.peak_rss_bytes),
        megabytes(point.file_bytes),
    ]


def wer_of(point: Point) -> str:
    if point.accuracy is None:
        return NOTHING
    return f"{rate_text(point.accuracy.wer)} ({interval_text(point.accuracy.wer_ci95)})"


def change_of(point: Point) -> str:
    change = point.wer_change
    if change is None or change.of == change.to:
        return NOTHING
    return f"{change.points:+.1f} ({change.ci95[0]:+.1f} to {change.ci95[1]:+.1f})"


def steps_of(point: Point) -> str:
    if point.step_p50_ms is None or point.step_p90_ms is None:
        return NOTHING
    return f"{point.step_p50_ms:.2f} / {point.step_p90_ms:.2f}"


def ratio_of(point: Point) -> str:
    ratio = point.compute_ratio
    if ratio is None:
        return NOTHING
    if ratio.of == ratio.to:
        return "1"
    within = f" ({ratio.ci95[0]:.2f} to {ratio.ci95[1]:.2f})" if ratio.ci95 else ""
    return f"{ratio.ratio:.2f}{within}"


def energy_of(point: Point) -> str:
    energy = point.energy
    if energy.mj_per_audio_s is None:
        return "not measured"
    mark = " (estimate)" if energy.kind == "estimate" else ""
    about = energy.uncertainty_mj_per_audio_s
    return f"{energy.mj_per_audio_s:.2f}{'' if about is None else f' ± {about:.2f}'}{mark}"


def megabytes(size: int | None) -> str:
    return NOTHING if size is None else f"{size / 1e6:.1f}"


def circumstances(sweep: Sweep) -> list[str]:
    words = f", {sweep.words} words" if sweep.words else ", no references"
    lines = [
        f"{sweep.manifest}: {sweep.recordings} recordings, {sweep.audio_s:.1f} s{words}; median of "
        f"{sweep.passes_wanted} interleaved passes, each a fresh process."
    ]
    seen = sweep.conditions
    if seen:
        busy = seen["after"]["others_cpu_share"]
        others = "" if busy is None else f"; other processes took {busy:.0%} of the CPU time"
        lines.append(
            f"{seen['cpu']}, {seen['cores']} cores, {seen['system']}; {seen['threads']} thread(s), "
            f"target {seen['target']}{others}."
        )
    reasons = {point.energy.reason for point in sweep.points if point.energy.kind == "not measured"}
    sources = {point.energy.source for point in sweep.points if point.energy.source}
    lines += [f"Energy: {source}, idle subtracted." for source in sorted(filter(None, sources))]
    lines += [f"Energy not measured: {reason}." for reason in sorted(filter(None, reasons))]
    runtimes = sorted({f"{point.setting.runtime} ({point.setting.runtime_version})" for point in sweep.points})
    python = " Only edge-asr-run is a native process; the others are Python's." if len(runtimes) > 1 else ""
    lines.append(f"Runtimes: {', '.join(runtimes)}.{python}")
    return lines
