"""Tables of tiles: what goes into a stack, what is refused, and what comes back."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import renderapi
from renderapi import tables
from renderapi.errors import ImportFailedError, NotFoundError, RenderWarning, SpecError, TableError
from renderapi.geometry import bounding_boxes
from renderapi.server import serve_background

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

AFFINE = "mpicbg.trakem2.transform.AffineModel2D"


@pytest.fixture(scope="module")
def server():
    with serve_background() as running:
        yield running


@pytest.fixture
def render(server, request):
    connection = server.connect(owner="own", project=str(abs(hash(request.node.name))))
    renderapi.stack.create_stack("tiles", render=connection)
    return connection


def frame(**changes):
    columns = {
        "tileId": ["a", "b", "c"],
        "z": [1.0, 1.0, 2.0],
        "sectionId": ["1.0", "1.0", "2.0"],
        "width": [2048, 2048, 1024],
        "height": [2048, 2048, 512],
        "imageUrl": ["file:/x/a%s.tif", 'file:/x/"b".tif', "file:/x/é.tif"],
        "m00": [1.0, 1.001, 1.0],
        "m01": [0.0, -0.25, 0.0],
        "m02": [0.5, 1800.25, -3.0],
        **changes,
    }
    return pd.DataFrame({name: values for name, values in columns.items() if values is not None})


def plain():
    """The tiles of `frame` with all columns."""
    return tables.tiles_to_table(tables.table_to_tiles(frame()), other=True)


def stored(render, stack="tiles"):
    zs = renderapi.stack.get_z_values_for_stack(stack, render=render)
    resolved = [renderapi.resolvedtiles.get_resolved_tiles_from_z(stack, z, render=render) for z in zs]
    return [tile.to_dict(bounds=True) for part in resolved for tile in part.tilespecs]


def test_a_table_becomes_the_tiles_that_objects_would_be(render):
    table = frame(camera=["c0", None, "c1"], imageRow=[0, 1, np.nan], maxIntensity=[255.0, np.nan, 200])
    assert tables.import_table("tiles", table, render=render) == 3
    objects = []
    for row in table.to_dict("records"):
        layout = renderapi.layout.Layout(
            sectionId=row["sectionId"],
            cameraId=row["camera"] if isinstance(row["camera"], str) else None,
            imageRow=None if np.isnan(row["imageRow"]) else int(row["imageRow"]),
            force_pixelsize=False,
        )
        affine = renderapi.transform.AffineModel(M00=row["m00"], M01=row["m01"], B0=row["m02"])
        high = None if np.isnan(row["maxIntensity"]) else row["maxIntensity"]
        objects.append(
            renderapi.tilespec.TileSpec(
                tileId=row["tileId"],
                z=row["z"],
                width=row["width"],
                height=row["height"],
                layout=layout,
                imageUrl=row["imageUrl"],
                minint=None,
                maxint=high,
                tforms=[affine],
            )
        )
    renderapi.stack.create_stack("objects", render=render)
    renderapi.client.import_tilespecs_parallel("objects", objects, render=render)
    assert stored(render) == stored(render, "objects")
    assert renderapi.stack.get_full_stack_metadata("tiles", render=render)["state"] == "COMPLETE"


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_what_comes_out_of_a_stack_goes_in_again_without_a_change(render, kind):
    tables.import_table("tiles", frame(imageRow=[0, 1, np.nan]), render=render)
    table = tables.stack_to_table("tiles", kind=kind, render=render)
    assert isinstance(table, pd.DataFrame if kind == "pandas" else pa.Table)
    renderapi.stack.create_stack("again", render=render)
    tables.import_table("again", table, render=render)
    assert stored(render, "again") == stored(render)


def test_a_stack_is_yielded_layer_by_layer(render):
    tables.import_table("tiles", frame(), render=render)
    done = []
    layers = tables.stack_tables("tiles", render=render, progress=lambda n, total: done.append((n, total)))
    assert [(layer.z[0], list(layer.tileId)) for layer in layers] == [(1.0, ["a", "b"]), (2.0, ["c"])]
    assert done == [(1, 2), (2, 2)]
    assert [len(part) for part in tables.stack_tables("tiles", minZ=2, render=render)] == [1]


def test_an_empty_stack_is_an_empty_table_with_all_columns(render):
    table = tables.stack_to_table("tiles", other=True, render=render)
    assert list(table.columns) == list(tables.TILE_COLUMNS)
    assert len(table) == 0
    with pytest.raises(NotFoundError):
        tables.stack_to_table("no_such", render=render)


def test_a_table_without_rows_and_types_has_no_tiles():
    assert tables.table_to_tiles(pd.DataFrame({"tileId": [], "z": []}, dtype=object)) == []


def test_columns_are_mapped_and_defaults_fill_what_is_missing():
    table = pd.DataFrame({"name": [1, 2], "path": ["/a.tif", None], "level": [3, None]})
    tiles = tables.table_to_tiles(
        table,
        columns={"tileId": "name", "imageUrl": "path", "z": "level"},
        defaults={"z": 7, "width": 10, "height": 20, "imageUrl": "/none.tif", "camera": "c", "imageRow": 3},
    )
    assert [(t["tileId"], t["z"], t["mipmapLevels"]["0"]["imageUrl"]) for t in tiles] == [
        ("1", 3.0, "/a.tif"),
        ("2", 7.0, "/none.tif"),
    ]
    assert tiles[0]["layout"] == {"camera": "c", "imageRow": 3}


def test_tiles_without_affine_columns_lie_where_the_stage_was():
    table = frame(m00=None, m01=None, m02=None, stageX=[0.0, 100.0, np.nan], stageY=[10.0, 20.0, 30.0])
    tiles = tables.table_to_tiles(table, stage_scale=2)
    assert [tile["transforms"]["specList"][0]["dataString"] for tile in tiles[:2]] == [
        "1.0 0.0 0.0 1.0 0.0 20.0",
        "1.0 0.0 0.0 1.0 200.0 40.0",
    ]
    assert tiles[2]["transforms"]["specList"] == []
    assert tiles[1]["minX"] == 200.0
    assert tiles[1]["layout"]["stageX"] == 100.0


def test_ids_and_sections_that_are_numbers_become_their_text():
    (first, *_) = tables.table_to_tiles(frame(tileId=[1, 2, 3], sectionId=[1.0, 1.0, 2.0]))
    assert (first["tileId"], first["layout"]["sectionId"]) == ("1", "1.0")


def test_every_bad_row_is_named_and_nothing_is_sent(render):
    table = frame(
        tileId=["a", "a", None],
        z=[1.0, None, 2.0],
        width=["2048", "wide", -1],
        imageRow=[0.5, 1, 2],
        m02=[np.nan, 1.0, 2.0],
    )
    with pytest.raises(TableError, match="nothing of it was sent") as caught:
        tables.import_table("tiles", table, render=render)
    assert sorted(caught.value.problems) == [
        (0, "imageRow", "0.5 is no whole number of 32 bits"),
        (0, "m02", "is missing, but other affine columns are there"),
        (1, "tileId", "'a' is the tile of row 0 already"),
        (1, "width", "'wide' is no finite number"),
        (1, "z", "is missing"),
        (2, "tileId", "is missing"),
        (2, "width", "-1.0 is no size"),
    ]
    assert renderapi.stack.get_z_values_for_stack("tiles", render=render) == []


def test_numbers_that_are_none_in_an_arrow_table_are_named():
    table = pa.table({"tileId": ["a", "b"], "z": [1.0, float("nan")], "m00": [float("inf"), 1.0]})
    with pytest.raises(TableError) as caught:
        tables.table_to_tiles(table, defaults={"width": 1, "height": 1})
    assert sorted(caught.value.problems) == [
        (0, "m00", "inf is no finite number"),
        (1, "z", "nan is no finite number"),
    ]


def test_a_missing_column_says_how_to_give_it():
    with pytest.raises(TableError, match=r"column 'width': is missing: name it by columns=.* defaults="):
        tables.table_to_tiles(frame(width=None))


@pytest.mark.parametrize(
    ("table", "options", "problem"),
    [
        ([1, 2], {}, "a table is a pandas DataFrame"),
        ({"tileId": ["a"], "z": [1, 2]}, {}, "different lengths"),
        ({"tileId": ["a"]}, {"columns": {"tile": "tileId"}}, r"columns names \['tile'\], which is none of"),
        ({"tileId": ["a"]}, {"columns": {"z": "level"}}, r"no column \['level'\]; its columns are"),
        ({"tileId": ["a"]}, {"defaults": {"depth": 1}}, r"defaults names \['depth'\]"),
        ({"tileId": ["a"]}, {"defaults": {"z": "deep"}}, "the default of z is 'deep', not a number"),
        ({"tileId": ["a"]}, {"defaults": {"imageRow": 0.5}}, "which it cannot be"),
        ({"tileId": [True]}, {}, "holds bool, not text"),
        ({"tileId": ["a"], "z": [True]}, {}, "holds bool, not numbers"),
        ({"tileId": ["a"], "other": ["{"]}, {}, "is no JSON"),
        ({"tileId": ["a"], "other": ["[]"]}, {}, "is no JSON object"),
    ],
)
def test_what_is_no_table_of_tiles_says_so(table, options, problem):
    with pytest.raises(SpecError, match=problem):
        tables.table_to_tiles(table, **options)


def test_a_column_that_is_nearly_called_as_one_is_gets_a_warning():
    with pytest.warns(RenderWarning, match="'minIntesity' of the table is left out; is minIntensity meant"):
        tables.table_to_tiles(frame(minIntesity=[0, 0, 0], something=[1, 2, 3]))


def test_doubtful_tiles_are_told_of_as_by_other_imports(render):
    table = frame(imageUrl=["a.tif", "/b.tif", "/c.tif"], m00=[1.0, 1.0, 0.0])
    with pytest.warns(RenderWarning) as told:
        tables.import_table("tiles", table, render=render)
    texts = sorted(str(one.message) for one in told)
    assert [text.partition(" have ")[0] for text in texts] == ["1 of the tile specs imported"] * 2
    assert "relative" in texts[0] and "'a'" in texts[0]
    assert "singular" in texts[1] and "'c'" in texts[1]


def test_boxes_of_the_table_are_stored_when_they_are_not_derived(render):
    boxes = {"minX": [1.0, 2, 3], "minY": [1.0, 2, 3], "maxX": [9.0, 9, 9], "maxY": [8.0, 8, 8]}
    tables.import_table("tiles", frame(**boxes), derive=False, render=render)
    assert [(tile["minX"], tile["maxY"]) for tile in stored(render)] == [(1.0, 8.0), (2.0, 8.0), (3.0, 8.0)]
    with pytest.raises(TableError, match="minX"):
        tables.import_table("tiles", frame(), derive=False, render=render)


def test_tables_that_come_one_after_the_other_are_sent_one_after_the_other(render):
    whole = pa.Table.from_pandas(frame())
    reader = pa.RecordBatchReader.from_batches(whole.schema, whole.to_batches(max_chunksize=1))
    assert tables.import_table("tiles", reader, render=render) == 3
    assert len(stored(render)) == 3
    with pytest.raises(TableError, match="2 tile specs of tables before it were stored"):
        tables.import_table("tiles", iter([frame()[:2], frame(width=[0, 0, 0])]), render=render)


def test_a_lost_batch_is_an_error_that_names_its_tiles(render):
    def close_it(done, total):
        renderapi.stack.set_stack_state("tiles", "COMPLETE", render=render)

    with pytest.raises(ImportFailedError) as caught:
        tables.import_table("tiles", frame(), batch_size=1, poolsize=1, progress=close_it, render=render)
    assert caught.value.stored == 1
    assert [ids for ids, _ in caught.value.failures] == [["b"]]
    assert "What comes after them was neither read nor sent" in str(caught.value)


SPLINE = {"type": "ref", "refId": "lens"}
LENS = {"type": "leaf", "id": "lens", "className": AFFINE, "dataString": "1 0 0 1 5 5"}
RICH = {
    "tileId": "rich",
    "layout": {"sectionId": "1.0", "unknown": 3},
    "z": 1.0,
    "width": 100.0,
    "height": 50.0,
    "mipmapLevels": {"0": {"imageUrl": "/a.tif", "imageSliceNumber": 2}, "1": {"imageUrl": "/b.tif"}},
    "channels": [{"name": "DAPI", "mipmapLevels": {}}],
    "transforms": {"type": "list", "specList": [SPLINE]},
    "labels": ["x"],
}


def test_what_columns_do_not_say_is_kept_in_the_column_other(render):
    table = tables.tiles_to_table([RICH], other=True)
    assert json.loads(table.other[0]) == {
        "layout": {"unknown": 3},
        "mipmapLevels": {"0": {"imageSliceNumber": 2}, "1": {"imageUrl": "/b.tif"}},
        "channels": RICH["channels"],
        "transforms": RICH["transforms"],
        "labels": ["x"],
    }
    assert tables.table_to_tiles(table) == [RICH]
    more = pd.concat([table, plain()], ignore_index=True)
    tables.import_table("tiles", more, sharedTransforms=[LENS], render=render)
    assert [(tile["tileId"], tile["minX"]) for tile in stored(render)] == [
        ("a", 0.0), ("b", 1288.0), ("rich", 5.0), ("c", -3.0)
    ]  # fmt: skip


def test_what_is_left_out_is_warned_of():
    with pytest.warns(RenderWarning, match=r"left out is: channels of 1, .*transforms of 1\. other=True"):
        tables.tiles_to_table([RICH])


def test_a_bad_tile_in_other_is_named_by_its_row(render):
    table = pd.concat([plain(), tables.tiles_to_table([RICH], other=True)], ignore_index=True)
    with pytest.raises(TableError, match=r"row 3, column 'other': tile rich requires .*lens"):
        tables.import_table("tiles", table, render=render)
    assert stored(render) == []


def test_a_value_that_a_column_cannot_hold_is_named():
    with pytest.raises(SpecError, match="imageRow of tile 'a' is 'first', which a column of int32"):
        tables.tiles_to_table([{"tileId": "a", "layout": {"imageRow": "first"}}])
    with pytest.raises(ValueError, match="kind must be"):
        tables.tiles_to_table([], kind="polars")


finite = st.floats(-1e9, 1e9)
tile_documents = st.fixed_dictionaries(
    {
        "tileId": st.text(min_size=1),
        "z": finite,
        "width": st.floats(1, 1e4),
        "height": st.floats(1, 1e4),
        "mipmapLevels": st.just({})
        | st.fixed_dictionaries(
            {"0": st.fixed_dictionaries({"imageUrl": st.text()}, optional={"maskUrl": st.text()})}
        ),
        "transforms": st.one_of(
            st.just([]),
            st.lists(finite, min_size=6, max_size=6).map(
                lambda v: [{"type": "leaf", "className": AFFINE, "dataString": " ".join(map(repr, v))}]
            ),
        ).map(lambda specs: {"type": "list", "specList": specs}),
    },
    optional={
        "groupId": st.text(),
        "minIntensity": finite,
        "meshCellSize": st.floats(16, 100),
        "layout": st.fixed_dictionaries(
            {"sectionId": st.text()},
            optional={"imageRow": st.integers(-(2**31), 2**31 - 1), "stageX": finite, "camera": st.text()},
        ),
        "labels": st.lists(st.text(), min_size=1, max_size=2),
    },
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(tile_documents, max_size=6, unique_by=lambda tile: tile["tileId"]),
    st.sampled_from(["pandas", "arrow"]),
)
def test_any_tile_survives_its_row(tiles, kind):
    boxes = bounding_boxes(tiles).tolist()  # the other code that derives them
    tiles = [{**tile, **dict(zip(("minX", "minY", "maxX", "maxY"), box))} for tile, box in zip(tiles, boxes)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        table = tables.tiles_to_table(tiles, other=True, kind=kind)
    assert tables.table_to_tiles(table) == tiles


def test_without_the_extra_the_error_has_the_line_that_installs_it():
    code = """
import sys
sys.modules["pyarrow"] = None
from renderapi import tables
for call in (lambda: tables.table_to_tiles({}), lambda: tables.tiles_to_table([])):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = 'tables need pyarrow and pandas: pip install "render-python[tables]>=3"'
    assert done.stdout.splitlines() == [line, line]
