"""The obvious slips: each gets an answer that says what was wrong with the call."""

import re

import pytest
import requests
import responses

import renderapi
from renderapi.client import ClientArgumentError
from renderapi.errors import (
    ClientScriptError,
    ConnectionSettingsError,
    NotFoundError,
    RenderError,
    RenderWarning,
    SpecError,
)
from renderapi.geometry import match_residuals
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

RENDER = renderapi.Render("http://h", 80, "o", "p")
TILES = [{"tileId": "a", "transforms": {"specList": []}}]
MATCH = {"pId": "a", "qId": "a", "matches": {"p": [[1], [2]], "q": [[1], [2]], "w": [1]}}


@pytest.mark.parametrize(
    "call",
    [
        lambda: renderapi.stack.get_stack_bounds("s", RENDER),
        lambda: renderapi.stack.get_stack_bounds(RENDER, "s"),
        lambda: renderapi.tilespec.get_tile_specs_from_z("s", RENDER),
        lambda: renderapi.pointmatch.get_matches_within_group("c", "g", RENDER),
        lambda: renderapi.client.import_tilespecs("s", [], RENDER),
        lambda: renderapi.render.get_owners(RENDER),
    ],
)
def test_a_connection_by_position_is_refused_by_name(call):
    with pytest.raises(TypeError, match=r"got a connection by position.*render=\.\.\."):
        call()


@pytest.mark.parametrize("z", ["one", None, [1, 2], float("nan"), "nan"])
def test_a_layer_that_is_no_number_is_not_sent(z):
    with pytest.raises(SpecError, match=r"z must be a finite number.*nothing was sent"):
        renderapi.tilespec.get_tile_specs_from_z("s", z, render=RENDER)


def test_a_list_where_a_name_belongs_is_not_sent():
    with pytest.raises(ConnectionSettingsError, match="stack must be a text"):
        renderapi.stack.get_stack_bounds(["s"], render=RENDER)


def test_a_host_with_port_beside_a_port():
    assert renderapi.connect("127.0.0.1:8080", 8080, "o", "p").DEFAULT_HOST == "http://127.0.0.1"
    assert renderapi.Render("https://u:pw@[::1]:80/lab", 80).DEFAULT_HOST == "https://u:pw@[::1]/lab"
    assert renderapi.Render("http://h:81", None).DEFAULT_HOST == "http://h:81"
    with pytest.raises(ConnectionSettingsError, match="names port 8080, but port is 81"):
        renderapi.connect("127.0.0.1:8080", 81, "o", "p")


