"""Charts as SVG in a page: lines of steps with a band, and intervals below each other. No script draws them.

Colors are the page's own, so that they follow its theme; each mark tells its numbers as a `title`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from markupsafe import Markup, escape

WIDTH, HEIGHT = 760, 340  # pixels of a chart
LEFT_MARGIN, RIGHT_MARGIN, TOP_MARGIN, BOTTOM_MARGIN = 64, 16, 12, 44  # pixels around the axes
COLORS = 8  # classes of colors in the page's style, `c0` to `c7`
ROW = 30  # pixels of an interval
LOG_SCALE_RATIO = 1.5  # a range of values above this ratio is on a log scale
AXIS_PADDING = 0.06  # of a range, beside it
MIN_COST_RATIO = 3.0  # ratio of the ends of an axis of costs, at least


@dataclass(frozen=True)
class StepLine:
    """A line of steps: a value holds from its place to the next one.

    Attributes:
        name: Of the line.
        color: Number of its color.
        points: Places and values, the places rising; values may be infinite, and are then not drawn.
        low: Least values at the same places; empty without a band.
        high: Largest values at the same places.
    """

    name: str
    color: int
    points: tuple[tuple[float, float], ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class IntervalRow:
    """A value with its interval.

    Attributes:
        name: Of the row.
        value: Of the row.
        low: Its lower end.
        high: Its upper end.
        kind: `better`, `worse` or empty.
    """

    name: str
    value: float
    low: float
    high: float
    kind: str


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float
    log: bool
    whole: bool = False

    def at(self, value: float) -> float:
        scale = log10 if self.log else float
        span = scale(self.high) - scale(self.low) or 1.0
        return self.start + (scale(value) - scale(self.low)) / span * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        if self.log:
            for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
                powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
                found = [step * 10**power for power in powers for step in steps]
                found = [value for value in found if self.low <= value <= self.high]
                if 2 <= len(found) <= most:
                    return found
        rough = (self.high - self.low) / most or 1.0
        rough = max(rough, 1.0) if self.whole else rough
        power = 10.0 ** floor(log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
        first = ceil(self.low / step)
        return [n * step for n in range(first, floor(self.high / step + 1e-9) + 1)]


def _axis(values: Iterable[float], start: float, end: float, least: float = 1.0, whole: bool = False) -> _Axis:
    """Return an axis that holds values, on a log scale if they are above 0 and far from each other.

    Args:
        values: Those that are not finite do not count.
        start: Pixel of the lower end.
        end: Pixel of the upper end.
        least: Ratio of the ends at least, of values above 0: nearly equal ones are not spread over the whole axis.
        whole: Values are whole numbers, on a linear scale.
    """
    known = [value for value in values if isfinite(value)]
    low, high = min(known), max(known)
    if whole:
        return _Axis(low - 0.1, high + 0.1, start, end, False, True)
    if low > 0 and max(high / low, least) > LOG_SCALE_RATIO:
        factor = max(1.04, (high / low) ** AXIS_PADDING, (least * low / high) ** 0.5)
        return _Axis(low / factor, high * factor, start, end, True)
    edge = (high - low) * AXIS_PADDING or abs(high) * 0.1 or 1.0
    return _Axis(low - edge, high + edge, start, end, False)


def step_chart(lines: Sequence[StepLine], label: str, x_title: str, y_title: str, percent: bool = False) -> Markup:
    """Return a chart of lines of steps; empty if nothing is finite.

    Args:
        lines: In the order of the legend.
        label: Is read by a screen reader instead of the chart.
        x_title: Title of the places.
        y_title: Title of the values.
        percent: Places are costs as shares, shown as percents; else they are numbers of trials.
    """
    drawn = [(line, [i for i, (_, y) in enumerate(line.points) if isfinite(y)]) for line in lines]
    drawn = [(line, places) for line, places in drawn if places]
    if not drawn:
        return Markup()
    at = [line.points[i][0] for line, places in drawn for i in places]
    x = (
        _axis(at, LEFT_MARGIN, WIDTH - RIGHT_MARGIN, MIN_COST_RATIO)
        if percent
        else _axis(at, LEFT_MARGIN, WIDTH - RIGHT_MARGIN, whole=True)
    )
    values = [line.points[i][1] for line, places in drawn for i in places]
    values += [v for line, places in drawn for i in places for v in (*line.low[i : i + 1], *line.high[i : i + 1])]
    y = _axis(values, HEIGHT - BOTTOM_MARGIN, TOP_MARGIN)
    parts = [*_grid(x, y, x_title, y_title, percent)]
    for line, places in drawn:
        color = f"c{line.color % COLORS}"
        if line.low:
            low, high = (
                [(line.points[i][0], side[i]) for i in places if isfinite(side[i])] for side in (line.low, line.high)
            )
            if low and high:
                there = _steps(low, x, y, x.high)
                back = _steps(high, x, y, x.high)[::-1]
                parts.append(Markup('<path class="band {}" d="M{}Z"/>').format(color, "L".join(there + back)))
        points = [line.points[i] for i in places]
        parts.append(Markup('<path class="line {}" d="M{}"/>').format(color, "L".join(_steps(points, x, y, x.high))))
        for place, value in points:
            told = f"{line.name}: {value:.4g} at {place:.1%}" if percent else f"{line.name}: {value:.4g}, {place:.0f}"
            parts.append(
                Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>').format(
                    color, x.at(place), y.at(value), told
                )
            )
    return _svg(parts, HEIGHT, label) + _legend([(line.name, line.color) for line, _ in drawn])


def _steps(points: Sequence[tuple[float, float]], x: _Axis, y: _Axis, end: float) -> list[str]:
    found, last = list[str](), None
    for place, value in points:
        if last is not None:
            found.append(f"{x.at(place):.1f},{last:.1f}")
        last = y.at(value)
        found.append(f"{x.at(place):.1f},{last:.1f}")
    return [*found, f"{x.at(end):.1f},{last:.1f}"]


def _grid(x: _Axis, y: _Axis, x_title: str, y_title: str, percent: bool) -> list[Markup]:
    parts = []
    for value in x.ticks(9):
        parts.append(
            Markup('<path class="grid" d="M{0:.1f},{1}V{2}"/>').format(x.at(value), TOP_MARGIN, HEIGHT - BOTTOM_MARGIN)
        )
        text = f"{100 * value:.3g} %" if percent else f"{value:.3g}"
        parts.append(_text(x.at(value), HEIGHT - BOTTOM_MARGIN + 16, text, "middle"))
    for value in y.ticks(7):
        parts.append(
            Markup('<path class="grid" d="M{1},{0:.1f}H{2}"/>').format(y.at(value), LEFT_MARGIN, WIDTH - RIGHT_MARGIN)
        )
        parts.append(_text(LEFT_MARGIN - 7, y.at(value) + 4, f"{value:.3g}", "end"))
    parts.append(_text((LEFT_MARGIN + WIDTH - RIGHT_MARGIN) / 2, HEIGHT - 8, x_title, "middle"))
    middle = (TOP_MARGIN + HEIGHT - BOTTOM_MARGIN) / 2
    parts.append(
        Markup(
            '<text class="tick" x="14" y="{0}" text-anchor="middle" transform="rotate(-90 14 {0})">{1}</text>'
        ).format(middle, y_title)
    )
    return parts


def interval_chart(rows: Sequence[IntervalRow], label: str, title: str, even: float = 1.0) -> Markup:
    """Return values with their intervals below each other, and a line where nothing differs; empty without rows.

    Args:
        rows: From above.
        label: Is read by a screen reader instead of the chart.
        title: Of the values.
        even: Value of no difference.
    """
    if not rows:
        return Markup()
    left, height = LEFT_MARGIN + 150, TOP_MARGIN + ROW * len(rows) + BOTTOM_MARGIN
    x = _axis([even, *(v for row in rows for v in (row.value, row.low, row.high))], left, WIDTH - RIGHT_MARGIN)
    parts = [
        part
        for value in x.ticks(7)
        for part in (
            Markup('<path class="grid" d="M{0:.1f},{1}V{2}"/>').format(x.at(value), TOP_MARGIN, height - BOTTOM_MARGIN),
            _text(x.at(value), height - BOTTOM_MARGIN + 16, f"{value:.3g}", "middle"),
        )
    ]
    parts.append(
        Markup('<path class="even" d="M{0:.1f},{1}V{2}"/>').format(x.at(even), TOP_MARGIN, height - BOTTOM_MARGIN)
    )
    for place, row in enumerate(rows):
        y = TOP_MARGIN + ROW * (place + 0.5)
        told = f"{row.name}: {row.value:.3g} [{row.low:.3g}, {row.high:.3g}]"
        ends = [x.at(end) if isfinite(end) else x.at(row.value) for end in (row.low, row.high)]
        parts.append(_text(left - 10, y + 4, row.name, "end"))
        parts.append(
            Markup(
                '<g class="interval {}"><title>{}</title><path d="M{:.1f},{:.1f}H{:.1f}"/>'
                '<circle cx="{:.1f}" cy="{:.1f}" r="5"/></g>'
            ).format(row.kind, told, ends[0], y, ends[1], x.at(row.value), y)
        )
    parts.append(_text((left + WIDTH - RIGHT_MARGIN) / 2, height - 8, title, "middle"))
    return _svg(parts, height, label)


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def _svg(parts: Sequence[Markup], height: float, label: str) -> Markup:
    head = Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">').format(WIDTH, height, label)
    return head + Markup().join(parts) + Markup("</svg>")


def _legend(names: Sequence[tuple[str, int]]) -> Markup:
    keys = [
        Markup('<span><i class="key c{}"></i>{}</span>').format(color % COLORS, escape(name)) for name, color in names
    ]
    return Markup('<p class="legend">') + Markup().join(keys) + Markup("</p>")
