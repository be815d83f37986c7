"""Selections: some tiles of a stack, some pairs of a collection, counted, listed and read when they are needed."""

import re
import sys
from itertools import islice

import numpy as np
import pytest
import responses

from renderapi import pointmatch, stack
from renderapi.errors import BadRequestError, NotFoundError, ServerError, SpecError
from renderapi.http import transport
from renderapi.layout import Layout
from renderapi.render import connect
from renderapi.resolvedtiles import ResolvedTiles, put_tilespecs
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec, get_tile_specs_from_stack
from renderapi.transform import AffineModel, Polynomial2DTransform, ReferenceTransform

LAYERS = (1.0, 2.0, 3.5, 10.0)
#: Ends of the paths of requests that give tile specs.
GIVE_TILES = re.compile(r"/(tile-specs|tile-specs-with-ids|resolvedTiles|render-parameters|tile/[^/]+)/?$")


def made_tiles():
    """Make six tiles of 100 pixels in each layer, 80 apart, half of them in each of two groups."""
    for number, z in enumerate(LAYERS):
        for i in range(6):
            layout = Layout(sectionId=f"s{number}", stageX=800.0 * i, stageY=5.5) if i else None
            yield TileSpec(
                tileId=f"{'abc'[i % 3]}{number}_{i}", z=z, width=100, height=100, layout=layout,
                groupId=f"g{i % 2}" if i < 4 else None,
                tforms=[ReferenceTransform("lens"), AffineModel(M00=1.5, M01=0.25, B0=80.0 * i, B1=3)],
            )  # fmt: skip


LENS = AffineModel(B0=2.0, B1=-1.0, transformId="lens")


@pytest.fixture(scope="module")
def render():
    with serve_background() as server, server.connect(owner="o", project="p") as render:
        stack.create_stack("s", render=render)
        put_tilespecs("s", ResolvedTiles(list(made_tiles()), [LENS]), render=render)
        stack.clone_stack("s", "closed", render=render)
        yield render


@pytest.fixture
def sent(monkeypatch):
    """Record the requests that are sent: method and path."""
    paths = []
    send = transport.send

    def recording(session, method, url, **words):
        paths.append((method, url.partition("/v1")[2]))
        return send(session, method, url, **words)

    monkeypatch.setattr(transport, "send", recording)
    return paths


