"""A sweep as a picture: WER against compute, the front drawn; without references, compute alone."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FuncFormatter, NullFormatter
from matplotlib.transforms import Bbox

from edge_asr.contract import NEVER_SKIP
from edge_asr.profiling.sweep.result import Point, Sweep

SIZE_IN = (9.0, 5.6)
DPI = 160
INK, QUIET, PAPER, GRID = "#1c2430", "#5b6675", "#ffffff", "#e8ebef"
COLOURS = ("#0b6e99", "#c2571a", "#5b8c2a", "#8a4f9e", "#b0413e", "#3c6e71")  # one a file; apart for the colour-blind
OTHERS = "#7a8594"  # other runtimes
FRONT, FRONT_INK = "#d9a441", "#a87516"
WIDE = 5.0  # dearest over cheapest compute above which the axis is logarithmic
NEARER = 3  # points by which a label is nearer to its own mark than to any other
GAP, RING_GAP = 9, 46  # points of the page between a mark and its label; where that has a ring, with a line between
HALO = [patheffects.withStroke(linewidth=3.5, foreground=PAPER)]  # keeps labels readable on lines
PLACES = [(1, 0.5), (-1, 0.5), (1, -0.5), (-1, -0.5), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "svg.hashsalt": "edge-asr",
}


@dataclass(frozen=True)
class Look:
    """How a setting is drawn."""

    family: str  # points of one family share a colour and a line of the legend
    colour: str
    label: str
    ringed: bool = False  # it is the recommended one


def draw(sweep: Sweep) -> dict[str, bytes]:
    """-> the picture by the suffix of its file: `png` and `svg`. The sweep has at least one point."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE_IN, dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.085, 0.115, 0.885, 0.7))
        looks = looks_of(sweep.points)
        if all(point.accuracy for point in sweep.points):
            draw_front(axes, sweep, looks)
        else:
            draw_compute(axes, sweep, looks)
        write_heading(figure, sweep)
        return {"png": saved(figure, "png"), "svg": saved(figure, "svg")}


def saved(figure: Figure, suffix: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix, metadata={"Date": None} if suffix == "svg" else None)
    return buffer.getvalue()


def looks_of(points: Sequence[Point]) -> list[Look]:
    """Settings of one file share a colour and are told apart by their thresholds; other runtimes are grey."""
    families = list(dict.fromkeys(family_of(point) for point in points if point.gated))
    looks = []
    for point in points:
        if point.gated:
            colour = COLOURS[families.index(family_of(point)) % len(COLOURS)]
            looks.append(Look(family_of(point), colour, threshold_of(point)))
        else:
            looks.append(Look(point.setting.name, OTHERS, point.setting.name))
    return looks


def family_of(point: Point) -> str:
    """The setting's name without its threshold."""
    return point.setting.name.rpartition("gate ")[0].strip() or point.setting.precision or "gate"


def threshold_of(point: Point) -> str:
    threshold = point.setting.threshold
    return "off" if threshold is None or threshold >= NEVER_SKIP else f"{threshold:g}"


def ms_per_s(rtf: float) -> float:
    """Milliseconds of compute for a second of audio."""
    return 1e3 * rtf


def draw_front(axes: Axes, sweep: Sweep, looks: Sequence[Look]) -> None:
    at = [(ms_per_s(point.rtf), point.accuracy.wer) for point in sweep.points if point.accuracy]
    bars = [bar_of(point, sweep) for point in sweep.points]
    style_axes(axes, [x for x, _ in at])
    axes.set_ylabel("WER, %")
    ends = [y for _, y in at] + [end for bar in bars if bar for end in bar]
    margin = max(0.12 * (max(ends) - min(ends)), 0.5)
    axes.set_ylim(max(0.0, min(ends) - margin), max(ends) + margin)
    draw_stairs(axes, [xy for xy, point in zip(at, sweep.points, strict=True) if point.on_front])
    draw_budget(axes, sweep)
    for family in dict.fromkeys(look.family for look in looks):
        own = [number for number, look in enumerate(looks) if look.family == family]
        dial = sorted(own, key=lambda number: sweep.points[number].setting.threshold or 0.0)
        colour = looks[own[0]].colour
        axes.plot(
            *zip(*(at[number] for number in dial), strict=True), color=colour, alpha=0.25, linewidth=1.2, zorder=3
        )
        for number in own:
            draw_point(axes, at[number], bars[number], sweep.points[number], looks[number], sweep)
        mark = "o" if sweep.points[own[0]].gated else "D"
        axes.scatter([], [], s=60, marker=mark, color=colour, label=family)
    place_labels(axes, at, [label_of(point, look, sweep) for point, look in zip(sweep.points, looks, strict=True)])
    handles, labels = axes.get_legend_handles_labels()
    if sum(point.gated for point in sweep.points) and len(labels) > 1:
        axes.legend(handles, labels, loc="upper right", frameon=False, labelcolor=INK, handletextpad=0.3)


