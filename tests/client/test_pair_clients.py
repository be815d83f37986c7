"""The Java clients that find tile pairs and point matches."""

import gzip
import json
from pathlib import Path

import pytest

import renderapi
from renderapi.client import (
    ClientArgumentError,
    SiftPointMatchOptions,
    get_canvas_url_template,
    pointMatchClient,
    tilePairClient,
)
from renderapi.errors import ClientScriptError

BASE = "http://render.example:8080/render-ws/v1"
TEMPLATE = "{baseDataUrl}/owner/own/project/proj/stack/stk/tile/{id}/render-parameters"

# writes the files whose endings (numbers, or nothing) are given, each with one pair
WRITES_PAIRS = """
to=$(value --toJson "$@")
for part in PARTS; do
    [ "$part" = whole ] && file="$to" || file="${to%.json}_p$part.json"
    echo '{"renderParametersUrlTemplate": "TEMPLATE", "neighborPairs": [{"p": {"id": "'$part'"}}]}' > "$file"
done
"""


def writes(*parts, template=TEMPLATE):
    return WRITES_PAIRS.replace("PARTS", " ".join(parts)).replace("TEMPLATE", template)


def found(jsondata):
    return [pair["p"]["id"] for pair in jsondata["neighborPairs"]]


# ----------------------------------------------------------------------------------------------- results


def test_pairs_of_a_temporary_file(script, connection, temporary_folder):
    script.write(writes("whole"))
    pairs = tilePairClient("stk", 1, 2, **connection)
    assert pairs == {"renderParametersUrlTemplate": TEMPLATE, "neighborPairs": [{"p": {"id": "whole"}}]}
    assert list(temporary_folder.iterdir()) == []


def test_pairs_of_temporary_parts(script, connection, temporary_folder):
    script.write(writes("000", "001", "002"))
    assert found(tilePairClient("stk", 1, 2, **connection)) == ["000", "001", "002"]
    assert tilePairClient("stk", 1, 2, return_jsondata=False, **connection) is None
    assert list(temporary_folder.iterdir()) == []


def test_files_that_are_returned_exist(script, connection, temporary_folder):
    script.write(writes("000", "001"))
    pairs, files = tilePairClient("stk", 1, 2, return_jsonfiles=True, **connection)
    assert found(pairs) == ["000", "001"]
    assert sorted(map(str, temporary_folder.iterdir())) == files
    only_files = tilePairClient("stk", 1, 2, return_jsondata=False, return_jsonfiles=True, **connection)
    assert [Path(file).name[-10:] for file in only_files] == ["_p000.json", "_p001.json"]


def test_files_are_removed_when_asked(script, connection, tmp_path, temporary_folder):
    script.write(writes("000", "001"))
    out = tmp_path / "pairs"
    out.mkdir()
    assert found(tilePairClient("stk", 1, 2, str(out / "p.json"), True, **connection)) == ["000", "001"]
    tilePairClient("stk", 1, 2, delete_json=True, return_jsonfiles=True, **connection)
    assert [*out.iterdir(), *temporary_folder.iterdir()] == []


def test_no_pairs_at_all(script, connection, tmp_path, temporary_folder):
    empty = {"renderParametersUrlTemplate": TEMPLATE, "neighborPairs": []}
    assert tilePairClient("stk", 1, 2, **connection) == empty
    out = str(tmp_path / "pairs.json")
    assert tilePairClient("stk", 1, 2, out, return_jsonfiles=True, **connection) == (empty, [])
    based = tilePairClient("stk", 1, 2, baseowner="bo", baseproject="bp", basestack="bs", **connection)
    assert based["renderParametersUrlTemplate"] == (
        "{baseDataUrl}/owner/bo/project/bp/stack/bs/tile/{id}/render-parameters"
    )
    assert list(temporary_folder.iterdir()) == []


