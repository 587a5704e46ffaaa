"""A run as a drawing: who led, what each node suffered, and how many operations ended how.

One SVG, with nothing outside it. However long the run, it has so many columns of pixels and no
more, so it stays small; what is shorter than a pixel is drawn one pixel wide.
"""

from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from quoth_node.testing.history import Fault, Led
from quoth_node.testing.outcome import Outcome
from quoth_node.testing.tally import FAILED, MICROSECONDS, OK, UNKNOWN, Tally

LEFT, WIDTH, RIGHT = 130, 1_200, 20
LANE, GAP, CHART = 16, 4, 56
COLUMNS = 400  # of a chart
TICKS_MAX = 12
LED_MAX, FAULTS_MAX = 1_500, 4_000  # rectangles; of an hour there are fewer
TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600)

INK, PALE, GRID, GROUND = "#24292f", "#6e7781", "#e4e7eb", "#ffffff"
NODES = ("#4477aa", "#ee8866", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#bbbbbb")
OUTCOMES = {OK: "#2da44e", FAILED: "#d4a72c", UNKNOWN: "#cf222e"}
FAULTS = {
    "kill": "#cf222e",
    "power-loss": "#6e1120",
    "pause": "#d4a72c",
    "cut": "#8250df",
    "slow": "#bf94f5",
    "churn": "#0a7ea4",
}
COLOUR_OF = {
    **{kind: kind for kind in ("kill", "power-loss", "pause")},
    **{kind: "slow" for kind in ("delay", "loss", "stall", "reset")},
    **{kind: "churn" for kind in ("add", "remove", "replace")},
}


def svg(outcome: Outcome) -> str:
    """The drawing, as the text of an SVG file."""
    return tostring(Drawing(outcome).root, encoding="unicode") + "\n"


class Drawing:
    """Lanes under each other, as they are made."""

    def __init__(self, outcome: Outcome) -> None:
        self.end = max(outcome.end, 1)
        self.root = Element("svg", xmlns="http://www.w3.org/2000/svg")
        self.root.set("font-family", "Helvetica, Arial, sans-serif")
        self.root.set("font-size", "11")
        ground = self._rectangle(0, 0, LEFT + WIDTH + RIGHT, 0, GROUND)
        seed = outcome.about.get("seed", "?")
        told = f"{outcome.word}: seed {seed}, {outcome.end / MICROSECONDS:.0f} s"
        self._text(LEFT, 18, told, size=14)
        self.top = 32
        self._legend()
        self.first_lane = self.top
        tags = nodes_of(outcome)
        self._leaders(outcome.leaders, tags)
        for tag in tags:
            self._faults(tag, outcome.faults)
        for name, worked in outcome.workloads.items():
            self._chart(name, worked.tally)
        self._axis()
        height = self.top + 30
        ground.set("height", str(height))
        self.root.set("width", str(LEFT + WIDTH + RIGHT))
        self.root.set("height", str(height))
        self.root.set("viewBox", f"0 0 {LEFT + WIDTH + RIGHT} {height}")

    def _x(self, at: float) -> float:
        return LEFT + WIDTH * min(max(at / self.end, 0.0), 1.0)

    def _legend(self) -> None:
        x = float(LEFT)
        for name, colour in {**OUTCOMES, **FAULTS}.items():
            self._rectangle(x, self.top, 10, 10, colour)
            self._text(x + 14, self.top + 9, name)
            x += 28 + 6.2 * len(name)
        self.top += 22

    def _leaders(self, leaders: Sequence[Led], tags: Sequence[str]) -> None:
        self._text(LEFT - 8, self.top + 12, "leader", anchor="end")
        ordered = sorted(leaders, key=lambda led: (led.at, led.term))[-LED_MAX:]
        ends = [led.at for led in ordered[1:]] + [self.end]
        for led, end in zip(ordered, ends, strict=True):
            x, width = self._x(led.at), max(1.0, self._x(end) - self._x(led.at))
            colour = NODES[tags.index(led.leader) % len(NODES)]
            told = f"{led.leader}, term {led.term}, from {led.at / MICROSECONDS:.2f} s"
            self._rectangle(x, self.top, width, LANE, colour, told=told)
            if width > 46:
                self._text(x + 4, self.top + 12, f"{led.leader} {led.term}", colour=GROUND)
        self.top += LANE + GAP

    def _faults(self, tag: str, faults: Iterable[Fault]) -> None:
        self._text(LEFT - 8, self.top + 12, f"node {tag}", anchor="end")
        self._rectangle(LEFT, self.top, WIDTH, LANE, "#f6f8fa")
        for fault in [fault for fault in faults if tag in fault.on][-FAULTS_MAX:]:
            until = self.end if fault.until is None else fault.until
            x = self._x(fault.at)
            colour = FAULTS[COLOUR_OF.get(fault.fault, "cut")]
            told = f"{fault.fault} {' '.join(fault.on)}: {fault.at / MICROSECONDS:.2f} s"
            told += f" to {until / MICROSECONDS:.2f} s. {fault.told[:40]}"
            width = max(1.0, self._x(until) - x)
            self._rectangle(x, self.top, width, LANE, colour, told=told)
        self.top += LANE + GAP

    def _chart(self, name: str, tally: Tally) -> None:
        """Operations a second, those done above those that failed above those unknown."""
        columns = columns_of(tally.seconds, end=self.end)
        highest = max((sum(column.values()) for column in columns), default=0.0) or 1.0
        bottom = self.top + CHART
        self._text(LEFT - 8, self.top + 24, name, anchor="end")
        self._text(LEFT - 8, self.top + 38, f"to {highest:.0f}/s", anchor="end", colour=PALE)
        self._line(LEFT, bottom, LEFT + WIDTH, bottom)
        step, below = WIDTH / max(1, len(columns)), [0.0] * len(columns)
        for outcome in (UNKNOWN, FAILED, OK):
            strokes = []
            for number, column in enumerate(columns):
                height = column[outcome] / highest * (CHART - 4)
                if height > 0:
                    height = max(height, 1.0)  # few of them must be seen, too
                    x = LEFT + number * step
                    base = bottom - below[number]
                    strokes.append(f"M{x:.1f} {base:.1f}h{step:.2f}v{-height:.1f}h{-step:.2f}z")
                    below[number] += height
            if strokes:
                SubElement(self.root, "path", d="".join(strokes), fill=OUTCOMES[outcome])
        self.top = bottom + GAP * 2

    def _axis(self) -> None:
        seconds = self.end / MICROSECONDS
        step = next((s for s in TICK_SECONDS if seconds / s <= TICKS_MAX), TICK_SECONDS[-1])
        for number in range(int(seconds // step) + 1):
            x = self._x(number * step * MICROSECONDS)
            self._line(x, self.first_lane, x, self.top)
            told = f"{number * step} s" if step < 60 else f"{number * step / 60:g} min"
            self._text(x, self.top + 14, told, anchor="middle", colour=PALE)

    def _rectangle(
        self, x: float, y: float, width: float, height: float, colour: str, *, told: str = ""
    ) -> Element:
        box = SubElement(self.root, "rect", x=f"{x:.1f}", y=f"{y:.1f}", fill=colour)
        box.set("width", f"{width:.1f}")
        box.set("height", f"{height:.1f}")
        if told:
            SubElement(box, "title").text = told
        return box

    def _line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        line = SubElement(self.root, "line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", stroke=GRID)
        line.set("x2", f"{x2:.1f}")
        line.set("y2", f"{y2:.1f}")

    def _text(
        self,
        x: float,
        y: float,
        told: str,
        *,
        anchor: str = "start",
        colour: str = INK,
        size: int | None = None,
    ) -> None:
        text = SubElement(self.root, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=colour)
        text.set("text-anchor", anchor)
        if size is not None:
            text.set("font-size", str(size))
        text.text = told


def nodes_of(outcome: Outcome) -> list[str]:
    """Every node that suffered or led, or was there from the start."""
    count = int(outcome.about.get("nodes", 0))
    tags = {chr(ord("A") + number) for number in range(count)}
    tags |= {tag for fault in outcome.faults for tag in fault.on}
    return sorted(tags | {led.leader for led in outcome.leaders})


def columns_of(seconds: Mapping[tuple[int, str], int], *, end: int) -> list[dict[str, float]]:
    """Operations a second by outcome, for equal parts of the run up to `end` microseconds."""
    whole = -(-end // MICROSECONDS)
    each = max(1, -(-whole // COLUMNS))  # seconds of a column
    columns: list[dict[str, float]] = [
        {outcome: 0.0 for outcome in OUTCOMES} for _ in range(-(-whole // each))
    ]
    for (second, outcome), count in seconds.items():
        columns[min(second // each, len(columns) - 1)][outcome] += count / each
    return columns