def bar_of(point: Point, sweep: Sweep) -> tuple[float, float] | None:
    """WER of the reference and the interval of the change from it: paired, so narrower than WER's own."""
    change = point.wer_change
    if change is None or change.of == change.to or point.accuracy is None:
        return None
    reference = point.accuracy.wer - change.points
    return reference + change.ci95[0], reference + change.ci95[1]


def draw_stairs(axes: Axes, front: Sequence[tuple[float, float]]) -> None:
    """The front, and all that is behind it."""
    steps = sorted(front)
    _, right = axes.get_xlim()
    _, top = axes.get_ylim()
    xs = [steps[0][0], *(x for x, _ in steps), right]
    ys = [top, *(y for _, y in steps), steps[-1][1]]
    axes.fill_between(xs, ys, top, step="post", color=FRONT, alpha=0.07, linewidth=0, zorder=0.5)
    axes.step(xs, ys, where="post", color=FRONT, linewidth=2.2, zorder=2)
    axes.annotate("front", (right, ys[-1]), (-4, -4), textcoords="offset points", ha="right", va="top", color=FRONT_INK)


def draw_budget(axes: Axes, sweep: Sweep) -> None:
    """The highest WER that may be recommended; where nothing is chosen, there is none."""
    reference = next((point for point in sweep.points if point.setting.name == sweep.reference), None)
    if sweep.recommendation is None or not sweep.recommendation.chosen_here:
        return
    if reference is None or reference.accuracy is None:
        return
    most = sweep.recommendation.at_most_points
    y = reference.accuracy.wer + most
    axes.axhline(y, color=QUIET, linewidth=1.0, linestyle=(0, (4, 4)), zorder=1.5)
    axes.annotate(
        f"{sweep.reference} {signed(most)}",
        (axes.get_xlim()[0], y),
        (5, 4),
        textcoords="offset points",
        color=QUIET,
        fontsize=9,
    )


def draw_point(
    axes: Axes, at: tuple[float, float], bar: tuple[float, float] | None, point: Point, look: Look, sweep: Sweep
) -> None:
    x, y = at
    if bar:
        axes.vlines(x, *bar, color=look.colour, linewidth=1.1, alpha=0.4, zorder=3)
    if point.rtf_ci95:
        low, high = map(ms_per_s, point.rtf_ci95)
        axes.hlines(y, low, high, color=look.colour, linewidth=1.8, alpha=0.55, zorder=4)
    if is_chosen(point, sweep):
        axes.scatter(x, y, s=330, facecolor="none", edgecolor=INK, linewidth=1.6, zorder=5)
    hollow = look.label == "off"
    mark = "o" if point.gated else "D"
    face = PAPER if hollow else look.colour
    axes.scatter(x, y, s=70, marker=mark, facecolor=face, edgecolor=look.colour, linewidth=1.8, zorder=6)


def is_chosen(point: Point, sweep: Sweep) -> bool:
    return sweep.recommendation is not None and sweep.recommendation.name == point.setting.name


def label_of(point: Point, look: Look, sweep: Sweep) -> Look:
    return replace(look, label=f"{look.label}  {said_of(sweep)}", ringed=True) if is_chosen(point, sweep) else look


def said_of(sweep: Sweep) -> str:
    return "recommended" if sweep.recommendation and sweep.recommendation.chosen_here else "the file's own"


def signed(points: float, how: str = "g") -> str:
    """With a minus that is as wide as the plus."""
    return format(points, f"+{how}").replace("-", "−")


def draw_compute(axes: Axes, sweep: Sweep, looks: Sequence[Look]) -> None:
    """A row for each setting, the cheapest at the bottom."""
    rows = sorted(zip(sweep.points, looks, strict=True), key=lambda pair: pair[0].rtf)
    xs = [ms_per_s(point.rtf) for point, _ in rows]
    style_axes(axes, [0.0, *xs])
    axes.grid(axis="y", visible=False)
    for row, (point, look) in enumerate(rows):
        axes.barh(row, xs[row], height=0.62, color=look.colour, alpha=0.85, zorder=3)
        if point.rtf_ci95:
            low, high = map(ms_per_s, point.rtf_ci95)
            axes.hlines(row, low, high, color=INK, linewidth=1.6, zorder=4)
        kept = f"  {point.kept_frame_ratio:.0%} of frames kept" if point.kept_frame_ratio is not None else ""
        axes.annotate(
            f"{xs[row]:.2f}{kept}", (xs[row], row), (6, 0), textcoords="offset points", va="center", color=QUIET
        )
    axes.set_yticks(range(len(rows)), [point.setting.name for point, _ in rows], color=INK)
    axes.set_xlim(0, 1.35 * max(xs))
    axes.figure.subplots_adjust(left=0.2)