#: Words of a selection, and what holds for the tiles that it chooses.
CHOICES = {
    "all": ({}, lambda t: True),
    "one z": ({"z": 2}, lambda t: t.z == 2),
    "a z of numpy": ({"z": np.float64(3.5)}, lambda t: t.z == 3.5),
    "range": ({"z": (2, 9)}, lambda t: 2 <= t.z <= 9),
    "open range": ({"z": (2, None)}, lambda t: t.z >= 2),
    "range of one": ({"z": (2, 2)}, lambda t: t.z == 2),
    "single layers": ({"z": [1, 3.5, 3.5, 7]}, lambda t: t.z in (1, 3.5)),
    "counted layers": ({"z": range(1, 4)}, lambda t: t.z in (1, 2)),
    "no layers": ({"z": []}, lambda t: False),
    "layers that are not there": ({"z": (100, 200)}, lambda t: False),
    "group": ({"group": "g1"}, lambda t: t.groupId == "g1"),
    "no such group": ({"group": "none"}, lambda t: False),
    "pattern": ({"pattern": "^b"}, lambda t: t.tileId[0] == "b"),
    "pattern in the middle": ({"pattern": "1_", "z": (1, 3)}, lambda t: "1_" in t.tileId and t.z <= 3),
    "box": ({"box": (300, 0, 400, 50)}, lambda t: t.maxX >= 300 and t.minX <= 400),
    "box of fractions": ({"box": (100.5, -3.25, 160.25, 3)}, lambda t: t.maxX >= 100.5 and t.minX <= 160.25),
    "empty box": ({"box": (-90, -90, -80, -80)}, lambda t: False),
    "a point": ({"box": (100, 50, 100, 50)}, lambda t: t.minX <= 100 <= t.maxX),
    "ids": ({"ids": ["c1_5", "none", "a0_0", "c1_5"]}, lambda t: t.tileId in ("c1_5", "a0_0")),
    "ids and z": ({"ids": ["c1_5", "none", "a0_0"], "z": (2, None)}, lambda t: t.tileId == "c1_5"),
    "no ids": ({"ids": []}, lambda t: False),
    "everything": ({"z": (1, 5), "box": (0, 0, 250, 250), "group": "g1", "pattern": "^[ab]"},
                   lambda t: t.z < 5 and t.minX <= 250 and t.groupId == "g1" and t.tileId[0] in "ab"),
    "box and pattern": ({"box": (0, 0, 250, 250), "pattern": "[ab]"},
                        lambda t: t.minX <= 250 and t.tileId[0] in "ab"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"), [*(("s", words) for words in CHOICES), ("closed", "all"), ("closed", "range")]
)
def test_a_selection_reads_lists_and_counts_the_same_tiles(render, sent, words, name):
    given, holds = CHOICES[words]
    expected = [tile for tile in get_tile_specs_from_stack(name, render=render) if holds(tile)]
    if "ids" in given:
        order = list(dict.fromkeys(given["ids"]))
        expected.sort(key=lambda tile: order.index(tile.tileId))
    selection = stack.tiles(name, render=render, **given)
    assert list(selection) == expected
    assert list(selection) == expected  # as often as it is used
    del sent[:]
    assert list(selection.ids()) == [tile.tileId for tile in expected]
    assert selection.count() == len(expected)
    assert selection.exists() == bool(expected)
    if "group" not in given:
        assert not [path for _, path in sent if GIVE_TILES.search(path)]


def test_nothing_is_sent_before_a_selection_is_used(render, sent):
    selection = stack.tiles("nothing", z=(1, 2), box=(0, 0, 1, 1), group="g", pattern="x", render=render)
    repr(selection)
    repr(pointmatch.select("nothing", render=render))
    assert sent == []


def test_the_tiles_of_a_closed_stack_are_counted_by_one_request(render, sent):
    assert stack.tiles("closed", render=render).count() == 24
    assert sent == [("GET", "/owner/o/project/p/stack/closed")]
    del sent[:]
    assert stack.tiles("s", render=render).count() == 24  # a stack that is LOADING has no statistics
    assert [path.rpartition("/")[2] for _, path in sent[2:]] == ["tile-count"] * 4


def test_whether_there_is_a_tile_is_found_with_the_first(render, sent):
    assert stack.tiles("s", box=(0, 0, 500, 500), render=render).exists()
    assert stack.tiles("s", pattern="^a", render=render).exists()
    assert len(sent) == 4


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_layers_are_read_than_are_needed(sent, threads):
    with serve_background() as server:
        # what is under way when the server ends is not tried again
        render = server.connect(owner="o", project="p", retries=0)
        stack.create_stack("deep", render=render)
        tiles = [TileSpec(tileId=f"t{z}", z=z, width=9, height=9) for z in range(30)]
        put_tilespecs("deep", tilespecs=tiles, render=render)
        del sent[:]
        reading = iter(stack.tiles("deep", threads=threads, render=render))
        assert [tile.z for tile in islice(reading, 5)] == [0, 1, 2, 3, 4]
        reading.close()
        assert len(sent) - 1 <= 5 + 2 * threads


@responses.activate
def test_a_layer_of_more_tiles_than_a_server_gives_at_once_is_read_by_id():
    render = connect("render.example", 8080, "o", "p", web_only=True, retries=0)
    root = "http://render.example:8080/render-ws/v1/owner/o/project/p/stack/s"
    ids = [f"t{i:05}" for i in range(2500)]
    responses.get(f"{root}/zValues/", json=[1.0])
    too_broad = "query too broad, over 50001 tiles match {z: 1.0}"
    responses.get(f"{root}/z/1.0/tile-specs", status=400, body=too_broad)
    responses.get(f"{root}/tileIds", json=ids)
    asked = []

    def answer(request):
        names = re.findall(r"t\d+", request.body.decode())
        asked.append(len(names))
        tiles = ",".join(f'{{"tileId":"{name}","z":1.0}}' for name in reversed(names))
        return 200, {}, f"[{tiles}]"

    responses.add_callback("PUT", f"{root}/tile-specs-with-ids", answer)
    assert [tile.tileId for tile in stack.tiles("s", render=render)] == ids
    assert asked == [1000, 1000, 500]


@responses.activate
def test_what_a_thread_fails_with_is_raised_where_the_tiles_are_read():
    render = connect("render.example", 8080, "o", "p", web_only=True, retries=0)
    root = "http://render.example:8080/render-ws/v1/owner/o/project/p/stack/s"
    responses.get(f"{root}/zValues/", json=[1.0, 2.0])
    responses.get(f"{root}/z/1.0/tile-specs", json=[{"tileId": "a", "z": 1.0}])
    responses.get(f"{root}/z/2.0/tile-specs", status=500, body="out of luck")
    found = []
    with pytest.raises(ServerError, match=r"z/2.0/tile-specs answered 500: out of luck"):
        for tile in stack.tiles("s", render=render):
            found.append(tile.tileId)
    assert found == ["a"]


@pytest.mark.parametrize(
    "given", [{}, {"z": 1}, {"pattern": "a"}, {"box": (0, 0, 1, 1)}, {"ids": ["a"]}, {"group": "g"}]
)
@pytest.mark.parametrize("use", ["count", "exists", "to_arrays", "ids", "__iter__"])
def test_a_stack_that_is_not_there_is_an_error_not_an_empty_selection(render, given, use):
    with pytest.raises(NotFoundError, match="'nowhere' does not exist"):
        for _ in [getattr(stack.tiles("nowhere", render=render, **given), use)()]:
            list(_)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"z": "top"}, SpecError, "z must be a finite number, not 'top'"),
        ({"z": float("nan")}, SpecError, "z must be a finite number"),
        ({"z": True}, SpecError, "z must be a finite number"),
        ({"z": (1, 2, 3)}, SpecError, "a tuple is the first and the last z"),
        ({"z": (3, 1)}, SpecError, "z is from 3 to 1"),
        ({"box": (1, 2, 3)}, SpecError, "it must be minX, minY, maxX, maxY"),
        ({"box": (5, 0, 1, 1)}, SpecError, "it must be minX, minY, maxX, maxY"),
        ({"box": (5, 0, np.inf, 1)}, SpecError, "box must be a finite number"),
        ({"ids": "a0_0"}, SpecError, "not the text 'a0_0'"),
        ({"ids": ["a"], "box": (0, 0, 1, 1)}, BadRequestError, "only z= is chosen too"),
        ({"ids": ["a"], "pattern": "a"}, BadRequestError, "only z= is chosen too"),
        ({"threads": 0}, BadRequestError, "threads is 0"),
    ],
)
def test_what_cannot_be_chosen_is_refused_before_anything_is_sent(render, sent, given, kind, words):
    with pytest.raises(kind, match=words):
        stack.tiles("s", render=render, **given)
    assert sent == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, "all tiles"),
        ({"z": 3}, "z 3"),
        ({"z": range(9)}, "z 0, 1, 2, 3, 4, ..."),
        ({"z": (None, 2.5)}, "z from the first to 2.5"),
        ({"z": []}, "no layer"),
        (
            {"box": (0, 1, 2, 3.5), "group": "g", "pattern": "^a"},
            "box (0, 1, 2, 3.5); group 'g'; ids that match '^a'",
        ),
        ({"ids": ["a", "b"]}, "2 ids"),
    ],
)
def test_a_selection_shows_what_it_selects(render, given, shown):
    assert repr(stack.tiles("s", render=render, **given)) == f"<tiles of stack 's' of o/p: {shown}>"


