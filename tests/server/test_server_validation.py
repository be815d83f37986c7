import json

import pytest
from embedded import Api, affine, make_tile

from renderapi.server import Store

OUTSIDE = " is not in an allowed folder (this server opens files below its image roots only: --image-root, image_roots)"
TILE = "org.janelia.alignment.spec.TileSpec"


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a b.png").write_bytes(b"x")
    (folder / "empty.png").touch()
    (folder / "folder.png").mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    return folder


@pytest.fixture
def checking(images):
    with Store() as store:
        api = Api(store, image_roots=[images])
        api.create()
        yield api


def with_image(url, **more):
    return make_tile("t", mipmapLevels={"0": {"imageUrl": url, **more}})


def test_a_valid_tile(checking, images):
    for url in (
        f"{images}/a b.png",
        f"file://{images}/a%20b.png",
        "http://elsewhere/a.png",
        "s3://bucket/a.png",
    ):
        checking.put_tiles(with_image(url))
        answer = checking("GET", "tile/t/validation-info")
        assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize(
    "name, problem",
    [
        ("none.png", "cannot find imageUrl file '{}/none.png'"),
        ("folder.png", "cannot find imageUrl file '{}/folder.png'"),
        ("empty.png", "imageUrl file '{}/empty.png' is empty"),
        ("../secret.png", "imageUrl file '{}/../secret.png'" + OUTSIDE),
        ("link.png", "imageUrl file '{}/link.png'" + OUTSIDE),
    ],
)
def test_an_image_that_cannot_be_read(checking, images, name, problem):
    for url in (f"{images}/{name}", f"file:{images}/{name}"):
        checking.put_tiles(with_image(url))
        assert checking.refused("GET", "tile/t/validation-info") == (400, problem.format(images))


def test_no_file_is_looked_at_unless_it_is_allowed(api, images):
    api.create()
    told = []
    for name in ("a b.png", "none.png"):
        api.put_tiles(with_image(f"{images}/{name}"))
        told.append(api.refused("GET", "tile/t/validation-info")[1].replace(name, ""))
    assert told[0] == told[1] and told[0].endswith(OUTSIDE)


def test_masks_and_channels_are_checked_too(checking, images):
    good = f"{images}/a b.png"
    checking.put_tiles(with_image(good, maskUrl=f"{images}/m.png"))
    assert (
        checking.refused("GET", "tile/t/validation-info")[1] == f"cannot find maskUrl file '{images}/m.png'"
    )
    channels = [{"mipmapLevels": {"0": {"imageUrl": good}}}, {"mipmapLevels": {}}]
    checking.put_tiles(make_tile("t", channels=channels))
    assert (
        checking.refused("GET", "tile/t/validation-info")[1]
        == "tile 't' does not contain any mipmapLevel elements"
    )


def test_an_impossible_path_is_only_not_there(checking, images):
    checking.put_tiles(
        with_image(f"{images}/\0.png"), with_image(f"{images}/{'x' * 5000}.png") | {"tileId": "u"}
    )
    for tile in "tu":
        assert checking.refused("GET", f"tile/{tile}/validation-info")[0] == 400


def test_transforms_are_made(checking, images):
    tile = with_image(f"{images}/a b.png")
    for spec, problem in [
        ({"className": "x.Y", "dataString": "1"}, "transform class 'x.Y' cannot be found"),
        (affine("1"), "Inappropriate parameters for mpicbg.trakem2.transform.AffineModel2D"),
        ({"dataString": "1", "id": "i"}, "no className defined for leaf transform spec with id 'i'"),
        (
            {"className": affine()["className"]},
            "no dataString defined for leaf transform spec with id 'null'",
        ),
    ]:
        checking.put_tiles({**tile, "transforms": {"type": "list", "specList": [spec]}})
        assert checking.refused("GET", "tile/t/validation-info") == (400, problem)


def check(api, kind, document, **options):
    data = document if isinstance(document, (str, bytes)) else json.dumps(document)
    answer = api("PUT", f"/owner/o/validate-json/{kind}", data=data, content_type="text/whatever", **options)
    assert answer.headers["Content-Type"] == "text/plain;charset=UTF-8"
    return answer.status_code, answer.text


def test_documents_that_are_fine(checking, images):
    tile = with_image(f"{images}/a b.png")
    assert check(checking, "tile", tile) == (
        200,
        f"Successfully parsed {TILE} instance from JSON text.  Parsed value is: t.\n",
    )
    assert check(checking, "tile-array", [tile, tile])[1].endswith(
        "Parsed value is: array of 2 tile specifications.\n"
    )
    assert check(checking, "render", {"tileSpecs": [tile]})[1].endswith(
        "Parsed value is: {tileSpecs=[1 items]}.\n"
    )
    assert check(checking, "transform", affine(id="x"))[1] == (
        "Successfully parsed org.janelia.alignment.spec.TransformSpec instance from JSON text.  "
        "Parsed value is: x.\n"
    )
    specs = [{"type": "list", "id": "l", "specList": [{"type": "ref", "refId": "x"}]}, affine(id="x")]
    assert check(checking, "transform-array", specs)[1].endswith(
        "Parsed value is: array of 2 transform specifications.\n"
    )


@pytest.mark.parametrize(
    "kind, document, problem",
    [
        ("tile", "{", "Cannot read the body as JSON"),
        ("tile", "", 'Cannot invoke "org.janelia.alignment.spec.TileSpec.validate()"'),
        ("tile", '{"z": NaN}', "Cannot read the body as JSON: Non-standard token 'NaN'"),
        ("tile", {"tileId": "t"}, "tile 't' does not contain any mipmapLevel elements"),
        (
            "tile",
            with_image("s3://x")
            | {"transforms": {"type": "list", "specList": [{"type": "ref", "refId": "x"}]}},
            "the following transform ids are not defined: [x]",
        ),
        (
            "tile",
            with_image("s3://x")
            | {"transforms": {"type": "list", "specList": [{"className": "x.Y", "dataString": ""}]}},
            "transform class 'x.Y' cannot be found",
        ),
        ("tile-array", "null", "there are no tile specs"),
        ("tile-array", {}, "Cannot read {} as an array for tile specs"),
        ("tile-array", [{"tileId": "t"}], "tile 't' does not contain any mipmapLevel elements"),
        ("transform", affine("x"), "Inappropriate parameters for mpicbg.trakem2.transform.AffineModel2D"),
        ("transform", {"type": "ref", "refId": "x"}, "the following transform ids are not defined: [x]"),
        ("transform-array", "null", "null"),
        (
            "transform-array",
            [{"type": "ref", "refId": "x"}],
            "the following transform ids are not defined: [x]",
        ),
        (
            "transform-array",
            [{"className": "x.Y", "dataString": ""}],
            "transform class 'x.Y' cannot be found",
        ),
        ("render", "null", 'Cannot invoke "org.janelia.alignment.RenderParameters.initialize'),
        ("render", {"tileSpecs": [{"tileId": "t"}]}, "tile 't' does not contain any mipmapLevel elements"),
    ],
)
def test_documents_that_are_not(api, kind, document, problem):
    status, text = check(api, kind, document)
    assert status == 400
    assert text.startswith("Failed to parse ")
    assert f" from JSON text.  Specific error is: {problem}" in text and text.endswith("\n")


def test_an_array_of_tiles_is_not_asked_for_its_transforms(api):
    tile = with_image("s3://x") | {"transforms": {"type": "list", "specList": [{"className": "x.Y"}]}}
    assert check(api, "tile-array", [tile])[0] == 200
