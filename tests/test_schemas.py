import copy
import doctest
import inspect
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import renderapi
from renderapi import schemas
from renderapi.errors import SpecError

with warnings.catch_warnings():
    # marshmallow 2 asks distutils for its version
    warnings.simplefilter("ignore", DeprecationWarning)
    import marshmallow

SHAPES = json.loads((Path(__file__).parent / "data" / "golden" / "json_shapes.json").read_text())
AFFINE = {
    "type": "leaf",
    "className": "mpicbg.trakem2.transform.AffineModel2D",
    "dataString": "1 0 0 1 0 0",
}
TILE = {
    "tileId": "t1",
    "z": 1.0,
    "width": 100,
    "height": 80,
    "mipmapLevels": {"0": {"imageUrl": "file:/a.tif", "maskUrl": None}},
    "transforms": {"type": "list", "specList": [AFFINE]},
}
IDS = {"pGroupId": "1.0", "pId": "a", "qGroupId": "1.0", "qId": "b"}


def tile(**changes):
    return {**copy.deepcopy(TILE), **changes}


def one_problem(kind, document):
    [(path, why)] = schemas.problems(kind, document)
    return path, why


@pytest.mark.parametrize("kind", schemas.kinds())
def test_each_schema_is_valid_json_schema(kind):
    schema = schemas.load(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["title"] and schema["description"]


def test_kinds_cover_the_documents_of_the_service():
    assert set(schemas.kinds()) >= {
        "tilespec", "layout", "channel", "mipmap", "mipmap_path_builder", "transform", "transform_list",
        "resolved_tiles", "stack_version", "stack_metadata", "canvas_matches", "render_parameters",
        "tile_coordinates", "stack_id", "match_collection_id",
    }  # fmt: skip


@pytest.mark.parametrize("kind", schemas.kinds())
def test_all_references_between_files_resolve(kind):
    resolver = schemas.registry().resolver(f"{kind}.json")

    def follow(node):
        if isinstance(node, dict):
            if "$ref" in node:
                resolver.lookup(node["$ref"])
            for value in node.values():
                follow(value)
        elif isinstance(node, list):
            for value in node:
                follow(value)

    follow(schemas.load(kind))


def test_unknown_kind_lists_the_known_ones():
    for call in (lambda: schemas.load("tile"), lambda: schemas.validate("tile", {})):
        with pytest.raises(ValueError, match=r"'tile'; known are canvas_matches, .*, tilespec"):
            call()


def test_load_gives_a_dict_of_ones_own():
    schemas.load("layout").clear()
    assert schemas.load("layout")["title"] == "LayoutData"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("stack_metadata", "StackMetaData_LOADING"),
        ("stack_metadata", "StackMetaData_COMPLETE"),
        ("render_parameters", "RenderParameters_default"),
        ("tilespec", "TileSpec_raw"),
        ("tilespec", "TileSpec_flattened"),
        ("resolved_tiles", "ResolvedTileSpecCollection"),
    ],
)
def test_what_the_service_writes_is_valid(kind, name):
    schemas.validate(kind, SHAPES[name])


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("tilespec", tile(frameId="kept by nobody", labels={"a", "b"}, channels=[])),
        ("tilespec", tile(z="1.5", width=np.float64(100), height=np.int32(80), minX=None)),
        ("tilespec", tile(z="NaN", layout={"sectionId": 5, "imageCol": 1.7, "pixelsize": None})),
        ("tilespec", {"tileId": 7, "minX": 0, "minY": 0, "maxX": 1, "maxY": 1}),
        (
            "tilespec",
            tile(mipmapLevels={0: {"imageUrl": "a"}, 1: {"imageUrl": "b", "imageSliceNumber": "2"}}),
        ),
        ("transform", {"className": "x.Y", "dataString": ""}),
        ("transform", {"type": "later", "className": "x.Y", "dataString": "1"}),
        ("transform", {"type": "ref", "refId": "lens_1"}),
        (
            "transform",
            {"type": "interpolated", "a": AFFINE, "b": {"type": "ref", "refId": "r"}, "lambda": "0.5"},
        ),
        ("transform", {"type": "list", "id": "l", "metaData": {"labels": ["lens"]}, "specList": []}),
        (
            "stack_version",
            {"createTimestamp": "2017-06-01T10:20:30.5Z", "cycleNumber": 1, "mipmapPathBuilder": {}},
        ),
        ("canvas_matches", IDS),
        (
            "canvas_matches",
            {**IDS, "matches": {"p": np.zeros((2, 3)), "q": [[1, 2, 3], (4, 5, 6)], "w": [1, 1, 1]}},
        ),
        ("tile_coordinates", {"tileId": "a", "local": [1, 2.5]}),
        ("tile_coordinates", {"world": [1, 2.5, 3]}),
        ("render_parameters", {"tileSpecs": [{"mipmapLevels": {}}], "filterSpecs": [{"className": "x.Y"}]}),
        ("stack_id", {"owner": "o", "project": "p_1", "stack": "S"}),
    ],
)
def test_what_a_server_takes_is_valid(kind, document):
    schemas.validate(kind, document)