def test_tiles_become_arrays(render):
    arrays = stack.tiles("s", z=(1, 2), render=render).to_arrays()
    tiles = list(stack.tiles("s", z=(1, 2), render=render))
    assert len(tiles) == 12
    assert arrays["tileId"].tolist() == [tile.tileId for tile in tiles]
    assert arrays["z"].tolist() == [1.0] * 6 + [2.0] * 6
    assert arrays["box"].tolist() == [list(tile.bbox) for tile in tiles]
    first = arrays["tileId"].tolist().index("a0_0")
    other = arrays["tileId"].tolist().index("c1_5")
    assert (arrays["sectionId"][first], arrays["groupId"][first]) == (None, "g0")
    assert (arrays["sectionId"][other], arrays["groupId"][other]) == ("s1", None)
    assert np.isnan(arrays["stageX"][first]) and arrays["stageX"][other] == 4000
    assert arrays["stageY"][other] == 5.5
    assert set(arrays["width"]) == set(arrays["height"]) == {100.0}
    # x + 2, y - 1, then the tile's own affine
    assert np.array_equal(arrays["affine"][other], [[1.5, 0.25, 400 + 3 - 0.25], [0, 1, 2]])
    assert all(values.dtype == np.float64 for name, values in arrays.items() if values.dtype != object)


