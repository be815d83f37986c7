"""The page of a report as HTML: tables, a map and histograms as SVG, pictures as PNG, all in one file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi._pages import data_uri
from renderapi._version import __version__
from renderapi.solve import Seam, SolveReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 30
#: Lines of a list that are shown.
_LISTED = 50
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#1c2530;margin:2em auto;max-width:64em;padding:0 1em}
h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.1em;margin:2em 0 .4em}
p.what{color:#667;margin:.2em 0 1.2em}
table{border-collapse:collapse}td,th{padding:.15em .9em .15em 0;text-align:left;vertical-align:top}
th{font-weight:600;color:#556}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{background:#f6f7f9;border-radius:4px;display:block}
.row{display:flex;flex-wrap:wrap;gap:1.5em}.row figure{margin:0}
figcaption{color:#556;font-size:.85em}img{image-rendering:auto;border-radius:2px;background:#000}
.bad{color:#b00020}ul{margin:.3em 0;padding-left:1.3em}
"""


class Picture(NamedTuple):
    """A seam as it is shown: p alone, q alone, both in colours; or why there is no picture."""

    seam: Seam
    images: tuple[NDArray[np.uint8], ...] | None
    text: str


def page(
    title: str,
    source: str,
    after: SolveReport,
    before: SolveReport | None,
    boxes: NDArray[np.float64],
    pictures: Sequence[Picture],
    failures: Sequence[str],
    distances: NDArray[np.float64],
    parts: str = "tiles",
) -> str:
    """Return the page.

    Parameters
    ----------
    title, source : str
        What it is about, and where that is.
    after, before : SolveReport
        Residuals now and before.
    boxes : (n, 4) array
        Boxes of the tiles, in the order of the report.
    pictures : list of Picture
        Seams.
    failures : list of str
        Pairs that were not connected.
    distances : (n,) array
        How far the ends of each match are apart.
    parts : {"tiles", "sections"}
        What is placed.

    Returns
    -------
    str
    """
    laid = (
        " Sections are laid out in their order, to and fro, instead of on each other."
        if parts == "sections"
        else ""
    )
    shown = [
        f"<h1>{escape(title)}</h1><p class=what>{escape(source)}; render-python {__version__}</p>",
        _figures(after, before, parts),
        f"<h2>Residuals</h2><p class=what>Each line is a pair of {parts}, its colour how far the ends of its matches "
        f"are apart (root mean square). What is red has no matches.{laid}</p>",
        _map(after, boxes),
        "<h2>Histograms</h2><div class=row>",
        _histogram("residual of pairs, pixels", after.pair_before),
        "" if before is None else _histogram("residual of pairs before, pixels", before.pair_before),
        _histogram(f"residual of {parts}, pixels", after.tile_before),
        _histogram("residual of matches, pixels", distances),
        _histogram("matches of a pair", after.matches),
        "</div>",
    ]
    if pictures:
        shown.append(
            "<h2>Seams that fit worst</h2><p class=what>One, the other, and both: red or cyan is where they "
            "differ, or where one of them ends.</p>"
        )
        shown += map(_seam, pictures)
    shown += [
        "<h2>Components</h2>",
        _list(
            [
                f"{len(component):,} {parts}: {', '.join(component[:4])}{' ...' if len(component) > 4 else ''}"
                for component in after.components
            ]
        ),
    ]
    for heading, lines in (
        (f"{parts.capitalize()} without matches", after.unmatched),
        ("Pairs that were not connected", failures),
        ("Pairs with too few matches", _names(after.few)),
        (f"Pairs with {parts} that are not there", _names(after.unknown)),
        (f"Pairs with points outside of their {parts}", _names(after.elsewhere)),
    ):
        if lines:
            shown.append(f"<h2>{heading}</h2>{_list(lines)}")
    body = "\n".join(shown)
    return (
        f'<!DOCTYPE html>\n<html lang=en><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _figures(after: SolveReport, before: SolveReport | None, parts: str) -> str:
    values = [
        (parts, f"{len(after.tile_ids):,}"),
        ("pairs", f"{len(after.pairs):,}"),
        ("matches", f"{int(after.matches.sum()):,}"),
        ("residual", f"{after.rms_before:.2f} pixels"),
        ("residual before", None if before is None else f"{before.rms_before:.2f} pixels"),
        ("components", _count(len(after.components), 1)),
        (f"{parts} without matches", _count(len(after.unmatched), 0)),
        (
            "scale in x",
            f"{after.scales[:, 0].mean():.4f} ± {after.scales[:, 0].std():.4f}",
        ),
        ("scale in y", f"{after.scales[:, 1].mean():.4f} ± {after.scales[:, 1].std():.4f}"),
        ("shear", f"{after.shears.mean():.4f} ± {after.shears.std():.4f}"),
    ]
    rows = "".join(f"<tr><th>{name}<td>{value}" for name, value in values if value is not None)
    return f"<table>{rows}</table>"


def _count(number: int, good: int) -> str:
    return f"{number:,}" if number <= good else f"<b class=bad>{number:,}</b>"


def _names(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [" and ".join(pair) for pair in pairs]


def _list(lines: Sequence[str]) -> str:
    rest = f"<li>and {len(lines) - _LISTED:,} more" if len(lines) > _LISTED else ""
    return f"<ul>{''.join(f'<li>{escape(line)}' for line in lines[:_LISTED])}{rest}</ul>"


# ------------------------------------------------------------------------------------------- drawings


def _map(report: SolveReport, boxes: NDArray[np.float64]) -> str:
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    width, height = np.maximum(high - low, 1)
    scale = 900 / max(width, height)
    placed = (boxes - np.tile(low, 2)) * scale + 10
    centres = (placed[:, :2] + placed[:, 2:]) / 2
    residuals = report.pair_before
    worst = float(residuals.max(initial=0.0))
    alone = set(report.unmatched)
    shapes = []
    for tile_id, (x, y, x1, y1), residual in zip(report.tile_ids, placed, report.tile_before):
        colour, line = ("#fbd5d5", "#b00020") if tile_id in alone else ("#e3e7ee", "#aab3c0")
        told = "no matches" if tile_id in alone else f"{residual:.2f} pixels"
        shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{x1 - x:.1f}" height="{y1 - y:.1f}" fill="{colour}" '
            f'fill-opacity=".6" stroke="{line}" stroke-width=".7"><title>{escape(tile_id)}: {told}</title></rect>'
        )
    # the worst on top
    for row in np.argsort(residuals, kind="stable").tolist():
        p, q = report.pairs[row]
        (x, y), (x1, y1) = centres[p], centres[q]
        told = f"{report.tile_ids[p]} and {report.tile_ids[q]}: {residuals[row]:.2f} pixels"
        shapes.append(
            f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{_colour(residuals[row], worst)}" '
            f'stroke-width="3"><title>{escape(told)}, {report.matches[row]} matches</title></line>'
        )
    across, down = width * scale + 20, height * scale + 20
    steps = "".join(
        f'<rect x="{10 + 20 * step}" y="{down + 4:.1f}" width="20" height="10" fill="{_colour(step, 9)}"/>'
        for step in range(10)
    )
    legend = f'{steps}<text x="218" y="{down + 13:.1f}" font-size="12">0 to {worst:.2f} pixels</text>'
    return (
        f'<svg width="{across:.0f}" height="{down + 22:.0f}" viewBox="0 0 {max(across, 340):.0f} {down + 22:.0f}">'
        f"{''.join(shapes)}{legend}</svg>"
    )


def _colour(value: float, worst: float) -> str:
    # green to red
    return f"hsl({120 * (1 - (value / worst if worst else 0)):.0f},70%,42%)"


def _histogram(what: str, values: NDArray[Any]) -> str:
    there = np.asarray(values, np.float64)
    there = there[np.isfinite(there)]
    if not len(there):
        return ""
    counts, edges = np.histogram(there, _BINS)
    bars = "".join(
        f'<rect x="{10 + 9 * number}" y="{100 - 90 * count / counts.max():.1f}" width="8" '
        f'height="{90 * count / counts.max():.1f}" fill="#4a6fa5"><title>{edges[number]:.3g} to '
        f"{edges[number + 1]:.3g}: {count}</title></rect>"
        for number, count in enumerate(counts.tolist())
    )
    return (
        f'<figure><svg width="290" height="120" viewBox="0 0 290 120">{bars}'
        f'<text x="10" y="115" font-size="11">{edges[0]:.3g}</text>'
        f'<text x="280" y="115" font-size="11" text-anchor="end">{edges[-1]:.3g}</text></svg>'
        f"<figcaption>{what}; median {np.median(there):.3g}</figcaption></figure>"
    )


def _seam(picture: Picture) -> str:
    seam = picture.seam
    told = f"{escape(seam.p)} and {escape(seam.q)}: {seam.after:.2f} pixels, {seam.matches} matches"
    if picture.images is None:
        return f"<p>{told}; {escape(picture.text)}</p>"
    images = "".join(f'<img alt="" src="{data_uri(image)}">' for image in picture.images)
    return (
        f"<figure style='margin:1em 0'><div class=row style='gap:.5em'>{images}</div>"
        f"<figcaption>{told}; {escape(picture.text)}</figcaption></figure>"
    )
