"""Collections of tiles with shared transforms."""

import copy
import json
import pickle

import pytest
import responses

from renderapi import _json
from renderapi.errors import BadAnswerError, NotFoundError, SpecError, StackStateError
from renderapi.render import connect
from renderapi.resolvedtiles import (
    ResolvedTiles,
    combine_resolvedtiles,
    get_resolved_tiles_from_z,
    put_tilespecs,
)
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, InterpolatedTransform, ReferenceTransform, TransformList

BASE = "http://render.example:8080/render-ws/v1/owner/own/project/proj/stack/stk"
LENS = {
    "type": "leaf",
    "id": "lens",
    "className": "mpicbg.trakem2.transform.AffineModel2D",
    "dataString": "1.0 0.0 0.0 1.0 5.0 0.0",
    "metaData": {"labels": ["lens"]},
}
TILE = {
    "tileId": "a",
    "z": 1.0,
    "minX": 5.0,
    "minY": 0.0,
    "maxX": 105.0,
    "maxY": 80.0,
    "width": 100.0,
    "height": 80.0,
    "mipmapLevels": {},
    "transforms": {"type": "list", "specList": [{"type": "ref", "refId": "lens"}]},
    "meshCellSize": 64.0,
}
COLLECTION = {"transformIdToSpecMap": {"lens": LENS}, "tileIdToSpecMap": {"a": TILE}}


def read_bytes(document):
    return ResolvedTiles.from_json(json.dumps(document, separators=(",", ":")).encode())


readers = pytest.mark.parametrize(
    "read", [lambda d: ResolvedTiles(json=d), read_bytes], ids=["dict", "bytes"]
)


@pytest.fixture
def http():
    """Answer requests as the test says, and no other."""
    with responses.mock:
        yield


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


@readers
def test_round_trip(read):
    resolved = read(COLLECTION)
    assert resolved.to_dict(bounds=True) == COLLECTION
    assert "minX" not in resolved.to_dict()["tileIdToSpecMap"]["a"]
    assert repr(resolved) == "ResolvedTiles(1 tile specs, 1 transforms)"


@readers
def test_reading_does_not_change_the_document_and_the_key_is_the_id(read):
    document = copy.deepcopy(COLLECTION)
    del document["transformIdToSpecMap"]["lens"]["id"]
    del document["tileIdToSpecMap"]["a"]["tileId"]
    before = copy.deepcopy(document)
    resolved = read(document)
    assert (resolved.tilespecs[0].tileId, resolved.transforms[0].transformId) == ("a", "lens")
    assert document == before


@readers
def test_an_empty_collection(read):
    for document in ({}, {"tileIdToSpecMap": {}, "transformIdToSpecMap": {}}):
        resolved = read(document)
        assert (resolved.tilespecs, resolved.transforms) == ([], [])


def test_without_msgspec_the_same_is_read(monkeypatch):
    content = json.dumps(COLLECTION).encode()
    fast = ResolvedTiles.from_json(content).to_dict(bounds=True)
    monkeypatch.setattr(_json, "_HAS_MSGSPEC", False)
    assert ResolvedTiles.from_json(content).to_dict(bounds=True) == fast == COLLECTION


@pytest.mark.parametrize("content", [b"[]", b"3", b"{", b'{"tileIdToSpecMap": {"a": 3}}'])
def test_what_is_no_collection_is_refused(content):
    with pytest.raises((ValueError, TypeError)):
        ResolvedTiles.from_json(content)


def test_lists_live_in_the_instance_under_their_names():
    resolved = ResolvedTiles([1], [2])
    assert vars(resolved) == {"tilespecs": [1], "transforms": [2]}
    resolved.__dict__.pop("tilespecs")
    assert not hasattr(resolved, "tilespecs")
    assert ResolvedTiles().tilespecs is not ResolvedTiles().tilespecs


def test_copies_and_pickles():
    resolved = ResolvedTiles.from_json(json.dumps(COLLECTION).encode())
    for other in (copy.deepcopy(resolved), pickle.loads(pickle.dumps(resolved))):
        assert other.to_dict(bounds=True) == COLLECTION


def test_shared_transforms_without_id_are_refused_not_merged():
    resolved = ResolvedTiles([], [AffineModel(B0=1), AffineModel(B0=2)])
    with pytest.raises(SpecError, match="shared transform 0 has no transformId"):
        resolved.to_dict()


def test_combining_keeps_all_transforms_without_id():
    one = ResolvedTiles([TileSpec(tileId="a", z=1)], [AffineModel(B0=1), AffineModel(transformId="t")])
    two = ResolvedTiles(
        [TileSpec(tileId="a", z=2), TileSpec(tileId="b")], [AffineModel(), AffineModel(transformId="t")]
    )
    combined = combine_resolvedtiles([one, two])
    assert [(tile.tileId, tile.z) for tile in combined.tilespecs] == [("a", 2), ("b", None)]
    assert [t.transformId for t in combined.transforms] == [None, "t", None]
    assert combined.transforms[1] is two.transforms[1]