def test_the_affine_of_a_tile_is_that_of_all_its_transforms_and_unknown_where_there_is_none(render):
    stack.create_stack("bent", render=render)
    polynomial = Polynomial2DTransform(params=np.array([[1, 1.0, 0, 0, 0, 1e-4], [2, 0, 1.0, 0, 0, 0]]))
    tiles = [
        TileSpec(tileId="a", z=1, width=50, height=40, tforms=[AffineModel(M00=2, B1=7), AffineModel(M10=0.5, B0=9)]),
        TileSpec(tileId="b", z=1, width=50, height=40, tforms=[AffineModel(), polynomial]),
        TileSpec(tileId="c", z=1, width=50, height=40),
    ]  # fmt: skip
    put_tilespecs("bent", tilespecs=tiles, render=render)
    affine = stack.tiles("bent", render=render).to_arrays()["affine"]
    points = np.array([[0.0, 0.0], [3.0, 11.0]])
    expected = tiles[0].tforms[1].tform(tiles[0].tforms[0].tform(points))
    assert np.allclose(points @ affine[0, :, :2].T + affine[0, :, 2], expected, rtol=0, atol=1e-12)
    assert np.isnan(affine[1]).all() and np.array_equal(affine[2], np.eye(3)[:2])
    stack.delete_stack("bent", render=render)


def test_an_empty_selection_has_empty_arrays(render):
    arrays = stack.tiles("s", z=[], render=render).to_arrays()
    assert {name: values.shape for name, values in arrays.items()} == {
        **dict.fromkeys(("tileId", "sectionId", "groupId", "z", "width", "height", "stageX", "stageY"), (0,)),
        "box": (0, 4), "affine": (0, 2, 3),
    }  # fmt: skip
    assert pointmatch.select("none", pairs=[], render=render).to_arrays()["px"].shape == (0,)


# ------------------------------------------------------------------------------------------------ matches


def match(p_group, p_id, q_group, q_id, count):
    points = np.arange(2.0 * count).reshape(2, count)
    return {"pGroupId": p_group, "pId": p_id, "qGroupId": q_group, "qId": q_id,
            "matches": {"p": points, "q": points + 100, "w": [0.5] * count}}  # fmt: skip


MATCHES = [
    match("1", "a", "1", "b", 3), match("1", "a", "1", "c", 5), match("1", "b", "2", "x", 4),
    match("1", "c", "3", "u", 1), match("2", "x", "2", "y", 7), match("2", "y", "3", "u", 2),
    match("3", "u", "3", "v", 6), match("1", "x", "2", "x", 9),
]  # fmt: skip


