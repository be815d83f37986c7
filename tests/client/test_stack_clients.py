"""The Java clients that change a stack or map coordinates: arguments, results, stack states."""

import gzip
import json

import numpy as np
import pytest
import responses

import renderapi
from renderapi.client import (
    ClientArgumentError,
    coordinateClient,
    importJsonClient,
    importTransformChangesClient,
    transformSectionClient,
)
from renderapi.errors import ClientScriptError, ConnectionSettingsError, RenderWarning

STACK = ["--baseDataUrl", "http://render.example:8080/render-ws/v1", "--owner", "own", "--project", "proj"]
STACK += ["--stack", "stk"]


def arguments(script):
    """Arguments of the only call, after those of the stack."""
    words = script.only_call()
    assert words[2:10] == STACK
    return words[10:]


# ------------------------------------------------------------------------------------------------ import


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("a.json", ["a.json"]),
        (["a.json", "b.json"], ["a.json", "b.json"]),
        (("a.json", "b.json"), ["a.json", "b.json"]),
        ((name for name in ("a.json",)), ["a.json"]),
    ],
)
def test_import_of_one_file_or_several(script, connection, files, expected):
    assert importJsonClient("stk", files, check=False, **connection) is None
    assert arguments(script) == expected


def test_import_of_a_path(script, connection, tmp_path):
    importJsonClient("stk", tmp_path / "a.json", transformFile=tmp_path / "t.json", check=False, **connection)
    assert arguments(script) == ["--transformFile", f"{tmp_path}/t.json", f"{tmp_path}/a.json"]


def test_import_with_a_validator(script, connection):
    importJsonClient(
        "stk", "a.json", validatorClass="x.Y", validatorData="minSize:5,maxSize:9", check=False, **connection
    )
    assert arguments(script) == [
        "--validatorClass",
        "x.Y",
        "--validatorData",
        "minSize:5,maxSize:9",
        "a.json",
    ]


@pytest.mark.parametrize("files", [None, []])
def test_import_of_nothing_is_refused(script, connection, files):
    with pytest.raises(ClientArgumentError, match="needs tileFiles"):
        importJsonClient("stk", files, **connection)
    assert script.calls == []


def test_a_file_that_the_script_would_split_is_refused(script, connection):
    with pytest.raises(ClientArgumentError, match=r"'my tiles\.json'"):
        importJsonClient("stk", "my tiles.json", **connection)


def test_missing_settings_are_named(script):
    with pytest.raises(ConnectionSettingsError, match="owner is not known"):
        importJsonClient("stk", "a.json", host="h", port=1, project="p", client_script=str(script.path))


def test_streams_and_time_limit_are_handed_on(script, connection, tmp_path):
    script.write("echo imported; sleep 5")
    with (tmp_path / "log").open("w") as log, pytest.raises(ClientScriptError, match="did not finish"):
        importJsonClient("stk", "a.json", stdout=log, stderr=log, timeout=0.3, **connection)
    assert (tmp_path / "log").read_text() == "imported\n"


def test_an_unknown_keyword_is_warned_of(script, connection):
    with pytest.warns(RenderWarning, match="does not know the keyword 'transformfile'"):
        importJsonClient("stk", "a.json", transformfile="t.json", check=False, **connection)


# ------------------------------------------------------------------------------------ transform changes


@pytest.mark.parametrize("mode", ["APPEND", "REPLACE_LAST", "REPLACE_ALL", "CONCATENATE_TO_LAST"])
def test_change_modes(script, connection, mode):
    importTransformChangesClient("stk", "tgt", "t.json", changeMode=mode, close_stack=False, **connection)
    assert arguments(script) == ["--targetStack", "tgt", "--transformFile", "t.json", "--changeMode", mode]


def test_default_change_mode_is_that_of_java(script, connection):
    importTransformChangesClient("stk", "tgt", "t.json", close_stack=False, **connection)
    assert arguments(script)[-2:] == ["--changeMode", "REPLACE_LAST"]


def test_unknown_change_mode(script, connection):
    for error in (ClientScriptError, ValueError):
        with pytest.raises(error, match="changeMode is 'REPLACE'; it must be one of APPEND, REPLACE_LAST"):
            importTransformChangesClient("stk", "tgt", "t.json", changeMode="REPLACE", **connection)
    assert script.calls == []


