"""Whatever is sent, the server knows what is wrong with it: it refuses, and never fails."""

import copy
import json
import logging
import random
import re

import pytest
from embedded import Api, affine, make_tile
from PIL import Image

from renderapi import _patterns
from renderapi.server import Store
from renderapi.server.http.app import SERVICES

NASTY = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    -(10**400),
    "",
    " ",
    "x",
    "NaN",
    "-Infinity",
    "1e999",
    "\u0000",
    "é" * 300,
    [],
    [None],
    [[]],
    ["x"],
    [{}],
    {},
    {"x": None},
    {"type": "list"},
    {"type": "ref"},
    {"0": {}},
    {"": ""},
]
REF = {"type": "ref", "refId": "x"}
TILE = make_tile(
    "t",
    groupId="g",
    specs=[
        REF,
        affine(metaData={"labels": ["lens"]}),
        {"type": "interpolated", "a": affine(), "b": REF, "lambda": 0.5},
    ],
    channels=[{"name": "c", "minIntensity": 0.0, "mipmapLevels": {"0": {"imageUrl": "i", "maskUrl": "m"}}}],
    mipmapPathBuilder={"rootPath": "r", "numberOfLevels": 2, "extension": "e"},
    labels=["a"],
)
TILES = {"transformIdToSpecMap": {"x": affine(id="x")}, "tileIdToSpecMap": {"t": TILE}}
VERSION = {
    "createTimestamp": "2017-06-01T10:20:30.5Z",
    "versionNotes": "n",
    "cycleNumber": 1,
    "stackResolutionX": 1.0,
    "mipmapPathBuilder": {"rootPath": "r"},
}
PAIR = {
    "pGroupId": "a",
    "pId": "b",
    "qGroupId": "c",
    "qId": "d",
    "consensusSetData": {"index": 1, "originalPId": "p"},
    "matches": {"p": [[1.0], [2.0]], "q": [[1.0], [2.0]], "w": [1.0]},
}
QUESTION = {
    "pTileId": "t",
    "qTileId": "t",
    "matchRenderStackId": {"owner": "o", "project": "p", "stack": "s"},
    "matchCollectionId": {"owner": "o", "name": "c"},
    "includeDetails": True,
}
BODIES = {
    ("PUT", "resolvedTiles"): TILES,
    ("PUT", "resolvedTiles?deriveData=true"): TILES,
    ("PUT", "z/1/resolvedTiles?deriveData=true"): TILES,
    ("POST", ""): VERSION,
    ("PUT", "cloneTo/other"): VERSION,
    ("PUT", "stackId"): {"owner": "o", "project": "p", "stack": "renamed"},
    ("PUT", "resolutionValues"): [1.0, 2.0, 3.0],
    ("PUT", "cycle"): {"number": 1, "stepNumber": 2},
    ("PUT", "mipmapPathBuilder"): {"rootPath": "r", "numberOfLevels": 1, "extension": "e"},
    ("PUT", "z/1/tileIds"): ["t"],
    ("PUT", "section/1.0/z"): 2,
    ("PUT", "tile-specs-with-ids"): ["t"],
    ("PUT", "tileIdsForCoordinates"): [{"world": [1.0, 2.0, 1.0]}],
    ("PUT", "z/1/world-to-local-coordinates"): [{"world": [1.0, 2.0]}],
    ("PUT", "local-to-world-coordinates"): [{"tileId": "t", "local": [1.0, 2.0]}],
    ("POST", "pairResidualCalculation"): QUESTION,
    ("PUT", "/owner/o/local-to-world-coordinates/1,2"): make_tile("t", specs=[affine()]),
    ("PUT", "/owner/o/world-to-local-coordinates/1,2?meshCellSize=8"): make_tile("t", specs=[affine()]),
    ("PUT", "/owner/o/validate-json/render"): {"tileSpecs": [make_tile("t")]},
    ("PUT", "/owner/o/validate-json/tile"): TILE,
    ("PUT", "/owner/o/validate-json/tile-array"): [TILE],
    ("PUT", "/owner/o/validate-json/transform"): TILE["transforms"],
    ("PUT", "/owner/o/validate-json/transform-array"): [affine(id="x"), REF],
    ("PUT", "/owner/o/matchCollection/c/matches"): [PAIR],
    ("PUT", "/owner/o/matchCollection/c/collectionId"): {"owner": "o", "name": "d"},
}
READS = [
    "",
    "zValues",
    "bounds",
    "sectionData",
    "z/1/tile-specs",
    "z/1/resolvedTiles",
    "z/1/tileBounds",
    "tile/t",
    "z/1/render-parameters",
    "tile/t/render-parameters",
    "tile/t/render-parameters?excludeAllTransforms=true",
    "tile/t/render-parameters?normalizeForMatching=true",
    "tile/t/withNeighbors/render-parameters",
    "tile/t/source/scale/1/render-parameters",
    "tile/t/mask/scale/1/render-parameters",
    "tile/t/validation-info",
    "z/1/world-to-local-coordinates/1,1",
    "tile/t/local-to-world-coordinates/1,1",
    "z/1/last-tile-transforms",
    "layoutFile",
    "layoutFile?format=SCHEFFER",
    "mergedZValues",
    "mergeableData",
    "reorderedSectionData",
    "/owner/o/stacks",
    "/owner/o/matchCollection/c/group/a/id/b",
    "cycle",
    "resolutionValues",
]


