"""Tile specs: what is read is written again, lazily; what is built behaves as it always did."""

import copy
import json
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import responses

from renderapi import _json
from renderapi.channel import Channel
from renderapi.errors import BadAnswerError, NotFoundError, RenderWarning, ServerError, SpecError
from renderapi.geometry import bounding_boxes
from renderapi.image_pyramid import ImagePyramid, MipMap, MipMapLevel
from renderapi.layout import Layout
from renderapi.render import connect
from renderapi.resolvedtiles import check_tiles
from renderapi.tilespec import (
    TileSpec,
    get_tile_spec,
    get_tile_spec_raw,
    get_tile_spec_renderparameters,
    get_tile_specs_from_box,
    get_tile_specs_from_minmax_box,
    get_tile_specs_from_stack,
    get_tile_specs_from_z,
    read_tilespecs,
)
from renderapi.transform import AffineModel, ReferenceTransform, TransformList
from renderapi.utils import renderdumps

BASE = "http://render.example:8080/render-ws/v1/owner/own/project/proj/stack/stk"
NO_TILE = "tile spec with id 'a' does not exist in the render.own__proj__stk__tile collection"


@pytest.fixture
def http():
    """Answer requests as the test says, and no other."""
    with responses.mock:
        yield


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


def document(**changes):
    return {
        "tileId": "a",
        "layout": {"sectionId": "1.0", "temca": "scope", "imageRow": 2, "futureLayoutKey": [1]},
        "groupId": "g",
        "z": 1.5,
        "minX": -3.0,
        "minY": 4.0,
        "maxX": 97.0,
        "maxY": 84.0,
        "width": 100.0,
        "height": 80.0,
        "minIntensity": 0.0,
        "maxIntensity": 255.0,
        "mipmapLevels": {
            "0": {"imageUrl": "file:/a.tif", "imageLoaderType": "H5_SLICE", "imageSliceNumber": 3},
            "10": {"imageUrl": "file:/k.tif"},
            "2": {"imageUrl": "file:/c.tif", "maskUrl": "file:/m.png"},
        },
        "transforms": {
            "type": "list",
            "id": "the list",
            "specList": [
                {"type": "ref", "refId": "lens"},
                {
                    "type": "leaf",
                    "id": "t1",
                    "metaData": {"labels": ["montage"]},
                    "className": "mpicbg.trakem2.transform.AffineModel2D",
                    "dataString": "1.0 0.0 0.0 1.0 -3.25 4.5",
                },
            ],
        },
        "meshCellSize": 32.0,
        "labels": ["good"],
        "futureKey": {"minX": 5, "deep": [None, True]},
        **changes,
    }


def without_bounds(doc):
    return {key: value for key, value in doc.items() if key not in ("minX", "minY", "maxX", "maxY")}


def read(doc):
    [tile] = read_tilespecs(json.dumps([doc], separators=(",", ":")).encode())
    return tile


readers = pytest.mark.parametrize("make", [lambda doc: TileSpec(json=doc), read], ids=["dict", "bytes"])


