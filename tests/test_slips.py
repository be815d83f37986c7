"""The obvious slips: each gets an answer that says what was wrong with the call."""

import pytest

import renderapi
from renderapi.errors import ConnectionSettingsError, RenderWarning, SpecError
from renderapi.geometry import match_residuals
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
    monkeypatch.setattr("renderapi._environment._somebody_is_there", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    assert renderapi.connect("h", None, "o", "p").DEFAULT_PORT == 8080
    assert "port is 'abc'" in capsys.readouterr().err


def test_wrong_ports_are_not_asked_for_without_end(monkeypatch):
    monkeypatch.setattr("renderapi._environment._somebody_is_there", lambda: True)
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