def test_a_port_that_is_no_number_is_asked_for_again(monkeypatch, capsys):
    answers = iter(["abc", "8080"])
    monkeypatch.setattr("renderapi.http.environment._somebody_is_there", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    assert renderapi.connect("h", None, "o", "p").DEFAULT_PORT == 8080
    assert "port is 'abc'" in capsys.readouterr().err


def test_wrong_ports_are_not_asked_for_without_end(monkeypatch):
    monkeypatch.setattr("renderapi.http.environment._somebody_is_there", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: "abc")
    with pytest.raises(ConnectionSettingsError, match="port is 'abc'"):
        renderapi.connect("h", None, "o", "p")


def test_the_old_name_of_the_affine_model():
    with pytest.warns(DeprecationWarning, match="AffineModel") as warned:
        assert renderapi.transform.AffineTransform is AffineModel
    assert warned[0].filename == __file__
    with pytest.raises(AttributeError, match="NoSuchModel"):
        _ = renderapi.transform.NoSuchModel


def test_a_folder_of_client_scripts_that_is_not_there(tmp_path):
    with pytest.warns(RenderWarning, match="no Java clients on this connection") as warned:
        renderapi.connect("h", 80, "o", "p", str(tmp_path / "missing"))
    assert warned[0].filename == __file__


def test_one_transform_instead_of_a_list():
    with pytest.raises(SpecError, match="tforms must be a list"):
        TileSpec(tileId="a", tforms=AffineModel())


def test_swapped_arguments_of_match_residuals():
    for tiles in (TILES, [TileSpec(json=TILES[0])]):
        with pytest.raises(SpecError, match=r"match_residuals\(matches, tilespecs\)"):
            match_residuals(tiles, [MATCH])
    with pytest.raises(SpecError, match="give a list"):
        match_residuals(MATCH, TILES)
    with pytest.raises(SpecError, match="no match document"):
        match_residuals(["a"], TILES)


@pytest.mark.parametrize("tiles", [TileSpec(tileId="a"), {"tileId": "a"}, "abc", ["a", "b"], [TileSpec]])
def test_what_is_no_list_of_tiles_is_not_sent(tiles):
    with pytest.raises(SpecError, match="tilespecs"):
        renderapi.resolvedtiles.ResolvedTiles(tiles).to_dict()
    with pytest.raises(SpecError, match="tilespecs"):
        renderapi.client.import_tilespecs("s", tiles, use_rest=True, render=RENDER)


@pytest.mark.parametrize("wrong", [[AffineModel], AffineModel(), "abc", [{}], 5])
def test_transforms_that_were_set_wrongly_are_found_when_they_are_written(wrong):
    new = TileSpec(tileId="a", z=1, width=1, height=1)
    read = TileSpec(json={"tileId": "a", "transforms": {"type": "list", "specList": []}})
    for tile in (new, read):
        tile.tforms = wrong
        if wrong == [{}]:
            with pytest.raises(AttributeError):
                tile.to_dict()
        else:
            with pytest.raises(SpecError, match=r"the transforms of tile 'a' cannot be written: .*tforms"):
                tile.to_dict()


def test_a_tile_of_a_text_or_a_tile():
    with pytest.raises(SpecError, match=r"json.loads"):
        TileSpec(json='{"tileId": "a"}')
    with pytest.raises(SpecError, match=r"copy.deepcopy"):
        TileSpec(json=TileSpec(tileId="a"))


def test_one_transform_is_as_good_as_a_list_where_points_are_mapped():
    shift = AffineModel(B0=5)
    assert renderapi.transform.estimate_dstpts(shift, [[1, 2]]).tolist() == [[6, 2]]
    assert renderapi.transform.estimate_transformsum(shift) == shift
    for wrong in ("abc", AffineModel, {}):
        with pytest.raises(SpecError, match="transformlist must be a list"):
            renderapi.transform.estimate_dstpts(wrong, [[1, 2]])
        with pytest.raises(SpecError, match="transformlist must be a list"):
            renderapi.transform.estimate_transformsum(wrong)


@pytest.mark.parametrize("tile", [TileSpec(tileId="a", width=1, height=1), {"tileId": "a"}, "a"])
def test_the_box_of_one_tile(tile):
    with pytest.raises(SpecError, match=r"tilespecs must be a list.*tilespecs=\[\.\.\.\]"):
        renderapi.geometry.bounding_boxes(tile)
    with pytest.raises(SpecError, match="tilespecs must be a list"):
        renderapi.geometry.derive_bounding_boxes(tile)


@pytest.mark.parametrize("variable", ["RENDER_PORT", "DEFAULT_RENDER_PORT"])
@pytest.mark.parametrize("port", ["abc", "0", "80.5", "70000"])
def test_a_wrong_port_in_the_environment_is_named(monkeypatch, variable, port):
    monkeypatch.setenv(variable, port)
    for call in (
        lambda: renderapi.connect("h", None, "o", "p"),
        lambda: renderapi.stack.get_stack_bounds("s", host="h", owner="o", project="p"),
    ):
        with pytest.raises(ConnectionSettingsError, match=f"variable {variable} is wrong: port is '{port}'"):
            call()


def test_a_wrong_heap_in_the_environment_is_named(monkeypatch, tmp_path):
    (tmp_path / "run_ws_client.sh").touch(0o755)
    monkeypatch.setenv("RENDER_CLIENT_HEAP", "lots")
    with pytest.raises(ConnectionSettingsError, match=r"RENDER_CLIENT_HEAP is 'lots'.*'2G'"):
        renderapi.connect("h", 80, "o", "p", str(tmp_path))
    assert renderapi.connect("h", 80, "o", "p", str(tmp_path), memGB="3G").memGB == "3G"
    assert type(renderapi.connect("h", 80, "o", "p")) is renderapi.Render
    monkeypatch.setenv("RENDER_CLIENT_HEAP", "512m")
    assert renderapi.connect("h", 80, "o", "p", str(tmp_path)).memGB == "512m"


@pytest.mark.parametrize("variable", ["RENDER_CLIENT_SCRIPT", "RENDER_CLIENT_SCRIPTS"])
def test_a_script_of_the_environment_that_is_not_there_is_named(monkeypatch, tmp_path, variable):
    monkeypatch.setenv(variable, str(tmp_path / "missing"))
    said = f"not found: it is not a file .set by the environment variable {variable}."
    with pytest.warns(RenderWarning, match=said):
        renderapi.connect("h", 80, "o", "p")
    with pytest.raises(ClientScriptError, match=said):
        renderapi.client.importJsonClient("s", ["a.json"], engine="java", render=RENDER)


def test_a_jar_of_the_environment_that_is_not_there_is_named(monkeypatch, tmp_path):
    script = tmp_path / "run_ws_client.sh"
    script.write_text("#!/bin/sh\ntouch $(dirname $0)/started\n")
    script.chmod(0o755)
    monkeypatch.setenv("RENDER_CLIENT_JAR", str(tmp_path / "missing.jar"))
    connection = {"host": "h", "port": 1, "owner": "o", "project": "p", "client_script": str(script)}
    with pytest.raises(ClientScriptError, match=r"RENDER_CLIENT_JAR is '.*missing.jar', which is no file"):
        renderapi.client.importJsonClient("s", ["a.json"], engine="java", **connection)
    assert not (tmp_path / "started").exists()
    (tmp_path / "missing.jar").touch()
    renderapi.client.importJsonClient("s", ["a.json"], engine="java", check=False, **connection)
    assert (tmp_path / "started").exists()


@pytest.mark.parametrize("engine", ["java", "python"])
@pytest.mark.parametrize(
    "changes", [{"minz": "one"}, {"maxz": float("nan")}, {"z": [1, "two"]}, {"minz": [1]}, {"maxz": True}]
)
def test_pairs_of_layers_that_are_no_numbers(engine, changes):
    layers = {"minz": 1, "maxz": 2, **changes}
    with pytest.raises(ClientArgumentError, match="must be a finite number; nothing was started"):
        renderapi.client.tilePairClient(
            "s", **layers, host="h", port=1, owner="o", project="p", engine=engine, client_script=__file__
        )


@pytest.mark.parametrize("engine", ["java", "python"])
def test_coordinates_of_a_layer_that_is_no_number(engine):
    with pytest.raises(ClientArgumentError, match="z is 'one': it must be a finite number"):
        renderapi.client.coordinateClient(
            "s", "one", fromJson="a.json", host="h", port=1, owner="o", project="p", engine=engine,
            client_script=__file__,
        )  # fmt: skip


def test_deleting_a_stack_that_is_not_there():
    with serve_background() as server, server.connect(owner="o", project="p", retries=0) as render:
        assert renderapi.stack.delete_stack("missing", render=render).status_code == 200
        with pytest.raises(NotFoundError, match="missing"):
            renderapi.stack.delete_stack("missing", must_exist=True, render=render)
        with pytest.raises(NotFoundError, match="missing"):
            renderapi.pointmatch.delete_collection("missing", render=render)
        renderapi.stack.create_stack("there", render=render)
        renderapi.stack.delete_stack("there", must_exist=True, render=render)
        assert renderapi.render.get_stacks_by_owner_project(render=render) == []


def tracebacks(error):
    """Count the errors whose tracebacks Python prints."""
    count = 0
    while error is not None:
        count += 1
        error = error.__cause__ if error.__cause__ or error.__suppress_context__ else error.__context__
    return count


BASE = "http://h:80/render-ws/v1/owner/o/project/p/stack/s"
BAD_AFFINE = TileSpec(
    json={
        "tileId": "a", "z": 1, "width": 9, "height": 9, "transforms": {"type": "list", "specList": [
            {"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D", "dataString": "1 x 0"}
        ]},
    }
)  # fmt: skip
GOOD = TileSpec(tileId="a", z=1, width=9, height=9)
NOBODY = renderapi.Render("http://127.0.0.1", 9, "o", "p", retries=0)


def _not_json(path):
    path.write_text("{")
    return str(path)


@pytest.mark.parametrize(
    "call",
    [
        lambda path: renderapi.stack.get_stack_bounds("s", render=NOBODY),
        lambda path: renderapi.stack.get_stack_bounds("missing", render=RENDER),
        lambda path: renderapi.stack.get_stack_bounds("s", render=RENDER),
        lambda path: renderapi.tilespec.get_tile_specs_from_z("s", 1, render=RENDER),
        lambda path: renderapi.resolvedtiles.get_resolved_tiles_from_z("s", 1, render=RENDER),
        lambda path: renderapi.image.get_bb_image("s", 1, 0, 0, 5, 5, render=RENDER),
        lambda path: renderapi.image.get_bb_image("s", 1, 0, 0, 5, 5, render=NOBODY, block=2),
        lambda path: renderapi.tilespec.get_tile_specs_from_z("s", "one", render=RENDER),
        lambda path: renderapi.connect("h", "abc", "o", "p"),
        lambda path: renderapi.render.get_stacks_by_owner_project(render=RENDER),
        lambda path: AffineModel(json={"className": "x", "dataString": "1 2"}),
        lambda path: renderapi.transform.load_transform_json({"dataString": "1"}),
        lambda path: renderapi.transform.Polynomial2DTransform(json={"className": "x", "dataString": "a b"}),
        lambda path: AffineModel().tform("abc"),
        lambda path: AffineModel().estimate([[0, 0]], [[1, 1]]),
        lambda path: BAD_AFFINE.tforms,
        lambda path: renderapi.geometry.bounding_boxes([BAD_AFFINE]),
        lambda path: renderapi.geometry.bounding_boxes([{"tileId": "a", "width": "x", "height": 1}]),
        lambda path: renderapi.utils.decodeBase64("@@"),
        lambda path: renderapi.client.import_tilespecs("s", [BAD_AFFINE], render=RENDER),
        lambda path: renderapi.client.import_tilespecs("s", iter([BAD_AFFINE]), render=RENDER),
        lambda path: renderapi.client.import_tilespecs_parallel("s", [GOOD], poolsize=4, render=NOBODY),
        lambda path: renderapi.client.import_tilespecs_parallel(
            "s", [GOOD, TileSpec(tileId="b", z=1, width=9, height=9)], poolsize=4, max_tilespecs_per_group=1,
            render=RENDER,
        ),
        lambda path: renderapi.client.import_tilespecs("s", [GOOD], use_rest=True, render=NOBODY),
        lambda path: renderapi.client.import_single_json_file("s", _not_json(path), render=RENDER),
        lambda path: renderapi.client.tilePairClient(
            "s", 1, 2, onlyIncludeTilesNearTileIdsJson=str(path), render=RENDER
        ),
        lambda path: renderapi.coordinate.world_to_local_coordinates_array("s", "abc", "a", 1, render=RENDER),
    ],
)  # fmt: skip
def test_a_failed_call_shows_at_most_two_tracebacks(call, tmp_path):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        mocked.add_passthru("http://127.0.0.1")
        mocked.get(f"{BASE[:-1]}missing/bounds", status=404, body="no such stack")
        mocked.get(f"{BASE}/bounds", body="<html>")
        mocked.get(f"{BASE}/z/1/tile-specs", body="{")
        mocked.get(f"{BASE}/z/1/resolvedTiles", body="[")
        mocked.get(f"{BASE}/z/1/box/0,0,5,5,1.0/png-image", body="<html>")
        mocked.get(re.compile(f"{BASE}/z/1/box/.*"), body=b"\x89PNG\r\n\x1a\n", content_type="image/png")
        mocked.get("http://h:80/render-ws/v1/owner/o/stacks/", json=[{}])
        mocked.get(BASE, json={"state": "LOADING"})
        mocked.put(f"{BASE}/state/LOADING", status=201)
        mocked.put(f"{BASE}/resolvedTiles", status=500, body="trouble")
        with pytest.raises((RenderError, requests.RequestException)) as caught:
            call(tmp_path / "x.json")
    assert tracebacks(caught.value) <= 2