class TestRoundTrip:
    @readers
    def test_everything_that_was_read_is_written(self, make):
        assert make(document()).to_dict(bounds=True) == document()

    @readers
    def test_bounds_are_written_only_when_asked_for(self, make):
        assert make(document()).to_dict() == without_bounds(document())

    @readers
    def test_everything_survives_after_every_part_was_touched(self, make):
        tile = make(document())
        assert (tile.layout, tile.ip, tile.tforms, tile.labels) is not None
        assert (tile.channels, tile.inputfilters, tile.z) == (None, [], 1.5)
        assert tile.to_dict(bounds=True) == document()

    @readers
    @pytest.mark.parametrize(
        "missing", ["transforms", "tileId", "z", "width", "height", "mipmapLevels", "layout"]
    )
    def test_a_key_that_a_server_omits_is_not_needed(self, make, missing):
        doc = document()
        del doc[missing]
        tile = make(doc)
        assert tile.to_dict(bounds=True) == doc
        assert tile.bbox == (-3.0, 4.0, 97.0, 84.0)
        assert list(tile.tforms) is not None

    @readers
    def test_reading_invents_no_layout(self, make):
        doc = document()
        del doc["layout"]
        tile = make(doc)
        assert tile.layout.pixelsize is None
        assert "layout" not in tile.to_dict()

    def test_a_tile_made_in_python_has_the_pixel_size_it_always_had(self):
        assert TileSpec(tileId="a").to_dict()["layout"] == {"pixelsize": 0.1}

    @readers
    def test_attributes_do_not_depend_on_how_a_tile_was_made(self, make):
        made = TileSpec(tileId="a", z=1.0, imageUrl="file:/a.tif")
        tile = make(document())
        names = (
            *("tileId", "z", "width", "height", "minint", "maxint", "frameId", "groupId", "labels", "layout"),
            *("ip", "tforms", "channels", "inputfilters", "imageUrl", "maskUrl", "meshCellSize"),
            *("minX", "minY", "maxX", "maxY", "bbox"),
        )
        for name in names:
            assert hasattr(tile, name), name
            assert hasattr(made, name), name
        assert made.bbox == (None, None, None, None)
        assert tile.imageUrl == "file:/a.tif"
        assert tile.maskUrl is None

    @readers
    def test_a_document_that_is_changed_later_does_not_change_the_tile(self, make):
        doc = document()
        tile = make(doc)
        doc["transforms"]["specList"].clear()
        doc["z"] = 99
        assert (tile.z, len(tile.tforms)) == (1.5, 2)

    def test_the_tile_does_not_change_its_document(self):
        doc = document()
        tile = TileSpec(json=doc)
        tile.z = 3
        tile.tforms.clear()
        tile.to_dict(bounds=True)
        assert doc == document()

    def test_a_raw_mongo_document_is_read_without_its_id(self):
        class ObjectId:
            __slots__ = ()

        tile = TileSpec(json={"_id": ObjectId(), **document()})
        assert tile.to_dict(bounds=True) == document()

    def test_a_document_that_is_no_json_is_copied_all_the_same(self):
        odd = {1, 2}
        tile = TileSpec(json={"tileId": "a", "odd": odd, "bad": float("nan")})
        odd.add(3)
        assert tile.to_dict()["odd"] == {1, 2}

    def test_transforms_given_as_array_or_single_document_are_read(self):
        leaf = document()["transforms"]["specList"][1]
        for transforms in ([leaf], leaf):
            assert [t.to_dict() for t in TileSpec(json=document(transforms=transforms)).tforms] == [leaf]
        assert TileSpec(json=document(transforms=None)).tforms == []

    def test_channels_survive(self):
        doc = document(
            channels=[
                {
                    "name": "DAPI",
                    "minIntensity": 1.0,
                    "maxIntensity": 9.0,
                    "mipmapLevels": {},
                    "mipmapPathBuilder": {},
                },
                {"mipmapLevels": {"0": {"imageUrl": "u"}}},
            ]
        )
        tile = TileSpec(json=doc)
        assert [channel.name for channel in tile.channels] == ["DAPI", None]
        assert tile.to_dict(bounds=True) == doc


