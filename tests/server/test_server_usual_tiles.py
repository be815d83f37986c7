"""Bodies of usual tiles are stored as they are read value by value, and all others are left to that."""

import json

import pytest
from embedded import Api, affine
from hypothesis import example, given, settings
from hypothesis import strategies as st

from renderapi.server import Store
from renderapi.server.documents.tiles import ResolvedTiles
from renderapi.server.endpoints.declaring import decode
from renderapi.server.services import layers
from renderapi.server.store.tile_rows import TileBatch

pytest.importorskip("msgspec")

from renderapi.server.documents.usual import usual_tiles

BOX = {"minX": 1.0, "minY": -2.5, "maxX": 100.0, "maxY": 1e3}
LOADER = "IMAGEJ_TIFF_STACK"
# of every key of a tile values of its type, such that are nearly, and such that are none of it
TEXTS = st.sampled_from(["", "a.1", 'é"\\\n\u2028\x7f\x1f\x00😀', "ref", "list"])
DOUBLES = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70))
INTEGERS = st.sampled_from([0, -1, 2**31 - 1, -(2**31), 2**31, 1.0, 1.5, -0.0, True, "3"])
ODD = st.sampled_from([None, True, "", "1.5", "NaN", [], {}, 5, "\ud800"])


def sometimes(usual, odd=ODD):
    return st.integers(0, 30).flatmap(lambda number: odd if number == 30 else usual)


def objects(required, optional, odd_key="other"):
    """Make objects with some keys, in any order, and seldom one that is not known."""
    keys = {key: sometimes(values) for key, values in optional.items()}
    return st.fixed_dictionaries(required, optional={**keys}).flatmap(
        lambda found: st.permutations(list(found.items())).map(
            lambda items: dict(items) if len(items) % 7 != 6 else {**dict(items), odd_key: 1}
        )
    )


IMAGE = {
    "imageUrl": TEXTS,
    "imageLoaderType": st.just(LOADER),
    "imageSliceNumber": INTEGERS,
    "maskUrl": TEXTS,
}
LAYOUT = {
    **dict.fromkeys(("sectionId", "temca", "camera"), TEXTS),
    **dict.fromkeys(("imageRow", "imageCol"), INTEGERS),
    **dict.fromkeys(("stageX", "stageY", "rotation", "pixelsize", "distanceZ"), DOUBLES),
}
LABELS = st.sampled_from([[], ["regular"], ["b", "a"], [None]])
LEAF = {"className": TEXTS, "dataString": TEXTS, "id": TEXTS, "metaData": objects({}, {"labels": LABELS})}
SPECS = st.one_of(
    objects({"type": sometimes(st.just("leaf"))}, LEAF),
    objects({"type": st.just("ref")}, {"refId": TEXTS}),
    objects({}, LEAF),
    st.just({"type": "list", "specList": []}),
)
TILES = objects(
    {"tileId": sometimes(st.text(max_size=3)), "z": st.just(1.0)},
    {
        "layout": objects({}, LAYOUT),
        "groupId": TEXTS,
        **dict.fromkeys((*BOX, "width", "height", "minIntensity", "maxIntensity", "meshCellSize"), DOUBLES),
        "mipmapLevels": st.dictionaries(
            st.sampled_from(["0", "3", "1", "00", "12", "-1", "x"]), objects({}, IMAGE), max_size=3
        ),
        "transforms": objects({"type": st.just("list")}, {"specList": st.lists(SPECS, max_size=3)}),
        "labels": LABELS,
    },
)


def rows(batch):
    """Return what is stored; a number may be spelt in two ways, and its value counts."""
    return [(*tile[:10], bool(tile[10]), list(json.loads(tile[11]).items())) for tile in zip(*batch.columns)]


@settings(max_examples=60, deadline=None)
@given(st.lists(TILES, max_size=3))
@example([{"tileId": "a", "z": 1.0, "minY": None}])
def test_what_is_read_at_once_is_what_is_read_value_by_value(tiles):
    body = {"tileIdToSpecMap": {str(number): {**BOX, **tile} for number, tile in enumerate(tiles)}}
    content = json.dumps(body).encode()
    usual = usual_tiles(content)
    # a tile without a box is not settled, and is read value by value, which refuses it
    if usual is None or any(None in usual.column(side) for side in BOX):
        return
    slow = ResolvedTiles(decode(content))
    assert rows(TileBatch.of_usual(usual)) == rows(TileBatch.of_resolved(slow))


