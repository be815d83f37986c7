"""Images become tiles: where a table, their names or a grid says, with what their files hold."""

import re
from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest
import tensorstore
import tifffile
from photographed import HEIGHT, STEP, WIDTH
from PIL import Image

import renderapi
from renderapi.fromfiles import TileFilesError, TilesFromFiles, from_images
from renderapi.rendering import render8
from renderapi.server import serve_background


def places(tiles):
    return {tile.tileId: (tile.tforms[0].B0, tile.tforms[0].B1) for tile in tiles}


def truth(step_x=STEP, step_y=STEP):
    return {f"s3_r{r}_c{c}": (c * step_x, r * step_y) for r in range(2) for c in range(3)}


def problems(*words, **options):
    """Return what is wrong, as (name of the file, row, text)."""
    with pytest.raises(TileFilesError) as caught:
        from_images(*words, **options)
    return [(problem.path.rpartition("/")[2], problem.row, problem.text) for problem in caught.value.problems]


# ------------------------------------------------------------------------------------- positions


def test_a_table_of_pixels_places_tiles(folder, table):
    tiles = from_images(f"{folder}/*.png", table())
    assert places(tiles) == truth()
    assert {(tile.z, tile.width, tile.height, tile.minint, tile.maxint) for tile in tiles} == {
        (3.0, WIDTH, HEIGHT, 0.0, 255.0)
    }
    assert {tile.layout.sectionId for tile in tiles} == {"3.0"}


def test_a_table_alone_names_the_files(table):
    assert places(from_images(positions=table())) == truth()


@pytest.mark.parametrize("delimiter", ["\t", ";"])
def test_tables_have_other_delimiters_too(folder, table, delimiter):
    path = table(lambda lines: ["# of the stage", *(line.replace(",", delimiter) for line in lines)])
    assert places(from_images(f"{folder}/*.png", path)) == truth()


def test_a_data_frame_is_a_table(folder, table):
    frame = pd.read_csv(table()).rename(columns={"path": "frame", "x": "left"})
    tiles = from_images(f"{folder}/*.png", frame, columns={"frame": "path", "left": "x"})
    assert places(tiles) == truth()


def test_paths_of_another_machine_are_found_by_their_ends(folder, table):
    path = table(lambda lines: [lines[0], *(rf"{folder.name}\{line}" for line in lines[1:])])
    assert places(from_images(f"{folder}/*.png", path)) == truth()


def test_a_stage_is_turned_into_pixels(folder, table):
    # um, y up, the camera turned by 90 degrees: world (x, y) = (-stage y, -stage x) after the flip of y
    def stage(lines):
        rows = [line.split(",") for line in lines[1:]]
        return [
            lines[0],
            *(f"{name},{-int(y) * 0.004 + 5:.4f},{int(x) * 0.004 + 7:.4f},3" for name, x, y, _ in rows),
        ]

    tiles = from_images(
        f"{folder}/*.png", table(stage), units="um", pixel_size=4, flip_y=True, rotation=90,
    )  # fmt: skip
    found = places(tiles)
    # x' = -y_flipped = y_stage; y' = x_stage
    expected = {name: (x, STEP - y) for name, (x, y) in truth().items()}
    for name, place in expected.items():
        assert found[name] == pytest.approx(place, abs=1e-6)
    layout = tiles[0].layout
    assert (layout.stageX, layout.stageY, layout.pixelsize, layout.rotation) == (5.0, 7.0, 4, 90)


def test_rotation_is_that_of_the_documentation(folder):
    rows = [{"path": str(folder / "s3_r0_c0.png"), "x": 10, "y": 4}]
    (tile,) = from_images(positions=rows, rotation=30)
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    assert pytest.approx((10 * cos - 4 * sin, 10 * sin + 4 * cos)) == (tile.tforms[0].B0, tile.tforms[0].B1)


def test_names_with_row_and_column_place_tiles(folder):
    tiles = from_images(f"{folder}/*.png", pattern="s{z}_r{row}_c{col}.png", overlap=(20, 10))
    assert places(tiles) == truth()
    assert {(tile.z, tile.layout.imageRow, tile.layout.imageCol) for tile in tiles} == {
        (3.0, row, column) for row in range(2) for column in range(3)
    }