class TestEditing:
    @readers
    def test_scalars(self, make):
        tile = make(document())
        tile.z, tile.groupId, tile.tileId = 7, None, "b"
        expected = {**without_bounds(document()), "z": 7, "tileId": "b"}
        del expected["groupId"]
        assert tile.to_dict() == expected

    @readers
    def test_setting_a_value_before_anything_was_read(self, make):
        tile = make(document())
        tile.width = 5
        assert (tile.width, tile.height) == (5, 80.0)
        assert tile.to_dict()["width"] == 5

    @readers
    def test_the_parts_are_edited_in_place(self, make):
        tile = make(document())
        tile.tforms[-1].M[0, 2] += 10
        tile.tforms.insert(0, AffineModel(B0=1))
        tile.layout.sectionId = "2.0"
        tile.ip[0].maskUrl = "file:/new.png"
        tile.labels.append("bad")
        result = tile.to_dict()
        assert [spec["type"] for spec in result["transforms"]["specList"]] == ["leaf", "ref", "leaf"]
        assert result["transforms"]["specList"][-1]["dataString"] == "1.0 0.0 0.0 1.0 6.75 4.5"
        assert result["transforms"]["id"] == "the list"
        assert result["layout"] == {**document()["layout"], "sectionId": "2.0"}
        assert result["mipmapLevels"]["0"] == {**document()["mipmapLevels"]["0"], "maskUrl": "file:/new.png"}
        assert result["labels"] == ["good", "bad"]

    @readers
    def test_the_parts_are_replaced(self, make):
        tile = make(document())
        tile.tforms = [ReferenceTransform("x")]
        tile.layout = None
        tile.ip = ImagePyramid({0: MipMap("u")})
        tile.labels = None
        tile.channels = [Channel(name="c", ip=ImagePyramid())]
        result = tile.to_dict()
        assert result["transforms"]["specList"] == [{"type": "ref", "refId": "x"}]
        assert result["layout"] == {}
        assert result["mipmapLevels"] == {"0": {"imageUrl": "u"}}
        assert result["labels"] == []
        assert result["channels"] == [{"name": "c", "mipmapLevels": {}}]

    @readers
    def test_bounds_that_were_set_are_written_when_asked_for(self, make):
        tile = make(document())
        tile.minX = 0.0
        assert tile.to_dict(bounds=True)["minX"] == 0.0
        assert "minX" not in tile.to_dict()

    @readers
    def test_filters_of_a_document_stay(self, make):
        tile = make(document(inputfilters=[1]))
        tile.inputfilters.append(2)
        assert tile.to_dict()["inputfilters"] == [1, 2]

    def test_reading_again_forgets_what_was_set(self):
        tile = TileSpec(tileId="old", groupId="g", tforms=[AffineModel()])
        tile.from_dict({"tileId": "new"})
        assert tile.to_dict() == {"tileId": "new"}
        assert (tile.groupId, tile.tforms) == (None, [])

    @readers
    @pytest.mark.parametrize("touch", [False, True])
    def test_copies_and_pickles(self, make, touch):
        tile = make(document())
        if touch:
            tile.tforms[1].M[0, 0] = 2
        for other in (pickle.loads(pickle.dumps(tile)), copy.deepcopy(tile), copy.copy(tile)):
            assert other.to_dict(bounds=True) == tile.to_dict(bounds=True)
            assert other == tile
            assert hash(other) == hash(tile)

    def test_programs_pop_and_set_what_they_like(self):
        tile = read(document())
        tile.junk = 3
        assert "junk" not in tile.to_dict()
        tile.tforms
        tile.__dict__.pop("tforms")
        assert len(tile.tforms) == 2
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            tile.nothing

    def test_a_subclass_may_set_attributes_first_and_write_its_own_document(self):
        class Own(TileSpec):
            def __init__(self, *args, **kwargs):
                self.note = "first"
                super().__init__(*args, **kwargs)

            def to_dict(self):
                return {**super().to_dict(), "note": self.note}

        tile = Own(json=document())
        assert tile.to_dict()["note"] == "first"
        assert json.loads(renderdumps([tile]))[0]["note"] == "first"

    def test_equality_and_repr_say_what_it_is(self):
        assert read(document()) == TileSpec(json=document())
        assert read(document()) != read(document(z=2))
        assert read(document()) != 3
        assert repr(read(document())) == "TileSpec(tileId='a', z=1.5, width=100.0, height=80.0)"