@pytest.mark.parametrize("tile_id", [None, "", True])
def test_a_tile_without_id_is_refused(tile_id):
    with pytest.raises(SpecError, match="tile spec 0 has the tileId"):
        ResolvedTiles([TileSpec(tileId=tile_id)]).to_dict()


@pytest.mark.usefixtures("http")
class TestEndpoints:
    def test_layer(self, render):
        responses.get(f"{BASE}/z/1.5/resolvedTiles", json=COLLECTION)
        resolved = get_resolved_tiles_from_z("stk", 1.5, render=render)
        assert resolved.to_dict(bounds=True) == COLLECTION
        assert isinstance(resolved.tilespecs[0].tforms[0], ReferenceTransform)

    def test_layer_that_does_not_exist(self, render):
        responses.get(f"{BASE}/z/2/resolvedTiles", status=404, body="no tile specifications found")
        with pytest.raises(NotFoundError):
            get_resolved_tiles_from_z("stk", 2, render=render)

    def test_bad_answer(self, render):
        responses.get(f"{BASE}/z/2/resolvedTiles", body="<html>")
        with pytest.raises(BadAnswerError, match="resolved tiles"):
            get_resolved_tiles_from_z("stk", 2, render=render)

    def put(self):
        return responses.put(f"{BASE}/resolvedTiles", status=201)

    def sent(self):
        return json.loads(responses.calls[-1].request.body)

    def test_putting_tiles_in_every_way(self, render):
        self.put()
        lens = AffineModel(B0=5, transformId="lens")
        tile = TileSpec(tileId="a", z=1, width=5, height=5, tforms=[ReferenceTransform("lens")])
        bodies = []
        for arguments in (
            {"resolved_tiles": ResolvedTiles([tile], [lens])},
            {"resolved_tiles": [tile], "shared_transforms": [lens]},
            {"tilespecs": [tile], "shared_transforms": [lens]},
        ):
            assert put_tilespecs("stk", render=render, **arguments).status_code == 201
            bodies.append(self.sent())
        assert bodies[0] == bodies[1] == bodies[2]
        assert list(bodies[0]["tileIdToSpecMap"]) == ["a"]
        assert list(bodies[0]["transformIdToSpecMap"]) == ["lens"]

    def test_without_deriveData_the_bounds_are_sent(self, render):
        self.put()
        put_tilespecs("stk", ResolvedTiles(json=COLLECTION), deriveData=False, render=render)
        assert self.sent() == COLLECTION
        assert responses.calls[-1].request.url.endswith("?deriveData=false")
        put_tilespecs("stk", ResolvedTiles(json=COLLECTION), render=render)
        assert "minX" not in self.sent()["tileIdToSpecMap"]["a"]

    def test_the_document_of_a_subclass_is_sent_as_it_gives_it(self, render):
        class Own(ResolvedTiles):
            def to_dict(self):
                document = super().to_dict()
                document["tileIdToSpecMap"]["a"]["minX"] = 77.0
                return document

        self.put()
        put_tilespecs("stk", Own(json=COLLECTION), deriveData=False, render=render)
        assert self.sent()["tileIdToSpecMap"]["a"]["minX"] == 77.0

    def test_plain_documents_are_fine(self, render):
        self.put()
        put_tilespecs("stk", [TILE], shared_transforms=[LENS], deriveData=False, render=render)
        assert self.sent() == COLLECTION

    def test_an_empty_list_is_sent_as_before(self, render):
        self.put()
        put_tilespecs("stk", tilespecs=[], render=render)
        assert self.sent() == {"transformIdToSpecMap": {}, "tileIdToSpecMap": {}}

    def test_wrong_state(self, render):
        text = "Resolved tiles can only be saved to stacks in the LOADING state, but this one is COMPLETE."
        responses.put(f"{BASE}/resolvedTiles", status=500, body=text)
        with pytest.raises(StackStateError, match="set_stack_state"):
            put_tilespecs("stk", [TileSpec(tileId="a", z=1, width=1, height=1)], render=render)

    @pytest.mark.parametrize(
        ("tile", "text"),
        [
            (TileSpec(tileId=None, width=1, height=1), "tileId"),
            (TileSpec(tileId="a", width=1), "tile 'a' has no width or height"),
            (TileSpec(tileId="a", width=1, height=1, z=float("nan")), "z of tile 'a' is nan"),
            (TileSpec(tileId="a", width=1, height=1, tforms=[ReferenceTransform("gone")]), r"\[gone\]"),
            (
                TileSpec(
                    tileId="a", width=1, height=1,
                    tforms=[TransformList(tforms=[ReferenceTransform("x"), ReferenceTransform("y")])],
                ),
                r"tile a requires the following transform ids \[x, y\]",
            ),
            (
                TileSpec(
                    tileId="a", width=1, height=1,
                    tforms=[InterpolatedTransform(ReferenceTransform("x"), AffineModel(), 0.5)],
                ),
                r"\[x\]",
            ),
        ],
    )  # fmt: skip
    def test_a_bad_tile_is_refused_before_anything_is_sent(self, render, tile, text):
        self.put()
        with pytest.raises(SpecError, match=text):
            put_tilespecs("stk", [tile], render=render)
        assert len(responses.calls) == 0