def variants(document):
    """Return a document with each of its parts replaced by each of the nasty values, and with each left out."""
    for nasty in NASTY:
        yield nasty
    for path in list(paths(document)):
        for nasty in [*NASTY, ...]:
            changed = copy.deepcopy(document)
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            if nasty is not ...:
                parent[path[-1]] = nasty
            elif isinstance(parent, dict):
                del parent[path[-1]]
            yield changed


def paths(value, path=()):
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from paths(part, (*path, key))


def must_know_why(answer, sent):
    if answer.status_code < 400:
        return
    assert answer.mimetype == "text/plain"
    assert "see its log" not in answer.text and "database problem" not in answer.text, (answer.text, sent)


def send_all(api, method, path, sample):
    for number, body in enumerate(sample):
        api.client.post(api.url(""), json={})
        must_know_why(api(method, path, data=json.dumps(body), content_type="application/json"), body)
        # what was stored can be read, or it is said what is wrong with it
        must_know_why(api("GET", READS[number % len(READS)]), body)
        if number % 50 == 0:
            for read in READS:
                must_know_why(api("GET", read), body)
            api("DELETE", "")
            api("DELETE", "/owner/o/matchCollection/c")


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_some_bodies(api, method, path):
    sample = list(variants(BODIES[method, path]))
    # a step that has nothing in common with the number of nasty values
    send_all(api, method, path, sample[:: 11 if len(sample) > 500 else 1])


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_all_bodies(api, method, path):
    send_all(api, method, path, variants(BODIES[method, path]))


WORDS = [
    "%00",
    "%FF",
    "%2F",
    "..",
    "%2e%2e",
    "a%20b",
    "'",
    "%22",
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "-0",
    "1.5",
    "99999999999",
    "0x10",
    "é",
    "%F0%9F%98%80",
    "x" * 5000,
    "%",
    "%zz",
    "a%0d%0ab",
    "*",
    "%25",
    "__",
    "a__b",
]


@pytest.mark.parametrize("word", WORDS)
def test_paths_and_queries(api, word):
    api.in_state("LOADING", TILE | {"transforms": {"type": "list", "specList": []}})
    for template in [
        "/owner/{}/stacks",
        "/owner/{}/project/{}/stack/{}",
        "/owner/{}/matchCollection/{}/groupIds",
        "/owner/o/matchCollection/c/pGroup/{}/matches?mergeCollection={}",
    ]:
        must_know_why(api("GET", template.replace("{}", word)), word)
    for path in [
        "z/{}/tile-specs",
        "tile/{}",
        "section/{}/tileBounds",
        "section/{}/z",
        "transform/{}",
        "z/{}/layoutFile",
        "z/1/box/{},{},{},{},{}/render-parameters",
        "dvid/imagetile/raw/xy/{}_{}/{}_{}_{}/tile-count",
        "group/{}/z/1/box/0,0,10,10,1/render-parameters",
        "zRange/{},{}/layoutFile",
        "zValues?minZ={}&maxZ={}",
        "tileIds?matchPattern={}",
        "resolvedTiles?groupId={}&minX={}",
        "tile/t/render-parameters?x={}&scale={}",
        "tile/t/render-parameters?channels={}&filterListName={}",
        "z/{}/world-to-local-coordinates/{},{}",
        "tile/t/local-to-world-coordinates/{},{}",
        "tile/t/withNeighbors/render-parameters?widthFactor={}",
        "z/1/world-coordinates/1,1/mapped-to-stack/{}?toOwner={}",
        "layoutFile?format={}",
        "tile/t/source/scale/{}/render-parameters",
        "z/1/clusteredTileBoundsForCollection/{}",
    ]:
        answer = api("GET", path.replace("{}", word))
        must_know_why(answer, (path, word))
        if answer.is_json:
            json.loads(answer.data, parse_constant=pytest.fail)
    for method, path in [
        ("DELETE", "z/{}"),
        ("DELETE", "section/{}"),
        ("DELETE", "tile/{}"),
        ("PUT", "state/{}"),
    ]:
        must_know_why(api(method, path.replace("{}", word)), (path, word))
    must_know_why(api("PUT", f"z/{word}/tileIds", ["t"]), word)
    must_know_why(api("GET", "z/1/tile-specs"), word)


