"""The work of the Java clients done in Python: same answers, same files, nothing lost silently."""

import gzip
import itertools
import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import renderapi
from renderapi import coordinate
from renderapi.client import (
    ClientArgumentError,
    coordinateClient,
    import_jsonfiles_validate_client,
    importJsonClient,
    importTransformChangesClient,
    local_to_world_array,
    tilePairClient,
    transformSectionClient,
    world_to_local_array,
)
from renderapi.client.calls.engine import uses_java
from renderapi.client.local.coordinates import Place, map_coordinates
from renderapi.client.local.stacks import METHODS, Layer
from renderapi.client.validation import WarpedTileSpecValidator, validator_of
from renderapi.errors import BadAnswerError, ClientScriptError, NotFoundError, RenderWarning, SpecError
from renderapi.geometry import bounding_boxes, local_to_world
from renderapi.pointmatch import import_matches
from renderapi.render import RenderClient, stack_url
from renderapi.server import serve_background
from renderapi.stack import create_stack, get_full_stack_metadata, set_stack_state
from renderapi.utils import get_json, java_double, put_json

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def read_pairs(branch):
    with gzip.open(GOLDEN / branch / "tile_pairs.json.gz") as file:
        return json.load(file)["cases"]


PAIR_CASES, NEWSOLVER_PAIR_CASES = read_pairs("original"), read_pairs("newsolver")

NUMBERS = itertools.count()
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
TRANSLATION = "mpicbg.trakem2.transform.TranslationModel2D"
LENS = {
    "type": "leaf", "id": "lens", "className": "mpicbg.trakem2.transform.PolynomialTransform2D",
    "dataString": "2 1.01 0.001 1e-6 0 0 3 0.002 0.99 0 1e-6 0",
}  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with serve_background() as server:
        yield server


@pytest.fixture
def render(server):
    render = server.connect(owner="own", project="proj", retries=0)
    render.stack = f"stack{next(NUMBERS)}"
    create_stack(render.stack, stackResolutionX=4.0, render=render)
    with render:
        yield render


def url_of(render, stack, *rest):
    return stack_url(render.DEFAULT_HOST, render.DEFAULT_PORT, "own", "proj", stack, *rest)


def affine(*numbers):
    return {"type": "leaf", "className": AFFINE, "dataString": " ".join(map(str, numbers))}


def tile(tile_id, *specs, z=1.0, section=None, **changes):
    return {
        "tileId": tile_id,
        "z": z,
        "width": 200.0,
        "height": 160.0,
        "layout": {"sectionId": f"{z}" if section is None else section},
        "mipmapLevels": {"0": {"imageUrl": "http://images/a.png"}},
        "transforms": {"type": "list", "specList": list(specs)},
        **changes,
    }


def fill(render, tiles, shared=(), stack=None, derive=True):
    document = {
        "transformIdToSpecMap": {spec["id"]: spec for spec in shared},
        "tileIdToSpecMap": {spec["tileId"]: spec for spec in tiles},
    }
    url = url_of(render, stack or render.stack, "resolvedTiles")
    put_json(render.session, f"{url}?deriveData={str(derive).lower()}", document)
    set_stack_state(stack or render.stack, "COMPLETE", render=render)


def stored(render, stack, z=1.0):
    """Tiles and shared transforms of a layer as they are stored."""
    document = get_json(render.session, url_of(render, stack, "z", z, "resolvedTiles"))
    return document["tileIdToSpecMap"], document.get("transformIdToSpecMap") or {}


def specs_of(tiles, tile_id):
    return tiles[tile_id]["transforms"]["specList"]


def state(render, stack):
    return get_full_stack_metadata(stack, render=render)["state"]


# ------------------------------------------------------------------------------------------------ engines


class TestEngine:
    def test_without_a_script_it_is_python(self, render):
        assert not uses_java(render)
        assert not uses_java()
        assert uses_java(render, client_script="/no/such/script")

    def test_a_folder_counts_if_the_script_is_there(self, script, tmp_path, monkeypatch):
        assert uses_java(client_scripts=str(script.path.parent))
        assert not uses_java(client_scripts=str(tmp_path))
        monkeypatch.setenv("RENDER_CLIENT_SCRIPT", "/some/script")
        assert uses_java()

    def test_a_connection_with_a_script_is_for_java(self, script):
        render = RenderClient(host="http://h", port=1, client_script=str(script.path))
        assert uses_java(render)
        assert not uses_java(render, engine="python")

    @pytest.mark.parametrize(
        "call",
        [
            lambda **k: tilePairClient("s", 1, 2, **k),
            lambda **k: importJsonClient("s", "a.json", **k),
            lambda **k: importTransformChangesClient("s", "t", "c.json", **k),
            lambda **k: transformSectionClient("s", "t", AFFINE, "1 0 0 1 0 0", 1, **k),
            lambda **k: coordinateClient("s", 1, "a.json", **k),
            lambda **k: local_to_world_array("s", [[1, 2]], "t", **k),
            lambda **k: world_to_local_array("s", [[1, 2]], z=1, **k),
            lambda **k: coordinate.local_to_world_coordinates_clientside("s", [], 1, **k),
            lambda **k: coordinate.world_to_local_coordinates_clientside("s", [], 1, **k),
        ],
    )
    def test_java_without_a_script_says_how_to_configure_one(self, render, call):
        with pytest.raises(ClientScriptError, match="client_scripts=FOLDER"):
            call(render=render, engine="java")
        with pytest.raises(ValueError, match="engine is 'rust'; it must be 'java' or 'python'"):
            call(render=render, engine="rust")

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0.0, "0.0"), (2.5, "2.5"), (1e7, "1.0E7"), (-12345678.5, "-1.23456785E7"), (1e-5, "1.0E-5")],
    )
    def test_numbers_are_written_as_java_writes_them(self, value, text):
        assert java_double(value) == text


# ------------------------------------------------------------------------------------------------ pairs


def pair_tiles(case):
    return [
        tile(row[0], z=layer["z"], section=row[1], **dict(zip(("minX", "minY", "maxX", "maxY"), row[2:])))
        for layer in case["layers"]
        for row in layer["tiles"]
    ]


def as_rows(document):
    return [
        [
            *(pair["p"].get(key) for key in ("groupId", "id", "relativePosition")),
            *(pair["q"].get(key) for key in ("groupId", "id", "relativePosition")),
            pair.get("absoluteDeltaZ"),
        ]
        for pair in document["neighborPairs"]
    ]


def in_order(rows):
    positions = [None, "TOP", "BOTTOM", "LEFT", "RIGHT"]
    return sorted(rows, key=lambda r: (r[0], r[1], positions.index(r[2]), r[3], r[4], positions.index(r[5])))


