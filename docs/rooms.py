"""The rooms of the package: the floors they stand on, and the picture that is drawn from their imports.

``python docs/rooms.py`` draws ``docs/pictures/rooms.svg`` anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parent
PACKAGE = HOME.parent / "renderapi"
PICTURE = HOME / "pictures" / "rooms.svg"

#: From the ground up; a room imports from its own floor and those below.
FLOORS = (
    (
        "errors", "utils", "http", "_server_words", "_replacing", "_json", "_patterns", "_pillow", "_compiler",
        "_version", "_extras", "_slips", "_doubts", "_ordering", "_pages", "_names", "transform", "geometry",
        "rendering", "layout", "channel", "image_pyramid", "schemas", "external",
    ),
    ("_comparison", "_parallel", "_project", "_batches", "render"),
    (
        "stack", "stackversion", "section", "service", "matchtrial", "hierarchical", "tilespec", "resolvedtiles",
        "pointmatch", "coordinate", "image", "selections",
    ),
    ("client", "doctor", "tables", "transfer", "match", "solve", "fromfiles", "align"),
    ("cli", "demo", "plot", "server", "testing", "viewing", "__main__"),
    ("__init__",),
)  # fmt: skip
#: Imports within a floor, but those of the ground floor: there everything may use everything without a circle.
SAME_FLOOR = {
    ("_project", "_parallel"),
    ("resolvedtiles", "tilespec"),
    ("section", "stack"),
    ("tilespec", "stack"),
    ("doctor", "client"),
    ("tables", "client"),
    *(
        ("selections", other)
        for other in ("coordinate", "image", "pointmatch", "section", "stack", "tilespec")
    ),
    ("client", "match"),
    ("solve", "client"),
    *(("align", other) for other in ("client", "match", "solve")),
    ("__main__", "cli"),
    ("cli", "demo"),
    ("cli", "server"),
    ("cli", "viewing"),
    ("demo", "server"),
}
#: Calls upwards, made inside functions: where programs look for a name, but what it needs stands above. Not drawn.
UPWARDS = {
    # render-python 2 runs the Java client from there
    ("coordinate", "client"),
    # `renderapi.stack.tiles` and `renderapi.pointmatch.select` make what uses the functions of all subjects
    ("stack", "selections"),
    ("pointmatch", "selections"),
    # `renderapi.tilespec.from_images` makes tile specs, as the other functions there
    ("tilespec", "fromfiles"),
}

_FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


#: What is inside of a room, from the ground up: each module or folder imports only from the rows below its own, so
#: that what stands in one row, the wings, know nothing of each other.
WINGS = {
    "client": (
        ("checks", "params", "utils"),
        ("documents", "files"),
        ("validation",),
        ("java", "local"),
        ("calls",),
        ("client_calls", "importing"),
        ("client",),
        ("__init__",),
    ),
    "server": (
        ("documents",),
        ("store",),
        ("endpoints",),
        ("services",),
        ("http",),
        ("__init__",),
    ),
}


def floor_of(room: str) -> int:
    """Return the number of the floor of a room; the ground floor is 0."""
    return _FLOOR[room]


def room_of(path: Path) -> str:
    """Return the room that a file of the package belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports() -> dict[str, set[str]]:
    """Read what every room imports from, wherever in its files."""
    paths = sorted(PACKAGE.rglob("*.py"))
    below: dict[str, set[str]] = {room_of(path): set() for path in paths}
    for path in paths:
        room = room_of(path)
        below[room] |= {name[0] for name in _named(path) if name[0] in below and name[0] != room}
    return below


def inner_imports(room: str) -> dict[str, set[str]]:
    """Read what every module and folder directly in a room imports from the others there."""
    home = PACKAGE / room
    inside = {
        path: path.relative_to(home).parts[0].removesuffix(".py") for path in sorted(home.rglob("*.py"))
    }
    below: dict[str, set[str]] = {name: set() for name in inside.values()}
    for path, name in inside.items():
        others = {named[1] for named in _named(path) if named[0] == room and len(named) > 1}
        below[name] |= (others & below.keys()) - {name}
    return below


@cache
def _named(path: Path) -> tuple[list[str], ...]:
    """Return the names below the package that a file imports, in their parts."""
    return tuple(_read_names(path))


def _read_names(path: Path) -> Iterator[list[str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1:] for name in names if name.startswith("renderapi."))


# ------------------------------------------------------------------------------------------- drawing

_WIDTH, _ROW, _BOX = 1000, 64, 26


def _heights(below: dict[str, set[str]]) -> dict[str, int]:
    """Return how high each room is drawn: above all that it imports from."""
    heights: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in heights:
            heights[room] = 1 + max(map(height, below[room]), default=-1)
        return heights[room]

    for room in below:
        height(room)
    return heights


def _without_shortcuts(below: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out the arrows that follow from others."""

    def reached(room: str) -> set[str]:
        return below[room].union(*map(reached, below[room]))

    return {room: others - set().union(*map(reached, others)) for room, others in below.items()}


def _rows(below: dict[str, set[str]]) -> list[list[str]]:
    heights = _heights(below)
    rows = [
        sorted(room for room in below if heights[room] == row) for row in range(max(heights.values()) + 1)
    ]
    place = {room: (i + 0.5) / len(row) for row in rows for i, room in enumerate(row)}
    above = {room: [other for other in below if room in below[other]] for room in below}
    for _ in range(8):  # each near to what it has arrows with
        for row in rows:
            for room in row:
                near = [place[other] for other in (*sorted(below[room]), *above[room])]
                place[room] = sum(near) / len(near) if near else place[room]
            row.sort(key=lambda room: (place[room], room))
            place.update({room: (i + 0.5) / len(row) for i, room in enumerate(row)})
    return rows


def _width(room: str) -> int:
    return 7 * len(room) + 12


def _middles(row: list[str]) -> Iterator[int]:
    """Yield where the boxes of a row have their middles: with equal room around each."""
    free = (_WIDTH - sum(map(_width, row))) / len(row)
    left = 0.0
    for room in row:
        yield round(left + (free + _width(room)) / 2)
        left += free + _width(room)


def drawing() -> str:
    """Draw the rooms, each above all that it imports from, as SVG."""
    below = {
        room: others - {upper for lower, upper in UPWARDS if lower == room}
        for room, others in imports().items()
        if room not in ("__init__", "__main__")
    }
    arrows = _without_shortcuts(below)
    rows = _rows(arrows)
    height = len(rows) * _ROW
    middle = {
        room: (x, height - _ROW * number - _ROW // 2)
        for number, row in enumerate(rows)
        for room, x in zip(row, _middles(row))
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" text-anchor="middle">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#678"/></marker></defs>',
    ]
    for room in sorted(arrows):
        x, y = middle[room]
        for other in sorted(arrows[room]):
            there_x, there_y = middle[other]
            parts.append(
                f'<path d="M{x} {y + _BOX // 2}C{x} {y + _ROW // 2} {there_x} {there_y - _ROW // 2} '
                f'{there_x} {there_y - _BOX // 2}" fill="none" stroke="#9ab" marker-end="url(#tip)"/>'
            )
    colours = ("#e8eef4", "#f6ecd8", "#e2f1e2", "#f3e2ee", "#fde9df")
    for room, (x, y) in middle.items():
        width = _width(room)
        parts += [
            f'<rect x="{x - width // 2}" y="{y - _BOX // 2}" width="{width}" height="{_BOX}" rx="4" '
            f'fill="{colours[floor_of(room)]}" stroke="#678"/>',
            f'<text x="{x}" y="{y + 4}">{room}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    PICTURE.write_text(drawing())
