"""Which answers are as stored, and which have their references replaced and their lists flattened."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

from typing import Any

import pytest

from renderapi.testing.conformance._base import REF, ServiceConformance, rows
from renderapi.testing.documents import affine, make_tile
from renderapi.testing.rest import Rest

L = affine("1 0 0 1 1 1", id="l")
M = affine("1 0 0 1 2 2", metaData={"labels": ["m"]})


def listed(*specs: Any, **more: Any) -> dict[str, Any]:
    """Make a list of transforms."""
    return {"type": "list", "specList": list(specs), **more}


def labelled(*labels: str) -> dict[str, Any]:
    """Make meta data with labels."""
    return {"metaData": {"labels": list(labels)}}


# transforms of a tile, the shared transform x, and what the tile then has
FLAT: list[tuple[str, list[Any], dict[str, Any], list[Any]]] = [
    ("leaves stay", [L, M], affine(id="x"), [L, M]),
    ("a reference is replaced", [REF, L], affine(id="x"), [affine(id="x"), L]),
    ("lists vanish", [listed(L, listed(M)), L], affine(id="x"), [L, M, L]),
    ("an empty list leaves nothing", [listed(), L], affine(id="x"), [L]),
    ("a shared list vanishes", [REF, L], listed(L, M, id="x"), [L, M, L]),
    (
        "labels go to what is in the list",
        [listed(L, **labelled("a"))],
        affine(id="x"),
        [{**L, **labelled("a")}],
    ),
    ("labels are added", [listed(M, **labelled("a"))], affine(id="x"), [{**M, **labelled("m", "a")}]),
    (
        "labels of all lists around",
        [listed(listed(L, **labelled("b")), **labelled("a"))],
        affine(id="x"),
        [{**L, **labelled("b", "a")}],
    ),
    (
        "labels of references",
        [listed(REF, **labelled("a"))],
        affine(id="x"),
        [affine(id="x", **labelled("a"))],
    ),
    (
        "parts of interpolations",
        [{"type": "interpolated", "a": listed(L), "b": listed(REF, M), "lambda": 0.5}],
        affine(id="x"),
        [{"type": "interpolated", "a": L, "b": listed(affine(id="x"), M), "lambda": 0.5}],
    ),
]

# the shared transform x, which cannot be resolved when a tile is read
UNRESOLVABLE = [
    ("reference to a reference", {"type": "ref", "refId": "y"}),
    ("list with a missing one", listed({"type": "ref", "refId": "nowhere"})),
]
RESOLVED = ["z/1/tile-specs", "tile/a/render-parameters", "z/1/render-parameters", "z/1/last-tile-transforms"]


def without_order(value: Any) -> Any:
    """Sort labels, whose order says nothing."""
    if isinstance(value, list):
        return [without_order(part) for part in value]
    if isinstance(value, dict):
        return {k: sorted(v) if k == "labels" else without_order(v) for k, v in value.items()}
    return value


class ResolvingConformance(ServiceConformance):
    """Stored, resolved and flattened transforms, section 3.3 of the behaviour of render-ws."""

    @rows(*FLAT, names="specs, shared, expected")
    def test_flattening(
        self, loading: Rest, specs: list[Any], shared: dict[str, Any], expected: list[Any]
    ) -> None:
        """References are replaced, lists vanish but for their labels; what is stored stays."""
        tile = make_tile("a", specs=specs)
        loading.put_tiles(tile, transforms=[shared])
        for path in ("tile/a", "z/1/resolvedTiles"):
            found = loading.get(path)
            assert found.get("tileIdToSpecMap", {"a": found})["a"] == tile
        assert loading.get("transform/x") == shared
        flat = {**tile, "transforms": listed(*expected)}
        assert without_order(loading.get("z/1/tile-specs")) == without_order([flat])
        assert without_order(loading.ask("PUT", "tile-specs-with-ids", ["a"])) == without_order([flat])
        for path in ("tile/a", "z/1", "z/1/box/0,0,9,9,1"):
            found = loading.get(path + "/render-parameters")["tileSpecs"]
            assert without_order(found) == without_order([flat])
        assert without_order(loading.get("z/1/last-tile-transforms")) == without_order(
            [{"tileId": "a", "lastTransform": expected[-1]}]
        )

    def test_no_transforms(self, loading: Rest) -> None:
        """A tile without transforms has no last one."""
        loading.put_tiles(make_tile("a"))
        assert loading.get("z/1/last-tile-transforms") == [{"tileId": "a"}]

    def test_order(self, loading: Rest) -> None:
        """Resolved tiles are in binary order of their ids."""
        loading.put_tiles(*(make_tile(tile_id) for tile_id in ("b", "a", "B", "10", "9", "é")))
        expected = ["10", "9", "B", "a", "b", "é"]
        assert [tile["tileId"] for tile in loading.get("z/1/tile-specs")] == expected
        found = loading.get("z/1/box/0,0,9,9,1/render-parameters")["tileSpecs"]
        assert [tile["tileId"] for tile in found] == expected

    def test_labels_of_shared_transforms(self, loading: Rest) -> None:
        """Within an answer, a label that a shared transform got in one tile shows in all."""
        loading.put_tiles(
            make_tile("a", specs=[REF]),
            make_tile("b", specs=[listed(REF, **labelled("inherited"))]),
            transforms=[affine(id="x")],
        )
        a, b = loading.get("z/1/tile-specs")
        assert a["transforms"] == b["transforms"] == listed(affine(id="x", **labelled("inherited")))
        (alone,) = loading.get("tile/a/render-parameters")["tileSpecs"]
        assert alone["transforms"] == listed(affine(id="x"))

    def test_references_between_shared_transforms(self, loading: Rest) -> None:
        """Reading follows references through the stack; raw answers have all that are needed."""
        loading.put_tiles(make_tile("a", specs=[REF]), transforms=[affine(id="x")])
        shared = [listed({"type": "ref", "refId": "y"}, id="x"), affine("2 0 0 2 0 0", id="y")]
        loading.put_tiles(make_tile("filler", 9.0), transforms=shared)
        assert loading.get("z/1/tile-specs")[0]["transforms"] == listed(shared[1])
        assert loading.get("z/1/resolvedTiles")["transformIdToSpecMap"] == {
            spec["id"]: spec for spec in shared
        }

    @pytest.mark.parametrize("path", RESOLVED)
    @pytest.mark.parametrize("shared", [row[1] for row in UNRESOLVABLE], ids=[row[0] for row in UNRESOLVABLE])
    def test_what_cannot_be_resolved(self, loading: Rest, shared: dict[str, Any], path: str) -> None:
        """What cannot be resolved fails when it is read, and is still there as it is stored."""
        tile = make_tile("a", specs=[REF])
        loading.put_tiles(tile, transforms=[affine(id="x"), affine(id="y")])
        loading.put_tiles(make_tile("filler", 9.0), transforms=[{"id": "x", **shared}])
        status, text = loading.refused("GET", path)
        assert status == 500
        assert text.startswith(
            "tile spec a is not fully resolved after applying the following transform specs: ["
        )
        assert loading.get("tile/a") == tile

    @pytest.mark.parametrize("path", RESOLVED)
    def test_a_list_with_itself(self, loading: Rest, path: str) -> None:
        """It has no end, which fails when it is read, in whatever words."""
        loading.put_tiles(make_tile("a", specs=[REF]), transforms=[affine(id="x")])
        loading.put_tiles(make_tile("filler", 9.0), transforms=[listed(REF, id="x")])
        assert loading.status("GET", path) == 500