def options_of(case):
    names = {"minX": "minx", "minY": "miny", "maxX": "maxx", "maxY": "maxy"}
    return {names.get(name, name): value for name, value in case["params"].items()}


GRID = {
    "layers": [
        {
            "z": float(z),
            "tiles": [
                [f"{z}{row}{column}", f"{z}.0", column * 90, row * 70, column * 90 + 100, row * 70 + 80]
                for row in range(3)
                for column in range(3)
            ],
        }
        for z in (1, 2, 3)
    ]
}


class TestPairs:
    @pytest.mark.parametrize("case", PAIR_CASES, ids=lambda case: case["name"])
    def test_pairs_are_those_of_the_original(self, render, case):
        fill(render, pair_tiles(case), derive=False)
        found = tilePairClient(render.stack, 0, 1000, render=render, **options_of(case))
        assert as_rows(found) == in_order(case["pairs"])
        assert found["renderParametersUrlTemplate"] == (
            f"{{baseDataUrl}}/owner/own/project/proj/stack/{render.stack}/tile/{{id}}/render-parameters"
        )

    @pytest.mark.parametrize("case", NEWSOLVER_PAIR_CASES, ids=lambda case: case["name"])
    def test_pairs_are_those_of_newsolver(self, render, case):
        fill(render, pair_tiles(case), derive=False)
        found = tilePairClient(render.stack, 0, 1000, render=render, compat="newsolver", **options_of(case))
        assert as_rows(found) == in_order(case["pairs"])

    def test_the_branch_decides_how_often_tiles_with_one_corner_are_paired(self, render):
        boxes = [["b", "1.0", 0, 0, 10, 10], ["a", "1.0", 0, 0, 10, 10]]
        fill(render, pair_tiles({"layers": [{"z": 1.0, "tiles": boxes}]}), derive=False)
        options = {"excludeCompletelyObscuredTiles": False, "render": render}
        there, back = (
            ["1.0", "a", p, "1.0", "b", q, None] for p, q in (("TOP", "BOTTOM"), ("BOTTOM", "TOP"))
        )
        assert as_rows(tilePairClient(render.stack, 1, 1, **options)) == [there, back]
        assert as_rows(tilePairClient(render.stack, 1, 1, compat="newsolver", **options)) == [there]
        with pytest.raises(ClientArgumentError, match="compat"):
            tilePairClient(render.stack, 1, 1, compat="main", **options)

    @pytest.mark.parametrize("branch", ["master", "newsolver"])
    def test_pairs_on_both_sides_of_a_gap_are_in_one_file(self, render, tmp_path, branch):
        layers = [
            {"z": z, "tiles": [[f"{z}{row[0]}", f"{z}", *row[2:]] for row in GRID["layers"][0]["tiles"]]}
            for z in (1.0, 2.0, 5.0, 9.0, 10.5)
        ]
        fill(render, pair_tiles({"layers": layers}), derive=False)
        out = tmp_path / "pairs.json"
        found, files = tilePairClient(
            render.stack,
            1,
            20,
            str(out),
            zNeighborDistance=2,
            return_jsonfiles=True,
            compat=branch,
            render=render,
        )
        assert files == [str(out)] and json.loads(out.read_text()) == found
        layers = Counter((pair["p"]["groupId"], pair["q"]["groupId"]) for pair in found["neighborPairs"])
        # also those of a layer that has no neighbour
        assert {pair: count for pair, count in layers.items() if pair[0] == pair[1]} == {
            (f"{z}", f"{z}"): 12 for z in (1.0, 2.0, 5.0, 9.0, 10.5)
        }
        assert layers.keys() - {(z, z) for z, _ in layers} == {("1.0", "2.0"), ("10.5", "9.0")}

    def test_files_are_laid_out_as_java_does(self, render, tmp_path):
        boxes = [["a", "1.0", 0, 0, 10, 10], ['b"', "1.0", 8, 0, 18, 10]]
        case = {"layers": [{"z": 1.0, "tiles": boxes}, {"z": 2.0, "tiles": [["c", "2.0", 0, 0, 10, 10]]}]}
        fill(render, pair_tiles(case), derive=False)
        out = tmp_path / "pairs.json"
        answer = tilePairClient(
            render.stack, 1, 2, str(out), basestack="b", xyNeighborFactor=0.5, render=render
        )
        assert json.loads(out.read_text()) == answer
        assert out.read_text() == (
            "{\n"
            '  "renderParametersUrlTemplate" : '
            '"{baseDataUrl}/owner/own/project/proj/stack/b/tile/{id}/render-parameters",\n'
            '  "neighborPairs" : [\n'
            '    {\n      "p" : {\n        "groupId" : "1.0",\n        "id" : "a"\n      },\n'
            '      "q" : {\n        "groupId" : "2.0",\n        "id" : "c"\n      },\n'
            '      "absoluteDeltaZ" : 1.0\n    },\n'
            '    {\n      "p" : {\n        "groupId" : "1.0",\n        "id" : "a",\n'
            '        "relativePosition" : "LEFT"\n      },\n'
            '      "q" : {\n        "groupId" : "1.0",\n        "id" : "b\\"",\n'
            '        "relativePosition" : "RIGHT"\n      }\n    },\n'
            '    {\n      "p" : {\n        "groupId" : "1.0",\n        "id" : "b\\""\n      },\n'
            '      "q" : {\n        "groupId" : "2.0",\n        "id" : "c"\n      },\n'
            '      "absoluteDeltaZ" : 1.0\n    }\n  ]\n}'
        )

    def test_parts(self, render, tmp_path):
        fill(render, pair_tiles(GRID), derive=False)
        whole = tilePairClient(render.stack, 1, 3, render=render)["neighborPairs"]
        assert len(whole) == 3 * 12 + 3 * 9 + 2 * 24 + 24
        out = tmp_path / "pairs.json.gz"
        parts, files = tilePairClient(
            render.stack, 1, 3, str(out), maxPairsPerFile=20, return_jsonfiles=True, render=render
        )
        assert [Path(path).name for path in files[:2]] == ["pairs_p000.json.gz", "pairs_p001.json.gz"]
        sizes = []
        for path in files:
            with gzip.open(path) as file:
                sizes.append(len(json.load(file)["neighborPairs"]))
        assert sizes[:-1] == [20] * (len(sizes) - 1)
        assert sorted(map(str, parts["neighborPairs"])) == sorted(map(str, whole))
        assert not out.exists()

    def test_exactly_full_files(self, render, tmp_path):
        fill(render, pair_tiles({"layers": GRID["layers"][:1]}), derive=False)
        for most, names in (
            (12, ["p"]),
            (6, ["p_p000", "p_p001"]),
            (100, ["p"]),
            (0, [f"p_p{n:03d}" for n in range(12)]),
        ):
            folder = tmp_path / str(most)
            folder.mkdir()
            tilePairClient(render.stack, 1, 1, str(folder / "p"), maxPairsPerFile=most, render=render)
            assert sorted(path.name for path in folder.iterdir()) == names

    def test_no_pairs_and_no_file(self, render, tmp_path):
        fill(render, [tile("a", affine(1, 0, 0, 1, 0, 0))])
        out = tmp_path / "p.json"
        answer, files = tilePairClient(render.stack, 1, 1, str(out), return_jsonfiles=True, render=render)
        assert (answer["neighborPairs"], files, out.exists()) == ([], [], False)

    def test_layers_and_progress(self, render):
        fill(render, pair_tiles(GRID), derive=False)
        done = []
        found = tilePairClient(
            render.stack, 1, 3, z=[1, 3], render=render, progress=lambda n, total: done.append((n, total))
        )
        assert {row[6] for row in as_rows(found)} == {None, 2.0}
        assert done == [(1, 2), (2, 2)]
        assert {pair[0] for pair in as_rows(tilePairClient(render.stack, 2, 2, render=render))} == {"2.0"}
        with pytest.raises(NotFoundError, match="has no layers from z 7 to 8"):
            tilePairClient(render.stack, 7, 8, render=render)

    def test_pairs_that_have_matches_are_left_out(self, render):
        fill(render, pair_tiles({"layers": GRID["layers"][:2]}), derive=False)
        points = {"p": [[1, 2], [1, 2]], "q": [[1, 2], [1, 2]], "w": [1, 1]}
        known = [("1.0", "100", "1.0", "101"), ("1.0", "100", "2.0", "200")]
        import_matches(
            "pairs",
            [dict(zip(("pGroupId", "pId", "qGroupId", "qId"), ids), matches=points) for ids in known],
            owner="matcher",
            render=render,
        )

        def search(**options):
            return {
                (row[0], row[1], row[3], row[4])
                for row in as_rows(tilePairClient(render.stack, 1, 2, render=render, **options))
            }

        everything = search()
        rest = search(excludePairsInMatchCollection="pairs", existingMatchOwner="matcher")
        assert everything - rest == set(known)
        for least, kept in ((1, False), (2, True)):
            found = search(
                excludePairsInMatchCollection="pairs",
                existingMatchOwner="matcher",
                minExistingMatchCount=least,
            )
            assert (set(known) <= found) is kept
        with pytest.warns(RenderWarning, match="there is no match collection pairs of own"):
            assert search(excludePairsInMatchCollection="pairs") == everything

    def test_tiles_of_another_stack(self, render):
        fill(render, pair_tiles({"layers": GRID["layers"][:1]}), derive=False)
        other = render.stack + "Other"
        create_stack(other, render=render)
        fill(
            render,
            pair_tiles({"layers": [{"z": 1.0, "tiles": GRID["layers"][0]["tiles"][:2]}]}),
            stack=other,
            derive=False,
        )
        for name in (other, f"proj::{other}", f"own::proj::{other}"):
            found = tilePairClient(render.stack, 1, 1, onlyIncludeTilesFromStack=name, render=render)
            assert [(row[1], row[4]) for row in as_rows(found)] == [("100", "101")]
        with pytest.raises(ClientArgumentError, match="must be stack, project::stack or owner"):
            tilePairClient(render.stack, 1, 1, onlyIncludeTilesFromStack="a::b::c::d", render=render)

    def test_tiles_near_others(self, render, tmp_path):
        fill(render, pair_tiles({"layers": GRID["layers"][:1]}), derive=False)
        ids = tmp_path / "ids.json"
        ids.write_text('["100"]')
        found = tilePairClient(render.stack, 1, 1, onlyIncludeTilesNearTileIdsJson=str(ids), render=render)
        assert [(row[1], row[4]) for row in as_rows(found)] == [("100", "110"), ("100", "101")]
        for content, message in (("[1]", "must hold a JSON list of tile ids"), ("[", "cannot be read")):
            ids.write_text(content)
            with pytest.raises(ClientArgumentError, match=message):
                tilePairClient(render.stack, 1, 1, onlyIncludeTilesNearTileIdsJson=str(ids), render=render)

    def test_rows_and_columns(self, render):
        tiles = [
            tile(f"{row}{column}", layout={"sectionId": "1", "imageRow": row, "imageCol": column})
            for row in range(2)
            for column in range(3)
        ]  # fmt: skip
        fill(render, tiles)
        found = tilePairClient(
            render.stack,
            1,
            1,
            useRowColPositions=True,
            zNeighborDistance=0,
            xyNeighborFactor=0.6,
            render=render,
        )
        assert [(row[1], row[2], row[4]) for row in as_rows(found)] == [
            ("00", "TOP", "10"), ("00", "LEFT", "01"), ("01", "TOP", "11"), ("01", "LEFT", "02"),
            ("02", "TOP", "12"), ("10", "LEFT", "11"), ("11", "LEFT", "12"),
        ]  # fmt: skip
        with pytest.warns(RenderWarning, match="no effect without zNeighborDistance=0"):
            assert as_rows(tilePairClient(render.stack, 1, 1, useRowColPositions=True, render=render)) == []

    def test_tiles_without_row_and_column_or_section(self, render):
        fill(render, [tile("a", affine(1, 0, 0, 1, 0, 0), layout={"stageX": 1.0})])
        with pytest.raises(SpecError, match="tile a has no sectionId"):
            tilePairClient(render.stack, 1, 1, render=render)
        with pytest.raises(SpecError, match=r"tile a of layer 1\.0 has no row and column"):
            tilePairClient(render.stack, 1, 1, useRowColPositions=True, zNeighborDistance=0, render=render)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"excludeSameLayerPairsWithPosition": "UP"}, "must be one of TOP, BOTTOM"),
            ({"zNeighborDistance": 1.5}, "zNeighborDistance must be a whole number"),
            ({"minx": 1}, "a box needs all of"),
            ({"minx": 2, "maxx": 1, "miny": 0, "maxy": 1}, "minX .2. is above maxX"),
            ({"excludeCornerNeighbors": "maybe"}, "neither true nor false"),
            ({"outjson": "/no/such/folder/p.json"}, "there is no folder"),
        ],
    )
    def test_bad_options(self, render, options, message):
        with pytest.raises(ClientArgumentError, match=message):
            tilePairClient(render.stack, 1, 1, render=render, **options)

    def test_words_for_booleans(self, render):
        fill(render, pair_tiles({"layers": GRID["layers"][:1]}), derive=False)
        found = tilePairClient(render.stack, 1, 1, excludeCornerNeighbors="False", render=render)
        assert len(found["neighborPairs"]) == 20