@pytest.mark.parametrize(
    ("document", "path", "why"),
    [
        (tile(z=float("nan")), "z", "nan is not a finite number"),
        (tile(z=float("inf")), "z", "inf is not a finite number"),
        (tile(z=np.float32("nan")), "z", "nan is not a finite number"),
        (tile(minX=True), "minX", "true is not a finite number"),
        (tile(minX="left"), "minX", "'left' is not a finite number"),
        (tile(tileId=None), "tileId", "null is not text with at least one character"),
        (tile(tileId=""), "tileId", "'' is not text with at least one character"),
        (tile(transforms=None), "transforms", "null is not an object"),
        (tile(transforms=[AFFINE]), "transforms", r"\[\{.*\.\.\. is not an object"),
        (tile(transforms={"specList": []}), "transforms.type", "is missing"),
        (tile(transforms={"type": "leaf", "specList": []}), "transforms.type", "must be 'list', not 'leaf'"),
        (tile(transforms={"type": "list"}), "transforms.specList", "is missing"),
        (
            tile(transforms={"type": "list", "specList": [None]}),
            r"transforms.specList\[0\]",
            "null is not an obj",
        ),
        (
            tile(layout={"imageRow": 3_000_000_000}),
            "layout.imageRow",
            "3000000000 is not a whole number of 32",
        ),
        (tile(layout={"imageRow": "1.5"}), "layout.imageRow", "'1.5' is not a whole number"),
        (tile(mipmapLevels={"a": {"imageUrl": "x"}}), "mipmapLevels", r"'a' is not a mipmap level"),
        (tile(mipmapLevels={"0": {}}), r'mipmapLevels\["0"\].imageUrl', "is missing"),
        (
            tile(mipmapLevels={"0": {"imageUrl": "x", "maskLoaderType": "GIF"}}),
            ".*maskLoaderType",
            "none of 'IMAGEJ_D",
        ),
        (tile(meshCellSize=None), "meshCellSize", "null is not a finite number .null is read as 0"),
        (
            tile(channels=[{"minIntensity": None}]),
            r"channels\[0\].minIntensity",
            "fails when the tile is rendered",
        ),
        ({"tileId": "a", "width": 3}, "", "neither a size .* nor a bounding box"),
        (tile(z=object()), "z", "object object.* is not a finite number"),
    ],
)
def test_what_a_server_would_refuse_is_named_with_its_place(document, path, why):
    found, reason = one_problem("tilespec", document)
    assert re.fullmatch(path, found)
    assert re.search(why, reason)