@responses.activate
def test_the_target_stack_is_closed(script, connection):
    url = "http://render.example:8080/render-ws/v1/owner/own/project/proj/stack/tgt/state/COMPLETE"
    put = responses.put(url, status=201)
    importTransformChangesClient("stk", "tgt", "t.json", **connection)
    assert put.call_count == 1


@responses.activate
def test_the_target_stack_is_closed_where_it_is(script, connection):
    url = "http://render.example:8080/render-ws/v1/owner/to/project/tp/stack/tgt/state/COMPLETE"
    put = responses.put(url, status=201)
    importTransformChangesClient(
        "stk", "tgt", "t.json", targetOwner="to", targetProject="tp", validatorClass="x.Y", **connection
    )
    assert put.call_count == 1
    assert arguments(script)[4:] == [
        "--targetOwner", "to", "--targetProject", "tp", "--changeMode", "REPLACE_LAST",
        "--validatorClass", "x.Y",
    ]  # fmt: skip


@responses.activate
def test_the_target_stack_is_not_closed_after_a_failure(script, connection):
    script.write("exit 1")
    with pytest.raises(ClientScriptError):
        importTransformChangesClient("stk", "tgt", "t.json", **connection)
    assert len(responses.calls) == 0


@responses.activate
def test_states_are_set_with_the_session_of_the_connection(script):
    url = "http://render.example:8080/render-ws/v1/owner/own/project/proj/stack/tgt/state/COMPLETE"
    responses.put(url, status=201)
    render = renderapi.connect(
        "render.example", 8080, "own", "proj", client_script=str(script.path), headers={"X-Lab": "em"}
    )
    importTransformChangesClient("stk", "tgt", "t.json", render=render)
    assert responses.calls[0].request.headers["X-Lab"] == "em"


# ------------------------------------------------------------------------------------ transform sections

AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
TRANSFORM = ["--transformId", "tf", "--transformClass", AFFINE, "--transformData", "1,0,0,1,5,6"]


@pytest.mark.parametrize("data", ["1,0,0,1,5,6", "1 0 0 1 5 6", " 1  0\t0 1 5, 6 "])
def test_transform_data_reaches_java_whole(script, connection, data):
    transformSectionClient("stk", "tf", AFFINE, data, [1, 2.5], **connection)
    assert arguments(script) == [*TRANSFORM, "1", "2.5"]


@pytest.mark.parametrize("zs", [3.0, np.float64(3), [3.0], (3.0,), np.array([3.0]), np.array(3.0)])
def test_one_section_or_several(script, connection, zs):
    transformSectionClient("stk", "tf", AFFINE, "1,0,0,1,5,6", zs, **connection)
    assert arguments(script)[-1] == "3.0"


def test_replace_last_is_spelled_as_java_has_it_now(script, connection):
    transformSectionClient("stk", "tf", AFFINE, "1,0,0,1,5,6", [1], replaceLast=True, **connection)
    assert arguments(script) == ["--transformApplicationMethod", "REPLACE_LAST", *TRANSFORM, "1"]


def test_replace_last_of_an_old_java(script, connection, monkeypatch):
    monkeypatch.setattr(
        "renderapi.client.calls.stacks.known_options", lambda *_: ({"--replaceLast"}, "old.jar")
    )
    monkeypatch.setattr("renderapi.client.java.arguments.check_options", lambda *_: None)
    transformSectionClient("stk", "tf", AFFINE, "1,0,0,1,5,6", [1], replaceLast=True, **connection)
    assert arguments(script)[:1] == ["--replaceLast"]


def test_contradicting_methods(script, connection):
    with pytest.raises(ClientArgumentError, match="contradict"):
        transformSectionClient(
            "stk", "tf", AFFINE, "1", [1], replaceLast=True, transformApplicationMethod="APPEND", **connection
        )