# ------------------------------------------------------------------------------------------------ import


def write(path, document):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt") as file:
        json.dump(document, file)
    return str(path)


class TestImport:
    def test_files_are_imported(self, render, tmp_path):
        one = write(tmp_path / "my tiles.json", [tile("a", {"type": "ref", "refId": "lens"})])
        two = write(tmp_path / "b.json.gz", [tile("b", affine(1, 0, 0, 1, 5.5, 0))])
        lens = write(tmp_path / "lens.json", [LENS])
        assert importJsonClient(render.stack, [one, two], lens, render=render) is None
        tiles, shared = stored(render, render.stack)
        assert set(tiles) == {"a", "b"} and set(shared) == {"lens"}
        assert [tiles["b"][name] for name in ("minX", "maxX")] == [5.0, 205.0]
        assert state(render, render.stack) == "LOADING"

    def test_rejected_tiles_are_returned_logged_and_warned_of(self, render, tmp_path, caplog):
        files = [
            write(
                tmp_path / "t.json",
                [tile("a", affine(1, 0, 0, 1, 0, 0)), tile("b", affine(1, 0, 0, 1, -9, 0))],
            )
        ]
        with caplog.at_level(logging.ERROR), pytest.warns(RenderWarning, match="b: minX -9 is below 0"):
            rejected = importJsonClient(
                render.stack, files, render=render,
                validatorClass="org.janelia.alignment.spec.validator.TemTileSpecValidator",
                validatorData="minSize:10",
            )  # fmt: skip
        assert rejected == ["b"]
        assert "tile b is left out" in caplog.text
        assert set(stored(render, render.stack)[0]) == {"a"}

    def test_rejected_tiles_of_validated_files(self, render, tmp_path):
        files = [
            write(
                tmp_path / "t.json",
                [tile("a", affine(1, 0, 0, 1, 0, 0)), tile("b", affine(9, 0, 0, 9, 0, 0))],
            )
        ]
        with pytest.warns(RenderWarning, match="leaves out 1 of 2 tiles"):
            rejected = import_jsonfiles_validate_client(
                render.stack, files, validator="minSize:10,maxSize:300", render=render
            )
        assert rejected == ["b"]

    def test_what_only_rejected_tiles_refer_to_is_not_stored(self, render, tmp_path):
        other = {**LENS, "id": "other"}
        tiles = [
            tile("a", {"type": "ref", "refId": "lens"}),
            tile("b", {"type": "ref", "refId": "other"}, affine(1, 0, 0, 1, 9e6, 0)),
        ]
        with pytest.warns(RenderWarning, match="leaves out 1 of 2"):
            importJsonClient(
                render.stack, write(tmp_path / "t.json", tiles), write(tmp_path / "l.json", [LENS, other]),
                validatorClass="TemTileSpecValidator", validatorData="minSize:10", render=render,
            )  # fmt: skip
        with pytest.raises(NotFoundError):
            get_json(render.session, url_of(render, render.stack, "transform", "other"))
        assert get_json(render.session, url_of(render, render.stack, "transform", "lens"))["id"] == "lens"

    @pytest.mark.parametrize(
        ("content", "message"),
        [("{}", "must hold a JSON list of tile specs"), ("[1]", "JSON list"), ("[", "not JSON")],
    )
    def test_bad_files(self, render, tmp_path, content, message):
        (tmp_path / "t.json").write_text(content)
        with pytest.raises(SpecError, match=message):
            importJsonClient(render.stack, tmp_path / "t.json", render=render)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"validatorClass": "x.Mine"}, "'x.Mine' is not known in Python; known are TemTileSpecValidator"),
            ({"validatorClass": "TemTileSpecValidator", "validatorData": "minSize:big"}, "not a number"),
        ],
    )
    def test_bad_validators(self, render, options, message):
        with pytest.raises(ClientArgumentError, match=message):
            importJsonClient(render.stack, "t.json", render=render, **options)