def test_a_file_in_the_current_folder(script, connection, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script.write(writes("000", "001"))
    pairs, files = tilePairClient("stk", 1, 2, "pairs.json", return_jsonfiles=True, **connection)
    assert found(pairs) == ["000", "001"]
    assert files == ["pairs_p000.json", "pairs_p001.json"]


def test_parts_of_an_earlier_run_are_not_read(script, connection, tmp_path):
    out = tmp_path / "pairs.json"
    script.write(writes("000", "001", "002"))
    assert found(tilePairClient("stk", 1, 2, str(out), **connection)) == ["000", "001", "002"]
    script.write(writes("000", "001"))
    pairs, files = tilePairClient("stk", 1, 2, str(out), return_jsonfiles=True, **connection)
    assert found(pairs) == ["000", "001"]
    assert [Path(file).name for file in files] == ["pairs_p000.json", "pairs_p001.json"]
    script.write(writes("whole"))
    assert found(tilePairClient("stk", 1, 2, str(out), **connection)) == ["whole"]
    script.write(writes("000"))
    assert found(tilePairClient("stk", 1, 2, str(out), **connection)) == ["000"]
    script.write("exit 0")
    assert found(tilePairClient("stk", 1, 2, str(out), **connection)) == []


def test_files_that_look_alike_are_not_read(script, connection, tmp_path):
    script.write(
        writes("000") + 'cd "${to%/*}"; for f in a+b_p001.json.bak xa+b_p001.json aab_p001.json a+b_p1.json '
        'a+b_pxyz.json a+b2.json; do echo nonsense > "$f"; done'
    )
    assert found(tilePairClient("stk", 1, 2, str(tmp_path / "a+b.json"), **connection)) == ["000"]


def test_parts_are_read_in_their_order(script, connection, tmp_path):
    script.write(writes("1000", "002", "999", "000"))
    pairs = tilePairClient("stk", 1, 2, str(tmp_path / "p.json"), **connection)
    assert found(pairs) == ["000", "002", "999", "1000"]


@pytest.mark.parametrize(("parts", "names"), [(0, ["p.json.gz"]), (2, ["p_p000.json.gz", "p_p001.json.gz"])])
def test_gzipped_files(script, connection, tmp_path, parts, names):
    document = json.dumps({"renderParametersUrlTemplate": TEMPLATE, "neighborPairs": [{"p": {"id": "a"}}]})
    body = f"""to=$(value --toJson "$@")\nfor file in {" ".join(names)}; do
    echo '{document}' | gzip > "${{to%/*}}/$file"; done"""
    script.write(body)
    pairs, files = tilePairClient(
        "stk", 1, 2, str(tmp_path / "p.json.gz"), return_jsonfiles=True, **connection
    )
    assert found(pairs) == ["a"] * max(1, parts)
    assert [Path(file).name for file in files] == names
    with gzip.open(files[0]) as file:
        assert json.load(file)["neighborPairs"]


def test_another_ending_gets_its_number_at_the_end(script, connection, tmp_path):
    script.write(writes("000", "001"))
    assert found(tilePairClient("stk", 1, 2, str(tmp_path / "pairs.txt"), **connection)) == []
    script.write(writes("000", "001").replace('"${to%.json}_p$part.json"', '"${to}_p$part"'))
    assert found(tilePairClient("stk", 1, 2, str(tmp_path / "pairs.txt"), **connection)) == ["000", "001"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('echo "{" > "$(value --toJson "$@")"', "cannot be read"),
        ('echo "[]" > "$(value --toJson "$@")"', "does not hold tile pairs"),
        ('echo "{}" > "$(value --toJson "$@")"', "does not hold tile pairs"),
        (writes("000") + writes("001", template="another"), "differ in their renderParametersUrlTemplate"),
    ],
)
def test_files_that_are_wrong(script, connection, tmp_path, temporary_folder, body, message):
    script.write(body)
    with pytest.raises(ClientScriptError, match=message):
        tilePairClient("stk", 1, 2, **connection)
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.parametrize("mode", [None, "call"])
def test_nothing_is_left_when_the_script_fails(script, connection, temporary_folder, mode):
    script.write(writes("000", "whole") + "exit 1")
    with pytest.raises(ClientScriptError, match="exit status 1"):
        tilePairClient("stk", 1, 2, subprocess_mode=mode, **connection)
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("pairs.json.zip", "zip: Java never can"), ("nowhere/pairs.json", "there is no folder")],
)
def test_files_that_java_could_not_write(script, connection, tmp_path, name, message):
    with pytest.raises(ClientArgumentError, match=message):
        tilePairClient("stk", 1, 2, str(tmp_path / name), **connection)
    assert script.calls == []


# --------------------------------------------------------------------------------------------- arguments


def test_options_that_were_not_there_before(script, connection):
    tilePairClient(
        "stk", 1, 2, z=[1, 2.5], explicitRadius=100, excludeSameLayerPairsWithPosition="TOP",
        useRowColPositions=False, excludeCornerNeighbors="false", **connection,
    )  # fmt: skip
    words = script.only_call()[10:]
    assert words[:4] == ["--minZ", "1", "--maxZ", "2"]
    assert words[4:12] == [
        "--excludeCornerNeighbors", "false", "--z", "1,2.5", "--explicitRadius", "100",
        "--excludeSameLayerPairsWithPosition", "TOP",
    ]  # fmt: skip
    assert words[12] == "--toJson"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minx": 1}, "a box needs all of minX, maxX, minY, maxY; missing: maxX, minY, maxY"),
        ({"minx": 2, "maxx": 1, "miny": 0, "maxy": 1}, r"minX \(2\) is above maxX \(1\)"),
        ({"zNeighborDistance": 1.5}, "zNeighborDistance must be a whole number"),
        ({"excludeCornerNeighbors": "no"}, "'no' is neither true nor false"),
        ({"z": [1, float("nan")]}, "z is nan: it must be a finite number"),
    ],
)
def test_options_that_java_would_refuse(script, connection, options, message):
    with pytest.raises(ClientArgumentError, match=message):
        tilePairClient("stk", 1, 2, **options, **connection)
    assert script.calls == []


# ------------------------------------------------------------------------------------------ URL template