@pytest.fixture(scope="module")
def matches(render):
    pointmatch.import_matches("m", MATCHES, render=render)
    pointmatch.import_matches("other", MATCHES[:2], render=render)
    return render


def groups_of(m):
    return m["pGroupId"], m["qGroupId"]


PAIR_CHOICES = {
    "all": ({}, lambda m: True),
    "group": ({"group": "2"}, lambda m: "2" in groups_of(m)),
    "groups": ({"group": ["1", "2"]}, lambda m: {"1", "2"} & set(groups_of(m))),
    "p group": ({"pgroup": "1"}, lambda m: m["pGroupId"] == "1"),
    "p groups": ({"pgroup": ["2", "3"]}, lambda m: m["pGroupId"] in "23"),
    "q group": ({"qgroup": "3"}, lambda m: m["qGroupId"] == "3"),
    "between": ({"pgroup": "2", "qgroup": "1"}, lambda m: groups_of(m) == ("1", "2")),
    "between several": ({"pgroup": ["1", "2"], "qgroup": ["2", "3"]},
                        lambda m: groups_of(m) in (("1", "2"), ("1", "3"), ("2", "2"), ("2", "3"))),
    "no such group": ({"group": "9"}, lambda m: False),
    "at least": ({"min_matches": 5}, lambda m: len(m["matches"]["w"]) >= 5),
    "at least in a group": ({"group": "1", "min_matches": 4},
                            lambda m: "1" in groups_of(m) and len(m["matches"]["w"]) >= 4),
    "pairs": ({"pairs": [(("2", "x"), ("1", "b")), ("3", "u", "3", "v"), MATCHES[1], ("1", "x", "1", "b")]},
              lambda m: m in (MATCHES[1], MATCHES[2], MATCHES[6])),
    "large pairs": ({"pairs": [MATCHES[0], MATCHES[1]], "min_matches": 4}, lambda m: m is MATCHES[1]),
    "no pairs": ({"pairs": []}, lambda m: False),
}  # fmt: skip


def key(m):
    return (m["pGroupId"], m["pId"]), (m["qGroupId"], m["qId"])


@pytest.mark.parametrize("words", PAIR_CHOICES)
def test_a_selection_reads_lists_and_counts_the_same_pairs(matches, sent, monkeypatch, words):
    given, holds = PAIR_CHOICES[words]
    expected = sorted(key(m) for m in MATCHES if holds(m))
    selection = pointmatch.select("m", render=matches, **given)
    documents = list(selection)
    assert sorted(key(m) for m in documents) == expected
    by_key = {key(m): m for m in MATCHES}
    for document in documents:
        given_points = by_key[key(document)]["matches"]
        assert np.array_equal(document["matches"]["p"], given_points["p"])

    def without_points(*call, send=transport.send, **details):
        answer = send(*call, **details)
        assert b'"w"' not in answer.content, call
        return answer

    monkeypatch.setattr(transport, "send", without_points)
    assert sorted(selection.pairs()) == expected
    assert selection.count() == len(expected)
    assert selection.exists() == bool(expected)


def test_the_pairs_of_a_collection_are_counted_by_one_request(matches, sent):
    assert pointmatch.select("m", render=matches).count() == len(MATCHES)
    assert sent == [("GET", "/owner/o/matchCollections")]