# ------------------------------------------------------------------------------------------------ warped


class TestWarped:
    WARPED = {
        "type": "leaf", "className": "mpicbg.trakem2.transform.PolynomialTransform2D",
        "dataString": "0 1 0 0.02 0 0 0 0 1 0 0 0",
    }  # fmt: skip

    def deltas(self, tiles, **settings):
        return WarpedTileSpecValidator(**settings).measure(tiles, {})[:, 0]

    def test_rigid_tiles_are_not_bent(self):
        tiles = [tile("a", affine(1, 0, 0, 1, 1e5, 7)), tile("b", affine(0, 1, -1, 0, 3, 4)), tile("c")]
        np.testing.assert_allclose(self.deltas(tiles), 0, atol=1e-6)

    def test_the_largest_distance_from_the_best_rigid_transform(self):
        spec = tile("a", self.WARPED, width=150.5, height=120.0)
        y, x = np.mgrid[0:5, 0:5]
        points = np.column_stack([x.ravel() * (149 / 4), y.ravel() * (119 / 4)])
        world = local_to_world(spec, points)
        model = renderapi.transform.RigidModel()
        model.estimate(points, world)
        expected = np.hypot(*(world - model.tform(points)).T).max()
        found = self.deltas([spec, tile("b"), spec], samplesPerDimension=5.9)
        np.testing.assert_allclose(found, [expected, 0, expected], atol=1e-9)

    def test_tiles_in_several_blocks(self, monkeypatch):
        tiles = [tile(str(n), affine(1 + n / 10, 0, 0, 1, 0, 0), width=100.0 + n) for n in range(5)]
        whole = self.deltas(tiles, samplesPerDimension=8)
        monkeypatch.setattr("renderapi.client.validation._SAMPLES", 128)
        np.testing.assert_array_equal(self.deltas(tiles, samplesPerDimension=8), whole)
        assert (np.diff(whole) > 0).all()

    def test_bent_tiles_are_left_out_or_warned_of(self, caplog):
        tiles = [
            tile("good"),
            tile("some", affine(1.1, 0, 0, 1, 0, 0)),
            tile("much", affine(2, 0, 0, 1, 0, 0)),
        ]
        checker = validator_of("WarpedTileSpecValidator", "maxDeltaThreshold:40,warnDeltaThreshold:5")
        with pytest.warns(RenderWarning, match="leaves out 1 of 3 tiles: much: it is bent by"):
            kept, rejected = checker.split(tiles, {})
        assert [spec["tileId"] for spec in kept] == ["good", "some"]
        assert rejected == ["much"]
        assert "tile some is bent by" in caplog.text and "tile good" not in caplog.text

    def test_a_tile_that_cannot_be_evaluated_is_left_out(self):
        tiles = [tile("a"), tile("b", affine(1, 2)), tile("c", width=None)]
        with pytest.warns(RenderWarning, match="leaves out 2 of 3"):
            kept, rejected = WarpedTileSpecValidator().split(tiles, {})
        assert (len(kept), rejected) == (1, ["b", "c"])

    def test_no_validator(self):
        assert validator_of(None, "minSize:1") is None
        defaults = validator_of("org.janelia.alignment.spec.validator.WarpedTileSpecValidator", None)
        assert defaults == WarpedTileSpecValidator(1000.0, 600.0, 64.0)