def test_names_may_be_a_regular_expression(folder):
    pattern = re.compile(r"s(?P<z>\d)_r(?P<row>\d)_c(?P<col>\d)\.png")
    assert places(from_images(f"{folder}/*.png", pattern=pattern, overlap=0.2)) == truth(80, 72)


def test_names_with_positions_place_tiles(tmp_path):
    Image.new("L", (5, 4)).save(tmp_path / "x-12.5_y8_anything.png")
    (tile,) = from_images(tmp_path / "x-12.5_y8_anything.png", pattern="x{x}_y{y}_*.png")
    assert (tile.tforms[0].B0, tile.tforms[0].B1) == (-12.5, 8.0)


@pytest.mark.parametrize(
    ("order", "snake", "second_row"),
    [("rows", False, [(0, 1), (1, 1), (2, 1)]), ("rows", True, [(2, 1), (1, 1), (0, 1)])],
)
def test_a_grid_is_filled_in_the_order_of_names(folder, order, snake, second_row):
    tiles = from_images(f"{folder}/*.png", grid=(2, 3), order=order, snake=snake, overlap=(20, 10))
    assert [(x / STEP, y / STEP) for x, y in list(places(tiles).values())[3:]] == second_row


def test_a_grid_may_be_filled_by_columns(folder):
    tiles = from_images(f"{folder}/*.png", grid=(2, 3), order="columns", overlap=(20, 10))
    assert list(places(tiles).values()) == [(c * STEP, r * STEP) for c in range(3) for r in range(2)]


def test_files_are_in_the_order_in_which_people_count(tmp_path):
    for number in (1, 2, 10):
        Image.new("L", (10, 10)).save(tmp_path / f"t{number}.png")
    tiles = from_images(f"{tmp_path}/*.png", grid=(1, 3), overlap=0)
    assert places(tiles) == {"t1": (0, 0), "t2": (10, 0), "t10": (20, 0)}


# ------------------------------------------------------------------------------------- what files hold


def test_sections_groups_and_ids_are_made_of_names(folder):
    tiles = from_images(
        f"{folder}/*.png", pattern="s{section}_r{row}_c{col}.png", overlap=0.1,
        tile_id="{section}.{row:02d}.{col:02d}", group_id="row{row}", section_id="S{section}", z=12,
    )  # fmt: skip
    assert (tiles[4].tileId, tiles[4].groupId, tiles[4].layout.sectionId, tiles[4].z) == (
        "3.01.01", "row1", "S3", 12.0,
    )  # fmt: skip


@pytest.mark.parametrize("z", [{3.0: 103.5}, lambda z: z + 100.5])
def test_layers_are_numbered_as_asked(folder, table, z):
    assert {tile.z for tile in from_images(f"{folder}/*.png", table(), z=z)} == {103.5}


def test_pages_of_a_stack_are_layers(tmp_path):
    pages = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    tifffile.imwrite(tmp_path / "stack.tif", pages, photometric="minisblack")
    tiles = from_images(tmp_path / "stack.tif", z=7, intensity="tile")
    assert [(tile.tileId, tile.z) for tile in tiles] == [
        ("stack.s00001", 7.0), ("stack.s00002", 8.0), ("stack.s00003", 9.0),
    ]  # fmt: skip
    # as the renderer reads them
    assert [(tile.minint, tile.maxint) for tile in tiles] == [(0, 19), (20, 39), (40, 59)]


def test_planes_of_a_volume_are_layers(tmp_path):
    h5py = pytest.importorskip("h5py")
    planes = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    with h5py.File(tmp_path / "volume.h5", "w") as file:
        file["raw/s0"] = planes
    tiles = from_images(tmp_path / "volume.h5", dataset="/raw/s0", intensity="tile")
    assert [(tile.z, tile.width, tile.height, tile.minint, tile.maxint) for tile in tiles] == [
        (0.0, 5, 4, 0, 19), (1.0, 5, 4, 20, 39),
    ]  # fmt: skip
    assert tiles[1].ip[0].imageLoaderType == "H5_SLICE"