@pytest.mark.parametrize(
    ("kind", "document", "message"),
    [
        ("resolved_tiles", {"tileIdToSpecMap": {}}, "at tileIdToSpecMap: is empty"),
        (
            "resolved_tiles",
            {
                "tileIdToSpecMap": {"t": TILE},
                "transformIdToSpecMap": {"r": {"type": "ref", "id": "r", "refId": "s"}},
            },
            r"transformIdToSpecMap.r.type: 'ref' is not allowed: a shared transform must not be a reference",
        ),
        (
            "resolved_tiles",
            {"tileIdToSpecMap": {"t": TILE}, "transformIdToSpecMap": {"r": AFFINE}},
            "r.id: is missing",
        ),
        (
            "canvas_matches",
            {**IDS, "matches": {"p": [[1, 2], [1]], "q": [[1], [1]], "w": [1]}},
            r"p\[0\] has 2, p\[1\] ",
        ),
        (
            "canvas_matches",
            {**IDS, "matches": {"p": [[1]], "q": [[1], [1]], "w": [1]}},
            "p: has 1 entries, but .* least 2",
        ),
        (
            "canvas_matches",
            {**IDS, "matches": {"p": [[1], [1]], "q": [[1], [1]]}},
            "at matches.w: is missing",
        ),
        (
            "canvas_matches",
            {**IDS, "matches": {"p": [[1], [np.nan]], "q": [[1], [1]], "w": [1]}},
            r"p\[1\]\[0\]: nan is",
        ),
        (
            "canvas_matches",
            {**IDS, "matches": {"p": 3, "q": [[1], [1]], "w": [1]}},
            "p: 3 is not a list of two lists",
        ),
        (
            "stack_id",
            {"owner": "o", "project": "a__b", "stack": "s"},
            "project: 'a__b' is not a name that render-ws",
        ),
        (
            "stack_id",
            {"owner": "o" * 50, "project": "p" * 50, "stack": "s"},
            "owner, project, stack are together",
        ),
        ("stack_version", {"createTimestamp": "2017-06-01T10:20:30Z"}, "with a fraction of the second"),
        ("tile_coordinates", {"world": [1]}, r"world: has 1 entries, but must have at least 2"),
        ("tile_coordinates", {"world": [1, 2, 3, 4]}, "at most 3"),
        ("tile_coordinates", {"tileId": "a"}, "is not valid: has neither world coordinates nor"),
        (
            "stack_metadata",
            {"stackId": SHAPES["StackMetaData_LOADING"]["stackId"], "state": "DONE"},
            "'DONE' is none of",
        ),
        (
            "match_trial_parameters",
            {
                "pRenderParametersUrl": "http://h/tile/a/render-parameters",
                "qRenderParametersUrl": "http://h/tile/b",
                "featureAndMatchParameters": {
                    "siftFeatureParameters": {},
                    "matchDerivationParameters": {"matchInterpolatedModelLambda": 0.5},
                },
            },
            "matchRegularizerModelType, matchInterpolatedModelLambda must be given together or not at all",
        ),
        ("layout", {"imageRow": "5", "sectionId": ["1"]}, r"sectionId: \['1'\] is not text"),
        ("layout", [], r"is not valid: \[\] is not an object"),
    ],
)
def test_messages_say_where_and_why(kind, document, message):
    with pytest.raises(SpecError, match=f"^{kind} is not valid"):
        schemas.validate(kind, document)
    with pytest.raises(SpecError, match=message):
        schemas.validate(kind, document)


def test_all_errors_are_counted_and_the_first_few_shown():
    bad = {
        f"t{i}": tile(transforms={"type": "list", "specList": [AFFINE, {"type": "leaf"}]}) for i in range(20)
    }
    with pytest.raises(SpecError) as caught:
        schemas.validate("resolved_tiles", {"tileIdToSpecMap": bad})
    text = str(caught.value)
    assert text.startswith(
        "resolved_tiles is not valid at tileIdToSpecMap.t0.transforms.specList[1].className: is missing"
    )
    assert "(40 errors in all)" in text
    assert len(text.splitlines()) == 6