# ------------------------------------------------------------------------------------------------ changes


ROTATED = (0.8, 0.6, -0.6, 0.8, 100.25, -30.5)
NEW = (1.5, 0.25, -0.5, 2.0, 10.0, 20.0)


def changes(tmp_path, *items):
    document = [{"tileId": tile_id, "transform": spec} for tile_id, spec in items]
    return write(tmp_path / "changes.json", document)


class TestTransformChanges:
    @pytest.fixture(autouse=True)
    def filled(self, render):
        fill(
            render,
            [
                tile("a", {"type": "ref", "refId": "lens"}, affine(*ROTATED)),
                tile("b", affine(1, 0, 0, 1, 5, 6)),
                tile("c", affine(*ROTATED), z=2.0),
            ],
            [LENS],
        )
        render.target = render.stack + "New"

    def change(self, render, path, **options):
        return importTransformChangesClient(render.stack, render.target, path, render=render, **options)

    @pytest.mark.parametrize(
        ("mode", "kinds"),
        [
            ("APPEND", ["ref", AFFINE, AFFINE]),
            ("REPLACE_LAST", ["ref", AFFINE]),
            (None, ["ref", AFFINE]),
            ("REPLACE_ALL", [AFFINE]),
            ("CONCATENATE_TO_LAST", ["ref", AFFINE]),
        ],
    )
    def test_change_modes(self, render, tmp_path, mode, kinds):
        path = changes(tmp_path, ("a", affine(*NEW)), ("c", affine(*NEW)))
        assert self.change(render, path, changeMode=mode) is None
        tiles, shared = stored(render, render.target)
        assert set(tiles) == {"a"}
        assert [spec.get("className", spec["type"]) for spec in specs_of(tiles, "a")] == kinds
        last = np.array(specs_of(tiles, "a")[-1]["dataString"].split(), float)
        if mode == "CONCATENATE_TO_LAST":
            new, old = (np.array(v).reshape(3, 2).T for v in (NEW, ROTATED))
            product = np.vstack([new, [0, 0, 1]]) @ np.vstack([old, [0, 0, 1]])
            np.testing.assert_allclose(last.reshape(3, 2).T, product[:2])
        else:
            np.testing.assert_array_equal(last, NEW)
        # what no tile refers to any more is not stored
        assert set(shared) == ({"lens"} if "ref" in kinds else set())
        box = [tiles["a"][name] for name in ("minX", "minY", "maxX", "maxY")]
        np.testing.assert_array_equal(bounding_boxes([tiles["a"]], shared)[0], box)
        assert set(stored(render, render.target, 2.0)[0]) == {"c"}
        assert state(render, render.target) == "COMPLETE"
        assert state(render, render.stack) == "COMPLETE"

    def test_multiplication_has_the_rounding_of_java(self, render, tmp_path):
        new, old = (0.1, 0.7, 1 / 3, 1.1, 1e5 + 1 / 7, 0.3), (1 / 7, 0.9, 0.2, 1.3, 12345.678, 1 / 9)
        fill_tile = tile("d", {**affine(*map(repr, old))}, z=3.0)
        set_stack_state(render.stack, "LOADING", render=render)
        fill(render, [fill_tile])
        self.change(
            render, changes(tmp_path, ("d", affine(*map(repr, new)))), changeMode="CONCATENATE_TO_LAST"
        )
        tiles, _ = stored(render, render.target, 3.0)
        n00, n10, n01, n11, n02, n12 = new
        l00, l10, l01, l11, l02, l12 = old
        assert [float(v) for v in specs_of(tiles, "d")[0]["dataString"].split()] == [
            n00 * l00 + n01 * l10, n10 * l00 + n11 * l10, n00 * l01 + n01 * l11, n10 * l01 + n11 * l11,
            n00 * l02 + n01 * l12 + n02, n10 * l02 + n11 * l12 + n12,
        ]  # fmt: skip

    def test_translations_multiply_too(self, render, tmp_path):
        shift = {"type": "leaf", "className": TRANSLATION, "dataString": "7 8"}
        self.change(render, changes(tmp_path, ("b", shift)), changeMode="CONCATENATE_TO_LAST")
        tiles, _ = stored(render, render.target)
        assert specs_of(tiles, "b") == [{**affine(1.0, 0.0, 0.0, 1.0, 12.0, 14.0)}]

    @pytest.mark.parametrize(
        ("transform", "message"),
        [
            (LENS, "new transform of tile b is not affine"),
            ({"type": "ref", "refId": "gone"}, "new transform of tile b is not affine .missing."),
            ({"type": "list", "specList": [affine(*NEW)]}, "is not affine .list."),
        ],
    )
    def test_only_affine_transforms_multiply(self, render, tmp_path, transform, message):
        with pytest.raises(SpecError, match=message):
            self.change(render, changes(tmp_path, ("b", transform)), changeMode="CONCATENATE_TO_LAST")

    def test_the_target_inherits_from_the_source(self, render, tmp_path):
        self.change(render, changes(tmp_path, ("b", affine(*NEW))), close_stack=False)
        version = get_full_stack_metadata(render.target, render=render)["currentVersion"]
        assert version["stackResolutionX"] == 4.0
        assert version["versionNotes"] == (
            f"derived from stack with owner 'own', project 'proj', and name '{render.stack}'"
        )
        assert state(render, render.target) == "LOADING"

    def test_a_target_that_exists_gets_what_it_lacks(self, render, tmp_path):
        create_stack(render.target, versionNotes="mine", force_resolution=False, render=render)
        self.change(render, changes(tmp_path, ("b", affine(*NEW))))
        version = get_full_stack_metadata(render.target, render=render)["currentVersion"]
        assert (version["stackResolutionX"], version["versionNotes"]) == (4.0, "mine")
        self.change(render, changes(tmp_path, ("c", affine(*NEW))))
        assert set(stored(render, render.target)[0]) == {"b"}

    def test_another_project(self, render, tmp_path):
        self.change(render, changes(tmp_path, ("b", affine(*NEW))), targetProject="elsewhere")
        metadata = get_full_stack_metadata(render.target, project="elsewhere", render=render)
        assert metadata["state"] == "COMPLETE"

    def test_rejected_tiles_are_returned(self, render, tmp_path):
        path = changes(tmp_path, ("a", affine(1, 0, 0, 1, 9, 9)), ("b", affine(1, 0, 0, 1, -7, 0)))
        options = {"validatorClass": "TemTileSpecValidator", "validatorData": "minSize:10,minCoordinate:-5"}
        with pytest.warns(RenderWarning, match="b: minX -7 is below -5"):
            assert self.change(render, path, changeMode="REPLACE_ALL", **options) == ["b"]
        assert set(stored(render, render.target)[0]) == {"a"}
        path = changes(tmp_path, ("b", affine(1, 0, 0, 1, -7, 0)))
        options["close_stack"] = False
        with pytest.warns(RenderWarning, match="leaves out 1 of 1"):
            assert self.change(render, path, changeMode="REPLACE_ALL", **options) == ["b"]

    @pytest.mark.parametrize(
        ("document", "error", "message"),
        [
            ([], SpecError, "holds no changes"),
            ([{"tileId": "a"}], SpecError, "change 1 of .* must have a tileId and a transform"),
            ([{"tileId": "b", "transform": affine(*NEW)}] * 2, SpecError, "lists tile b twice"),
            ([{"tileId": "b", "transform": affine("NaN", 0, 0, 1, 0, 0)}], SpecError, "tile 'b' holds NaN"),
            (
                [{"tileId": "x", "transform": affine(*NEW)}],
                NotFoundError,
                "1 tiles of .* are not in stack .*: x",
            ),
            ([{"tileId": "b", "transform": {"type": "ref", "refId": "gone"}}], SpecError, r"\[gone\]"),
            ([{"tileId": "b", "transform": affine(1, 2)}], SpecError, "tile b: "),
        ],
    )
    def test_bad_changes_store_nothing(self, render, tmp_path, document, error, message):
        path = write(
            tmp_path / "changes.json",
            [{"tileId": "c", "transform": affine(*NEW)}, *document] if document else [],
        )
        with pytest.raises(error, match=message):
            self.change(render, path, changeMode="APPEND")
        with pytest.raises(NotFoundError):
            stored(render, render.target, 2.0)

    def test_no_last_transform(self, render, tmp_path):
        set_stack_state(render.stack, "LOADING", render=render)
        fill(render, [tile("e", z=4.0)])
        path = changes(tmp_path, ("e", affine(*NEW)))
        with pytest.raises(SpecError, match="tile e has no last transform"):
            self.change(render, path, changeMode="CONCATENATE_TO_LAST")
        self.change(render, path)
        assert specs_of(stored(render, render.target, 4.0)[0], "e") == [affine(*NEW)]


