"""Projects of TrakEM2 become tiles that lie where TrakEM2 itself says."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from renderapi.fromfiles import TileFilesError, TrakEM2Project, from_trakem2
from renderapi.rendering import ImageReference, Sources, render8
from renderapi.transform.transform import apply_transforms

GOLDEN = Path(__file__).parent.parent / "data" / "golden" / "trakem2"
FILES = sorted(path for path in GOLDEN.rglob("*.xml*"))


def expected(path):
    """Return what TrakEM2 says of the patches of a project: of that which was saved again too."""
    document = json.loads((path.parent / "expected.json").read_text())
    return {
        str(patch["oid"]): {**patch, "z": layer["z"]}
        for layer in document["layers"]
        for patch in layer["patches"]
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_tiles_lie_where_trakem2_says(path):
    tiles, patches = from_trakem2(path, invisible=True), expected(path)
    assert {tile.tileId for tile in tiles} == patches.keys()
    for tile in tiles:
        patch = patches[tile.tileId]
        assert (tile.z, tile.width, tile.height, tile.minint, tile.maxint) == (
            patch["z"], patch["o_width"], patch["o_height"], patch["min"], patch["max"],
        )  # fmt: skip
        raw, world = np.array(patch["points"], float).transpose(1, 0, 2)
        assert np.abs(apply_transforms(tile.tforms, raw) - world).max() < 1e-6
        assert [leaf.className for leaf in tile.tforms] == [
            leaf["class"] for leaf in patch["full_transforms"]
        ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_images_and_masks_are_where_trakem2_finds_them(path):
    sources, patches = Sources(), expected(path)
    for tile in from_trakem2(path, invisible=True):
        patch, mipmap = patches[tile.tileId], tile.ip[0]
        document = mipmap.to_dict()
        name, _, number = patch["file_path"].partition("-----#slice=")
        if not name.startswith("/"):
            assert document["imageUrl"] == (path.parent / name).as_uri()
        assert document.get("imageSliceNumber") == (int(number) if number else None)
        if patch["alpha_mask_file"] is None:
            assert "maskUrl" not in document
            continue
        mask = sources.mask(ImageReference(document["maskUrl"]))
        assert mask[5].tolist() == patch["alpha_mask_row_5"]
        assert int(mask.sum(dtype=np.int64)) == patch["alpha_mask_sum"]


def test_a_moved_folder_gives_the_same_tiles(tmp_path):
    shutil.copytree(GOLDEN / "masks", tmp_path / "moved")
    here, there = (from_trakem2(folder / "masks.xml") for folder in (GOLDEN / "masks", tmp_path / "moved"))
    for a, b in zip(here, there, strict=True):
        text = json.dumps(b.to_dict()).replace((tmp_path / "moved").as_uri(), (GOLDEN / "masks").as_uri())
        assert json.loads(text) == a.to_dict()


def test_what_tile_specs_cannot_hold_is_counted():
    tiles = from_trakem2(GOLDEN / "plain" / "plain.xml")
    assert len(tiles) == sum(patch["visible"] for patch in expected(GOLDEN / "plain" / "plain.xml").values())
    assert any("not visible, and were left out" in note for note in tiles.notes)
    assert any("images that are not there" in note for note in tiles.notes)
    notes = from_trakem2(GOLDEN / "masks" / "masks.xml").notes
    for what in ("filters of patches", "linked", "transparent"):
        assert any(what in note for note in notes)


def test_the_resolution_is_that_of_the_calibration():
    # z is in pixels of x
    assert from_trakem2(GOLDEN / "plain" / "plain.xml").resolution == (4.0, 4.0, 40.0)


def test_tiles_are_drawn_with_their_masks():
    tiles = [tile for tile in from_trakem2(GOLDEN / "masks" / "masks.xml") if tile.tileId == "1210"]
    picture = render8({
        "x": 0, "y": 0, "width": 39, "height": 29, "scale": 1.0, "backgroundRGBColor": 0,
        "tileSpecs": [tile.to_dict() for tile in tiles],
    })  # fmt: skip
    sources = Sources()
    image, mask = (
        read(ImageReference(url))[:29, :39]
        for read, url in ((sources.image, tiles[0].ip[0].imageUrl), (sources.mask, tiles[0].ip[0].maskUrl))
    )
    assert np.array_equal(picture, np.where(mask == 255, image, 0))


# ------------------------------------------------------------------------------------- made here

PATCH = (
    '<t2_patch oid="{oid}" type="0" o_width="40" o_height="30" transform="matrix(1,0,0,1,{oid},7)" '
    'title="t{oid}" file_path="{oid}.png"{more}>{inside}</t2_patch>'
)


def project(tmp_path, *patches, head="", layer='z="3.0"', name="p.xml"):
    body = "\n".join(patches)
    path = tmp_path / name
    path.write_text(
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{head}<trakem2><project unuid="1"/><t2_layer_set>\n'
        f"<t2_layer {layer}>\n{body}\n</t2_layer></t2_layer_set></trakem2>",
        encoding="latin-1",
    )
    return path


def patch(oid=1, more="", inside=""):
    return PATCH.format(oid=oid, more=more, inside=inside)


def problems(path, **options):
    with pytest.raises(TileFilesError) as caught:
        from_trakem2(path, **options)
    return [(problem.row, problem.text) for problem in caught.value.problems]


def test_a_project_streams(tmp_path):
    path = project(tmp_path, *(patch(i) for i in range(20_000)))
    tiles = iter(TrakEM2Project(path))
    assert next(tiles).tileId == "0"
    assert sum(1 for _ in tiles) == 19_999
    assert TrakEM2Project(path).check() == 20_000


def test_paths_of_windows_are_brought_here(tmp_path):
    path = project(tmp_path, patch(more="").replace('file_path="1.png"', r'file_path="D:\em\a b.tif"'))
    (tile,) = from_trakem2(path)
    assert tile.ip[0].imageUrl == "file:///D:/em/a%20b.tif"
    (tile,) = from_trakem2(path, replace={"D:/em": "/data"})
    assert tile.ip[0].imageUrl == "file:///data/a%20b.tif"


def test_titles_may_name_tiles(tmp_path):
    assert [t.tileId for t in from_trakem2(project(tmp_path, patch(1), patch(2)), tile_id="title")] == [
        "t1", "t2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE trakem2 [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n',
        '<!DOCTYPE trakem2 [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n',
        '<!DOCTYPE trakem2 [<!ENTITY % a SYSTEM "file:///etc/passwd">]>\n',
    ],
)
def test_entities_are_refused(tmp_path, head):
    ((row, text),) = problems(project(tmp_path, patch(), head=head))
    assert row == 2
    assert "declares an entity" in text


def test_all_bad_patches_are_named_with_their_lines(tmp_path):
    unknown = '<ict_transform class="bunwarpj.trakem2.transform.CubicBSplineTransform" data="1"/>'
    garbled = '<ict_transform class="mpicbg.trakem2.transform.RigidModel2D" data="1 2 x"/>'
    path = project(
        tmp_path,
        patch(1),
        patch(2, inside=unknown),
        patch(3, inside=garbled),
        patch(1),
        patch(4).replace('o_width="40"', ""),
        patch(5).replace('o_width="40"', 'o_width="-4"'),
        patch(6).replace("matrix(1,", "matrix(nan,"),
        patch(7, more=' alpha_mask_id="../x"'),
        patch(8).replace('type="0"', 'type="2"'),
    )
    found = problems(path)
    assert [row for row, _ in found] == [5, 6, 7, 8, 9, 10, 11, 12]
    texts = [text for _, text in found]
    assert texts[0] == (
        "patch 2: transforms of the class 'bunwarpj.trakem2.transform.CubicBSplineTransform' are not known"
    )
    for text, said in zip(
        texts[2:], ("in line 4 too", "no o_width", "'-4'", "matrix(nan", "'../x'", "no min")
    ):
        assert said in text


def test_an_ampersand_in_a_title_is_named_with_its_line(tmp_path):
    ((row, text),) = problems(project(tmp_path, patch(1), patch(2).replace('t2"', 'R&D <1>"')))
    assert row == 5
    assert "does not escape" in text


def test_what_is_no_project_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text("<html/>")
    assert problems(tmp_path / "a.xml") == [(1, "it is no project of TrakEM2: it begins with <html>")]
    (tmp_path / "b.xml").write_bytes(gzip.compress(b"<trakem2>" * 1000)[:-20])
    assert "damaged or cut off" in problems(tmp_path / "b.xml")[0][1]
    (tmp_path / "c.xml").write_text("<trakem2><project/>")
    assert "it is no XML" in problems(tmp_path / "c.xml")[0][1]
    assert "cannot be read" in problems(tmp_path / "none.xml")[0][1]