def test_planes_of_an_n5_volume_are_layers(tmp_path):
    planes = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    written = tensorstore.open(
        {
            "driver": "n5",
            "kvstore": {"driver": "file", "path": f"{tmp_path}/volume.n5/raw/s0"},
            "metadata": {
                "dimensions": [5, 4, 2], "blockSize": [3, 2, 1], "dataType": "uint8",
                "compression": {"type": "gzip"},
            },
        },
        create=True,
    ).result(timeout=60)  # fmt: skip
    written.write(planes.T).result(timeout=60)
    tiles = from_images(tmp_path / "volume.n5", dataset="/raw/s0", intensity="tile", z=lambda z: z + 7)
    assert [(tile.z, tile.width, tile.height, tile.minint, tile.maxint) for tile in tiles] == [
        (7.0, 5, 4, 0, 19), (8.0, 5, 4, 20, 39),
    ]  # fmt: skip
    assert tiles[1].ip[0].imageLoaderType == "N5_SLICE"
    document = {**tiles[1].to_dict(), "minIntensity": 0.0, "maxIntensity": 255.0}
    drawn = render8({"width": 5, "height": 4, "tileSpecs": [document]})
    assert np.array_equal(drawn[:-1, :-1], planes[1, :-1, :-1])  # the last row and column are beyond its edge


@pytest.mark.parametrize(
    ("dtype", "spread"), [(np.uint8, (0, 255)), (np.uint16, (0, 65535)), (np.float32, (-1.5, 3.25))]
)
def test_the_display_range_is_that_of_the_pixels(tmp_path, dtype, spread):
    pixels = np.zeros((6, 7), dtype)
    if dtype is np.float32:
        pixels[0, :3] = -1.5, 3.25, np.nan
    tifffile.imwrite(tmp_path / "t.tif", pixels)
    (tile,) = from_images(tmp_path / "t.tif")
    assert (tile.minint, tile.maxint) == spread


def test_the_measured_range_is_one_for_all_so_that_no_seams_are_seen(tmp_path):
    for number, (low, high) in enumerate([(5, 90), (20, 200)]):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.array([[low, high]], np.uint16))
    words = {"pattern": "{col}.tif", "columns": None, "overlap": 0, "grid": (1, 2)}
    ranges = {
        how: [(t.minint, t.maxint) for t in from_images(f"{tmp_path}/*.tif", intensity=how, **words)]
        for how in ("measured", "tile", (1, 2))
    }
    assert ranges == {
        "measured": [(5, 200)] * 2, "tile": [(5, 90), (20, 200)], (1, 2): [(1, 2)] * 2,
    }  # fmt: skip


def test_masks_and_mipmaps_are_found_by_their_names(folder, table):
    for path in sorted(folder.glob("*.png")):
        Image.new("L", (WIDTH, HEIGHT), 255).save(folder / f"{path.stem}.mask.tif")
        for level in (1, 2):
            Image.new("L", (WIDTH >> level, HEIGHT >> level)).save(folder / f"{path.stem}.{level}.jpg")
    tile = from_images(
        f"{folder}/*.png",
        table(),
        masks=f"{folder}/{{stem}}.mask.tif",
        mipmaps=f"{folder}/{{stem}}.{{level}}.jpg",
    )[0]
    assert tile.ip.to_dict() == {
        "0": {
            "imageUrl": (folder / "s3_r0_c0.png").as_uri(),
            "maskUrl": (folder / "s3_r0_c0.mask.tif").as_uri(),
        },
        "1": {"imageUrl": (folder / "s3_r0_c0.1.jpg").as_uri()},
        "2": {"imageUrl": (folder / "s3_r0_c0.2.jpg").as_uri()},
    }


# ------------------------------------------------------------------------------------- what becomes of them


