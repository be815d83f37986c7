"""How documents are read and written: what is dropped, left out, converted."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

from typing import Any

import pytest

from renderapi.testing.conformance._base import ServiceConformance, rows
from renderapi.testing.documents import affine, make_pair, make_tile
from renderapi.testing.rest import Rest

# name, keys of a tile that are sent, what is answered of them; ... is a key that is not there
TILES = [
    ("unknown keys", {"frameId": 5, "mesh_cell_size": 1}, {"frameId": ..., "mesh_cell_size": ...}),
    (
        "nulls",
        {"groupId": None, "width": None, "layout": None},
        {"groupId": ..., "width": ..., "layout": ...},
    ),
    ("number in a text", {"z": "1.5", "minX": "-3"}, {"z": 1.5, "minX": -3.0}),
    (
        "number for a text",
        {"groupId": 5, "layout": {"sectionId": 5}},
        {"groupId": "5", "layout": {"sectionId": "5"}},
    ),
    (
        "fraction for an integer",
        {"layout": {"imageCol": 1.7, "imageRow": "2"}},
        {"layout": {"imageCol": 1, "imageRow": 2}},
    ),
    ("unknown keys of a layout", {"layout": {"sectionId": "1", "extra": 1}}, {"layout": {"sectionId": "1"}}),
    ("nulls of a layout", {"layout": {"sectionId": None}}, {"layout": {}}),
    ("not a number, as a text", {"minIntensity": "NaN"}, {"minIntensity": "NaN"}),
    ("integers for doubles", {"minX": 1, "maxX": 101}, {"minX": 1.0, "maxX": 101.0}),
    ("no transforms", {"transforms": ...}, {"transforms": {"type": "list", "specList": []}}),
    ("no mesh cell size", {"meshCellSize": ...}, {"meshCellSize": 64.0}),
    ("no images", {"mipmapLevels": ...}, {"mipmapLevels": {}}),
    (
        "channels",
        {"channels": [{"name": "DAPI"}]},
        {"channels": [{"name": "DAPI", "minIntensity": 0.0, "maxIntensity": 255.0, "mipmapLevels": {}}]},
    ),
]

# what is sent as the time of a version, and what it then is
DATES = [
    ("2017-06-01T10:20:30.005Z", "2017-06-01T10:20:30.005Z"),
    ("2017-06-01T10:20:30.5Z", "2017-06-01T10:20:30.005Z"),
    ("2017-06-01T10:20:30.050Z", "2017-06-01T10:20:30.050Z"),
]

# why a body is refused, tiles and query, status, text (its beginning, if it ends with …; None where it is no document
# that could be read, which is said in the words of a framework)
NO_BOX = "tile with id 'a' is missing bounding box attributes (minX, minY, maxX, and/or maxY)"
NO_TILES = "collection does not have any tiles (maybe they were removed by a prior validation process)"
NULL_SPEC = (
    "A null spec is part of the transform spec list with id 'null'.  Check for an extraneous comma at the end of "
    "the list."
)
UNKNOWN = {"type": "leaf", "className": "x.Y", "dataString": "1"}
REFUSED: list[tuple[str, str, dict[str, Any], int, str | None]] = [
    ("no tiles", "z/2/resolvedTiles", {}, 400, NO_TILES),
    ("only transforms", "resolvedTiles", {"transformIdToSpecMap": {"x": affine(id="x")}}, 400, NO_TILES),
    ("no box", "resolvedTiles", {"a": make_tile("a", minX=None)}, 400, NO_BOX),
    (
        "another z",
        "z/2/resolvedTiles",
        {"a": make_tile("a", 1.0)},
        400,
        "all tiles must have a z value of 2.0 but tile with id 'a' has a z value of 1.0",
    ),
    (
        "reference to nothing",
        "resolvedTiles",
        {"a": make_tile("a", specs=[{"type": "ref", "refId": "x"}])},
        400,
        "tile a requires the following transform ids [x]",
    ),
    (
        "no size to derive",
        "resolvedTiles?deriveData=true",
        {"a": make_tile("a", width=None)},
        500,
        "width and height must be set to create a bounding box",
    ),
    (
        "unknown class to derive",
        "resolvedTiles?deriveData=true",
        {"a": make_tile("a", specs=[UNKNOWN])},
        400,
        "transform class 'x.Y' cannot be found",
    ),
    (
        "bad data to derive",
        "resolvedTiles?deriveData=true",
        {"a": make_tile("a", specs=[affine("1")])},
        400,
        "…",
    ),
    ("null for transforms", "resolvedTiles", {"a": {**make_tile("a"), "transforms": None}}, 500, "…"),
    ("list for transforms", "resolvedTiles", {"a": {**make_tile("a"), "transforms": []}}, 400, None),
    (
        "transforms without type",
        "resolvedTiles",
        {"a": {**make_tile("a"), "transforms": {"specList": []}}},
        400,
        None,
    ),
    ("null spec", "resolvedTiles", {"a": make_tile("a", specs=[None])}, 500, NULL_SPEC),
]


class DocumentConformance(ServiceConformance):
    """What becomes of documents that are stored, sections 1.2 and 3.1 of the behaviour of render-ws."""

    @rows(*TILES, names="sent, expected")
    def test_tile_specs(self, loading: Rest, sent: dict[str, Any], expected: dict[str, Any]) -> None:
        """Unknown keys and nulls are dropped, texts and numbers converted, defaults written."""
        tile = {key: value for key, value in {**make_tile("a"), **sent}.items() if value is not ...}
        loading.put_tiles(tile)
        found = loading.get("tile/a")
        for key, value in expected.items():
            assert found.get(key, ...) == value
            if isinstance(value, float):
                assert isinstance(found[key], float)
        unchanged = {key: value for key, value in make_tile("a").items() if key not in expected}
        assert unchanged.items() <= found.items()

    def test_nothing_changes_a_document_that_is_well_formed(self, loading: Rest) -> None:
        """A tile spec that was read can be written and read again."""
        layout = {
            "sectionId": "1.0",
            "temca": "0",
            "camera": "3",
            "imageRow": 2,
            "imageCol": 1,
            "stageX": 1.5,
        }
        specs = [
            affine(metaData={"labels": ["lens"]}),
            {"type": "list", "specList": [affine(), affine()]},
            {"type": "interpolated", "a": affine(), "b": affine("2 0 0 2 0 0"), "lambda": 0.25},
        ]
        tile = make_tile("a", layout=layout, specs=specs, groupId="g", labels=["l"], minIntensity=0.0)
        loading.put_tiles(tile)
        assert loading.get("tile/a") == tile

    @pytest.mark.parametrize(("sent", "expected"), DATES)
    def test_dates(self, api: Rest, sent: str, expected: str) -> None:
        """The fraction of a second is a number of milliseconds, however many digits it has."""
        api.create(createTimestamp=sent)
        assert api.get("")["currentVersion"] == {"createTimestamp": expected}

    def test_dates_need_a_fraction(self, api: Rest) -> None:
        """A time without milliseconds cannot be read."""
        assert api.status("POST", "", {"createTimestamp": "2017-06-01T10:20:30Z"}) == 400

    @rows(*REFUSED, names="path, tiles, status, text")
    def test_tiles_that_cannot_be_stored(
        self, loading: Rest, path: str, tiles: dict[str, Any], status: int, text: str | None
    ) -> None:
        """What is wrong with tiles is said, and nothing of the body is stored."""
        body = (
            tiles
            if "transformIdToSpecMap" in tiles
            else {"tileIdToSpecMap": {**tiles, "ok": make_tile("ok", 2.0)}}
        )
        if not tiles:
            body = {}
        if text is None:
            assert loading.status("PUT", path, body) == status
        else:
            found, words = loading.refused("PUT", path, body)
            assert found == status
            assert words.startswith(text[:-1]) if text.endswith("…") else words == text
        assert loading.get("tileIds") == []

    def test_references_are_resolved_within_a_body(self, loading: Rest) -> None:
        """Transforms that the stack already has do not count when tiles are stored."""
        loading.put_tiles(make_tile("a"), transforms=[affine(id="x")])
        ref = make_tile("b", specs=[{"type": "ref", "refId": "x"}])
        assert loading.refused("PUT", "resolvedTiles", {"tileIdToSpecMap": {"b": ref}}) == (
            400,
            "tile b requires the following transform ids [x]",
        )

    def test_order_of_checks(self, api: Rest) -> None:
        """First the body must be there, then the stack, then its state, then all else."""
        bad = {"tileIdToSpecMap": {"a": make_tile("a", minX=None)}}
        assert api.refused("PUT", "resolvedTiles", None)[0] == 400
        assert api.refused("PUT", "resolvedTiles", bad)[0] == 404
        api.create()
        api.put_tiles(make_tile())
        api.bring_to("COMPLETE")
        assert api.refused("PUT", "resolvedTiles", bad)[0] == 500
        api.send("PUT", "state/LOADING", status=201)
        assert api.refused("PUT", "resolvedTiles", bad) == (400, NO_BOX)

    def test_ids_of_specs_count(self, loading: Rest) -> None:
        """The keys of the maps of a body are ignored."""
        tile = make_tile("a", specs=[])
        body = {"tileIdToSpecMap": {"key": tile}, "transformIdToSpecMap": {"key": affine(id="x")}}
        loading.send("PUT", "resolvedTiles", body, 201)
        assert loading.get("tileIds") == ["a"]
        assert loading.get("transform/x") == affine(id="x")
        assert loading.status("GET", "transform/key") == 404

    def test_tiles_are_replaced_as_a_whole(self, loading: Rest) -> None:
        """What is stored again replaces what was there; layers may be mixed."""
        loading.put_tiles(make_tile("a", 1.0, groupId="g"), make_tile("b", 2.0))
        loading.put_tiles(make_tile("a", 3.0))
        assert loading.get("tile/a") == make_tile("a", 3.0)
        assert loading.get("zValues") == [2.0, 3.0]

    def test_classes_are_only_looked_for_when_they_are_needed(self, loading: Rest) -> None:
        """Without deriveData transforms are not looked at; they fail when they are used."""
        loading.put_tiles(make_tile("a", specs=[UNKNOWN]))
        assert loading.get("tile/a")["transforms"]["specList"] == [UNKNOWN]
        assert loading.refused("GET", "tile/a/local-to-world-coordinates/1,1") == (
            400,
            "transform class 'x.Y' cannot be found",
        )

    @pytest.mark.parametrize("kind", ["leaf", "affine", None])
    def test_other_types_of_transforms_are_leaves(self, loading: Rest, kind: str | None) -> None:
        """An unknown or missing type means a leaf."""
        spec = {**affine("1 0 0 1 5 0"), "type": kind}
        loading.put_tiles(make_tile("a", specs=[spec if kind else {k: v for k, v in spec.items() if v}]))
        assert loading.get("tile/a/local-to-world-coordinates/1,1")["world"] == [6.0, 1.0, 1.0]

    def test_matches(self, api: Rest) -> None:
        """Unknown keys and the number sent with matches are dropped."""
        api.put_pairs({**make_pair(), "unknown": 1, "matchCount": 99})
        found = api.get("/owner/{owner}/matchCollection/c/pGroup/g1/matches")
        assert found == [{**make_pair(), "matchCount": 2}]
