"""Drawings of the documentation: SVG within the page, in the colours of its light or dark scheme.

``.. drawing:: NAME`` puts the drawing of the function of that name here; the first line of the function's
docstring is what a screen reader says. A drawing is 420 units wide, so that its words can still be read on a telephone.
"""

from __future__ import annotations

from html import escape
from math import cos, radians, sin

from docutils import nodes
from docutils.parsers.rst import Directive

WIDTH = 420


class Sketch:
    """Shapes, one after the other. Classes of CSS (``docs.css``) say how they look."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.parts: list[str] = []

    def text(self, x: float, y: float, words: str, kind: str = "") -> None:
        """Write a line whose middle is at x, or whose beginning is, with kind ``start``."""
        self.parts.append(f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>')

    def box(self, x: float, y: float, width: float, height: float, kind: str = "", words: str = "") -> None:
        """Draw a box, with words in its middle."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" class="{kind}"/>'
        )
        if words:
            self.text(x + width / 2, y + height / 2 + 4, words)

    def line(self, *points: tuple[float, float], kind: str = "") -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" class="{kind}"/>')

    def arrow(self, *points: tuple[float, float]) -> None:
        """Draw a line with a tip at its end."""
        self.line(*points, kind="arrow")

    def area(self, *points: tuple[float, float], kind: str = "") -> None:
        """Draw an area with these corners."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polygon points="{path}" class="{kind}"/>')

    def dot(self, x: float, y: float, kind: str = "point") -> None:
        """Draw a point."""
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="3" class="{kind}"/>')

    def tile(self, x: float, y: float, size: float, angle: float = 0, kind: str = "tile") -> None:
        """Draw a square around a middle, turned by an angle in degrees."""
        half, turn = size / 2, radians(angle)
        corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
        self.area(
            *(
                (round(x + cx * cos(turn) - cy * sin(turn), 1), round(y + cx * sin(turn) + cy * cos(turn), 1))
                for cx, cy in corners
            ),
            kind=kind,
        )

    def svg(self, words: str) -> str:
        """Return the drawing as SVG."""
        inside = "\n".join(self.parts)
        return (
            f'<svg class="drawing" viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(words)}">'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>\n{inside}\n</svg>'
        )


def overview() -> Sketch:
    """Images as they were taken become tile specs in a render server, and one seamless picture of the section."""
    sketch = Sketch(170)
    offsets = ((-3, 2, 5), (4, -3, -4), (2, 5, -3), (-4, -2, 3), (5, 3, 4), (-2, -4, -5))
    for number, (dx, dy, angle) in enumerate(offsets):
        col, row = number % 2, number // 2
        sketch.tile(38 + col * 38 + dx, 32 + row * 38 + dy, 40, angle)
    sketch.text(57, 156, "images as taken")
    sketch.arrow((104, 70), (136, 70))
    sketch.box(142, 12, 132, 118, "room")
    for number, words in enumerate(("tile specs", "transforms", "point matches")):
        sketch.box(154, 24 + number * 34, 108, 26, "paper", words)
    sketch.text(208, 156, "a render server")
    sketch.arrow((280, 70), (312, 70))
    for number in range(6):
        col, row = number % 2, number // 2
        sketch.tile(346 + col * 36, 34 + row * 36, 40, kind="tile placed")
    sketch.text(364, 156, "one picture")
    return sketch


def _grid(sketch: Sketch, x: float, y: float, bend: float) -> None:
    for number in range(5):
        along = [step / 8 for step in range(9)]
        at = number / 4
        pull = bend * (at - 0.5) * 2
        sketch.line(
            *((x + 80 * t, y + 80 * at + pull * (1 - 4 * (t - 0.5) ** 2)) for t in along), kind="grid"
        )
        sketch.line(
            *((x + 80 * at + pull * (1 - 4 * (t - 0.5) ** 2), y + 80 * t) for t in along), kind="grid"
        )


def coordinate_spaces() -> Sketch:
    """A point in the raw image, behind the lens correction, in the world of the stack, and in an image of a box."""
    sketch = Sketch(330)
    sketch.text(66, 16, "local: the raw image", "title")
    _grid(sketch, 26, 30, 8)
    sketch.text(22, 132, "0, 0 is its upper left corner", "small start")
    sketch.dot(76, 92)
    sketch.arrow((126, 70), (272, 70))
    sketch.text(199, 62, "lens correction", "small")
    sketch.text(330, 16, "behind the lens", "title")
    _grid(sketch, 290, 30, 0)
    sketch.dot(342, 94)
    sketch.text(330, 126, "where points of matches often are", "small")
    sketch.arrow((330, 134), (330, 176))
    sketch.text(322, 158, "the tile's own transform", "small end")
    sketch.text(330, 314, "world: the stack", "title")
    for x, y, angle in ((300, 212, 3), (350, 214, -4), (298, 262, -3)):
        sketch.tile(x, y, 54, angle)
    sketch.tile(350, 263, 54, 5, "tile chosen")
    sketch.dot(356, 272)
    sketch.area((322, 234), (384, 234), (384, 290), (322, 290), kind="frame")
    sketch.arrow((252, 252), (146, 252))
    sketch.text(199, 244, "a box, at a scale", "small")
    sketch.text(66, 314, "an image of the box", "title")
    sketch.box(26, 206, 90, 82, "room")
    sketch.dot(75, 262)
    sketch.text(22, 302, "0, 0 is the corner of the box", "small start")
    return sketch


def states() -> Sketch:
    """A stack is made LOADING, set COMPLETE, and may be protected as READ_ONLY; OFFLINE removes its tiles."""
    sketch = Sketch(210)
    sketch.text(52, 22, "create_stack", "code")
    sketch.arrow((52, 28), (52, 50))
    sketch.box(8, 54, 92, 36, "tile", "LOADING")
    sketch.box(168, 54, 92, 36, "tile placed", "COMPLETE")
    sketch.box(320, 54, 92, 36, "paper", "READ_ONLY")
    sketch.arrow((102, 64), (164, 64))
    sketch.arrow((166, 82), (104, 82))
    sketch.arrow((262, 64), (316, 64))
    sketch.arrow((318, 82), (264, 82))
    sketch.text(54, 108, "takes tiles,", "small")
    sketch.text(54, 121, "may be half full", "small")
    sketch.text(214, 108, "closed: bounds", "small")
    sketch.text(214, 121, "and counts are known", "small")
    sketch.text(366, 108, "no changes", "small")
    sketch.box(168, 166, 92, 36, "faint", "OFFLINE")
    sketch.arrow((214, 128), (214, 162))
    sketch.line((366, 114), (366, 150), (240, 150), kind="plain")
    sketch.arrow((240, 150), (240, 162))
    sketch.arrow((166, 184), (54, 184), (54, 128))
    sketch.text(268, 182, "all tiles are gone,", "small start")
    sketch.text(268, 195, "the description stays", "small start")
    return sketch


def ids_and_groups() -> Sketch:
    """The section id of a tile is the group of its matches, the tile id is their id."""
    sketch = Sketch(226)
    sketch.text(86, 16, "stack", "title")
    for number, (name, group) in enumerate((("a", "1.0"), ("b", "1.0"), ("c", "2.0"))):
        y = 26 + number * 62
        sketch.box(8, y, 156, 52, "room")
        sketch.text(18, y + 21, f'tileId "{name}"', "code start")
        sketch.text(18, y + 40, f'sectionId "{group}"', "code start")
    sketch.text(334, 16, "match collection", "title")
    for number, (p, q, one, other) in enumerate((("a", "b", "1.0", "1.0"), ("b", "c", "1.0", "2.0"))):
        y = 26 + number * 96
        sketch.box(252, y, 160, 84, "paper")
        lines = (f'pGroupId "{one}"', f'pId "{p}"', f'qGroupId "{other}"', f'qId "{q}"')
        for row, words in enumerate(lines):
            sketch.text(262, y + 18 + row * 19, words, "code start")
    for there, here in (((250, 40), (166, 52)), ((250, 84), (166, 106))):
        sketch.arrow(there, here)
    for there, here in (((250, 136), (166, 120)), ((250, 182), (166, 178))):
        sketch.arrow(there, here)
    return sketch


def references() -> Sketch:
    """Three tiles refer to one lens correction, which the stack holds once; resolved tiles hold a copy each."""
    sketch = Sketch(270)
    sketch.text(WIDTH / 2, 16, "as it is stored", "title")
    sketch.box(148, 26, 124, 30, "tile placed", "lens_1: polynomial")
    for number in range(3):
        x = 14 + number * 136
        sketch.box(x, 88, 120, 46, "room")
        sketch.text(x + 60, 106, f"tile_{number}", "small")
        sketch.box(x + 6, 112, 52, 18, "paper", "")
        sketch.text(x + 32, 125, "ref lens_1", "tiny")
        sketch.box(x + 62, 112, 52, 18, "tile", "")
        sketch.text(x + 88, 125, "affine", "tiny")
        sketch.arrow((x + 32, 111), (168 + number * 42, 60))
    sketch.text(WIDTH / 2, 164, "resolved: ready to compute with", "title")
    for number in range(3):
        x = 14 + number * 136
        sketch.box(x, 176, 120, 46, "room")
        sketch.text(x + 60, 194, f"tile_{number}", "small")
        sketch.box(x + 6, 200, 52, 18, "tile placed", "")
        sketch.text(x + 32, 213, "polynomial", "tiny")
        sketch.box(x + 62, 200, 52, 18, "tile", "")
        sketch.text(x + 88, 213, "affine", "tiny")
    sketch.text(WIDTH / 2, 246, "stored like this, each tile keeps a copy:", "small")
    sketch.text(WIDTH / 2, 260, "a change of the lens would not reach them", "small")
    return sketch


def intensity_ranges() -> Sketch:
    """Values up to minIntensity are drawn black, from maxIntensity on white, and linearly between them."""
    sketch = Sketch(206)
    sketch.line((70, 20), (70, 150), kind="plain")
    sketch.line((70, 150), (390, 150), kind="plain")
    sketch.text(62, 154, "black", "small end")
    sketch.text(62, 34, "white", "small end")
    sketch.line((70, 150), (140, 150), (290, 30), (390, 30), kind="curve")
    for x, words in ((140, "minIntensity"), (290, "maxIntensity")):
        sketch.line((x, 30), (x, 156), kind="grid")
        sketch.text(x, 170, words, "code")
    sketch.text(230, 192, "value in the image", "small")
    sketch.text(105, 142, "all black", "small")
    sketch.text(340, 22, "all white", "small")
    return sketch


class Drawing(Directive):
    """Put a drawing of this module into a page; what it shows is said where there is no HTML."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the drawing and its words, for the builders that take each."""
        function = globals()[self.arguments[0]]
        words = function.__doc__.strip()
        return [nodes.raw("", f'<div class="drawn">{function().svg(words)}</div>', format="html")]


def setup(app):
    """Make the directive known to Sphinx."""
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True}