def test_tiles_are_drawn_as_the_specimen(folder, table, specimen):
    tiles = from_images(f"{folder}/*.png", table())
    width, height = 2 * STEP + WIDTH, STEP + HEIGHT
    picture = render8({
        "x": 0, "y": 0, "width": width, "height": height, "scale": 1.0,
        "tileSpecs": [tile.to_dict() for tile in tiles],
    })  # fmt: skip
    # render leaves out the last row and column of a tile
    assert np.array_equal(picture[: height - 1, : width - 1], specimen[: height - 1, : width - 1])


def test_tiles_are_imported(folder, table):
    tiles = renderapi.tilespec.from_images(f"{folder}/*.png", table())
    with serve_background() as server, server.connect(owner="me", project="p") as render:
        renderapi.stack.create_stack("raw", render=render)
        renderapi.client.import_tilespecs_parallel("raw", tiles, render=render)
        assert renderapi.stack.get_stack_bounds("raw", render=render)["maxX"] == 2 * STEP + WIDTH
        stored = renderapi.tilespec.get_tile_specs_from_z("raw", 3, render=render)
        assert places(stored) == truth()


def test_the_preview_counts_tiles_and_overlaps(folder, table):
    tiles = from_images(f"{folder}/*.png", table(), pixel_size=4)
    (layer,) = tiles.layers()
    # three pairs side by side, by 20 x 90; two rows, by 100 x 10; and corners of 20 x 10
    assert (layer.tiles, layer.bounds, layer.alone) == (6, (0, 0, 2 * STEP + WIDTH, STEP + HEIGHT), 0)
    assert layer.pairs == 4 + 3 + 4
    assert layer.overlap == 10
    text = tiles.preview()
    assert text.startswith("6 tiles in 1 layer, 4 x 4 x ? nm\n")
    assert "s3_r0_c0" in text
    assert "and 1 more tiles" in text


def test_a_tile_without_neighbours_is_counted(folder, table):
    path = table(lambda lines: [*lines[:-1], lines[-1].replace("160,80", "1600,80")])
    assert from_images(f"{folder}/*.png", path).layers()[0].alone == 1


def test_the_picture_shows_where_tiles_lie(folder, table):
    picture = from_images(f"{folder}/*.png", table()).picture(size=2 * STEP + WIDTH)
    assert picture.shape == (STEP + HEIGHT, 2 * STEP + WIDTH)
    assert (picture[5, 5], picture[5, 90], picture[85, 90]) == (1, 2, 4)


def test_progress_counts_files(folder, table):
    seen = []
    from_images(f"{folder}/*.png", table(), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)


# ------------------------------------------------------------------------------------- bad input


def test_everything_that_is_wrong_with_a_table_is_said_at_once(folder, table):
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")

    def spoil(lines):
        return [
            lines[0], lines[1].replace("0,0,3", "zero,0,3"), *lines[2:6], "no_such.png,0,0,3", lines[5],
            "broken.png,9,9,3",
        ]  # fmt: skip

    assert problems(f"{folder}/*.png", table(spoil)) == [
        ("stage.csv", 2, "x is 'zero', not a number"),
        ("stage.csv", 7, "no_such.png is not among the images"),
        ("stage.csv", 8, "s3_r1_c1.png is in row 6 too"),
        ("s3_r1_c2.png", None, f"it has no row in {folder / 'stage.csv'}"),
        ("stage.csv", 9, ANY),
    ]


def test_a_missing_file_is_named(tmp_path, folder):
    assert problems([tmp_path / "none.png"]) == [("none.png", None, "there is no such file")]
    assert problems(positions=[{"path": f"{tmp_path}/none.png", "x": 1, "y": 2}]) == [
        ("positions", 0, f"{tmp_path}/none.png: there is no such file")
    ]