def test_url_template():
    settings = {"host": "http://render.example", "port": 8080, "owner": "own", "project": "proj"}
    url = f"{BASE}/owner/own/project/proj/stack/stk/tile/{{}}/render-parameters"
    assert get_canvas_url_template("stk", **settings) == (
        f"{url}?filter=false&normalizeForMatching=true&renderWithoutMask=false"
    )
    assert get_canvas_url_template("stk", channels="a&b", excludeTransformsAfterLast="x y", **settings) == (
        f"{url}?filter=false&normalizeForMatching=true&renderWithoutMask=false"
        "&excludeTransformsAfterLast=x%20y&channels=a%26b"
    )


def test_url_template_leaves_masks_out_in_the_words_of_the_server():
    url = get_canvas_url_template("stk", renderWithoutMask=True, host="h", port=1, owner="o", project="p")
    assert "renderWithoutMask=true&excludeMask=true" in url


# ----------------------------------------------------------------------------------------- point matches

OPTIONS = SiftPointMatchOptions(matchMaxEpsilon=10.0)


def tile_url(tile_id, stack="stk"):
    return (
        f"{BASE}/owner/own/project/proj/stack/{stack}/tile/{tile_id}/render-parameters"
        "?filter=false&normalizeForMatching=true&renderWithoutMask=false"
    )


def test_each_pair_is_two_urls(script, connection):
    pointMatchClient("stk", "coll", [("a", "b"), ["a", 3]], sift_options=OPTIONS, **connection)
    assert script.only_call()[2:] == [
        "--baseDataUrl", BASE, "--owner", "own", "--collection", "coll", "--matchMaxEpsilon", "10.0",
        tile_url("a"), tile_url("b"), tile_url("a"), tile_url("3"),
    ]  # fmt: skip


def test_tile_ids_are_quoted(script, connection):
    pointMatchClient("stk", "coll", [("a b/c", "{}")], sift_options=OPTIONS, **connection)
    assert script.only_call()[-2:] == [tile_url("a%20b%2Fc"), tile_url("%7B%7D")]


def test_matches_of_another_server(script, connection):
    other = renderapi.render.Render("https://matches.example", 443, "mo", "mp")
    pointMatchClient("stk", "c", [("a", "b")], "stk2", OPTIONS, pointMatchRender=other, **connection)
    words = script.only_call()
    assert words[2:6] == ["--baseDataUrl", "https://matches.example:443/render-ws/v1", "--owner", "mo"]
    assert words[-2:] == [tile_url("a"), tile_url("b", "stk2")]


def test_options_given_as_a_dict(script, connection):
    pointMatchClient("stk", "c", [("a", "b")], sift_options={"matchMaxEpsilonFullScale": 5}, **connection)
    assert script.only_call()[8:10] == ["--matchMaxEpsilonFullScale", "5"]


def test_all_options_of_point_match(script, connection):
    pointMatchClient(
        "stk", "c", [("a", "b")], sift_options=OPTIONS, numberOfThreads=2, matchStorageFile="m.json",
        clipWidth=5, clipHeight=6.0, firstCanvasPosition="LEFT", renderFileFormat="PNG",
        canvasGroupIdAlgorithm="COLLECTION", canvasIdAlgorithm="FIRST_TILE_Z", **connection,
    )  # fmt: skip
    assert script.only_call()[10:-2] == [
        "--numberOfThreads", "2", "--matchStorageFile", "m.json", "--clipWidth", "5", "--clipHeight", "6",
        "--firstCanvasPosition", "LEFT", "--renderFileFormat", "PNG",
        "--canvasGroupIdAlgorithm", "COLLECTION", "--canvasIdAlgorithm", "FIRST_TILE_Z",
    ]  # fmt: skip


@pytest.mark.parametrize("options", [None, SiftPointMatchOptions(matchRod=0.9), {}])
def test_a_java_without_default_epsilon_is_not_started(script, connection, options):
    with pytest.raises(ClientArgumentError, match=r"SiftPointMatchOptions.matchMaxEpsilon=PIXELS"):
        pointMatchClient("stk", "coll", [("a", "b")], sift_options=options, **connection)
    assert script.calls == []


def test_a_java_with_a_default_epsilon_is_started(script, connection, monkeypatch):
    monkeypatch.setattr(
        "renderapi.client.calls.pairs.known_options", lambda *_: ({"--matchMaxEpsilon"}, "old.jar")
    )
    pointMatchClient("stk", "coll", [("a", "b")], **connection)
    assert script.only_call()[8:] == [tile_url("a"), tile_url("b")]


def test_without_pairs_nothing_is_started(script, connection):
    assert pointMatchClient("stk", "coll", [], **connection) is None
    assert script.calls == []


@pytest.mark.parametrize("pair", ["ab", ("a",), ("a", "b", "c")])
def test_a_pair_is_two_tile_ids(script, connection, pair):
    with pytest.raises(ClientArgumentError, match="a tile pair must be two tile ids"):
        pointMatchClient("stk", "coll", [pair], sift_options=OPTIONS, **connection)
