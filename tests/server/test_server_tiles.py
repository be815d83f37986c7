import json
from pathlib import Path

import pytest
from embedded import Api, affine, make_tile

from renderapi.server import Store

GOLDEN = json.loads((Path(__file__).parents[1] / "data/golden/json_shapes.json").read_text())
KEY = "stack with owner 'o', project 'p', and name 's'"
BUILDER = {"rootPath": "/mips/", "numberOfLevels": 3, "extension": "tif"}
LENS = affine("1 0 0 1 1 0", metaData={"labels": ["lens"]})
MOVE = affine("1 0 0 1 10.5 20")
LAST = affine("1 0 0 1 500 0", metaData={"labels": ["montage"]})


def test_a_tile(loading):
    tile = make_tile("a/b ü&?#%,", specs=[{"type": "ref", "refId": "x"}])
    loading.put_tiles(tile, transforms=[affine(id="x")])
    for path in ("tile/a%2Fb%20%C3%BC%26%3F%23%25,", "tile/a%2fb%20%C3%BC%26%3F%23%25%2C/"):
        assert loading.get(path) == tile
    assert loading.refused("GET", "tile/A") == (
        404,
        "tile spec with id 'A' does not exist in the render.o__p__s__tile collection",
    )
    assert loading.refused("GET", "tile/%FF")[0] == 404
    for path in (
        "tile/A/render-parameters",
        "tile/A/source/scale/1/render-parameters",
        "tile/A/validation-info",
    ):
        assert loading.refused("GET", path)[0] == 404
    assert loading.refused("GET", "tile/t", stack="gone")[0] == 404


def test_a_box_has_the_parameters_of_the_original(loading):
    golden = GOLDEN["RenderParameters_default"]
    found = loading.get("z/5/box/1.5,2.5,100,80,1.0/render-parameters")
    assert list(found.items()) == list(golden.items())
    # an empty box is no error, a stack that is not there is
    assert loading.refused("GET", "z/5/box/1.5,2.5,100,80,1.0/render-parameters", stack="gone") == (
        404,
        "stack with owner 'o', project 'p', and name 'gone' does not exist",
    )


def test_parameters_of_boxes(loading):
    ref = {"type": "ref", "refId": "x"}
    loading.put_tiles(
        make_tile("b", 5.0, (0, 0, 10, 10), specs=[ref], groupId="g"),
        make_tile("a", 5.0, (10, 10, 20, 20), specs=[LENS]),
        transforms=[affine(id="x")],
    )
    found = loading.get("z/5/box/-0.5,0,10,10,0.5/render-parameters")
    assert [tile["tileId"] for tile in found["tileSpecs"]] == ["b"]
    assert found["tileSpecs"][0]["transforms"]["specList"] == [affine(id="x")]
    assert (found["x"], found["y"], found["width"], found["height"], found["scale"]) == (
        -0.5,
        0.0,
        10,
        10,
        0.5,
    )
    both = loading.get("z/5/box/0,0,10,10,0.5/render-parameters?scale=0.25")
    assert [tile["tileId"] for tile in both["tileSpecs"]] == ["a", "b"]
    assert both["scale"] == 0.25
    group = loading.get("group/g/z/5/box/0,0,10,10,0.5/render-parameters")
    assert {**both, "scale": 0.5, "tileSpecs": both["tileSpecs"][1:]} == group
    assert loading.get("group/none/z/5/box/0,0,10,10,0.5/render-parameters")["tileSpecs"] == []
    dvid = loading.get("dvid/imagetile/raw/xy/10_10/0_0_5/render-parameters?scale=0.25")
    assert dvid == both
    assert loading.get("dvid/imagetile/raw/xy/10_10/0_0_5/render-parameters")["scale"] == 1.0
    dvid = loading.get("group/g/dvid/imagetile/raw/xy/10_10/0_0_5/render-parameters?scale=0.5")
    assert dvid == group


