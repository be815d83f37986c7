"""TileDataService without images: tiles, and the render parameters of them."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from renderapi._names import BOX
from renderapi.testing.conformance._base import (
    REF,
    STACK,
    A,
    Call,
    ServiceConformance,
    check,
    inferred,
    of_master,
    rows,
    superset,
)
from renderapi.testing.documents import affine, make_tile
from renderapi.testing.rest import Rest

BUILDER = {"rootPath": "/mips/", "numberOfLevels": 3, "extension": "tif"}
FLAGS = ("doFilter", "binaryMask", "excludeMask", "convertToGray", "fillWithNoise")
TILE = STACK + "/tile/{tileId}"
OF_A = {"tileId": "a", "scale": "0.5"}


def area(x: float, y: float, width: int, height: int, scale: float = 1.0) -> Any:
    """Expect render parameters of one tile, or of more, in an area."""
    expected = {"x": x, "y": y, "width": width, "height": height, "scale": scale}
    return lambda found, owner: expected.items() <= found.items()


ENDPOINTS = [
    Call("GET", TILE, A, where=OF_A),
    Call("DELETE", TILE, where=OF_A),
    Call("GET", TILE + "/render-parameters", area(10.0, 20.0, 100, 80), where=OF_A),
    Call("GET", TILE + "/withNeighbors/render-parameters", area(-20.0, -4.0, 160, 128), where=OF_A),
    Call("GET", TILE + "/source/scale/{scale}/render-parameters", area(0.0, 0.0, 100, 80, 0.5), where=OF_A),
    Call("GET", TILE + "/mask/scale/{scale}/render-parameters", area(0.0, 0.0, 100, 80, 0.5), where=OF_A),
    # the image of a is nowhere
    Call("GET", TILE + "/validation-info", re.compile(".+"), status=400, where=OF_A),
]

LENS = affine("1 0 0 1 1 0", metaData={"labels": ["lens"]})
MOVE = affine("1 0 0 1 10.5 20")
LAST = affine("1 0 0 1 500 0", metaData={"labels": ["montage"]})
SHARED = affine(id="x")
CHAIN = [LENS, SHARED, MOVE, LAST]
STORED = (7.0, 8.0, 100.9, 90.2)
WHOLE = (511.0, 20.0, 611.0, 100.0)
CUT = "excludeFirstTransformAndAllAfter"
KEEP = "excludeTransformsAfterLast"

# query, number of transforms that are kept, x y width height, box of the tile
RULES = [
    ("plain", "", 4, (7.0, 8.0, 93, 82), STORED),
    ("not normalized", "?normalizeForMatching=false", 4, (7.0, 8.0, 93, 82), STORED),
    ("offset", "?x=10&y=-10", 4, (17.0, -2.0, 93, 82), STORED),
    ("size", "?width=5&height=6", 4, (7.0, 8.0, 5, 6), STORED),
    ("no transforms", "?excludeAllTransforms=true", 0, (0.0, 0.0, 100, 80), (0.0, 0.0, 100.0, 80.0)),
    ("false turns labels on", "?excludeAllTransforms=false", 4, (511.0, 20.0, 100, 80), WHOLE),
    ("cut", f"?{CUT}=montage", 3, (11.0, 20.0, 100, 80), (11.0, 20.0, 111.0, 100.0)),
    ("cut at the first", f"?{CUT}=montage&{CUT}=lens", 0, (0.0, 0.0, 100, 80), (0.0, 0.0, 100.0, 80.0)),
    ("keep", f"?{KEEP}=lens", 1, (1.0, 0.0, 100, 80), (1.0, 0.0, 101.0, 80.0)),
    ("keep up to the last", f"?{KEEP}=lens&{KEEP}=montage", 4, (511.0, 20.0, 100, 80), WHOLE),
    ("keep, then cut", f"?{KEEP}=montage&{CUT}=lens", 0, (0.0, 0.0, 100, 80), (0.0, 0.0, 100.0, 80.0)),
    ("no such labels", f"?{KEEP}=none&{CUT}=none", 4, (511.0, 20.0, 100, 80), WHOLE),
]
# newsolver leaves the box where the transforms that are kept put it
RULES_OF_MASTER = [
    ("normalized", "?normalizeForMatching=true", 1, (0.0, 0.0, 100, 80), (1.0, 0.0, 101.0, 80.0)),
    ("normalized, offset", "?normalizeForMatching=true&x=3", 1, (3.0, 0.0, 100, 80), (1.0, 0.0, 101.0, 80.0)),
    (
        "default of render-python",
        "?normalizeForMatching=true&excludeAllTransforms=false",
        4,
        (0.0, 0.0, 100, 80),
        WHOLE,
    ),
]

CHANNELS = [
    ("DAPI", 200, None),
    ("A__0.5__B__0.5", 200, None),
    ("DAPI___.8___GFP___.2", 400, 'For input string: "_.8"'),
    (
        "A__0.7__B__0.7",
        400,
        "Channel B weight 0.7 is too large.  The sum of all weights must be less than or equal to 1.0.  Current "
        "weights are: {A=0.7}",
    ),
]

PATHS = ["tile/t", "z/1", "z/1/box/0,0,9,9,1", "tile/t/withNeighbors", "tile/t/source/scale/1"]
IDS = ["ü", "a b", "50%", "a?b#c", "a,b", "a+b", "1.0", "...", '"', "\\"]


class TileDataConformance(ServiceConformance):
    """Tiles and render parameters, section 3.4 of the behaviour of render-ws."""

    @pytest.fixture
    def tile(self, loading: Rest) -> Rest:
        """Return a stack with a tile t that has four transforms."""
        loading.put_tiles(make_tile("t", box=STORED, specs=[LENS, REF, MOVE, LAST]), transforms=[SHARED])
        return loading

    @pytest.mark.parametrize("call", ENDPOINTS, ids=str)
    def test_endpoint(self, stack: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        if "mask" in call.path:
            stack.put_tiles(
                {**A, "mipmapLevels": {"0": {"imageUrl": "i", "maskUrl": "m"}}}, transforms=[SHARED]
            )
        check(stack, call)

    def test_validation_info(self, loading: Rest) -> None:
        """A tile whose image cannot be read is said to be bad."""
        loading.put_tiles(make_tile("a", mipmapLevels={"0": {"imageUrl": "/nowhere/at/all.png"}}))
        status, text = loading.refused("GET", "tile/a/validation-info")
        assert status == 400
        assert "/nowhere/at/all.png" in text
        assert loading.status("GET", "tile/b/validation-info") == 404

    @rows(*RULES, names="query, kept, expected_area, box")
    def test_which_transforms_and_which_box(
        self, tile: Rest, query: str, kept: int, expected_area: tuple[float, ...], box: tuple[float, ...]
    ) -> None:
        """Labels, or normalization, or neither say what is cut, and where the tile is rendered."""
        found = tile.get("tile/t/render-parameters" + query)
        (spec,) = found["tileSpecs"]
        assert spec["transforms"] == {"type": "list", "specList": CHAIN[:kept]}
        assert tuple(found[key] for key in ("x", "y", "width", "height")) == expected_area
        assert tuple(spec[key] for key in BOX) == box

    @of_master
    @rows(*RULES_OF_MASTER, names="query, kept, expected_area, box")
    def test_where_a_normalized_tile_is_rendered(
        self, tile: Rest, query: str, kept: int, expected_area: tuple[float, ...], box: tuple[float, ...]
    ) -> None:
        """Its box begins at the origin."""
        self.test_which_transforms_and_which_box(tile, query, kept, expected_area, box)

    @pytest.mark.parametrize(("count", "kept"), [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 2)])
    def test_normalized_without_a_lens(self, loading: Rest, count: int, kept: int) -> None:
        """Without lens transform the last one is dropped, and the first two are kept."""
        specs = [affine(f"1 0 0 1 {number} 0") for number in range(count)]
        loading.put_tiles(make_tile("t", specs=specs))
        found = loading.get("tile/t/render-parameters?normalizeForMatching=true")
        assert found["tileSpecs"][0]["transforms"]["specList"] == specs[:kept]

    def test_normalized_through_the_last_lens(self, loading: Rest) -> None:
        """With lens transforms everything up to the last of them is kept."""
        specs = [MOVE, LENS, MOVE, LENS, MOVE]
        loading.put_tiles(make_tile("t", specs=specs))
        found = loading.get("tile/t/render-parameters?normalizeForMatching=true")
        assert found["tileSpecs"][0]["transforms"]["specList"] == specs[:4]

    @pytest.mark.parametrize("path", PATHS)
    def test_common_parameters(self, tile: Rest, path: str) -> None:
        """Flags are always said; the query says what of, and wins over the scale of the path."""
        plain = tile.get(path + "/render-parameters")
        assert not any(plain[flag] for flag in FLAGS)
        assert not {"minIntensity", "maxIntensity", "filterSpecs", "channels"} & set(plain)
        query = "&".join(
            [
                "filter=true&binaryMask=true&excludeMask=true&convertToGray=true&fillWithNoise=true",
                "minIntensity=5&maxIntensity=250.5&channels=A__0.5__B__0.5&scale=0.25",
            ]
        )
        found = tile.get(f"{path}/render-parameters?{query}")
        assert all(found[flag] is True for flag in FLAGS)
        assert (found["minIntensity"], found["maxIntensity"], found["scale"]) == (5.0, 250.5, 0.25)
        assert found["channels"] == "A__0.5__B__0.5"

    @pytest.mark.parametrize("path", PATHS)
    def test_defaults_of_the_stack(self, api: Rest, path: str) -> None:
        """Channel and mipmaps of the stack count, but not for the bare image."""
        api.create(mipmapPathBuilder=BUILDER, defaultChannel="DAPI")
        api.put_tiles(make_tile())
        found = api.get(path + "/render-parameters")
        expected = (None, None) if "source" in path else (BUILDER, "DAPI")
        assert (found.get("mipmapPathBuilder"), found.get("channels")) == expected

    @inferred
    @pytest.mark.parametrize(("channels", "status", "text"), CHANNELS)
    def test_channels(self, tile: Rest, channels: str, status: int, text: str | None) -> None:
        """Names and weights are joined by two underscores; weights sum to 1 at most."""
        answer = tile("GET", f"tile/t/render-parameters?channels={channels}")
        assert answer.status_code == status
        assert text is None or answer.text == text

    def test_an_unknown_filter_list(self, tile: Rest) -> None:
        """Filter lists must be known to the server."""
        assert tile.status("GET", "tile/t/render-parameters?filterListName=there_is_none") == 400

    def test_parameters_of_a_layer(self, loading: Rest) -> None:
        """The box is that of the layer, with a whole number of pixels."""
        loading.put_tiles(
            make_tile("b", 5.0, (-10.5, 0, 10, 10.9)), make_tile("a", 5.0, (10, 10, 20.2, 20.9))
        )
        found = loading.get("z/5/render-parameters")
        assert [found[key] for key in ("x", "y", "width", "height")] == [-10.5, 0.0, 30, 20]
        assert [tile["tileId"] for tile in found["tileSpecs"]] == ["a", "b"]

    def test_neighbours(self, loading: Rest) -> None:
        """The box is that of the tile, larger by a part of the size of its image."""
        loading.put_tiles(
            make_tile("a", 5.0, (100, 100, 250, 250)),
            make_tile("b", 5.0, (70, 76, 71, 77)),
            make_tile("c", 5.0, (0, 0, 69, 300)),
            make_tile("d", 6.0, (100, 100, 250, 250)),
        )
        for query, expected, tiles in [
            ("", [70.0, 76.0, 160, 128], ["a", "b"]),
            ("?widthFactor=1&heightFactor=0", [0.0, 100.0, 300, 80], ["a", "c"]),
        ]:
            found = loading.get("tile/a/withNeighbors/render-parameters" + query)
            assert [found[key] for key in ("x", "y", "width", "height")] == expected
            assert [tile["tileId"] for tile in found["tileSpecs"]] == tiles

    @pytest.mark.parametrize("kind", ["source", "mask"])
    def test_bare_images(self, loading: Rest, kind: str) -> None:
        """One anonymous tile with one channel, no transforms, the first image or its mask."""
        levels = {"1": {"imageUrl": "i1", "maskUrl": "m1"}, "2": {"imageUrl": "i2"}}
        loading.put_tiles(make_tile("t", mipmapLevels=levels, specs=[MOVE]))
        found = loading.get(f"tile/t/{kind}/scale/0.5/render-parameters")
        assert [found[key] for key in ("x", "y", "width", "height", "scale")] == [0.0, 0.0, 100, 80, 0.5]
        assert found["skipInterpolation"] is True
        (spec,) = found["tileSpecs"]
        assert "tileId" not in spec
        assert spec["transforms"] == {"type": "list", "specList": []}
        (channel,) = spec["channels"]
        assert channel["mipmapLevels"] == {"1": {"imageUrl": "i1" if kind == "source" else "m1"}}
        assert (channel["minIntensity"], channel["maxIntensity"]) == (0.0, 255.0)

    @pytest.mark.parametrize(
        "path",
        ["", "/render-parameters", "/source/scale/1/render-parameters", "/withNeighbors/render-parameters"],
    )
    def test_a_tile_that_is_not_there(self, stack: Rest, path: str) -> None:
        """No tile, no answer; ids are told apart by case."""
        assert stack.status("GET", f"tile/A{path}") == 404

    @inferred
    @pytest.mark.parametrize("tile_id", IDS)
    def test_ids_of_every_kind(self, loading: Rest, tile_id: str) -> None:
        """Ids may hold anything, encoded in paths."""
        loading.put_tiles(make_tile(tile_id))
        assert loading.get(f"tile/{quote(tile_id, safe='')}") == make_tile(tile_id)

    @superset
    @pytest.mark.parametrize("tile_id", ["a/b", "\0"])
    def test_ids_that_the_framework_of_a_full_render_ws_refuses(self, loading: Rest, tile_id: str) -> None:
        """The embedded server finds ids of any characters; in a full one such an address leads nowhere."""
        self.test_ids_of_every_kind(loading, tile_id)

    @superset
    @pytest.mark.parametrize("tile_id", ['"', "\\", "a\tb"])
    def test_lists_of_ids_are_json(self, loading: Rest, tile_id: str) -> None:
        """The embedded server escapes what is in an id; a full one answers what is no JSON."""
        loading.put_tiles(make_tile(tile_id))
        assert loading.get("tileIds") == [tile_id]