class TestConstruction:
    def test_document_of_a_tile_made_in_python(self):
        tile = TileSpec(
            tileId="a", z=1, width=10, height=20, imageUrl="u", maskUrl="m", labels=["x"], groupId="gg",
            sectionId=5, scopeId="s", frameId="f", tforms=[AffineModel(B0=1.5)], meshCellSize=16,
            channels=[Channel(name="c")],
        )  # fmt: skip
        assert tile.to_dict() == {
            "tileId": "a",
            "z": 1,
            "width": 10,
            "height": 20,
            "minIntensity": 0,
            "maxIntensity": 65535,
            "frameId": "f",
            "layout": {"sectionId": 5, "temca": "s", "pixelsize": 0.1},
            "mipmapLevels": {"0": {"imageUrl": "u", "maskUrl": "m"}},
            "transforms": {
                "type": "list",
                "specList": [
                    {
                        "type": "leaf",
                        "className": "mpicbg.trakem2.transform.AffineModel2D",
                        "dataString": "1.0 0.0 0.0 1.0 1.5 0.0",
                    }
                ],
            },
            "channels": [{"name": "c", "mipmapLevels": {}}],
            "labels": ["x"],
            "groupId": "gg",
            "meshCellSize": 16,
        }

    def test_an_empty_tile(self):
        tile = TileSpec(minint=None, maxint=None, layout=Layout(force_pixelsize=False))
        assert tile.to_dict() == {
            "layout": {},
            "mipmapLevels": {},
            "transforms": {"type": "list", "specList": []},
        }
        tile.layout = tile.ip = tile.tforms = None
        assert tile.to_dict() == {"mipmapLevels": {}, "transforms": {"type": "list", "specList": []}}

    @pytest.mark.filterwarnings("ignore:MipMapLevel is deprecated:DeprecationWarning")
    def test_images_by_level(self):
        assert TileSpec(mipMapLevels=[MipMapLevel(1, "u")]).ip == {"1": MipMap("u")}
        assert TileSpec(imagePyramid=ImagePyramid({"3": MipMap("v")})).ip["3"].imageUrl == "v"
        assert TileSpec(maskUrl="m").ip[0].maskUrl == "m"

    def test_bounds_given_as_keywords_are_not_written_by_default(self):
        tile = TileSpec(tileId="a", minX=1, minY=2, maxX=3, maxY=4)
        assert tile.bbox == (1, 2, 3, 4)
        assert "minX" not in tile.to_dict()
        assert tile.to_dict(bounds=True)["maxY"] == 4

    def test_a_likely_misspelling_gets_a_warning(self):
        with pytest.warns(RenderWarning, match="'tileID'; did you mean tileId"):
            TileSpec(tileID="a")

    @pytest.mark.parametrize("keyword", ["mipMapLevels", "scale3Url", "frameId", "stageX", "whatever"])
    def test_other_keywords_of_old_programs_get_none(self, keyword):
        TileSpec(tileId="a", **{keyword: None})

    def test_bbox_transformed(self):
        tile = TileSpec(width=3, height=4, tforms=[AffineModel(B0=1), AffineModel(B1=10)])
        corners = [[0, 0], [0, 4], [3, 4], [3, 0], [0, 0]]
        np.testing.assert_array_equal(tile.bbox_transformed(), np.add(corners, [1, 10]))
        np.testing.assert_array_equal(tile.bbox_transformed(tf_limit=1), np.add(corners, [1, 0]))
        np.testing.assert_array_equal(tile.bbox_transformed(tf_limit=0), corners)
        np.testing.assert_array_equal(
            tile.bbox_transformed(1, 0),
            [[0, 0], [0, 2], [0, 4], [1.5, 4], [3, 4], [3, 2], [3, 0], [1.5, 0], [0, 0]],
        )

    def test_every_side_of_a_border_is_halved_as_often_as_asked(self):
        tile = TileSpec(tileId="a", width=80, height=40)
        for times in range(5):
            border = tile.bbox_transformed(ndiv_inner=times)
            parts = 2**times
            assert border.shape == (4 * parts + 1, 2)
            assert border[: parts + 1].tolist() == [[0, 40 * i / parts] for i in range(parts + 1)]
            assert border[parts : 2 * parts + 1].tolist() == [[80 * i / parts, 40] for i in range(parts + 1)]
            assert border[-1].tolist() == [0, 0]

    def test_bbox_transformed_with_shared_transforms(self):
        tile = TileSpec(width=3, height=4, tforms=[ReferenceTransform("lens")])
        lens = AffineModel(B0=7, transformId="lens")
        assert tile.bbox_transformed(reference_tforms=[lens])[0].tolist() == [7, 0]

    def test_transform_lists_stay_nested(self):
        nested = TransformList(tforms=[AffineModel(B0=1)])
        tile = TileSpec(tforms=[nested])
        assert TileSpec(json=tile.to_dict()).to_dict() == tile.to_dict()