def test_parameters_of_a_layer(loading):
    loading.put_tiles(make_tile("b", 5.0, (-10.5, 0, 10, 10.9)), make_tile("a", 5.0, (10, 10, 20.2, 20.9)))
    found = loading.get("z/5/render-parameters")
    assert (found["x"], found["y"], found["width"], found["height"], found["scale"]) == (
        -10.5,
        0.0,
        30,
        20,
        1.0,
    )
    assert [tile["tileId"] for tile in found["tileSpecs"]] == ["a", "b"]
    assert loading.get("z/5/render-parameters?scale=0.1")["scale"] == 0.1


def test_query_of_render_parameters(api):
    lists = {"mine": [{"className": "org.janelia.alignment.filter.CLAHE", "parameters": {"fast": "true"}}]}
    with Store() as store:
        api = Api(store, filter_lists=lists)
        api.create(mipmapPathBuilder=BUILDER, defaultChannel="DAPI")
        api.put_tiles(make_tile())
        assert api.get("/namedFilterSpecLists") == {"namedFilterSpecLists": lists}
        plain = api.get("tile/t/render-parameters")
        assert (plain["mipmapPathBuilder"], plain["channels"]) == (BUILDER, "DAPI")
        assert "minIntensity" not in plain and "filterSpecs" not in plain
        query = (
            "minIntensity=5&maxIntensity=250.5&channels=A__0.5__B__0.5&filter=TRUE&filterListName=mine&binaryMask=true"
            "&excludeMask=true&convertToGray=true&fillWithNoise=true&scale=0.5"
        )
        for path in ("tile/t", "z/1", "z/1/box/0,0,1,1,1", "tile/t/withNeighbors", "tile/t/source/scale/1"):
            found = api.get(f"{path}/render-parameters?{query}")
            assert (found["minIntensity"], found["maxIntensity"], found["scale"]) == (5.0, 250.5, 0.5)
            assert found["channels"] == "A__0.5__B__0.5" and found["filterSpecs"] == lists["mine"]
            for key in ("doFilter", "binaryMask", "excludeMask", "convertToGray", "fillWithNoise"):
                assert found[key] is True
        golden = GOLDEN["RenderParameters_default"]
        assert [key for key in found if key in golden] == list(golden)
        assert api.refused("GET", "tile/t/render-parameters?filterListName=other")[0] == 400


@pytest.mark.parametrize(
    "channels, message",
    [
        ("DAPI___.8___GFP___.2", 'For input string: "_.8"'),
        ("A__x", 'For input string: "x"'),
        ("A__0.5__B", 'For input string: ""'),
        (
            "A__0.7__B__0.7",
            "Channel B weight 0.7 is too large.  The sum of all weights must be less than or equal to 1.0.  "
            "Current weights are: {A=0.7}",
        ),
    ],
)
def test_channels_that_make_no_sense(loading, channels, message):
    loading.put_tiles(make_tile())
    assert loading.refused("GET", f"tile/t/render-parameters?channels={channels}") == (400, message)


def test_channels_that_make_sense(loading):
    loading.put_tiles(make_tile())
    for channels in ("DAPI", "A__0.5__B__0.5", "A__1"):
        assert loading.get(f"tile/t/render-parameters?channels={channels}")["channels"] == channels


