"""Every request that the server of render's branch newsolver was asked, asked of the embedded server."""

import base64
import gzip
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from renderapi.server import serve_background

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "newsolver"
with gzip.open(GOLDEN / "rest.json.gz") as file:
    CASES = json.load(file)["cases"]
SOURCES = f"file:{(GOLDEN / 'render_src').as_posix()}/"
# of messages of Java itself only the fact counts
WORDS_OF_JAVA = ("Cannot invoke", "Width (0) and height (0)")
OPTIONS = {
    "image_roots": [GOLDEN],
    "compat": "newsolver",
    "properties": {"webService.maxTileSpecsToRender": "20"},
}


def placed(document):
    """Put the address of the images where the golden file has ``render_src/``."""
    return json.loads(json.dumps(document).replace('"render_src/', f'"{SOURCES}'))


@pytest.fixture(scope="module", params=["memory", "socket"])
def answers(request):
    with serve_background(transport=request.param, **OPTIONS) as server, server.session() as session:
        found = []
        for case in CASES:
            body = {"json": placed(case["body"])} if "body" in case else {}
            found.append(session.request(case["method"], f"{server.url}/v1{case['path']}", **body))
        yield found


def without_order(case, document):
    def by_text(items):
        return sorted(items, key=json.dumps)

    if "/tileBounds" in case["path"]:
        return by_text(document)
    if "clusteredTileBounds" in case["path"]:
        return [sorted(cluster, key=lambda tile: tile["tileId"]) for cluster in document]
    if isinstance(document, dict) and "matchPairs" in document:
        # render may give a pair twice
        pairs = {json.dumps(pair, sort_keys=True) for pair in document["matchPairs"]}
        return {**document, "matchPairs": sorted(pairs)}
    return document


def pixels_of(case):
    content = zlib.decompress(base64.b64decode(case["pixels"]))
    shape = case["height"], case["width"]
    if case["format"] == "L16be":
        return np.frombuffer(content, ">u2").reshape(shape)
    planes = np.frombuffer(content, np.uint8).reshape(-1, *shape)
    return planes[0] if len(planes) == 1 else np.moveaxis(planes, 0, -1)


def check_image(content, case):
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (case["width"], case["height"])
        assert image.mode[:4] == case["mode"][:4]
        got = np.array(image)
    if "pixels" not in case:
        return
    wanted = pixels_of(case)
    if case["mode"] == "RGBA":
        seen = got[..., 3] > 0
        gray, alpha = (wanted, 255) if wanted.ndim == 2 else (wanted[..., 0], wanted[..., -1])
        np.testing.assert_array_equal(got[..., 3], alpha)
        for plane in range(3):
            np.testing.assert_array_equal(got[..., plane][seen], gray[seen])
    else:
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    "number",
    range(len(CASES)),
    ids=lambda number: f"{number} {CASES[number]['path'].rpartition('/stack/')[2]}",
)
def test_the_answer_is_that_of_newsolver(answers, number):
    case, answer = CASES[number], answers[number]
    if case["path"] == "/versionInfo":
        # this server knows its version, which that build did not
        assert answer.json()["git.build.version"]
        return
    assert answer.status_code == case["status"], answer.text
    if "json" in case:
        got, wanted = answer.json(), placed(case["json"])
        assert without_order(case, got) == without_order(case, wanted)
    elif "text" in case and not case["text"].startswith(WORDS_OF_JAVA):
        assert answer.text == case["text"]
    elif "bytes" in case:
        assert answer.content == zlib.decompress(base64.b64decode(case["bytes"]))
    elif "width" in case:
        check_image(answer.content, case)
    if "contentType" in case and case["status"] == 200:
        assert answer.headers["Content-Type"].partition(";")[0] == case["contentType"]


def test_nothing_is_left_out():
    assert len(CASES) == 96