def style_axes(axes: Axes, xs: Sequence[float]) -> None:
    axes.set_xlabel("compute, ms for a second of audio  (left is cheaper)")
    axes.set_facecolor(PAPER)
    axes.grid(color=GRID, linewidth=0.9, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    low, high = min(xs), max(xs)
    if low > 0 and high > WIDE * low:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.5, high * 1.6)
        ticks = [
            tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if low / 2 < tick < 2 * high
        ]
        axes.set_xticks(ticks)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        margin = 0.16 * (high - low) or 0.2 * high
        axes.set_xlim(low - margin, high + margin)


def place_labels(axes: Axes, at: Sequence[tuple[float, float]], looks: Sequence[Look]) -> None:
    """Beside each mark, where it covers neither marks nor other labels and could be no other mark's, as far as that can
    be had."""
    figure: Any = axes.figure
    renderer = figure.canvas.get_renderer()
    scale = figure.dpi / 72  # pixels in a point of the page
    marks = [(float(x), float(y)) for x, y in axes.transData.transform(at)]
    inside = axes.get_window_extent(renderer)
    taken = [text.get_window_extent(renderer) for text in axes.texts]
    taken += [Bbox.from_bounds(x - 6 * scale, y - 6 * scale, 12 * scale, 12 * scale) for x, y in marks]
    for number in sorted(range(len(at)), key=lambda number: (not looks[number].ringed, at[number][0])):
        best: tuple[float, Annotation, Bbox] | None = None
        others = [mark for other, mark in enumerate(marks) if other != number]
        for right, up in sorted(PLACES, key=lambda place: (place[1], -place[0])) if looks[number].ringed else PLACES:
            text = label(axes, at[number], looks[number], right, up)
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer)  # an Annotation's own would have the line in it
            fault = sum(overlap(box, other) for other in taken) + area(box) - overlap(box, inside)
            nearer = sum(distance(box, mark) < distance(box, marks[number]) + NEARER * scale for mark in others)
            fault += 0 if looks[number].ringed else area(box) * nearer / 4
            if best is None or fault < best[0]:
                if best is not None:
                    best[1].remove()
                best = (fault, text, box)
            else:
                text.remove()
            if fault == 0:
                break
        assert best
        taken.append(best[2])


def label(axes: Axes, at: tuple[float, float], look: Look, right: int, up: float) -> Annotation:
    gap = RING_GAP if look.ringed else GAP
    return axes.annotate(
        look.label,
        at,
        (gap * right, gap * up),
        textcoords="offset points",
        ha={1: "left", 0: "center", -1: "right"}[right],
        va="center" if right else ("bottom" if up > 0 else "top"),
        color=look.colour,
        fontsize=10,
        fontweight="bold",
        zorder=7,
        path_effects=HALO,
        arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.9, "shrinkB": 9} if look.ringed else None,
    )


def distance(box: Bbox, mark: tuple[float, float]) -> float:
    x, y = mark
    return math.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))


def overlap(first: Bbox, second: Bbox) -> float:
    shared = Bbox.intersection(first, second)
    return area(shared) if shared is not None else 0.0


def area(box: Bbox) -> float:
    return float(box.width * box.height)


def write_heading(figure: Figure, sweep: Sweep) -> None:
    figure.text(0.03, 0.945, headline(sweep), fontsize=14.5, fontweight="bold", color=INK)
    words = f", {sweep.words} words" if sweep.words else ""
    device = sweep.conditions["cpu"] if sweep.conditions else "device unknown"
    passes = f"{sweep.passes_wanted} passes, interleaved"
    under = f"{sweep.manifest}: {sweep.recordings} recordings{words}, {sweep.audio_s:.0f} s · {device} · {passes}"
    figure.text(0.03, 0.9, under, fontsize=9.2, color=QUIET)
    if sweep.recommendation:
        key = f"bars: 95 % of the change against {sweep.reference}, paired over utterances · hollow: gate off"
        figure.text(0.03, 0.862, key, fontsize=9.2, color=QUIET)


def headline(sweep: Sweep) -> str:
    chosen = sweep.recommendation
    if chosen is None:
        return "What each setting costs"
    if chosen.name == chosen.reference and chosen.chosen_here:
        return f"{chosen.name}: nothing cheaper within {signed(chosen.at_most_points)} points of WER"
    return f"{chosen.name}: {chosen.speed_up:.2f}× faster, {signed(chosen.wer_change, '.1f')} points of WER"