def test_objects_are_checked_as_what_they_are_sent_as():
    class Tile:
        def __init__(self, **changes):
            self.document = tile(**changes)

        def to_dict(self):
            return self.document

    schemas.validate("tilespec", Tile())
    document = {"tileIdToSpecMap": {"a": Tile(z="a")}, "transformIdToSpecMap": {}}
    assert one_problem("resolved_tiles", document) == ("tileIdToSpecMap.a.z", "'a' is not a finite number")


def test_endless_nesting_is_an_error_of_the_document():
    spec = AFFINE
    for _ in range(5000):
        spec = {"type": "list", "specList": [spec]}
    with pytest.raises(SpecError, match="nested too deeply"):
        schemas.validate("transform", spec)


def test_schemas_load_jsonschema_and_marshmallow_only_on_use():
    code = (
        "import sys, renderapi.schemas as s; s.load('layout'); "
        "assert not {'jsonschema', 'marshmallow', 'referencing'} & set(sys.modules); "
        "import warnings; warnings.simplefilter('ignore', DeprecationWarning); "
        "s.ConnectionSchema; assert 'marshmallow' in sys.modules and 'ConnectionSchema' in dir(s)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_unknown_attribute_of_the_module():
    with pytest.raises(AttributeError, match="no attribute 'TileSchema'"):
        _ = schemas.TileSchema
    assert schemas.config.ConnectionSchema is schemas.ConnectionSchema


# ---------------------------------------------------------------- configuration


def load(schema, data):
    """Return what was loaded, whichever marshmallow is installed: 2 answers ``(data, errors)``."""
    answer = schema.load(data)
    return getattr(answer, "data", answer)


def refused(schema, field, **data):
    with pytest.raises(marshmallow.ValidationError) as caught:
        load(schema(), data)
    assert field in caught.value.messages
    return str(caught.value.messages[field])


def test_connection_settings_load_as_keywords_of_connect():
    given = {"host": "h", "port": "8080", "owner": "o", "project": "", "client_scripts": "/s", "memGB": "2G"}
    more = {
        "timeout": [5, None],
        "retries": 3,
        "verify": "/ca.pem",
        "auth": ["u", "p"],
        "headers": {"X-A": "b"},
    }
    loaded = load(schemas.ConnectionSchema(), {**given, **more})
    assert loaded == {**given, **more, "port": 8080, "timeout": (5.0, None), "auth": ("u", "p")}
    assert load(schemas.ConnectionSchema(), {}) == {}
    assert load(schemas.ConnectionSchema(), {"timeout": None, "verify": False}) == {
        "timeout": None,
        "verify": False,
    }
    assert load(schemas.ConnectionSchema(), {"timeout": "30"}) == {"timeout": 30.0}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("port", 0, "1"),
        ("port", "eighty", "integer"),
        ("url", "host/render-ws", "http://"),
        ("memGB", "1 G", "1G or 512m"),
        ("memGB", "0G", "1G or 512m"),
        ("timeout", 0, "seconds above 0"),
        ("timeout", "soon", "seconds above 0"),
        ("timeout", True, "seconds above 0"),
        ("timeout", [1, 2, 3], r"\[connect, read\]"),
        ("retries", -1, "0"),
        ("verify", 1, "certificate"),
        ("verify", "", "certificate"),
        ("auth", "user:password", r"\[user, password\]"),
        ("auth", ["user"], r"\[user, password\]"),
        ("pool", 0, "1"),
        ("headers", {"a": 1}, "string"),
        ("hots", "h", "Unknown"),
    ],
)
def test_connection_settings_refuse(field, value, message):
    assert re.search(message, refused(schemas.ConnectionSchema, field, **{field: value}))