class TestTileParameters:
    @pytest.fixture
    def tile(self, loading):
        specs = [LENS, {"type": "ref", "refId": "x"}, MOVE, LAST]
        loading.put_tiles(make_tile("t", box=(7, 8, 100.9, 90.2), specs=specs), transforms=[affine(id="x")])
        return lambda query="": loading.get(f"tile/t/render-parameters{query}")

    @staticmethod
    def summary(found):
        (tile,) = found["tileSpecs"]
        return (
            [spec["dataString"] for spec in tile["transforms"]["specList"]],
            [found[key] for key in ("x", "y", "width", "height")],
            [tile[key] for key in ("minX", "minY", "maxX", "maxY")],
        )

    ALL = ["1 0 0 1 1 0", "1 0 0 1 0 0", "1 0 0 1 10.5 20", "1 0 0 1 500 0"]

    def test_plain(self, tile):
        assert self.summary(tile()) == (self.ALL, [7.0, 8.0, 93, 82], [7.0, 8.0, 100.9, 90.2])
        assert self.summary(tile("?normalizeForMatching=false"))[0] == self.ALL

    def test_the_box_can_be_moved(self, tile):
        assert self.summary(tile("?x=10&y=-10&width=5&height=6"))[1] == [17.0, -2.0, 5, 6]

    def test_normalized_through_the_lens(self, tile):
        expected = (self.ALL[:1], [0.0, 0.0, 100, 80], [1.0, 0.0, 101.0, 80.0])
        assert self.summary(tile("?normalizeForMatching=true")) == expected
        assert self.summary(tile("?normalizeForMatching=true&x=3"))[1] == [3.0, 0.0, 100, 80]

    @pytest.mark.parametrize("count, kept", [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 2)])
    def test_normalized_without_a_lens(self, loading, count, kept):
        specs = [affine(f"1 0 0 1 {number} 0") for number in range(count)]
        loading.put_tiles(make_tile("t", specs=specs))
        found = loading.get("tile/t/render-parameters?normalizeForMatching=true")
        assert found["tileSpecs"][0]["transforms"]["specList"] == specs[:kept]

    def test_excluding_all_transforms_even_as_false_means_labels(self, tile):
        assert self.summary(tile("?excludeAllTransforms=true")) == (
            [],
            [0.0, 0.0, 100, 80],
            [0.0, 0.0, 100.0, 80.0],
        )
        # nothing is cut, but the box is derived anew
        derived = (self.ALL, [511.0, 20.0, 100, 80], [511.0, 20.0, 611.0, 100.0])
        assert self.summary(tile("?excludeAllTransforms=false")) == derived
        # what render-python asks for by default: fully transformed, and yet at the origin
        query = "?normalizeForMatching=true&excludeAllTransforms=False"
        assert self.summary(tile(query)) == (self.ALL, [0.0, 0.0, 100, 80], derived[2])

    def test_excluding_by_labels(self, tile):
        cut = "excludeFirstTransformAndAllAfter"
        keep = "excludeTransformsAfterLast"
        assert self.summary(tile(f"?{cut}=montage"))[0] == self.ALL[:3]
        assert self.summary(tile(f"?{cut}=montage&{cut}=lens"))[0] == []
        assert self.summary(tile(f"?{keep}=lens"))[0] == self.ALL[:1]
        assert self.summary(tile(f"?{keep}=lens&{keep}=montage"))[0] == self.ALL
        assert self.summary(tile(f"?{keep}=lens&{cut}=montage"))[0] == self.ALL[:1]
        # a label that no transform has changes nothing
        assert self.summary(tile(f"?{keep}=none&{cut}=none"))[0] == self.ALL

    def test_a_tile_without_size_has_no_box_to_derive(self, loading):
        loading.put_tiles(make_tile("t", width=None))
        status, text = loading.refused("GET", "tile/t/render-parameters?excludeAllTransforms=true")
        assert (status, text) == (500, "width and height must be set to create a bounding box")

    def test_numbers_that_are_none(self, tile, loading):
        for query in ("x=1.5", "width=a", "scale=big", "minIntensity="):
            assert loading.refused("GET", f"tile/t/render-parameters?{query}")[0] == 404


def test_neighbors(loading):
    loading.put_tiles(
        make_tile("a", 5.0, (100, 100, 250, 250)),
        make_tile("b", 5.0, (70, 76, 71, 77)),
        make_tile("c", 5.0, (0, 0, 69, 300)),
        make_tile("d", 6.0, (100, 100, 250, 250)),
    )
    found = loading.get("tile/a/withNeighbors/render-parameters?scale=0.5")
    # the width is that of the image, not of its box
    assert [found[key] for key in ("x", "y", "width", "height", "scale")] == [70.0, 76.0, 160, 128, 0.5]
    assert [tile["tileId"] for tile in found["tileSpecs"]] == ["a", "b"]
    found = loading.get("tile/a/withNeighbors/render-parameters?widthFactor=1&heightFactor=0")
    assert [found[key] for key in ("x", "y", "width", "height")] == [0.0, 100.0, 300, 80]
    assert [tile["tileId"] for tile in found["tileSpecs"]] == ["a", "c"]
    loading.put_tiles(make_tile("a", width=None))
    assert loading.refused("GET", "tile/a/withNeighbors/render-parameters")[0] == 500