class TestLaziness:
    def test_reading_touches_nothing_and_writing_gives_the_bytes_back(self):
        content = json.dumps([document(tileId=f"t{i}") for i in range(3)], separators=(",", ":")).encode()
        tiles = read_tilespecs(content)
        text = renderdumps(tiles)
        assert json.loads(text) == [without_bounds(document(tileId=f"t{i}")) for i in range(3)]
        kept = "_raw" if _json._HAS_MSGSPEC else "_doc"  # bytes where they can be cut out
        assert all(list(vars(tile)) == [kept] for tile in tiles)

    def test_touched_untouched_and_new_tiles_are_written_together(self):
        touched, untouched = read(document()), read(document())
        touched.z = 3
        new = TileSpec(tileId="n")
        assert json.loads(renderdumps([untouched, touched, new, {"x": untouched}])) == [
            without_bounds(document()),
            {**without_bounds(document()), "z": 3},
            new.to_dict(),
            {"x": without_bounds(document())},
        ]

    @pytest.mark.parametrize(
        "doc",
        [
            {"tileId": "no bounds"},
            {"tileId": "half", "minX": 1.0},
            {"minX": 1.0, "maxX": 2.0, "minY": 3.0, "maxY": 4.0, "tileId": "order"},
            {"tileId": "last", "minX": 1.0, "minY": 3.0, "maxX": 2.0, "maxY": 4.0},
            {"tileId": "gap", "minX": 1.0, "width": 5.0, "maxX": 2.0, "maxY": 4.0, "minY": 3.0, "z": 1},
            {"futureKey": {"minX": 1, "minY": 2, "maxX": 3, "maxY": 4, "q": 1}, "tileId": "nested"},
            {"tileId": 'text "minX":1,"minY":2,"maxX":3,"maxY":4, } {', "minX": 1.0, "minY": 3.0, "maxX": 2.0,
             "maxY": 4.0, "z": 2},
            {"tileId": "null", "minX": None, "minY": 3.0, "maxX": 2.0, "maxY": 4.0, "z": 2},
        ],
        ids=lambda doc: str(doc["tileId"])[:6],
    )  # fmt: skip
    def test_bounds_are_left_out_wherever_they_stand(self, doc):
        tile = read(doc)
        assert json.loads(renderdumps([tile])) == [without_bounds(doc)]
        assert tile.to_dict() == without_bounds(doc)
        assert read(doc).to_dict(bounds=True) == {k: v for k, v in doc.items() if v is not None}

    def test_pretty_printed_answers_are_read(self):
        [tile] = read_tilespecs(json.dumps([document()], indent=2).encode())
        assert tile.to_dict(bounds=True) == document()
        assert json.loads(renderdumps([read_tilespecs(json.dumps([document()]).encode())[0]])) == [
            without_bounds(document())
        ]

    def test_without_msgspec_the_same_tiles_are_read(self, monkeypatch):
        monkeypatch.setattr(_json, "_HAS_MSGSPEC", False)
        assert read(document()).to_dict(bounds=True) == document()

    def test_without_orjson_the_same_text_is_written(self, monkeypatch):
        fast = renderdumps([read(document()), TileSpec(json=document())])
        monkeypatch.setattr(_json, "_orjson", None)
        assert json.loads(renderdumps([read(document()), TileSpec(json=document())])) == json.loads(fast)

    @pytest.mark.parametrize("content", [b"{}", b"[1]", b'["a"]', b"[", b"", b'[{"tileId":NaN},3]'])
    def test_what_is_no_list_of_tiles_is_refused(self, content):
        with pytest.raises(ValueError):
            read_tilespecs(content)

    def test_lenient_json_is_read(self):
        [tile] = read_tilespecs(b'[{"tileId":"a","z":NaN}]')
        assert np.isnan(tile.z)

    def test_nan_is_refused_with_the_tile(self):
        with pytest.raises(SpecError, match=r"z of tile 'a' is nan"):
            _json.dumps([TileSpec(tileId="a", z=float("nan"))])