# ------------------------------------------------------------------------------------------------ sections


class TestSections:
    @pytest.fixture(autouse=True)
    def filled(self, render):
        tiles = [
            tile(f"{name}{z}", {"type": "ref", "refId": "lens"}, affine(1, 0, 0, 1, x, 10 * z), z=float(z))
            for z in (1, 2)
            for name, x in (("a", 50), ("b", 240))
        ]
        fill(render, tiles, [LENS])
        render.target = render.stack + "New"

    def transform(self, render, zs=1, data="1,0,0,1,100,200", **options):
        options = {"targetStack": render.target, **options}
        return transformSectionClient(render.stack, "move", AFFINE, data, zs, render=render, **options)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, ["lens", AFFINE, "move"]),
            ({"transformApplicationMethod": "INSERT_AS_FIRST"}, ["move", "lens", AFFINE]),
            ({"transformApplicationMethod": "INSERT_BEFORE_LAST"}, ["lens", "move", AFFINE]),
            ({"transformApplicationMethod": "REPLACE_LAST"}, ["lens", "move"]),
            ({"replaceLast": True}, ["lens", "move"]),
            ({"transformApplicationMethod": "PRE_CONCATENATE_LAST"}, ["lens", AFFINE]),
        ],
    )
    def test_methods(self, render, options, expected):
        assert self.transform(render, **options) is None
        tiles, shared = stored(render, render.target)
        assert set(tiles) == {"a1", "b1"}
        for tile_id, spec in tiles.items():
            kinds = [t.get("refId", t.get("className")) for t in specs_of(tiles, tile_id)]
            assert kinds == expected
            box = [spec[name] for name in ("minX", "minY", "maxX", "maxY")]
            np.testing.assert_array_equal(bounding_boxes([spec], shared)[0], box)
        if "move" in expected:
            assert shared["move"]["dataString"] == "1 0 0 1 100 200"
        else:
            assert specs_of(tiles, "a1")[-1] == affine(1.0, 0.0, 0.0, 1.0, 150.0, 210.0)

    def test_the_notes_of_a_new_stack_are_those_of_java(self, render):
        self.transform(render)
        version = get_full_stack_metadata(render.target, render=render)["currentVersion"]
        assert version["versionNotes"] == (
            f"derived from stack with owner 'own', project 'proj', and name '{render.stack}'"
        )

    def test_several_layers_of_the_stack_itself(self, render):
        self.transform(render, [1, 2.0], targetStack=None, completeTargetStack=True)
        assert [len(specs_of(stored(render, render.stack, z)[0], f"a{z}")) for z in (1, 2)] == [3, 3]
        assert state(render, render.stack) == "COMPLETE"

    def test_the_target_stays_loading_unless_told(self, render):
        self.transform(render)
        assert state(render, render.target) == "LOADING"

    def test_another_project(self, render):
        self.transform(render, targetProject="elsewhere")
        assert (
            get_full_stack_metadata(render.target, project="elsewhere", render=render)["state"] == "LOADING"
        )

    def test_only_tiles_in_a_box(self, render):
        before = stored(render, render.stack)[0]["b1"]
        box = {"minX": before["maxX"], "maxX": 1e4, "minY": 0, "maxY": 1e4}
        self.transform(render, bounds=box)
        assert set(stored(render, render.target)[0]) == {"b1"}
        self.transform(render, 2, bounds={**box, "minX": 9e3})
        with pytest.raises(NotFoundError):
            stored(render, render.target, 2.0)

    def test_layers_are_moved_to_a_minimum(self, render):
        self.transform(render, [1, 2], layerMinimumXAndYBound=10)
        for z in (1.0, 2.0):
            tiles, shared = stored(render, render.target, z)
            assert min(spec["minX"] for spec in tiles.values()) == 10.0
            assert min(spec["minY"] for spec in tiles.values()) == 10.0
            assert f"move_{z}" in shared

    def test_a_layer_is_laid_on_a_tile(self, render):
        boxes = {name: spec for z in (1, 2) for name, spec in stored(render, render.stack, z)[0].items()}
        self.transform(render, 7, fromTileId="a1", toTileId="b2")
        tiles, shared = stored(render, render.target)
        assert set(tiles) == {"a1", "b1"}
        assert tiles["a1"]["minX"] == boxes["b2"]["minX"]
        assert tiles["a1"]["minY"] == boxes["b2"]["minY"]
        assert shared["MOVE_a1_TO_b2"]["className"] == TRANSLATION
        with pytest.raises(NotFoundError, match="tile x is not in stack"):
            self.transform(render, fromTileId="a1", toTileId="x")
        with pytest.raises(ClientArgumentError, match="needed both"):
            self.transform(render, fromTileId="a1")

    def test_rejected_tiles_are_returned(self, render):
        options = {"validatorClass": "TemTileSpecValidator", "validatorData": "minSize:10,maxCoordinate:500"}
        with pytest.warns(RenderWarning, match="leaves out 1 of 2 tiles: b1: maxX"):
            assert self.transform(render, **options) == ["b1"]
        with pytest.warns(RenderWarning, match="leaves out 2 of 2"):
            rejected = self.transform(render, 2, data="1 0 0 1 9000 0", **options)
        assert rejected == ["a2", "b2"]

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"zs": 9}, NotFoundError, "404"),
            ({"zs": []}, ClientArgumentError, "needs zValues"),
            ({"data": "1 2"}, SpecError, "numbers are needed"),
            ({"data": "1 0 0 1 nan 0"}, SpecError, "the transform 'move' holds nan"),
            ({"transformApplicationMethod": "REPLACE_ALL"}, ClientArgumentError, "must be one of APPEND"),
            (
                {"transformApplicationMethod": "APPEND", "replaceLast": True},
                ClientArgumentError,
                "contradict",
            ),
        ],
    )
    def test_bad_arguments(self, render, options, error, message):
        with pytest.raises(error, match=message):
            self.transform(render, **options)

    def test_a_method_needs_no_transforms(self, render):
        set_stack_state(render.stack, "LOADING", render=render)
        fill(render, [tile("plain", z=3.0)])
        for method in METHODS[:5]:
            layer = Layer(_connection(render), render.stack, 3.0)
            layer.put([affine(*NEW)], method)
            assert layer.tiles[0]["transforms"]["specList"] == [affine(*NEW)]


