"""Without orjson and msgspec everything is answered alike."""

import json

import pytest
from embedded import Api, affine, make_tile

from renderapi import _json
from renderapi.server import Store

IDENT = 'é"\\\n\u2028\x7f\x1f😀'


def everything():
    """Fill a server and give what it answers."""
    with Store() as store:
        api = Api(store)
        api.create(versionNotes=IDENT, createTimestamp="2017-06-01T10:20:30.5Z")
        nested = {
            "type": "list",
            "metaData": {"labels": ["l"]},
            "specList": [{"type": "ref", "refId": IDENT}],
        }
        api.put_tiles(
            make_tile(IDENT, box=(1e16, -1e-7, 1e22, 0.1), specs=[{"type": "ref", "refId": IDENT}]),
            make_tile("b", specs=[affine()]),
            make_tile("c", 2.0, specs=[nested]),
            transforms=[affine(id=IDENT)],
        )
        pair = {"pGroupId": IDENT, "pId": "p", "qGroupId": "q", "qId": "q"}
        matches = {"p": [[1, 2.5], [1e-9, 3]], "q": [[1, 2], ["NaN", 3]], "w": [1, 0.1]}
        api.send("PUT", "/owner/o/matchCollection/c/matches", [{**pair, "matches": matches}], 201)
        paths = [
            "tileIds",
            "z/1/resolvedTiles",
            "z/1/tile-specs",
            "z/2/tile-specs",
            "z/1/tileBounds",
            "transform/x",
        ]
        paths += ["z/2/render-parameters", "/owner/o/matchCollection/c/group/q/id/q", "z/1/bounds"]
        answers = {path: api("GET", path).data for path in paths}
        stack = json.loads(api("GET", "").data)
        del stack["lastModifiedTimestamp"]
        bad = api("PUT", "resolvedTiles", data=b'{"a": NaN}', content_type="application/json")
        return {**answers, "stack": stack, "bad": bad.status_code}


@pytest.mark.skipif(_json._orjson is None, reason="there is only the standard library")
def test_answers_are_the_same_bytes(monkeypatch):
    fast = everything()
    monkeypatch.setattr(_json, "_orjson", None)
    slow = everything()
    assert slow["bad"] == fast["bad"] == 400
    for path, answer in fast.items():
        if path not in ("transform/x", "bad", "stack"):
            assert json.loads(slow[path]) == json.loads(answer)
    assert slow["stack"] == fast["stack"]


@pytest.mark.parametrize("first", ["orjson", "json"])
def test_data_written_with_one_are_read_with_the_other(tmp_path, monkeypatch, first):
    fast = _json._orjson
    monkeypatch.setattr(_json, "_orjson", None if first == "json" else fast)
    with Store(tmp_path) as store:
        api = Api(store)
        api.create()
        api.put_tiles(make_tile("a", specs=[{"type": "ref", "refId": IDENT}]), transforms=[affine(id=IDENT)])
    monkeypatch.setattr(_json, "_orjson", fast if first == "json" else None)
    with Store(tmp_path) as store:
        (tile,) = Api(store).get("z/1/tile-specs")
    assert tile["transforms"]["specList"] == [affine(id=IDENT)]