@pytest.mark.parametrize("given", [{}, {"group": "1"}, {"pgroup": "1"}, {"pairs": [MATCHES[0]]}])
@pytest.mark.parametrize("use", ["count", "exists", "to_arrays", "pairs", "__iter__"])
def test_a_collection_that_is_not_there_is_an_error_not_an_empty_selection(matches, given, use):
    with pytest.raises(NotFoundError, match="'o__nowhere' does not exist"):
        for _ in [getattr(pointmatch.select("nowhere", render=matches, **given), use)()]:
            list(_)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"pairs": ["abcd"]}, SpecError, "a pair is"),
        ({"pairs": [("1", "a")]}, SpecError, "a pair is"),
        ({"pairs": [{"pId": "a"}]}, SpecError, "a pair is"),
        ({"pairs": [MATCHES[0]], "group": "1"}, BadRequestError, "no groups can be chosen"),
        ({"group": "1", "pgroup": "1"}, BadRequestError, "leave pgroup= and qgroup= out"),
        ({"min_matches": -1}, BadRequestError, "min_matches is -1"),
        ({"threads": 0}, BadRequestError, "threads is 0"),
    ],
)
def test_pairs_that_cannot_be_chosen_are_refused_before_anything_is_sent(matches, sent, given, kind, words):
    with pytest.raises(kind, match=words):
        pointmatch.select("m", render=matches, **given)
    assert sent == []


def test_a_selection_of_pairs_shows_what_it_selects(matches):
    shown = repr(pointmatch.select("m", pgroup=map(str, range(9)), qgroup="1", min_matches=3, render=matches))
    groups = "p in group '0', '1', '2', '3', '4', ...; q in group '1'; at least 3 matches"
    assert shown == f"<pairs of match collection 'm' of o: {groups}>"


def test_matches_become_long_arrays(matches):
    arrays = pointmatch.select("m", group="2", threads=1, render=matches).to_arrays()
    documents = list(pointmatch.select("m", group="2", threads=1, render=matches))
    assert sum(len(m["matches"]["w"]) for m in documents) == len(arrays["w"]) == 4 + 7 + 2 + 9
    for column, side, axis in (("px", "p", 0), ("py", "p", 1), ("qx", "q", 0), ("qy", "q", 1)):
        assert arrays[column].tolist() == [v for m in documents for v in m["matches"][side][axis]]
    for column, name in (("p_group", "pGroupId"), ("p_id", "pId"), ("q_group", "qGroupId"), ("q_id", "qId")):
        assert arrays[column].tolist() == [m[name] for m in documents for _ in m["matches"]["w"]]
    assert set(arrays["w"]) == {0.5}


@responses.activate
def test_points_that_are_not_parallel_are_named():
    render = connect("render.example", 8080, "o", "p", web_only=True, retries=0)
    root = "http://render.example:8080/render-ws/v1/owner/o/matchCollection/m"
    broken = {**MATCHES[0], "matches": {"p": [[1], [2]], "q": [[1, 2], [3]], "w": [1]}}
    responses.get(f"{root}/pGroup/1/matches/", json=[broken])
    with pytest.raises(SpecError, match=r"\(1/a to 1/b\) .* not equally long"):
        pointmatch.select("m", pgroup="1", render=render).to_arrays()


# ------------------------------------------------------------------------------------------------ tables


def test_selections_become_tables(matches):
    frame = stack.tiles("s", z=1, render=matches).to_frame()
    arrays = stack.tiles("s", z=1, render=matches).to_arrays()
    assert frame["tileId"].tolist() == arrays["tileId"].tolist()
    assert frame[["minX", "minY", "maxX", "maxY"]].to_numpy().tolist() == arrays["box"].tolist()
    affine = frame[["M00", "M01", "B0", "M10", "M11", "B1"]].to_numpy()
    assert affine.tolist() == arrays["affine"].reshape(-1, 6).tolist()
    table = pointmatch.select("m", min_matches=5, render=matches).to_frame()
    assert table.groupby(["p_id", "q_id"]).size().max() == 9 and len(table) == 5 + 7 + 6 + 9


def test_without_pandas_it_is_said_how_to_get_it(matches, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for selection in (stack.tiles("s", render=matches), pointmatch.select("m", render=matches)):
        with pytest.raises(ImportError, match=r'a table needs pandas: pip install "render-python\[tables\]'):
            selection.to_frame()
