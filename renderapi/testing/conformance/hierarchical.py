"""HierarchicalDataService: clusters of tiles and residuals of pairs."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

from typing import Any

import pytest

from renderapi.testing.conformance._base import (
    KEY,
    MISSING,
    PROJECT,
    STACK,
    B,
    Call,
    ServiceConformance,
    check,
    of_master,
)
from renderapi.testing.documents import affine, make_pair, make_tile
from renderapi.testing.rest import Rest

CLUSTERS = "z/1/clusteredTileBoundsForCollection/c"
MOVE = affine("1 0 0 1 10 0")


def question(p: str = "a", q: str = "b", details: bool | None = True) -> dict[str, Any]:
    """Ask for the residuals of two tiles that were matched in the stack s."""
    return {
        "pTileId": p,
        "qTileId": q,
        "matchRenderStackId": {"owner": "{owner}", "project": "p", "stack": "s"},
        "matchCollectionId": {"owner": "{owner}", "name": "c"},
        "includeDetails": details,
    }


def residuals(found: Any, owner: str) -> bool:
    """Expect residuals of two points that fit exactly."""
    return bool(found["distanceList"] == pytest.approx([0.0, 0.0], abs=1e-9) and found["maxDistance"] < 1e-9)


CALCULATIONS = [
    Call(
        "GET",
        STACK + "/z/{z}/clusteredTileBoundsForCollection/{matchCollection}",
        lambda found, owner: [[tile["tileId"] for tile in cluster] for cluster in found] == [["a", "b"]],
        where={"z": "1", "matchCollection": "c"},
    ),
    Call("POST", STACK + "/pairResidualCalculation", residuals, question()),
]
TIERS = [
    Call("GET", STACK + "/hierarchicalData", status=204),
    Call("PUT", STACK + "/hierarchicalData", body={"tier": 1}),
    Call("DELETE", STACK + "/hierarchicalData"),
    Call("GET", STACK + "/missingTierMatchLayers", f"{KEY} does not have hierarchical data", status=400),
    Call("GET", PROJECT + "/missingTierMatchLayers", []),
    Call(
        "DELETE",
        PROJECT + "/tierData",
        "removed 0 stacks and 0 match collections for project 'p' owned by '{owner}'",
    ),
    *(
        Call(
            "GET",
            PROJECT + "/z/{z}/" + path,
            "No aligned stacks exist for owner '{owner}' and project 'p'.",
            status=404,
            where={"z": "1"},
        )
        for path in ("affineWarpFieldTransform", "affineWarpFieldTransformDebug")
    ),
]
ENDPOINTS = CALCULATIONS + TIERS


class HierarchicalConformance(ServiceConformance):
    """Calculations with matches, and what is answered of tiers where there are none."""

    @pytest.mark.parametrize("call", CALCULATIONS, ids=str)
    def test_endpoint(self, stack: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        stack.put_tiles(
            make_tile("a", specs=[MOVE, MOVE]),
            {**B, "transforms": {"type": "list", "specList": [MOVE, MOVE]}},
        )
        stack.put_pairs(make_pair("1.0", "a", "1.0", "b", [(15.0, 5.0), (20.0, 30.0)], 0.0))
        check(stack, call)

    @of_master
    @pytest.mark.parametrize("call", TIERS, ids=str)
    def test_endpoint_of_tiers(self, stack: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        check(stack, call)

    @of_master
    def test_the_place_of_a_stack_in_a_hierarchy(self, loading: Rest) -> None:
        """It is part of the metadata of the stack, and null removes it."""
        loading.send("PUT", "hierarchicalData", {"tier": "1", "scale": 1, "more": 2})
        assert (
            loading.get("hierarchicalData")
            == loading.get("")["hierarchicalData"]
            == {"tier": 1, "scale": 1.0}
        )
        loading.send("PUT", "hierarchicalData", None)
        assert loading("GET", "hierarchicalData").status_code == 204
        missing = loading.fill(MISSING.replace("'s'", "'gone'"))
        assert loading.refused("GET", "hierarchicalData", stack="gone") == (404, missing)

    def test_clusters(self, loading: Rest) -> None:
        """Tiles that matches connect, within sections and between those of the layer; the largest first."""
        loading.put_tiles(
            *(make_tile(name, section="1") for name in "abcdef"),
            make_tile("x", section="1.1"),
            make_tile("other", 2.0, section="2"),
        )
        loading.put_pairs(
            make_pair("1", "a", "1", "b"),
            make_pair("1", "b", "1.1", "x"),
            make_pair("1", "d", "1", "e"),
            make_pair("1", "c", "2", "other"),
        )
        found = loading.get(CLUSTERS)
        assert [sorted(tile["tileId"] for tile in cluster) for cluster in found] == [
            ["a", "b", "x"],
            ["d", "e"],
        ]
        (x,) = (tile for tile in found[0] if tile["tileId"] == "x")
        # newsolver has a depth too
        assert {key: value for key, value in x.items() if key not in ("minZ", "maxZ")} == {
            **{"minX": 0.0, "minY": 0.0, "maxX": 100.0, "maxY": 80.0},
            **{"tileId": "x", "sectionId": "1.1", "z": 1.0},
        }
        assert loading.get(CLUSTERS + "?matchOwner={owner}") == found

    def test_no_clusters(self, stack: Rest) -> None:
        """Collection and stack must be there."""
        assert stack.refused("GET", CLUSTERS)[0] == 404
        stack.put_pairs(make_pair())
        assert stack.refused("GET", CLUSTERS, stack="gone")[0] == 404
        assert stack.get(CLUSTERS) == []

    @pytest.fixture
    def aligned(self, loading: Rest) -> Rest:
        """Return tiles that were matched behind a lens, and a stack in which q lies 3 pixels lower."""
        lens = affine("1 0 0 1 5 0", metaData={"labels": ["lens"]})
        loading.put_tiles(
            make_tile("a", specs=[lens, affine("1 0 0 1 1000 0")]), make_tile("b", specs=[lens])
        )
        loading.create("aligned")
        lower = affine("1 0 0 1 10 3")
        loading.put_tiles(make_tile("a", specs=[MOVE]), make_tile("b", specs=[lower]), stack="aligned")
        p, q = [(15, 10), (25, 20), (35, 30)], [(15, 10), (21, 20), (35, 34)]
        pair = make_pair("1.0", "a", "1.0", "b", p)
        pair["matches"]["q"] = [[float(point[axis]) for point in q] for axis in (0, 1)]
        loading.put_pairs(pair)
        return loading

    def test_residuals(self, aligned: Rest) -> None:
        """Distances of matched points in the other stack."""
        found = aligned.ask("POST", "pairResidualCalculation", question(), stack="aligned")
        assert found["alignedStackId"] == aligned.fill(
            {"owner": "{owner}", "project": "p", "stack": "aligned"}
        )
        assert found["inputData"] == aligned.fill(question())
        assert found["distanceList"] == pytest.approx([3.0, 5.0, 7.0])
        measures = [
            found[key] for key in ("medianDistance", "meanDistance", "maxDistance", "rootMeanSquareError")
        ]
        assert measures == pytest.approx([5.0, 5.0, 7.0, (83 / 3) ** 0.5])

    @of_master
    def test_residuals_without_details(self, aligned: Rest) -> None:
        """Each distance is told only where it is asked for."""
        found = aligned.ask("POST", "pairResidualCalculation", question(details=False), stack="aligned")
        assert "distanceList" not in found

    @pytest.mark.parametrize(
        ("body", "stack", "status"),
        [
            (question("a", "a"), "aligned", 404),
            (question("a", "x"), "aligned", 404),
            (question(), "gone", 404),
            (question(details=None), "aligned", 500),
        ],
    )
    def test_no_residuals(self, aligned: Rest, body: dict[str, Any], stack: str, status: int) -> None:
        """There must be matches, tiles, the stack, and a word about details."""
        assert aligned.refused("POST", "pairResidualCalculation", body, stack=stack)[0] == status

    def test_points_that_cannot_be_inverted(self, aligned: Rest) -> None:
        """Points outside of the tiles have no residuals."""
        aligned.put_pairs(make_pair("1.0", "a", "1.0", "b", [(1e6, 0.0)]))
        assert aligned.refused("POST", "pairResidualCalculation", question(), stack="aligned")[0] == 400