@pytest.mark.parametrize("content", [b"", b"no image", b"II*\0", b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_an_unreadable_image_is_named(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    ((name, row, text),) = problems(tmp_path / "bad.png")
    assert (name, row) == ("bad.png", None)
    assert text


def test_an_image_of_another_size_than_said_is_named(folder, table):
    path = table(
        lambda lines: [f"{lines[0]},width", *(f"{line},100" for line in lines[1:-1]), lines[-1] + ",99"]
    )
    assert problems(f"{folder}/*.png", path) == [
        ("stage.csv", 7, "s3_r1_c2.png has 100 x 90 pixels, not the width 99")
    ]


def test_tile_ids_that_are_there_twice_name_both_files(folder, table):
    found = problems(f"{folder}/*.png", table(), tile_id="r{z:g}")
    assert len(found) == 5
    assert found[0][2].startswith(f"its tile id r3 is that of {folder / 's3_r0_c0.png'} too")


def test_masks_and_mipmaps_of_another_size_are_named(folder, table):
    Image.new("L", (WIDTH, HEIGHT - 1)).save(folder / "mask.tif")
    Image.new("L", (WIDTH, HEIGHT)).save(folder / "level1.tif")
    found = problems(
        f"{folder}/*.png", table(), masks=f"{folder}/mask.tif", mipmaps=f"{folder}/level{{level}}.tif"
    )
    assert len(found) == 12
    assert found[0][2].endswith("mask.tif has 100 x 89 pixels, not the 100 x 90 of level 0")
    assert found[1][2].endswith("level1.tif has 100 x 90 pixels, not the 50 x 45 of level 1")


def test_a_missing_mask_is_named(folder, table):
    found = problems(f"{folder}/*.png", table(), masks=f"{folder}/{{stem}}.none")
    assert found[0] == ("s3_r0_c0.png", 2, f"its mask {folder}/s3_r0_c0.none: there is no such file")


def test_a_name_that_does_not_fit_is_named(folder):
    assert problems(f"{folder}/*.png", pattern="t{z}.png")[0] == (
        "s3_r0_c0.png", None, "its name does not fit 't{z}.png'",
    )  # fmt: skip


def test_images_without_positions_are_not_piled_up(folder):
    assert len(problems(f"{folder}/*.png")) == 6


def test_a_volume_without_a_data_set_says_what_is_missing(tmp_path):
    (tmp_path / "v.h5").write_bytes(b"")
    assert problems(tmp_path / "v.h5")[0][2] == "it is a volume: say which data set of it (dataset=)"


def test_what_render_does_not_read_says_what_does(tmp_path):
    (tmp_path / "v.mrc").write_bytes(b"")
    assert "write_planes" in problems(tmp_path / "v.mrc")[0][2]


def test_a_page_that_is_not_there_is_named(tmp_path):
    Image.new("L", (5, 4)).save(tmp_path / "t.png")
    rows = [{"path": str(tmp_path / "t.png"), "page": page} for page in (1, 2)]
    assert problems(positions=rows) == [("positions", 1, "there is no page 2 in t.png: its pages are 1 to 1")]
    # the only page of a file that is no stack is the file
    assert from_images(positions=rows[:1])[0].ip.to_dict() == {
        "0": {"imageUrl": (tmp_path / "t.png").as_uri()}
    }


def test_rows_that_are_no_rows_are_named(folder):
    assert problems(positions=[7, {"x": 1}]) == [
        ("positions", 0, "it is 7, not a dict"), ("positions", 1, "it names no file (column path)"),
    ]  # fmt: skip


def test_no_tiles_have_a_preview_too():
    assert TilesFromFiles().preview().startswith("0 tiles in 0 layers")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"images": "nowhere/*.png"}, "no file fits"),
        ({}, "neither images nor positions"),
        ({"images": "a.png", "units": "nm"}, "pixel_size"),
        ({"images": "a.png", "units": "inch"}, "units is 'inch'"),
        ({"images": "a.png", "grid": (2, 3)}, "needs overlap"),
        ({"images": "a.png", "pattern": "a.png"}, "no field"),
        ({"images": "a.png", "pattern": "(?P<z>["}, "no regular expression"),
        ({"images": "a.png", "intensity": "best"}, "intensity is 'best'"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        from_images(**options)


def test_a_table_without_header_is_refused(folder, table):
    with pytest.raises(ValueError, match="has no header"):
        from_images(f"{folder}/*.png", table(lambda lines: lines[1:]))
