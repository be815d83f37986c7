"""HTML that notebooks show in place of reprs: tables, drawings and pictures, in the colours of the page.

Nothing here has colours of its own for text and background, so that dark and light notebooks are alike; everything
that comes from documents is escaped.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Shown = TypeVar("Shown")

#: Seconds that anybody waits for a repr.
PATIENCE = 2.0
#: Characters of a value that are shown.
_MOST_CHARACTERS = 200
#: Seen on white and on black.
_LINE = "#2a8fd4"
_QUIET = "opacity:.65"


def never_failing(method: Callable[[Any], str]) -> Callable[[Any], str | None]:
    """Let a method give None for any error: a notebook then shows the repr as text."""

    @wraps(method)
    def guarded(self: Any) -> str | None:
        try:
            return method(self)
        except Exception:  # whatever a document holds, a notebook goes on
            return None

    return guarded


def within(seconds: float, function: Callable[[], Shown]) -> Shown | None:
    """Return what a function gives, or None if it fails or has not done so after some seconds."""
    found: list[Shown] = []

    def work() -> None:
        try:
            found.append(function())
        except Exception:  # what cannot be read is not shown
            return

    thread = threading.Thread(target=work, daemon=True, name="renderapi-repr")
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def card(title: str, rows: Iterable[tuple[str, Any]], *, picture: str = "", below: str = "") -> str:
    """Return a title and a table, with a picture beside them.

    Parameters
    ----------
    title : str
        Text.
    rows : iterable of (str, object)
        Name and value of each row; those whose value is None are left out.
    picture, below : str
        HTML that stands to the left, and under the table.

    Returns
    -------
    str
        HTML.
    """
    body = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal;{_QUIET}">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(_text(value))}</td></tr>'
        for name, value in rows
        if value is not None
    )
    left = f"<div>{picture}</div>" if picture else ""
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start;color:inherit">'
        f"{left}<div><strong>{escape(title)}</strong>"
        f'<table style="margin:.3em 0;color:inherit">{body}</table>{below}</div></div>'
    )


def _text(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 4]} ..."


def numbers_table(name: str, values: NDArray[Any]) -> str:
    """Return the numbers of a small array as an HTML table, or the shape of a large one."""
    rows = np.atleast_2d(values)
    if rows.ndim > 2 or rows.shape[0] > 6 or rows.shape[1] > 8:
        return f"<div>{escape(name)}: {' × '.join(map(str, values.shape))} numbers</div>"
    lines = "".join(
        "<tr>" + "".join(f'<td style="text-align:right">{value:.6g}</td>' for value in row) + "</tr>"
        for row in rows.tolist()
    )
    return f'<div style="{_QUIET}">{escape(name)}</div><table style="margin:.1em 0;color:inherit">{lines}</table>'


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return an image as a PNG in a URL."""
    from PIL import Image

    written = BytesIO()
    Image.fromarray(image).save(written, "PNG")
    return f"data:image/png;base64,{b64encode(written.getvalue()).decode('ascii')}"


def picture(image: NDArray[np.uint8], text: str) -> str:
    """Return an image as HTML, with a text for who cannot see it."""
    return f'<img alt="{escape(text)}" src="{data_uri(image)}" style="max-width:none;margin:0">'


def lines_svg(text: str, lines: Iterable[Sequence[Array]], side: int = 150) -> str:
    """Return a drawing of lines, the first kinds quiet, the last in colour.

    Parameters
    ----------
    text : str
        What it shows, for who cannot see it.
    lines : iterable of sequence of (S, 2) array
        Points of the lines of each kind.
    side : int
        Longer side in pixels.

    Returns
    -------
    str
        SVG; without any finite point an empty text.
    """
    kinds = [[np.asarray(line, np.float64) for line in kind] for kind in lines]
    points = np.concatenate([line for kind in kinds for line in kind] or [np.empty((0, 2))])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return ""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = side / max(float((high - low).max()), 1e-12)
    width, height = np.maximum((high - low) * scale, 1) + 4
    parts = []
    for number, kind in enumerate(kinds):
        look = (
            f'stroke="{_LINE}"' if number == len(kinds) - 1 else 'stroke="currentColor" stroke-opacity=".3"'
        )
        path = "".join(_path((line - low) * scale + 2) for line in kind)
        parts.append(f'<path d="{path}" fill="none" {look} stroke-width="1"/>')
    return (
        f'<svg role="img" aria-label="{escape(text)}" xmlns="http://www.w3.org/2000/svg" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.1f} {height:.1f}">{"".join(parts)}</svg>'
    )


def _path(line: Array) -> str:
    there = line[np.isfinite(line).all(axis=1)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in there.tolist()) if len(there) > 1 else ""


def boxes_svg(text: str, boxes: Array) -> str:
    """Return a drawing of boxes (N, 4) of minX, minY, maxX, maxY."""
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3], [0, 1]]]
    return lines_svg(text, [list(corners)])
