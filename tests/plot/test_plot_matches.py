"""Plots of matches and residuals: which lines are drawn, from where to where, in which colours."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.quiver import Quiver

from renderapi import plot, pointmatch
from renderapi.align import AlignReport, SectionReport
from renderapi.align.montage import SectionOutcome
from renderapi.errors import SpecError
from renderapi.geometry import match_residuals
from renderapi.match import MatchReport
from renderapi.render import connect
from renderapi.selections import MatchSelection
from renderapi.solve import solve_matches
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, ReferenceTransform


def of_kind(ax, kind):
    return [artist for artist in ax.collections if type(artist) is kind]


# ------------------------------------------------------------------------------ two tiles


def test_two_tiles_are_drawn_side_by_side_with_lines_between_their_matches(ax, tiles, match):
    assert plot.tile_pair_matches(match, tiles, ax=ax) is ax
    (lines,) = of_kind(ax, LineCollection)
    assert [line.tolist() for line in lines.get_segments()] == [[[95, 10], [109, 13]], [[97, 50], [111, 53]]]
    assert [text.get_text() for text in ax.texts] == [
        "no image that can be read here", "r0c0", "no image that can be read here", "r0c1",
    ]  # fmt: skip
    assert ax.get_xlim() == (0, 204) and ax.get_ylim() == (100, 0)
    # each tile is numbered from its own left edge
    ticks = dict(zip(ax.get_xticks(), (text.get_text() for text in ax.get_xticklabels())))
    assert ticks[25] == ticks[129] == "25"


def test_images_of_tiles_are_drawn_where_they_can_be_read(ax, tiles, match, tmp_path):
    from PIL import Image

    path = tmp_path / "a.png"
    Image.fromarray(np.full((100, 100), 60, np.uint8)).save(path)
    tiles[0].update(mipmapLevels={"0": {"imageUrl": path.as_uri()}}, minIntensity=0, maxIntensity=255)
    plot.tile_pair_matches(match, tiles, weights=True, ax=ax)
    (image,) = ax.images
    assert image.get_extent() == [0, 100, 100, 0] and image.get_array()[50, 50, 0] == 60
    assert of_kind(ax, LineCollection)[0].get_array().tolist() == [1.0, 0.5]
    assert ax.figure.axes[1].get_ylabel() == "weight"


def test_images_may_be_given_and_then_no_tile_is_needed(ax, match):
    plot.tile_pair_matches(match, images=(np.zeros((50, 120)), np.zeros((60, 80, 3), np.uint8)), ax=ax)
    assert [image.get_extent() for image in ax.images] == [
        [0, 120, 50, 0],
        pytest.approx([124.8, 204.8, 60, 0]),
    ]


def test_without_anything_known_of_tiles_there_is_room_around_their_points(ax, match):
    plot.tile_pair_matches(match, ax=ax)
    assert ax.get_ylim()[0] > 53


# ------------------------------------------------------------------------------ a montage


def test_lines_connect_the_middles_of_tiles_with_matches_and_others_are_filled(ax, tiles, match):
    other = {**match, "qId": "elsewhere"}
    plot.montage_matches(tiles, [match, other], ax=ax)
    (lines,) = of_kind(ax, LineCollection)
    assert [line.tolist() for line in lines.get_segments()] == [[[50, 50], [140, 50]]]
    assert lines.get_array().tolist() == [2]
    outlines, alone = of_kind(ax, PolyCollection)
    assert len(outlines.get_paths()) == 6 and len(alone.get_paths()) == 4
    assert ax.get_legend().get_texts()[0].get_text() == "4 tiles without matches"
    assert ax.figure.axes[1].get_ylabel() == "matches"
    FigureCanvasAgg(ax.figure).draw()


def test_counts_of_documents_without_points_will_do(ax, match):
    tiles = {"tileId": ["r0c0", "r0c1"], "box": [[0, 0, 9, 9], [8, 0, 17, 9]]}
    counted = {key: value for key, value in match.items() if key != "matches"} | {"matchCount": 31}
    plot.montage_matches(tiles, [counted], ax=ax)
    assert of_kind(ax, LineCollection)[0].get_array().tolist() == [31]
    assert ax.get_legend() is None


def test_pairs_are_coloured_by_residual_and_points_are_where_p_is(ax, tiles, match):
    plot.montage_matches([TileSpec(json=tile) for tile in tiles], match, "residual", dots=True, ax=ax)
    assert of_kind(ax, LineCollection)[0].get_array().tolist() == [3]
    assert ax.collections[-1].get_offsets().tolist() == [[95, 10], [97, 50]]
    assert ax.figure.axes[1].get_ylabel() == "residual (pixels)"


def test_matches_come_from_reports_too(ax, tiles, match):
    plot.montage_matches(tiles, MatchReport(documents=[match]), [0.25], label="mine", ax=ax)
    assert of_kind(ax, LineCollection)[0].get_array().tolist() == [0.25]


def test_a_selection_of_matches_is_read(ax, tiles, match, monkeypatch):
    selection = pointmatch.select("c", render=connect("http://localhost", 1, "o", "p", web_only=True))
    monkeypatch.setattr(MatchSelection, "__iter__", lambda self: iter([match]))
    plot.montage_matches(tiles, selection, ax=ax)
    assert len(of_kind(ax, LineCollection)[0].get_segments()) == 1


# ------------------------------------------------------------------------------ residuals


def test_vectors_go_from_p_to_q_in_the_world(ax, tiles, match):
    plot.residual_vectors(tiles, [match], exaggeration=10, ax=ax)
    (quiver,) = of_kind(ax, Quiver)
    assert quiver.get_offsets().tolist() == [[95, 10], [97, 50]]
    assert (quiver.U.tolist(), quiver.V.tolist()) == ([0, 0], [3, 3])
    assert quiver.scale == pytest.approx(0.1)
    assert quiver.get_array().tolist() == [3, 3] and quiver.get_clim() == (0, 3)
    assert ax.texts[0].get_text() == "vectors × 10"
    FigureCanvasAgg(ax.figure).draw()


def test_points_have_gone_through_the_lens_correction_unless_said_otherwise(ax, tiles, match):
    lens = AffineModel(B0=1000.0, transformId="lens", labels=["lens"])
    specs = [TileSpec(json=tile) for tile in tiles]
    for spec in specs:
        spec.tforms = [lens, AffineModel(0, -1, 1, 0, 5, 5), *spec.tforms]
    from matplotlib.figure import Figure

    seen = []
    for points in ("matching", "raw", "world", 2):
        plot.residual_vectors(specs, [match], points=points, ax=(drawn := Figure().subplots()))
        seen.append(of_kind(drawn, Quiver)[0].get_offsets()[0].tolist())
    assert seen == [[-5, 100], [-5, 1100], [95, 10], [95, 10]]
    with pytest.raises(SpecError, match="has 3 transforms"):
        plot.residual_vectors(specs, [match], points=4, ax=ax)


def test_the_label_of_a_shared_lens_correction_counts(tiles, match):
    lens = AffineModel(B0=7.0, transformId="lens", labels=["lens"])
    for tile in tiles:
        tile["transforms"]["specList"].insert(0, ReferenceTransform("lens").to_dict())
    found = match_residuals([match], tiles, [lens], points="matching")
    assert found.p[0].tolist() == [95, 10]
    assert match_residuals([match], tiles, [lens]).p[0].tolist() == [102, 10]


def test_residuals_that_are_there_already_need_no_tiles(ax, tiles, match):
    residuals = match_residuals([match], tiles)
    plot.residual_vectors(None, residuals, ax=ax)
    assert len(ax.collections) == 1


def test_of_very_many_vectors_means_are_drawn(ax, tiles, match):
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (30_000, 2))
    document = pointmatch.match_from_arrays("3.0", "r0c0", "3.0", "r0c1", points, points - [90, 0] + [0, 2])
    plot.residual_vectors(tiles, [document], ax=ax)
    (quiver,) = of_kind(ax, Quiver)
    assert len(quiver.U) < 20_000 and np.allclose(quiver.V, 2) and np.allclose(quiver.U, 0)


def test_matches_of_other_tiles_have_no_vectors(ax, tiles, match):
    with pytest.raises(SpecError, match="both of its tiles"):
        plot.residual_vectors(tiles[3:], [match], ax=ax)


@pytest.fixture
def solution(tiles, match):
    matches = [
        match,
        {**match, "pId": "r0c1", "qId": "r0c2"},
        {**match, "pId": "r1c0", "qId": "r1c1"},
    ]
    return solve_matches(tiles, matches, "translation", min_matches=1)


def test_a_report_has_a_histogram_of_before_and_after(ax, solution):
    plot.residual_histogram(solution, ax=ax)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0] == "before: median 3" and texts[1].startswith("after: median")
    assert ax.get_xlabel() == "residual of pairs (pixels)"


@pytest.mark.parametrize("of", ["pairs", "tiles"])
def test_reports_of_all_kinds_have_histograms(ax, solution, of):
    report = solution.report
    whole = AlignReport("s", "t", "c", [SectionOutcome(1.0, solved=report), SectionOutcome(2.0)])
    section = SectionReport("s", 1.0, report, report, "")
    given = {"a": report, "b": whole, "c": section, "d": [report, report], "e": [1.0, 2.0]}
    plot.residual_histogram(given, of=of, ax=ax)
    names = [text.get_text().partition(":")[0] for text in ax.get_legend().get_texts()]
    assert names == [
        "a before",
        "a after",
        "b before",
        "b after",
        "c before",
        "c after",
        "d before",
        "d after",
        "e",
    ]


def test_residuals_of_matches_have_a_histogram(ax, tiles, match):
    plot.residual_histogram([match], tiles, ax=ax)
    assert ax.get_legend().get_texts()[0].get_text() == "median 3"
    assert ax.get_xlabel() == "residual of matches (pixels)"


def test_what_has_no_residuals_has_no_histogram(ax):
    for given, message in (([np.nan], "no residual to draw"), ("x", "these are no residuals")):
        with pytest.raises(SpecError, match=message):
            plot.residual_histogram(given, ax=ax)
    with pytest.raises(SpecError, match="'pairs' or 'tiles'"):
        plot.residual_histogram([1.0], of="stacks", ax=ax)


def test_seams_are_the_overlaps_the_worst_on_top(ax, tiles, match):
    worse = {**match, "pId": "r0c1", "qId": "r0c2"}
    worse["matches"] = {**match["matches"], "q": [[5, 7], [19, 59]]}
    good = {**match, "pId": "r1c0", "qId": "r1c2"}  # no neighbours
    plot.seams(tiles, [worse, match, good], ax=ax)
    over = of_kind(ax, PolyCollection)[-1]
    corners = [path.vertices[:4].tolist() for path in over.get_paths()]
    assert corners[0] == [[90, 0], [100, 0], [100, 100], [90, 100]]
    assert over.get_array().tolist() == [3, 9]
    (line,) = of_kind(ax, LineCollection)[0].get_segments()
    assert line.tolist() == [[50, 140], [230, 140]]


@pytest.mark.parametrize("when", ["before", "after"])
def test_seams_of_a_report_are_coloured_by_its_residuals(ax, tiles, solution, when):
    plot.seams(tiles, solution, when=when, ax=ax)
    values = of_kind(ax, PolyCollection)[-1].get_array()
    assert np.allclose(values, np.sort(getattr(solution.report, f"pair_{when}")))


def test_seams_of_a_section_that_was_not_compared_are_those_of_now(ax, tiles, solution):
    section = SectionReport("s", 1.0, solution.report, None, "")
    plot.seams(tiles, section, ax=ax)
    with pytest.raises(SpecError, match="no residuals of before"):
        plot.seams(tiles, section, when="before", ax=ax)
    with pytest.raises(SpecError, match="'before' or 'after'"):
        plot.seams(tiles, section, when="now", ax=ax)


@pytest.mark.parametrize(
    ("matches", "message"),
    [("c", "these are no matches"), ([5], "no match document"), ([{"tileId": "a"}], "no match document")],
)
def test_what_are_no_matches_is_refused_in_words(ax, tiles, matches, message):
    with pytest.raises(SpecError, match=message):
        plot.montage_matches(tiles, matches, ax=ax)


def test_boxes_without_ids_or_transforms_are_too_little_for_matches(ax, match):
    with pytest.raises(SpecError, match="by id"):
        plot.montage_matches([[0, 0, 1, 1]], [match], ax=ax)
    with pytest.raises(SpecError, match="give tile specs, not boxes"):
        plot.residual_vectors([[0, 0, 1, 1]], [match], ax=ax)