@pytest.mark.usefixtures("http")
class TestEndpoints:
    def test_a_tile_that_does_not_exist_is_none(self, render):
        responses.get(f"{BASE}/tile/a/render-parameters", status=404, body=NO_TILE)
        assert get_tile_spec("stk", "a", render=render) is None

    def test_a_stack_that_does_not_exist_is_an_error(self, render):
        text = "stack with owner 'own', project 'proj', and name 'stk' does not exist"
        responses.get(f"{BASE}/tile/a/render-parameters", status=404, body=text)
        with pytest.raises(NotFoundError, match="does not exist"):
            get_tile_spec("stk", "a", render=render)

    def test_a_server_that_fails_is_an_error(self, render):
        responses.get(f"{BASE}/tile/a/render-parameters", status=500, body="boom")
        with pytest.raises(ServerError, match="boom"):
            get_tile_spec("stk", "a", render=render)

    def test_tile(self, render):
        parameters = {"x": 1.0, "tileSpecs": [document()]}
        responses.get(f"{BASE}/tile/a/render-parameters", json=parameters)
        assert get_tile_spec("stk", "a", render=render).to_dict(bounds=True) == document()
        assert get_tile_spec_renderparameters("stk", "a", render=render) == parameters

    @pytest.mark.parametrize("answer", [{}, [], 3, {"tileSpecs": []}, {"tileSpecs": 3}, {"tileSpecs": [3]}])
    def test_an_answer_without_the_tile_is_a_bad_answer(self, render, answer):
        responses.get(f"{BASE}/tile/a/render-parameters", json=answer)
        with pytest.raises(BadAnswerError, match="render parameters"):
            get_tile_spec("stk", "a", render=render)

    def test_raw_tile_that_does_not_exist_is_an_error(self, render):
        responses.get(f"{BASE}/tile/a/", status=404, body=NO_TILE)
        with pytest.raises(NotFoundError) as caught:
            get_tile_spec_raw("stk", "a", render=render)
        assert (caught.value.status_code, caught.value.server_text) == (404, NO_TILE)

    def test_raw_tile(self, render):
        responses.get(f"{BASE}/tile/a/", json=document())
        assert isinstance(get_tile_spec_raw("stk", "a", render=render).tforms[0], ReferenceTransform)

    def test_an_empty_layer_is_an_empty_list(self, render):
        responses.get(f"{BASE}/zValues/", json=[1.0, 1.5])
        responses.get(f"{BASE}/z/1.0/tile-specs", json=[])
        responses.get(f"{BASE}/z/1.5/tile-specs", json=[document()])
        assert get_tile_specs_from_z("stk", 1.0, render=render) == []
        assert [tile.tileId for tile in get_tile_specs_from_stack("stk", render=render)] == ["a"]

    def test_box_is_sent_exactly(self, render):
        responses.get(
            f"{BASE}/z/1.5/box/10.7,-20.25,5,3,0.125/render-parameters", json={"tileSpecs": [document()]}
        )
        found = get_tile_specs_from_box("stk", 1.5, 10.7, -20.25, 4.5, 3.0, 0.125, render=render)
        assert [tile.tileId for tile in found] == ["a"]

    def test_minmax_box(self, render):
        responses.get(f"{BASE}/z/3/box/10,20,300,400,1.0/render-parameters", json={})
        assert get_tile_specs_from_minmax_box("stk", 3, 10, 310, 20, 420, render=render) == []

    def test_ids_are_quoted(self, render):
        responses.get(f"{BASE}/tile/a%20b%2Fc%3F/", json=document())
        assert get_tile_spec_raw("stk", "a b/c?", render=render).tileId == "a"

    @pytest.mark.parametrize("tile_id", [".", ".."])
    def test_an_id_that_is_a_step_in_a_path_is_refused(self, render, tile_id):
        with pytest.raises(SpecError, match="cannot be a name on a render server"):
            get_tile_spec_raw("stk", tile_id, render=render)
        assert len(responses.calls) == 0

    @pytest.mark.parametrize("body", ["<html>log in</html>", '[{"tileId":', '{"tileId": "a"}'])
    def test_an_answer_that_is_no_list_of_tiles_is_a_bad_answer(self, render, body):
        responses.get(f"{BASE}/z/1/tile-specs", body=body)
        with pytest.raises(BadAnswerError, match="tile specs"):
            get_tile_specs_from_z("stk", 1, render=render)