@pytest.mark.parametrize(
    "pattern", ["a{999999999}", "(?:a{1000}){1000}", "(" * 60 + ")" * 60, "a" * 2000, "("]
)
def test_patterns_that_cannot_be_taken(api, pattern):
    api.in_state("LOADING", make_tile("t"))
    status, text = api.refused("GET", "tileIds", query_string={"matchPattern": pattern})
    assert status == 400 and "matchPattern" in text and len(text) < 400


def test_a_pattern_that_takes_too_long_is_refused_before_the_answer_begins(api, monkeypatch):
    pytest.importorskip("regex")
    monkeypatch.setattr("renderapi.server.documents.id_patterns.SECONDS", 0.1)
    monkeypatch.setattr("renderapi._patterns.SECONDS", 0.1)
    _patterns.compiled.cache_clear()
    # the first ids are quick
    api.in_state("LOADING", *(make_tile(name) for name in ["0", "1", "a" * 60 + "b"]))
    answer = api("GET", "tileIds", query_string={"matchPattern": "(a|aa)+$"})
    _patterns.compiled.cache_clear()
    assert answer.status_code == 400 and "takes too long" in answer.text


def lists(depth, kind="list"):
    spec = affine()
    for _ in range(depth):
        spec = (
            {"type": "list", "specList": [spec]}
            if kind == "list"
            else {"type": kind, "a": spec, "b": affine(), "lambda": 0.5}
        )
    return spec


LARGE = "9" * 400
HUGE = {
    "nested arrays": "[" * 1000 + "]" * 1000,
    "nested objects": '{"a":' * 900 + "1" + "}" * 900,
    "endless arrays": "[" * 100_000,
    "nested values": '{"versionNotes":%s,"number":%s,"tileSpecs":%s,"owner":%s}'
    % (("[" * 500 + "]" * 500,) * 4),
    "nested items": '[{"world":%s,"tileId":%s,"pGroupId":%s}]' % (("[" * 500 + "]" * 500,) * 3),
    "large integer": LARGE,
    "many digits": "[" + "1" * 6000 + "]",
    "large integers": f'[{{"world":[{LARGE},-{LARGE},1],"local":[{LARGE},1e308],"tileId":{LARGE}}}]',
    "large fields": f'{{"x":{LARGE},"width":-{LARGE},"cycleNumber":{LARGE},"createTimestamp":{LARGE}}}',
    **{
        f"{kind} {depth}": json.dumps(
            {
                **make_tile("t", specs=[lists(depth, kind)], minIntensity=-1e308, maxIntensity=1e308),
                **lists(depth, kind),
                "tileIdToSpecMap": {"t": make_tile("t", specs=[lists(depth, kind)], minIntensity=-1e308)},
                "tileSpecs": [make_tile("t", specs=[lists(depth, kind)], minIntensity=-1e308)],
            }
        )
        for kind in ("list", "interpolated")
        for depth in (90, 400)
    },
}


@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE)
def test_documents_without_measure(api, body, caplog):
    with caplog.at_level(logging.INFO, "renderapi.server"):
        for endpoint in [
            endpoint for service in SERVICES for endpoint in service.endpoints if endpoint.takes
        ]:
            names = {"owner": "o", "project": "p", "stack": "s", "matchCollection": "c", "toStack": "u"}
            path = re.sub(r"{(\w+):?\w*}", lambda found: names.get(found[1], "1"), endpoint.path)
            for query in ("", "?deriveData=true"):
                caplog.clear()
                api.client.post(api.url(""), json={})
                kind = "application/json" if endpoint.takes == "*/*" else endpoint.takes
                answer = api(endpoint.method, path + query, data=body, content_type=kind)
                must_know_why(answer, path)
                assert answer.status_code < 400 or len(answer.data) < 2000
                assert len(caplog.records) == (
                    answer.status_code >= 400 and not answer.text.startswith("Failed")
                )
                assert not any(record.exc_info for record in caplog.records)
            if answer.status_code < 300:
                for read in READS:
                    must_know_why(api("GET", read), path)


@pytest.mark.parametrize("low", [-1e308, 1e308])
def test_intensities_without_measure(low, tmp_path):
    Image.new("L", (20, 10), 100).save(tmp_path / "a.png")
    with Store() as store:
        api = Api(store, image_roots=[tmp_path])
        tile = make_tile("t", width=20.0, height=10.0, specs=[affine()], minIntensity=low, maxIntensity=1e308)
        tile["mipmapLevels"]["0"]["imageUrl"] = f"file:{tmp_path}/a.png"
        body = {
            "x": 0,
            "y": 0,
            "width": 20,
            "height": 10,
            "scale": 1,
            "minIntensity": -1e308,
            "tileSpecs": [tile],
        }
        for kind in ("png", "jpeg", "tiff"):
            must_know_why(api("PUT", f"/owner/o/{kind}-image", body), kind)
        api.in_state("LOADING", tile)
        for path in (
            "png-image",
            "png16-image",
            "png-image?minIntensity=-1e308",
            "png-image?maxIntensity=1e308",
        ):
            must_know_why(api("GET", "tile/t/" + path), path)


