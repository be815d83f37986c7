"""Plots of where tiles are: what is drawn, where, in which colours, and how axes are labelled."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from renderapi import plot, stack
from renderapi.client import import_tilespecs
from renderapi.errors import SpecError
from renderapi.plot._drawing import MOST_POLYGONS, PALETTE, rasterized
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.server import serve_background
from renderapi.stack import StackVersion
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, ReferenceTransform

BOXES = np.array([[90.0 * c, 90.0 * r, 90.0 * c + 100, 90.0 * r + 100] for r in range(2) for c in range(3)])


def boxes_of(collection):
    """Return the boxes of the polygons of a collection."""
    corners = np.array([path.vertices[:4] for path in collection.get_paths()])
    return np.hstack([corners.min(axis=1), corners.max(axis=1)])


def given(kind, tiles):
    """Return the same tiles in one of the ways in which people have them."""
    ids = [tile["tileId"] for tile in tiles]
    if kind == "boxes":
        return BOXES
    if kind == "lists of numbers":
        return BOXES.tolist()
    if kind == "documents":
        return tiles
    if kind == "tile specs":
        return [TileSpec(json=tile) for tile in tiles]
    if kind == "an iterator":
        return iter(tiles)
    if kind == "bounds of a server":
        return [
            {"tileId": i, **dict(zip(("minX", "minY", "maxX", "maxY"), box))} for i, box in zip(ids, BOXES)
        ]
    if kind == "arrays":
        return {"tileId": ids, "box": BOXES}
    columns = {"tileId": ids, **dict(zip(("minX", "minY", "maxX", "maxY"), BOXES.T))}
    if kind == "frame":
        return pytest.importorskip("pandas").DataFrame(columns)
    if kind == "arrow":
        return pytest.importorskip("pyarrow").table(columns)
    shared = AffineModel(B0=-7.0, transformId="lens")
    specs = [TileSpec(json=tile) for tile in tiles]
    for spec in specs:
        spec.tforms = [ReferenceTransform("lens"), AffineModel(B0=7.0), *spec.tforms]
    return ResolvedTiles(specs, [shared])


KINDS = (
    "boxes", "lists of numbers", "documents", "tile specs", "an iterator", "bounds of a server", "arrays",
    "frame", "arrow", "resolved tiles",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_of_every_kind_are_drawn_where_they_are(ax, tiles, kind):
    assert plot.section_layout(given(kind, tiles), ax=ax) is ax
    (drawn,) = ax.collections
    assert np.array_equal(boxes_of(drawn), BOXES)
    assert ax.yaxis_inverted() and ax.get_aspect() == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x (pixels)", "y (pixels)")
    left, right = ax.get_xlim()
    assert left < 0 and right > 280


@pytest.mark.parametrize(
    ("color", "values"),
    [
        ("stageX", [0, 10, 20, 0, 10, 20]),
        ("minX", [0, 90, 180, 0, 90, 180]),
        ("z", [3.0] * 6),
        (range(6), [0, 1, 2, 3, 4, 5]),
        ({"r0c1": 7, "r1c2": np.nan, "r1c1": 1}, [None, 7, None, None, 1, None]),
    ],
    ids=["of the layout", "of the box", "of the tile", "an array", "by id"],
)
def test_numbers_colour_tiles_by_a_colour_map(ax, tiles, color, values):
    plot.section_layout(tiles, color, label="what", ax=ax)
    assert ax.collections[0].get_array().tolist() == values
    assert ax.collections[0].cmap.name == "viridis"
    assert ax.figure.axes[1].get_ylabel() == "what"
    FigureCanvasAgg(ax.figure).draw()


def test_texts_colour_tiles_by_colours_that_can_be_told_apart(ax, tiles):
    plot.section_layout(tiles, "camera", ax=ax)
    FigureCanvasAgg(ax.figure).draw()
    colours = [to_hex(colour).upper() for colour in ax.collections[0].get_facecolor()[:, :3]]
    assert colours == [PALETTE[0], PALETTE[1], PALETTE[0]] * 2
    assert [text.get_text() for text in ax.figure.axes[1].get_yticklabels()] == ["cam0", "cam1"]


def test_many_texts_colour_tiles_by_a_colour_map_that_names_some_of_them(ax):
    boxes = [[x, 0, x + 1, 1] for x in range(30)]
    plot.section_layout({"box": boxes, "name": [f"n{i:02}" for i in range(30)]}, "name", ax=ax)
    assert ax.collections[0].get_array().tolist() == list(range(30))
    names = [text.get_text() for text in ax.figure.axes[1].get_yticklabels()]
    assert names[0] == "n00" and names[-1] == "n29" and len(names) == 6


def test_borders_are_those_of_the_transforms_and_boxes_are_not(ax):
    tile = TileSpec("a", 1.0, 100, 50, tforms=[AffineModel(0, -1, 1, 0, 200, 0)])
    plot.section_layout([tile], border=True, names=True, ax=ax)
    corners = ax.collections[0].get_paths()[0].vertices[:4]
    assert corners.tolist() == [[200, 0], [200, 100], [150, 100], [150, 0]]
    assert ax.texts[0].get_text() == "a"


@pytest.mark.parametrize(
    "resolution",
    [4, (4, 4), {"currentVersion": {f"stackResolution{side}": 4.0 for side in "XYZ"}},
     StackVersion(stackResolutionX=4, stackResolutionY=4, stackResolutionZ=35)],
    ids=["a number", "of x and y", "metadata", "a version"],
)  # fmt: skip
def test_opposite_axes_are_in_nm_where_the_resolution_is_known(ax, tiles, resolution):
    for _ in range(2):  # once, however often is drawn into the same axes
        plot.section_layout(tiles, resolution=resolution, ax=ax)
    top, right = ax.child_axes
    assert (top.get_xlabel(), right.get_ylabel()) == ("x (nm)", "y (nm)")
    FigureCanvasAgg(ax.figure).draw()
    assert np.allclose(top.get_xlim(), 4 * np.array(ax.get_xlim()))
    assert np.allclose(right.get_ylim(), 4 * np.array(ax.get_ylim()))
    pickle.dumps(ax.figure)


@pytest.mark.parametrize("version", [StackVersion(), StackVersion(None, None, 1, 1, 1)], ids=["none", "ones"])
def test_axes_are_in_pixels_alone_where_no_resolution_was_said(ax, tiles, version):
    plot.section_layout(tiles, resolution=version, ax=ax)
    assert not ax.child_axes


def test_a_selection_is_drawn_with_the_resolution_of_its_stack(ax, tiles):
    other = Figure().subplots()
    with serve_background() as server, server.connect(owner="o", project="p") as render:
        stack.create_stack("s", None, None, 5, 5, 50, render=render)
        import_tilespecs("s", [TileSpec(json=tile) for tile in tiles], render=render)
        stack.set_stack_state("s", "COMPLETE", render=render)
        plot.section_layout(stack.tiles("s", z=3, render=render), "M00", ax=ax)
        info = stack.info("s", render=render)
        plot.stack_overview(info, ax=other)
    assert np.array_equal(boxes_of(ax.collections[0]), BOXES)
    assert ax.collections[0].get_array().tolist() == [1.0] * 6
    assert len(ax.child_axes) == 2
    assert (info.state, info.tile_count, info.layers, info.resolution) == (
        "COMPLETE",
        6,
        [3.0],
        (5.0, 5.0, 50.0),
    )
    assert other.patches[0].get_height() == 6
    assert other.figure.axes[1].child_axes[0].get_ylabel() == "bounds (nm)"


@pytest.mark.parametrize(
    ("tiles", "color", "message"),
    [
        ("v1", None, "these are no tiles"),
        ([[1, 2, 3]], None, "minX, minY, maxX, maxY"),
        ([{"tileId": "a"}], None, "tile a has neither"),
        ({"x": [1]}, None, "needs minX"),
        (BOXES, [1, 2], "6 tiles need as many"),
        (BOXES, "stageX", "boxes have no column"),
        (BOXES, {"a": 1}, "these tiles have none"),
        ({"box": BOXES, "tileId": list("abcdef")}, {"x": 1}, "no tile has an id that color knows"),
        ({"box": BOXES}, "nothing", "no column 'nothing'"),
        ([TileSpec("a", 1.0, 5, 5)], "nothing", "no tile has 'nothing'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(ax, tiles, color, message):
    with pytest.raises(SpecError, match=message):
        plot.section_layout(tiles, color, ax=ax)
    assert not ax.collections


# ------------------------------------------------------------------------------ many


def test_so_many_tiles_that_they_are_smaller_than_a_pixel_become_an_image(ax):
    side = int(np.ceil(np.sqrt(MOST_POLYGONS + 1)))
    number = np.arange(side * side)
    low = np.column_stack([number % side, number // side]) * 10.0
    plot.section_layout(np.hstack([low, low + 10]), color=number % side, ax=ax)
    assert not ax.collections
    (image,) = ax.images
    assert image.get_extent() == [0, 10 * side, 10 * side, 0]
    raster = image.get_array()
    assert raster.min() == pytest.approx(0) and raster.max() == pytest.approx(side - 1)
    assert np.allclose(raster[0], raster[-1])
    assert ax.yaxis_inverted()


def test_a_raster_has_the_mean_of_the_boxes_that_cover_a_cell():
    boxes = np.array([[0, 0, 1200, 600], [600, 0, 1200, 600], [0, 300, 600, 600], [np.nan, 0, 1, 1]])
    raster, extent = rasterized(boxes, np.array([1.0, 3.0, np.nan, 9.0]))
    assert raster.shape == (600, 1200) and extent == (0, 1200, 600, 0)
    assert np.allclose(raster[:, :600], 1) and np.allclose(raster[:, 600:], 2)


def test_a_raster_is_nan_where_no_box_is_and_has_a_cell_for_the_smallest():
    raster, _ = rasterized(np.array([[0.0, 0, 1, 1], [9999, 9999, 10000, 10000]]), np.array([5.0, 7.0]))
    assert np.isfinite(raster).sum() == 2
    assert (raster[0, 0], raster[-1, -1]) == (pytest.approx(5), pytest.approx(7))


def test_a_raster_of_categories_has_the_one_of_most_boxes():
    boxes = np.array([[0.0, 0, 100, 100]] * 3)
    raster, _ = rasterized(boxes, np.array([2.0, 0.0, 2.0]), 3)
    assert (raster == 2).all()


# ------------------------------------------------------------------------------ by layers


def sections(*layers):
    return [
        {"z": z, "sectionId": f"{z}", "tileCount": count, "minX": z, "minY": -z, "maxX": 100 + z, "maxY": 50}
        for z, count in layers
    ]


def test_an_overview_has_counts_bounds_and_missing_layers(ax):
    given = sections((1.0, 4), (2.0, 5), (5.0, 6), (6.0, 1))
    given.append({**given[-1], "tileCount": 2, "maxX": 300})  # a second section of that layer
    assert plot.stack_overview(given, ax=ax) is ax
    assert [bar.get_height() for bar in ax.patches[:4]] == [4, 5, 6, 3]
    below = ax.figure.axes[1]
    assert boxes_of(below.collections[0]).tolist()[-1] == [5.5, 6, 6.5, 300]
    for panel in (ax, below):
        span = panel.patches[-1].get_window_extent().transformed(panel.transData.inverted())
        assert (span.x0, span.x1) == (pytest.approx(2.5), pytest.approx(4.5))
    assert ax.get_legend().get_texts()[0].get_text() == "2 missing"
    assert (ax.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("tiles", "bounds (pixels)", "z")
    FigureCanvasAgg(ax.figure).draw()


def test_an_overview_divides_axes_of_any_place():
    figure = Figure()
    ax = figure.add_axes((0.1, 0.2, 0.8, 0.6))
    plot.stack_overview(sections((1, 1), (2, 1)), ax=ax)
    above, below = (panel.get_position() for panel in figure.axes)
    assert above.y0 > below.y1 and below.y0 == pytest.approx(0.2) and above.y1 == pytest.approx(0.8)


def test_an_overview_without_bounds_is_one_panel(ax):
    plot.stack_overview(sections((1, 1), (2, 1)), bounds=False, missing=[7], ax=ax)
    assert ax.figure.axes == [ax] and ax.get_xlabel() == "z"


def test_a_stack_without_sections_has_no_overview(ax):
    with pytest.raises(SpecError, match="COMPLETE"):
        plot.stack_overview([], ax=ax)
    with pytest.raises(SpecError, match="SectionData"):
        plot.stack_overview([{"z": 1}], ax=ax)


# ------------------------------------------------------------------------------ pyplot


def test_pyplot_is_not_loaded_where_axes_are_given_and_makes_a_figure_where_not():
    program = (
        "import sys; from matplotlib.figure import Figure; from renderapi import plot; "
        "plot.section_layout([[0, 0, 1, 1]], ax=Figure().subplots()); "
        "assert 'matplotlib.pyplot' not in sys.modules; "
        "ax = plot.section_layout([[0, 0, 1, 1]]); import matplotlib.pyplot as plt; "
        "assert plt.get_fignums() == [1] and ax.figure is plt.figure(1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"MPLBACKEND": "agg"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_without_matplotlib_a_plot_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"render-python\[plot\]"):
        plot.section_layout([[0, 0, 1, 1]])


def test_tiles_are_counted_in_whole_numbers(ax):
    plot.stack_overview([{"z": z, "tileCount": 2} for z in (1, 2, 4)], bounds=False, ax=ax)
    assert all(tick == int(tick) for tick in ax.get_yticks())