def test_a_tile_touched_by_several_threads_at_once_is_one_tile(request):
    interval = sys.getswitchinterval()
    request.addfinalizer(lambda: sys.setswitchinterval(interval))
    sys.setswitchinterval(1e-6)
    content = json.dumps([document(tileId=f"t{i}") for i in range(400)]).encode()
    names = ("tforms", "layout", "z", "ip", "bbox", "labels")
    tiles = read_tilespecs(content)
    start = threading.Barrier(6)

    def touch(first):
        start.wait(30)
        touched = []
        for tile in tiles:
            values = [getattr(tile, names[(first + k) % len(names)]) for k in range(len(names))]
            assert tile.to_dict()["tileId"] == tile.tileId
            touched.append(sorted(id(v) for v in values if isinstance(v, (list, Layout, ImagePyramid))))
        return touched

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(touch, range(6)))
    assert all(result == results[0] for result in results)  # the same objects for every thread


def leaf_text(text, **more):
    return {"className": "mpicbg.trakem2.transform.AffineModel2D", "dataString": text, **more}


@pytest.mark.parametrize("size", [64, 64.0])
@pytest.mark.parametrize(
    "read",
    [
        lambda d: TileSpec(json=d),
        lambda d: read_tilespecs(json.dumps([d]).encode())[0],
        lambda d: read_tilespecs(json.dumps([d], separators=(",", ":")).encode())[0],
    ],
)
def test_the_mesh_cell_size_that_servers_add_is_left_out_like_the_bounds(read, size):
    bounds = {"minX": 1.0, "minY": 2.0, "maxX": 3.0, "maxY": 4.0}
    document = {"tileId": "t", "z": 1.0, **bounds, "transforms": {"type": "list", "specList": []}}
    plain = {key: value for key, value in document.items() if key not in bounds}
    for written in ({**document, "meshCellSize": size}, {"meshCellSize": size, **document}):
        assert read(written).to_dict() == plain
        assert json.loads(renderdumps(read(written))) == plain
        assert json.loads(renderdumps([read(written)])) == [plain]
        assert read(written).to_dict(bounds=True) == written
        touched = read(written)
        assert touched.meshCellSize == size and touched.to_dict() == plain
    assert read({**document, "meshCellSize": 32}).to_dict() == {**plain, "meshCellSize": 32}
    inner = {**document, "mine": {"meshCellSize": 64}}
    assert json.loads(renderdumps([read(inner)])) == [{**plain, "mine": {"meshCellSize": 64}}]


@pytest.mark.parametrize("kind", ["list", "interpolated", "bare"])
def test_a_leaf_without_type_is_written_with_one(kind):
    def transforms(**more):
        leaf = leaf_text("1.0000000000 0.0 0.0 1.0 5 6", **more)
        return {
            "list": {"type": "list", "specList": [leaf, {"type": "ref", "refId": "r"}]},
            "interpolated": {"specList": [{"type": "interpolated", "a": leaf, "b": leaf, "lambda": 0.5}]},
            "bare": leaf,
        }[kind]

    document = {"tileId": "t", "z": 1.0, "transforms": transforms()}
    typed = {**document, "transforms": transforms(type="leaf")}
    for tile in (
        TileSpec(json=document),
        *read_tilespecs(json.dumps([document], separators=(",", ":")).encode()),
    ):
        assert json.loads(renderdumps([tile])) == [typed]
        assert tile.to_dict() == typed
    assert document["transforms"] == transforms()