def _connection(render):
    from renderapi._project import Project

    return Project(render.DEFAULT_HOST, render.DEFAULT_PORT, "own", "proj", None, render)


# ------------------------------------------------------------------------------------------------ coordinates


MIRRORED = (-1, 0, 0, 1, 1000, 0)


class TestCoordinates:
    @pytest.fixture(autouse=True)
    def filled(self, render):
        fill(
            render,
            [
                tile("a", {"type": "ref", "refId": "lens"}, affine(*ROTATED)),
                tile("b", affine(1, 0, 0, 1, 100, 60)),
                tile("m", affine(*MIRRORED)),
                tile("c", affine(1, 0, 0, 1, 0, 0), z=2.0),
            ],
            [LENS],
        )

    def points(self, count=60):
        return np.random.default_rng(5).uniform(-50, 400, (count, 2))

    def test_world_to_local_is_what_the_server_answers(self, render):
        document = [{"world": point} for point in self.points().tolist()]
        answer = coordinate.world_to_local_coordinates_clientside(render.stack, document, 1, render=render)
        expected = coordinate.world_to_local_coordinates_batch(render.stack, document, 1, render=render)
        assert len({len(tiles) for tiles in answer}) > 1
        for ours, theirs in zip(answer, expected):
            if "error" in theirs[0]:
                assert len(ours) == 1 and "error" in ours[0]
            else:
                assert ours == theirs

    def test_local_to_world_is_what_the_server_answers(self, render):
        document = [
            {"tileId": "abmcx"[n % 5], "local": point} for n, point in enumerate(self.points().tolist())
        ]
        answer = coordinate.local_to_world_coordinates_clientside(
            render.stack, [[item] for item in document], 1, render=render
        )
        expected = coordinate.local_to_world_coordinates_batch(render.stack, document, 1, render=render)
        for ours, theirs in zip(answer, expected):
            assert set(ours) == set(theirs)
            assert "error" in ours or ours == theirs
        assert answer[4]["error"] == f"tileId x cannot be found in layer 1.0 of stack {render.stack}"

    def test_the_visible_tile_counts(self, render):
        items = [
            [{"tileId": "b", "local": [1, 2]}, {"tileId": "c", "local": [1, 2], "visible": True}],
            [{"tileId": "b", "local": [1, 2]}, {"tileId": "c", "local": [1, 2]}],
            {"tileId": "b", "local": [3, 4]},
        ]
        answer = map_coordinates(Place(_connection(render), render.stack), items, local_to_world=True)
        assert [(item["tileId"], item["world"]) for item in answer] == [
            ("c", [1.0, 2.0, 2.0]), ("b", [101.0, 62.0, 1.0]), ("b", [103.0, 64.0, 1.0])
        ]  # fmt: skip

    def test_what_is_wrong_with_points_in_tiles(self, render):
        items = [
            [],
            [None],
            [{"local": [1, 2]}],
            [{"tileId": "b"}],
            [{"tileId": "b", "local": [1]}],
            [{"tileId": "x", "local": [1, 2]}],
        ]
        answer = map_coordinates(Place(_connection(render), render.stack), items, local_to_world=True)
        assert [item["error"] for item in answer] == [
            "coordinates are missing",
            "coordinates are missing",
            "tileId is missing",
            "local values are missing",
            "local values must include both x and y",
            f"tileId x cannot be found in layer null of stack {render.stack}",
        ]  # fmt: skip
        assert answer[4] == {"tileId": "b", "local": [1], "error": answer[4]["error"]}

    def test_error_items_are_those_of_java(self, render):
        """Of what cannot be mapped Java writes what it knows, and the last that went wrong."""
        place = Place(_connection(render), render.stack, 1.0)
        asked = [
            {"world": [9000, 1], "more": 1, "error": "before"},
            {"world": [900, 50, 1], "tileId": "given", "visible": None, "error": "before"},
        ]
        inverted = "world coordinate (900.0, 50.0) found in tile id(s) [m] cannot be inverted"
        assert map_coordinates(place, asked) == [
            [
                {
                    "error": f"no tile specifications found in layer 1.0 of stack {render.stack} for [9000.0, 1.0]"
                }
            ],
            [{"tileId": "m", "world": [900.0, 50.0, 1.0], "error": inverted}],
        ]
        local = [[{"tileId": "b", "visible": True, "local": [1], "more": 1, "error": "before"}], [{}]]
        assert map_coordinates(place, local, local_to_world=True) == [
            {
                "tileId": "b",
                "visible": True,
                "local": [1.0],
                "error": "local values must include both x and y",
            },
            {"error": "tileId is missing"},
        ]

    def test_what_is_wrong_with_points_in_the_world(self, render):
        items = [None, {}, {"world": [1]}, {"world": [9e7, 1, 5]}, {"world": [900, 50], "tileId": "kept"}]
        place = Place(_connection(render), render.stack, 1)
        assert [[item["error"] for item in tiles] for tiles in map_coordinates(place, items)] == [
            ["coordinates are missing"],
            ["world values are missing"],
            ["world values must include both x and y"],
            [f"no tile specifications found in layer 1.0 of stack {render.stack} for [9.0E7, 1.0, 5.0]"],
            ["world coordinate (900.0, 50.0) found in tile id(s) [m] cannot be inverted"],
        ]

    def test_z_of_each_point(self, render):
        items = [{"world": [150, 100, 1]}, {"world": [150, 100, 2]}, {"world": [1, 2]}, {"world": [1, 2, 7]}]
        answer = map_coordinates(Place(_connection(render), render.stack), items)
        assert [tiles[-1].get("tileId") for tiles in answer] == ["b", "c", None, None]
        assert answer[1] == [{"tileId": "c", "visible": True, "local": [150.0, 100.0, 2.0]}]
        assert answer[2][0]["error"] == "world values must include x, y, and z"
        assert answer[3] == [
            {"error": f"no tile specifications found in stack {render.stack} for [1.0, 2.0, 7.0]"}
        ]

    def test_into_the_world_of_another_stack(self, render, tmp_path):
        other = render.stack + "Other"
        create_stack(other, render=render)
        fill(render, [tile("b", affine(1, 0, 0, 1, 1000, 2000))], stack=other)
        points = [{"world": [250, 200]}, {"world": [9e5, 0]}, {"world": [60, 60]}]
        source = write(tmp_path / "in.json", points)
        answer = coordinateClient(render.stack, 1.0, source, toStack=other, render=render)
        assert answer[0] == {"tileId": "b", "world": [1150.0, 2140.0, 1.0]}
        # what went wrong first is said
        assert answer[1]["error"].startswith(
            f"no tile specifications found in layer 1.0 of stack {render.stack}"
        )
        assert answer[2]["error"] == f"tileId a cannot be found in layer null of stack {other}"

    @pytest.mark.parametrize("name", ["out.json", "out.json.gz"])
    def test_files(self, render, tmp_path, name):
        source = write(tmp_path / "in.json.gz", [[{"tileId": "b", "local": [1, 2]}]])
        to = tmp_path / name
        answer = coordinateClient(render.stack, 1, source, str(to), True, 4, render=render)
        assert answer == [{"tileId": "b", "world": [101.0, 62.0, 1.0]}]
        opener = gzip.open if name.endswith("gz") else open
        with opener(to, "rt") as file:
            assert json.load(file) == answer
        assert coordinateClient(render.stack, 1, source, localToWorld=True, render=render) == answer

    def test_bad_files(self, render, tmp_path):
        with pytest.raises(SpecError, match="must hold a JSON list of points"):
            coordinateClient(render.stack, 1, write(tmp_path / "in.json", {}), render=render)
        with pytest.raises(FileNotFoundError):
            coordinateClient(render.stack, 1, str(tmp_path / "gone.json"), render=render)
        with pytest.raises(ClientArgumentError, match="needs fromJson"):
            coordinateClient(render.stack, 1, render=render)

    def test_arrays(self, render):
        points = self.points(20)
        world = local_to_world_array(render.stack, points, "a", render=render)
        lens_and_affine = tile("a", {"type": "ref", "refId": "lens"}, affine(*ROTATED))
        np.testing.assert_array_equal(world, local_to_world(lens_and_affine, points, [LENS]))
        with pytest.warns(RenderWarning, match="1 of 1 points cannot be mapped: tileId x cannot be found in"):
            assert np.isnan(local_to_world_array(render.stack, [[1, 2]], "x", z=1, render=render)).all()
        tile_ids, local = world_to_local_array(
            render.stack, [[150.0, 100.0], [120.0, 80.0]], z=1, render=render
        )
        assert tile_ids == ["b", "b"]
        np.testing.assert_array_equal(local, [[50, 40], [20, 20]])
        with pytest.warns(RenderWarning, match="1 of 1 points cannot be mapped: no tile specifications"):
            tile_ids, local = world_to_local_array(render.stack, [[9e5, 0, 1]], render=render)
        assert tile_ids == [None] and np.isnan(local).all()

    def test_clientside_arrays(self, render):
        local = coordinate.world_to_local_coordinates_array(
            render.stack, [[150, 100]], "b", 1, doClientSide=True, render=render
        )
        np.testing.assert_array_equal(local, [[50, 40]])
        world = coordinate.local_to_world_coordinates_array(
            render.stack, local, "b", 1, doClientSide=True, render=render
        )
        np.testing.assert_array_equal(world, [[150, 100]])

    def test_batches(self, render, monkeypatch):
        monkeypatch.setattr("renderapi.client.local.coordinates.BATCH_POINTS", 7)
        monkeypatch.setattr("renderapi.client.documents._IDS_AT_ONCE", 2)
        document = [{"world": point} for point in self.points(30).tolist()]
        done = []
        place = Place(_connection(render), render.stack, 1.0)
        batches = map_coordinates(place, document, progress=lambda n, total: done.append((n, total)))
        monkeypatch.undo()
        assert batches == map_coordinates(place, document)
        assert done[-1] == (30, 30) and len(done) == 5

    def test_no_points(self, render):
        assert map_coordinates(Place(_connection(render), render.stack, 1.0), []) == []
        assert world_to_local_array(render.stack, [], z=1, render=render)[0] == []
        assert local_to_world_array(render.stack, [], "b", render=render).shape == (0, 2)

    def test_tiles_that_vanish_meanwhile(self, render, monkeypatch):
        place = Place(_connection(render), render.stack, 1.0)
        monkeypatch.setattr("renderapi.client.local.coordinates.tiles_with_ids", lambda *_: [])
        [[answer]] = map_coordinates(place, [{"world": [280, 100]}])
        where = f"layer 1.0 of stack {render.stack}"
        assert answer == {"error": f"no tile specifications found in {where} for [280.0, 100.0]"}

    def test_an_answer_that_does_not_fit(self, render, monkeypatch):
        monkeypatch.setattr("renderapi.client.local.coordinates.decode_json", lambda response: [])
        with pytest.raises(BadAnswerError, match="1 points were sent, and 0 came back"):
            map_coordinates(Place(_connection(render), render.stack, 1.0), [{"world": [150, 100]}])