def test_all_options_of_transform_section(script, connection):
    transformSectionClient(
        "stk", "tf", AFFINE, "1,0,0,1,5,6", [1], targetProject="tp", targetStack="tgt", replaceLast=False,
        transformApplicationMethod="INSERT_AS_FIRST", layerMinimumXAndYBound=10.0, fromTileId="a",
        toTileId="b", bounds={"minX": 1, "minY": 3, "maxX": 2, "maxY": 4}, validatorClass="x.Y",
        validatorData="a:1", completeTargetStack=True, **connection,
    )  # fmt: skip
    assert arguments(script) == [
        "--targetProject", "tp", "--targetStack", "tgt", "--transformApplicationMethod", "INSERT_AS_FIRST",
        "--layerMinimumXAndYBound", "10", "--fromTileId", "a", "--toTileId", "b",
        "--minX", "1", "--maxX", "2", "--minY", "3", "--maxY", "4",
        "--validatorClass", "x.Y", "--validatorData", "a:1", "--completeTargetStack", *TRANSFORM, "1",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------- coordinates

WRITES_ANSWER = """
to=$(value --toJson "$@")
echo '[{"tileId": "a", "world": [1.5, 2.5, 3.0]}]' > "$to"
"""


def test_coordinates_are_read_back(script, connection, tmp_path):
    script.write(WRITES_ANSWER)
    to = tmp_path / "to.json"
    answer = coordinateClient("stk", 3.0, "from.json", str(to), True, 4, **connection)
    assert answer == [{"tileId": "a", "world": [1.5, 2.5, 3.0]}]
    assert arguments(script) == [
        "--z", "3.0", "--fromJson", "from.json", "--toJson", str(to), "--localToWorld",
        "--numberOfThreads", "4",
    ]  # fmt: skip
    assert to.exists()


def test_z_may_come_from_the_points(script, connection, tmp_path):
    script.write(WRITES_ANSWER)
    coordinateClient("stk", None, "from.json", str(tmp_path / "to.json"), localToWorld=False, **connection)
    assert arguments(script) == ["--fromJson", "from.json", "--toJson", str(tmp_path / "to.json")]


def test_coordinates_from_a_gzipped_file(script, connection, tmp_path):
    script.write('echo "[1, 2]" | gzip > "$(value --toJson "$@")"')
    assert coordinateClient("stk", 1, "from.json", str(tmp_path / "to.json.gz"), **connection) == [1, 2]
    with gzip.open(tmp_path / "to.json.gz") as file:
        assert json.load(file) == [1, 2]


def test_coordinates_without_a_file_of_ones_own(script, connection, temporary_folder):
    script.write(WRITES_ANSWER)
    assert (
        coordinateClient("stk", 1, "from.json", toStack="s2", toOwner="o2", **connection)[0]["tileId"] == "a"
    )
    assert arguments(script)[-4:] == ["--toOwner", "o2", "--toStack", "s2"]
    assert list(temporary_folder.iterdir()) == []


def test_coordinates_need_points(script, connection):
    with pytest.raises(ClientArgumentError, match="needs fromJson"):
        coordinateClient("stk", 1, **connection)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exit 0", "did not write"),
        ('echo "[1, " > "$(value --toJson "$@")"', "cannot be read"),
        ('echo "no gzip" > "$(value --toJson "$@")"', "cannot be read"),
    ],
)
def test_an_answer_that_is_none(script, connection, tmp_path, body, message):
    script.write(body)
    to = tmp_path / ("to.json.gz" if "gzip" in body else "to.json")
    with pytest.raises(ClientScriptError, match=message):
        coordinateClient("stk", 1, "from.json", str(to), **connection)


def test_call_does_not_make_a_failure_look_like_an_answer(script, connection, tmp_path):
    script.write("exit 1")
    (tmp_path / "to.json").write_text("[]")
    with pytest.raises(ClientScriptError, match="exit status 1"):
        coordinateClient(
            "stk", 1, "from.json", str(tmp_path / "to.json"), subprocess_mode="call", **connection
        )


def test_whole_numbers(script, connection):
    with pytest.raises(ClientArgumentError, match=r"numberOfThreads must be a whole number, not 1\.5"):
        coordinateClient("stk", 1, "from.json", "to.json", numberOfThreads=1.5, **connection)
    with pytest.raises(ClientArgumentError, match="numberOfThreads must be a whole number, not 'many'"):
        coordinateClient("stk", 1, "from.json", "to.json", numberOfThreads="many", **connection)