DEEP = {"type": "list", "specList": []}
for _ in range(3000):
    DEEP = {"type": "list", "specList": [DEEP]}


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("layout", [1], "layout"),
        ("layout", "x", "layout"),
        ("transforms", "abc", "tforms"),
        ("transforms", 5, "tforms"),
        ("transforms", {"type": "list", "specList": 5}, "tforms"),
        ("transforms", {"type": "list", "specList": ["a"]}, "tforms"),
        ("mipmapLevels", {"0": "x"}, "imageUrl"),
        ("mipmapLevels", [1], "ip"),
        ("channels", [5], "channels"),
        ("labels", 5, "labels"),
        ("transforms", DEEP, "tforms"),
        ("width", 10**400, None),
    ],
    ids=lambda value: f"{value!s:.40}" if value is not DEEP else "deep",
)
def test_a_garbled_part_of_a_document_is_a_spec_error(key, value, name):
    def touch():
        tile = TileSpec(json=document(**{key: value}))
        if name is None:
            bounding_boxes([tile])
        return getattr(tile, name)

    with pytest.raises(SpecError):
        touch()
    if key == "transforms":
        with pytest.raises(SpecError):
            check_tiles([document(transforms=value)], [])


def test_a_document_may_be_changed_and_used_again_for_the_next_tile():
    template = document()
    tiles = []
    for i in range(3):
        template["tileId"] = f"t{i}"
        template["layout"]["imageRow"] = i
        template["transforms"]["specList"][-1]["dataString"] = f"1 0 0 1 {i} 0"
        tiles.append(TileSpec(json=template))
    assert [tile.tileId for tile in tiles] == ["t0", "t1", "t2"]
    assert [tile.layout.imageRow for tile in tiles] == [0, 1, 2]
    assert [tile.tforms[-1].to_dict()["dataString"] for tile in tiles] == [f"1 0 0 1 {i} 0" for i in range(3)]


def test_lists_of_new_tiles_are_their_own():
    first, second = TileSpec(tileId="a"), TileSpec(tileId="b")
    first.labels.append("x")
    first.inputfilters.append(1)
    assert (first.labels, second.labels, second.inputfilters) == (["x"], [], [])
    assert first.to_dict()["labels"] == ["x"]
    assert copy.deepcopy(first).labels == ["x"]


def test_images_that_were_given_as_urls_are_those_of_the_moment_when_the_tile_was_made():
    tile = TileSpec(tileId="a", imageUrl="file:/a.tif", maskUrl="file:/m.tif")
    tile.imageUrl = tile.maskUrl = "file:/other.tif"
    levels = {"0": {"imageUrl": "file:/a.tif", "maskUrl": "file:/m.tif"}}
    assert tile.to_dict()["mipmapLevels"] == levels
    assert tile.ip.to_dict() == levels
    tile.ip[0].imageUrl = "file:/b.tif"
    assert tile.to_dict()["mipmapLevels"]["0"]["imageUrl"] == "file:/b.tif"
    tile.ip = None
    assert tile.to_dict()["mipmapLevels"] == {}
    tile.from_dict({"tileId": "c", "mipmapLevels": {}})
    assert tile.to_dict()["mipmapLevels"] == {}


@pytest.mark.parametrize("given", [{"imageUrl": "a"}, {"maskUrl": "m"}, {}])
def test_a_tile_made_of_urls_writes_those_that_were_given(given):
    tile = TileSpec(tileId="a", **given)
    assert tile.to_dict()["mipmapLevels"] == ({"0": given} if given else {})
    assert pickle.loads(pickle.dumps(tile)).ip == copy.deepcopy(tile).ip == tile.ip


@pytest.mark.parametrize("levels", [{}, {"mipmapLevels": None}, {"mipmapLevels": {}}])
def test_looking_at_images_that_are_not_there_adds_nothing_to_the_document(levels):
    channel = {"name": "DAPI", **levels}
    document = {"tileId": "a", "z": 1.0, "channels": [channel], **levels}
    tile = TileSpec(json=document)
    assert len(tile.ip) == 0
    assert len(tile.channels[0].ip) == 0
    without_nulls = {key: value for key, value in channel.items() if value is not None}
    assert tile.to_dict() == {**document, "channels": [without_nulls]}
    tile.ip[0] = tile.channels[0].ip[0] = MipMap("a.png")
    assert tile.to_dict()["mipmapLevels"] == {"0": {"imageUrl": "a.png"}}
    assert tile.to_dict()["channels"][0]["mipmapLevels"] == {"0": {"imageUrl": "a.png"}}