def tile(**keys):
    document = {"tileId": "a", "z": 1.0, "width": 20.0, "height": 10.0, **keys}
    document.setdefault("transforms", {"type": "list", "specList": [affine("1 0 0 1 5.5 6.5")]})
    return document


def body_of(*tiles, **keys):
    return json.dumps({"tileIdToSpecMap": {t["tileId"]: t for t in tiles}, **keys}).encode()


def test_tiles_of_an_import_are_usual():
    lens = {"type": "ref", "refId": "lens"}
    mask = {"0": {"maskUrl": "file:/m.tif", "imageUrl": "file:/é.tif"}, "1": {"imageUrl": "file:/1.tif"}}
    tiles = [
        tile(layout={"camera": "c", "sectionId": "1.0", "imageRow": 3, "stageX": 1}, mipmapLevels=mask),
        tile(tileId="b", transforms={"type": "list", "specList": [lens, affine()]}, groupId=None),
        tile(tileId="c", transforms={"type": "list", "specList": [affine(metaData={"labels": ["regular"]})]}),
    ]
    usual = usual_tiles(body_of(*tiles, transformIdToSpecMap={"x": affine(id="lens")}))
    assert usual is not None
    assert usual.is_settled(1.0, derive=True)
    assert list(TileBatch.of_usual(usual).columns[9]) == [None, '["lens"]', None]
    assert usual.documents()[0].startswith(
        b'{"tileId":"a","layout":{"sectionId":"1.0","camera":"c","imageRow":3,"stageX":1.0},"z":1.0,'
        b'"minX":5.0,"minY":6.0,"maxX":25.0,"maxY":16.0,"width":20.0,"height":10.0,'
        b'"mipmapLevels":{"0":{"imageUrl":"file:/\xc3\xa9.tif","maskUrl":"file:/m.tif"},"1":'
    )


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"{", b'{"tileIdToSpecMap":null}', body_of(tile()) + b"x", body_of(tile(), other=1),
        body_of(tile(), transformIdToSpecMap={"x": 5}), body_of(tile()).replace(b'"a"', b'"\xff"'),
        body_of(tile(), transformIdToSpecMap={"x": affine(id="\xe9")}).replace(b"\\u00e9", b"\xff"),
        body_of(tile(width="20")), body_of(tile(channels=[])), body_of(tile(transforms=None)),
        body_of(tile(transforms={"type": "list", "specList": [None]})), body_of(tile()).replace(b"1.0", b"NaN", 1),
    ],
)  # fmt: skip
def test_any_other_body_is_not(content):
    assert usual_tiles(content) is None


@pytest.mark.parametrize("derive", ["true", "false"])
@pytest.mark.parametrize(
    "bad",
    [
        tile(), tile(z=2.0, **BOX), tile(z=None, **BOX), tile(width=None), {"tileId": "a", "z": 1.0},
        tile(transforms={"type": "list", "specList": [affine("1 0 0 x 0 0")]}, **BOX),
        tile(transforms={"type": "list", "specList": [affine("1 0 0 1 0")]}),
        tile(transforms={"type": "list", "specList": [{"type": "leaf", "className": "a.B"}]}, **BOX),
        tile(transforms={"type": "list", "specList": [{"type": "ref", "refId": "x"}]}, **BOX),
        tile(transforms={"type": "list", "specList": [affine(), affine()]}, meshCellSize=0.0),
        tile(**{**BOX, "minY": None}),
        tile(meshCellSize=1e-300), tile(width=-5.0), tile(width=1e15, height=0.0),
    ],
)  # fmt: skip
def test_the_answer_to_a_body_is_the_same_whichever_way_it_is_read(bad, derive, monkeypatch):
    answers = []
    for _ in range(2):
        with Store() as store:
            api = Api(store)
            missing = api(
                "PUT", f"z/1/resolvedTiles?deriveData={derive}", data=body_of(bad), content_type=JSON
            )
            api.create()
            path = f"z/1/resolvedTiles?deriveData={derive}"
            put = api("PUT", path, data=body_of(tile(tileId="b", **BOX), bad), content_type=JSON)
            empty = api("PUT", path, data=body_of(), content_type=JSON)
            stored = api("GET", "z/1/resolvedTiles")
            answers.append([(answer.status_code, answer.data) for answer in (missing, put, empty, stored)])
        monkeypatch.setattr(layers, "usual", None)  # as without msgspec
    assert answers[0] == answers[1]


JSON = "application/json"