ENDPOINTS = [(service, endpoint) for service in SERVICES for endpoint in service.endpoints]
NUMBERS = ["0", "1", "-1", "2.5", "100", "1e3", "-0.0", "64", "7"]
IDS = ["o", "p", "s", "t", "c", "u", "a", "b", "g", "x", "1.0", "COMPLETE", "LOADING", "READ_ONLY", "OFFLINE"]
FUZZED = 2000


class Fuzz:
    """Requests to all endpoints, made at random: mostly of words that mean something, of some that do not."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def word(self, kind):
        rng = self.rng
        if rng.random() < 0.04:
            return rng.choice(WORDS)
        if kind in ("double", "int", "number", "integer"):
            return rng.choice(NUMBERS)
        if kind == "boolean":
            return rng.choice(["true", "false", ""])
        return rng.choice(IDS + NUMBERS[:3])

    def path(self, endpoint):
        names = {"owner": "o", "project": "p", "stack": "s", "matchCollection": "c"}

        def value(found):
            name, kind = found[1], found[2].lstrip(":")
            if name in names and self.rng.random() < 0.97:
                return names[name]
            if kind == "state":
                return self.rng.choice(IDS[-4:])
            return self.word(kind)

        path = re.sub(r"{(\w+)(:?\w*)}", value, endpoint.path)
        chosen = [
            f"{name}={self.word(rule.word)}"
            for name, rule in endpoint.query.items()
            if self.rng.random() < 0.3
        ]
        return path + ("?" + "&".join(chosen) if chosen else "")

    def body(self, endpoint):
        rng = self.rng
        own = [
            body
            for (method, path), body in BODIES.items()
            if path.split("?")[0].split("/")[-1] in endpoint.path
        ]
        document = copy.deepcopy(rng.choice(own or list(BODIES.values())))
        for _ in range(rng.choice([0, 0, 1, 1, 2, 4])):
            document = self.changed(document)
        content = json.dumps(document).encode()
        if rng.random() < 0.1:
            place = rng.randrange(len(content) + 1)
            content = content[:place] + rng.randbytes(rng.randrange(4)) + content[place + rng.randrange(5) :]
        return content

    def changed(self, document):
        places = list(paths(document))
        nasty = copy.deepcopy(self.rng.choice(NASTY))
        if not places:
            return nasty
        *path, key = self.rng.choice(places)
        parent = document
        for step in path:
            parent = parent[step]
        if self.rng.random() < 0.2:
            del parent[key]
        elif self.rng.random() < 0.2 and path:
            parent[key] = copy.deepcopy(document)
        else:
            parent[key] = nasty
        return document

    def send(self, api):
        rng = self.rng
        _, endpoint = rng.choice(ENDPOINTS)
        options = {}
        if endpoint.takes is not None:
            options["data"] = self.body(endpoint)
            kind = "application/json" if endpoint.takes == "*/*" else endpoint.takes
            options["content_type"] = kind if rng.random() < 0.97 else rng.choice(["", "text/plain", "x"])
        if rng.random() < 0.05:
            name = rng.choice(["Accept", "If-None-Match", "Origin", "Host", "Referer", "Sec-Fetch-Site"])
            options["headers"] = {name: rng.choice(["*", "null", "", "http://", "x/y", '"1"', "[::1", "é"])}
        method = endpoint.method if rng.random() < 0.97 else rng.choice(["HEAD", "OPTIONS", "PATCH", "TRACE"])
        path = self.path(endpoint)
        return api(method, path, **options), (method, path, options)


def fuzz(seed, number, caplog):
    caplog.set_level(logging.ERROR, "renderapi.server")
    random_requests = Fuzz(seed)
    with Store() as store:
        api = Api(store, max_pixels=1 << 14)
        for count in range(number):
            if count % 20 == 0:
                api("DELETE", "")
                api.client.post(api.url(""), json={})
                api("PUT", "resolvedTiles", TILES)
                api("PUT", "/owner/o/matchCollection/c/matches", [PAIR])
            answer, sent = random_requests.send(api)
            if sent[0] != "HEAD" and answer.mimetype is not None:
                must_know_why(answer, sent)
            assert not any(record.exc_info for record in caplog.records), (caplog.text, sent)


def test_a_thousand_requests_at_random(caplog):
    fuzz("some", 1000, caplog)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_fifty_thousand_requests_at_random(caplog, seed):
    fuzz(seed, FUZZED, caplog)