def test_every_setting_of_connect_is_known():
    settings = set(inspect.signature(renderapi.connect).parameters) - {"session", "kwargs"}
    assert set(schemas.ConnectionSchema().fields) == settings


def test_defaults_are_those_of_connect():
    fields = schemas.ConnectionSchema().fields
    signature = inspect.signature(renderapi.connect).parameters
    for name in ("force_http", "validate_client", "web_only"):
        assert fields[name].metadata["default"] == signature[name].default
    assert fields["timeout"].metadata["default"] == renderapi.Render().timeout


def test_loaded_settings_make_a_connection():
    loaded = load(
        schemas.ConnectionSchema(),
        {"host": "h", "port": "1", "owner": "o", "project": "", "timeout": [5, None], "errors": "return"},
    )
    assert renderapi.connect(**loaded).timeout == (5.0, 600.0)


def test_a_schema_nests_in_those_of_a_program():
    class Program(marshmallow.Schema):
        render = marshmallow.fields.Nested(schemas.ConnectionSchema)

    given = {"render": {"host": "h", "port": "8080"}}
    assert load(Program(), given) == {"render": {"host": "h", "port": 8080}}
    with pytest.raises(marshmallow.ValidationError, match="port"):
        load(
            Program(**({} if hasattr(marshmallow, "EXCLUDE") else {"strict": True})), {"render": {"port": 0}}
        )


def test_unknown_settings_can_be_left_out():
    schema = schemas.ConnectionSchema(unknown="exclude")
    assert load(schema, {"host": "h", "mongo_host": "m"}) == {"host": "h"}


def test_parameter_groups_know_every_option_of_java():
    def names(schema):
        return set(schema().fields)

    extraction = {"SIFTfdSize", "SIFTminScale", "SIFTmaxScale", "SIFTsteps"}
    derivation = {
        "matchRod", "matchModelType", "matchRegularizerModelType", "matchInterpolatedModelLambda",
        "matchIterations", "matchMaxEpsilon", "matchMaxEpsilonFullScale", "matchMinInlierRatio",
        "matchMinNumInliers", "matchMaxNumInliers", "matchMaxTrust", "matchFilter",
        "matchFullScaleCoverageRadius", "matchMinCoveragePercentage",
    }  # fmt: skip
    assert names(schemas.FeatureExtractionSchema) == extraction
    assert names(schemas.MatchDerivationSchema) == derivation
    assert names(schemas.SiftPointMatchOptionsSchema) == extraction | derivation | {
        "renderScale",
        "fillWithNoise",
    }
    assert names(schemas.FeatureRenderSchema) == {
        "renderScale", "renderWithFilter", "renderFilterListName", "renderWithoutMask",
        "renderFullScaleWidth", "renderFullScaleHeight", "fillWithNoise",
    }  # fmt: skip
    assert names(schemas.ZRangeSchema) == {"minZ", "maxZ"}
    assert names(schemas.LayerBoundsSchema) == {"minX", "maxX", "minY", "maxY"}
    assert names(schemas.TileSpecValidatorSchema) == {"validatorClass", "validatorData"}


@pytest.mark.parametrize("name", [name for name in schemas.__all__ if name.endswith("Schema")])
def test_each_field_is_described(name):
    for field in getattr(schemas, name)().fields.values():
        assert field.metadata["description"].endswith(".")
        assert "\n" not in field.metadata["description"]
        assert "default" in field.metadata


def test_java_keeps_its_defaults():
    schema = schemas.SiftPointMatchOptionsSchema()
    assert load(schema, {}) == {}
    assert schema.fields["matchRod"].metadata["default"] == 0.92


