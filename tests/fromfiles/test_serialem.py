"""What SerialEM wrote becomes tiles whose overlaps are seamless."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from renderapi.fromfiles import TileFilesError, from_images, from_serialem, write_planes
from renderapi.rendering import ImageReference, Sources

mrcfile = pytest.importorskip("mrcfile")

GOLDEN = Path(__file__).parent.parent / "data" / "golden" / "serialem"
CASES = json.loads((GOLDEN / "expected.json").read_text())


def problems(*words, **options):
    with pytest.raises(TileFilesError) as caught:
        from_serialem(*words, **options)
    return [(Path(problem.path).name, problem.row, problem.text) for problem in caught.value.problems]


def tiles_of(case, folder, **options):
    if case["file"].endswith(".mrc"):
        options["converted"] = folder
    return from_serialem(GOLDEN / case["file"], **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_tiles_lie_where_the_pieces_were(case, tmp_path):
    tiles = {tile.tileId: tile for tile in tiles_of(case, tmp_path)}
    stem = Path(case["file"]).stem
    assert len(tiles) == len(case["tiles"])
    for expected in case["tiles"]:
        name = Path(expected["image"]).stem if expected["image"] else f"{stem}.s{expected['slice']:05d}"
        tile = tiles[name]
        (leaf,) = tile.tforms
        assert (tile.z, tile.width, tile.height, leaf.B0, leaf.B1) == (
            expected["section"], expected["width"], expected["height"], expected["x"], expected["y_down"],
        )  # fmt: skip
        if case["mdoc"]:
            assert (tile.layout.stageX, tile.layout.stageY) == pytest.approx(expected["stage"], abs=1e-3)
            assert tile.layout.rotation == expected["rotation"]
        assert tile.layout.pixelsize == pytest.approx(case["pixel_spacing_nm"], abs=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_pixels_are_those_that_were_stored(case, tmp_path):
    sources, signed = Sources(), case["mode"] == 1
    tiles = {tile.tileId: tile for tile in tiles_of(case, tmp_path)}
    for tile, expected in zip(sorted(tiles.values(), key=lambda tile: tile.tileId), case["tiles"]):
        image = sources.image(ImageReference(tile.ip[0].imageUrl)).astype(float) - 32768 * signed
        stored = image[::-1] if case["first_stored_row"] == "bottom" else image
        corners = expected["corner_pixels"]
        assert [stored[0, 0], stored[0, -1], stored[-1, 0], stored[-1, -1]] == [
            corners[f"{row}_row_{end}"] for row in ("first", "last") for end in ("first", "last")
        ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_overlaps_are_seamless(case, tmp_path):
    sources, worlds, met = Sources(), {}, 0
    for tile in tiles_of(case, tmp_path):
        image = sources.image(ImageReference(tile.ip[0].imageUrl)).astype(float)
        world = worlds.setdefault(tile.z, np.full((400, 400), np.nan))
        x, y = int(tile.tforms[0].B0) + 100, int(tile.tforms[0].B1) + 100
        part = world[y : y + image.shape[0], x : x + image.shape[1]]
        there = ~np.isnan(part)
        met += int(there.sum())
        assert np.array_equal(part[there], image[there])
        part[...] = image
    assert (met > 0) == case["montage"]


def test_some_aligned_pieces_alone_are_not_mixed_with_others(tmp_path):
    for suffix in ("", ".mdoc"):
        shutil.copy(GOLDEN / f"mode1_montage.mrc{suffix}", tmp_path / f"a.mrc{suffix}")
    text = (tmp_path / "a.mrc.mdoc").read_text()
    (tmp_path / "a.mrc.mdoc").write_text(text.replace("AlignedPieceCoords = 37 2 0", "", 1))
    tiles = from_serialem(tmp_path / "a.mrc.mdoc", converted=tmp_path / "tif")
    assert [tile.tforms[0].B0 for tile in tiles[:2]] == [0, 40]
    assert tiles.notes[0].startswith("layer 0 has aligned coordinates of some pieces only")


def test_labels_may_name_sections(tmp_path):
    tiles = from_serialem(GOLDEN / "mode1_montage.mrc", converted=tmp_path, label_sections=True)
    assert [tile.layout.sectionId for tile in tiles[::2]] == ["7", "8", "9"]


def test_an_mrc_stack_needs_a_folder_for_its_slices():
    with pytest.raises(ValueError, match="converted="):
        from_serialem(GOLDEN / "mode1_montage.mrc")


def test_damaged_stacks_and_metadata_are_named(tmp_path):
    content = (GOLDEN / "mode0_no_mdoc.mrc").read_bytes()
    for name, bytes_ in (("cut", content[:-200]), ("head", content[:500]), ("none", b"")):
        (tmp_path / f"{name}.mrc").write_bytes(bytes_)
        ((file, row, text),) = problems(tmp_path / f"{name}.mrc", converted=tmp_path / "out")
        assert (file, row) == (f"{name}.mrc", None)
        assert "cut off" in text
    assert not (tmp_path / "out").exists()
    assert problems(tmp_path / "missing.mrc", converted=tmp_path)[0][2].startswith("it cannot be read")
    (tmp_path / "bad.mrc").write_bytes(content)
    (tmp_path / "bad.mrc.mdoc").write_text(
        "[ZValue = 0]\nPieceCoordinates = a b c\n[ZValue = 0]\n[ZValue = 99]\n[Other = 1]\nPieceCoordinates = x\n"
    )
    assert problems(tmp_path / "bad.mrc", converted=tmp_path) == [
        ("bad.mrc.mdoc", 3, "slice 0 is in line 1 too"),
        ("bad.mrc.mdoc", 4, "there is no slice 99: the stack has 0 to 3"),
        ("bad.mrc.mdoc", 1, "PieceCoordinates is 'a b c', not 3 numbers"),
    ]
    (tmp_path / "e.idoc").write_text("ImageSeries = 1\n")
    assert problems(tmp_path / "e.idoc") == [("e.idoc", None, "it describes no images")]
    (tmp_path / "f.idoc").write_text("[Image = none.tif]\nPieceCoordinates = 0 0 0\n")
    assert "there is no such file" in problems(tmp_path / "f.idoc")[0][2]


def test_planes_of_a_zarr_array_become_tiles(tmp_path):
    zarr = pytest.importorskip("zarr")
    planes = np.arange(2 * 4 * 5, dtype=np.uint16).reshape(2, 4, 5)
    group = zarr.open(str(tmp_path / "v.zarr"), mode="w")
    group.create_array("s0", data=planes)
    files = write_planes(tmp_path / "v.zarr", tmp_path / "tif", dataset="s0")
    assert [np.asarray(Image.open(file)).tolist() for file in files] == planes.tolist()
    assert [t.tileId for t in from_images(files, pattern="v.s{z}.tif")] == ["v.s00000", "v.s00001"]
    for dataset in (None, "none"):
        with pytest.raises(TileFilesError, match=r"v\.zarr: "):
            write_planes(tmp_path / "v.zarr", tmp_path / "tif", dataset=dataset)


def test_a_half_written_plane_is_not_left_behind(tmp_path, monkeypatch):
    def fail(self, file, **options):
        Path(file).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="no space"):
        write_planes(GOLDEN / "mode0_no_mdoc.mrc", tmp_path / "tif", threads=1)
    assert list((tmp_path / "tif").iterdir()) == []