def test_bare_images_and_masks(loading):
    levels = {
        "1": {"imageUrl": "i1", "imageLoaderType": "H5_SLICE", "imageSliceNumber": 4, "maskUrl": "m1"},
        "2": {"imageUrl": "i2"},
    }
    channels = [{"name": "x", "minIntensity": 5.0, "mipmapLevels": {"0": {"imageUrl": "c", "maskUrl": "d"}}}]
    loading.create(defaultChannel="DAPI", mipmapPathBuilder=BUILDER)
    loading.put_tiles(
        make_tile("a", mipmapLevels=levels, specs=[MOVE]),
        make_tile("b", channels=channels),
        make_tile("c", mipmapLevels={}),
    )
    source = loading.get("tile/a/source/scale/0.5/render-parameters")
    assert [source[key] for key in ("x", "y", "width", "height", "scale")] == [0.0, 0.0, 100, 80, 0.5]
    assert source["skipInterpolation"] is True
    assert "channels" not in source and "mipmapPathBuilder" not in source
    image = {"imageUrl": "i1", "imageLoaderType": "H5_SLICE", "imageSliceNumber": 4}
    shown = {"minIntensity": 0.0, "maxIntensity": 255.0, "mipmapLevels": {"1": image}}
    assert source["tileSpecs"] == [
        {
            "mipmapLevels": {},
            "channels": [shown],
            "transforms": {"type": "list", "specList": []},
            "meshCellSize": 64.0,
        }
    ]
    mask = loading.get("tile/a/mask/scale/2/render-parameters?scale=0.25")
    assert mask["scale"] == 0.25
    assert mask["tileSpecs"][0]["channels"][0]["mipmapLevels"] == {"1": {"imageUrl": "m1"}}
    mask = loading.get("tile/b/mask/scale/1/render-parameters")
    assert mask["tileSpecs"][0]["channels"] == [{**shown, "mipmapLevels": {"0": {"imageUrl": "d"}}}]
    assert loading.refused("GET", "tile/c/source/scale/1/render-parameters") == (
        500,
        "tile 'c' does not contain any mipmapLevel elements",
    )
    assert loading.refused("GET", "tile/a/source/scale/x/render-parameters")[0] == 404


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("mpicbg.trakem2.transform.AffineModel2D", "x 0 0 1 0 0", 'For input string: "x"'),
        ("mpicbg.trakem2.transform.AffineModel2D", "x", None),
        ("mpicbg.trakem2.transform.AffineModel2D", "1 0 0 1 0", None),
        ("mpicbg.trakem2.transform.AffineModel2D", "", None),
        ("mpicbg.trakem2.transform.TranslationModel2D", "1 x", 'For input string: "x"'),
        ("mpicbg.trakem2.transform.TranslationModel2D", "1 2 x", None),
        ("mpicbg.trakem2.transform.HomographyModel2D", "1 0 0 0 1 0 0 0 x", 'For input string: "x"'),
        ("mpicbg.trakem2.transform.HomographyModel2D", "1 x", None),
        ("mpicbg.trakem2.transform.PolynomialTransform2D", "a b", 'For input string: "a"'),
    ],
)
def test_numbers_of_transforms_are_counted_before_they_are_read(loading, name, data, words):
    spec = {"type": "leaf", "className": name, "dataString": data}
    body = {"tileIdToSpecMap": {"t": make_tile(specs=[spec])}}
    said = words or f"Inappropriate parameters for {name}"
    assert loading.refused("PUT", "resolvedTiles?deriveData=true", body) == (400, said)