@pytest.mark.parametrize(
    ("schema", "field", "data"),
    [
        ("MatchDerivationSchema", "matchRod", {"matchRod": 0}),
        ("MatchDerivationSchema", "matchRod", {"matchRod": 1.1}),
        ("MatchDerivationSchema", "matchModelType", {"matchModelType": "affine"}),
        ("MatchDerivationSchema", "matchInterpolatedModelLambda", {"matchRegularizerModelType": "RIGID"}),
        ("MatchDerivationSchema", "matchRegularizerModelType", {"matchInterpolatedModelLambda": 0.5}),
        ("MatchDerivationSchema", "matchMaxEpsilon", {"matchMaxEpsilon": 0}),
        ("MatchDerivationSchema", "matchMinCoveragePercentage", {"matchMinCoveragePercentage": 101}),
        ("SiftPointMatchOptionsSchema", "SIFTminScale", {"SIFTminScale": 0.9, "SIFTmaxScale": 0.5}),
        ("SiftPointMatchOptionsSchema", "renderScale", {"renderScale": -1}),
        ("ZRangeSchema", "minz", {"minZ": 2, "maxZ": 1}),
        ("LayerBoundsSchema", "_schema", {"minX": 2}),
        ("LayerBoundsSchema", "miny", {"minX": 1, "maxX": 1, "minY": 2, "maxY": 1}),
        ("TileSpecValidatorSchema", "validatorData", {"validatorClass": "x.Y", "validatorData": "minSize=3"}),
        ("TileSpecValidatorSchema", "validatorClass", {"validatorData": "minSize:3"}),
    ],
)
def test_parameter_groups_refuse(schema, field, data):
    refused(getattr(schemas, schema), field, **data)


def test_loaded_options_make_a_parameter_object():
    loaded = load(schemas.SiftPointMatchOptionsSchema(), {"SIFTsteps": 5, "matchMaxEpsilonFullScale": "2.5"})
    options = renderapi.client.SiftPointMatchOptions(**loaded)
    assert options.to_java_args() == ["--SIFTsteps", "5", "--matchMaxEpsilonFullScale", "2.5"]


def test_parameter_objects_and_schemas_have_the_same_options():
    for name in ("FeatureExtractionParameters", "MatchDerivationParameters", "SiftPointMatchOptions"):
        schema = getattr(schemas, f"{name.removesuffix('Parameters')}Schema")
        assert set(vars(getattr(renderapi.client, name)())) == set(schema().fields)


def test_parameter_groups_accept():
    both = {"matchRegularizerModelType": "RIGID", "matchInterpolatedModelLambda": 0.25}
    assert load(schemas.MatchDerivationSchema(), both) == both
    limits = {"validatorClass": "x.Y", "validatorData": "minCoordinate:-500,maxSize:1e4"}
    assert load(schemas.TileSpecValidatorSchema(), limits) == limits
    assert load(schemas.ZRangeSchema(), {"minZ": 1, "maxZ": "2"}) == {"minz": 1.0, "maxz": 2.0}
    box = load(schemas.LayerBoundsSchema(), {"minX": 0, "maxX": 1, "minY": 2, "maxY": 3})
    assert box == {"minx": 0.0, "maxx": 1.0, "miny": 2.0, "maxy": 3.0}


def test_checks_of_our_own_leave_other_types_to_the_type_check():
    assert one_problem("canvas_matches", {**IDS, "matches": [1]}) == ("matches", "[1] is not an object")
    assert one_problem("stack_id", "o/p/s") == ("", "'o/p/s' is not an object")
    assert one_problem("filter_spec", {"className": "x.Y", "parameters": 3})[0] == "parameters"


def test_what_no_annotation_speaks_of_is_said_as_jsonschema_says_it():
    assert schemas._reason(next(Draft202012Validator({"maximum": 3}).iter_errors(4))) == (
        "4 is greater than the maximum of 3"
    )


def test_the_examples_of_the_docstrings():
    # the answers of marshmallow 2 are pairs
    answers_pairs = not hasattr(marshmallow, "EXCLUDE")
    for module in (schemas,) if answers_pairs else (schemas, schemas.config):
        assert doctest.testmod(module).failed == 0
