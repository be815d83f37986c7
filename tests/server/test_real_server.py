"""The recorded answers of a real render-ws, asked for again (tests/data/real/README.md says what they are)."""

import base64
import gzip
import hashlib
import io
import json
import pathlib
import re
import uuid

import numpy as np
import pytest
import requests
from PIL import Image

from renderapi.server import serve_background

DATA = pathlib.Path(__file__).parent.parent / "data" / "real"
SECTIONS = sorted(path.name.split(".")[0] for path in DATA.glob("*.json.gz"))
LIMIT = {"webService.maxTileSpecsToRender": "20"}

# Where ours differs on purpose beside what the recording marks; docs/server.rst says why.
DELIBERATE = [
    (r"/stack/ids/tileIds .*(a/b|a\\t)", "a / in an id is an id, and what is answered is JSON"),
    (r"^GET /versionInfo", "versions are told"),
    (r"world-to-local-coordinates/10,12\?meshCellSize=0", "words instead of the hash of an object"),
    (r"elsewhere\.example", "pages of other origins are let in by an option only"),
    (r"channel filters", "the filterSpec of a channel, which the newer server knows, is kept"),
    (
        r"/z/(1|6)/box/0,0,150,100,0.5/.*channels=A__0.5__B__0.5",
        "a slip of the original is said, or not made",
    ),
    (r"/z/1/box/.*maxTileSpecsToRender=1", "glyphs are those of the machine's font"),
    (r"/(png|jpeg|tiff)-image <- .*(refId|AffineModel2D)", "the tile, and what is wrong with it, is named"),
    (r"boundingBoxesOnly=true", "glyphs are those of the machine's font"),
]

# What is not mended yet.
OPEN = [
    (
        r"channels=A__",
        "averages of channels that a tile has not, or of images that are not square, are a 500",
    ),
    (r"/z/1/box/.*maxTileSpecsToRender=|boundingBoxesOnly", "outlines with ids"),
    (r"largeDataTileSource/64/64/-1/", "the one pixel of a negative level"),
    (r"(unresolved references|Inappropriate parameters|cannot be found)", "words of a bad tile of a client"),
]


def make_images(folder):
    """Make the source images by the rule of the recording; give the digest of their pixels."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:80, 0:100]
    wave = (127 + 80 * np.sin(x / 9.0) * np.cos(y / 7.0)).astype(np.uint8)
    noise = rng.integers(0, 256, (80, 100), dtype=np.uint8)
    blue = rng.integers(0, 256, (80, 100), dtype=np.uint8)
    disk = ((x - 50) ** 2 + (y - 40) ** 2 < 1500).astype(np.uint8)
    ramp = np.clip(x * 2.55, 0, 255).astype(np.uint8)
    images = [("g0", wave), ("g1", noise), ("rgb", np.dstack([wave, 255 - wave, blue]))]
    images += [("g16", wave.astype(np.uint16) * 200), ("mask", 255 * disk), ("mask2", ramp)]
    digest = hashlib.sha256()
    for name, pixels in images:
        Image.fromarray(pixels).save(folder / f"{name}.png")
        digest.update(pixels.tobytes())
    return digest.hexdigest()


class Replay:
    """One section, for an owner of its own."""

    def __init__(self, server, section, images):
        with gzip.open(DATA / f"{section}.json.gz", "rt", encoding="utf-8") as file:
            self.document = json.load(file)
        length = self.document["about"]["ownerLength"]
        self.owner = (uuid.uuid4().hex + uuid.uuid4().hex)[: length - len(section) - 1] + "_" + section
        self.owner = "r" + self.owner[1:]
        self.base, self.images, self.session = server.url, str(images), server.session()

    def pooled(self, value):
        return self.document["pool"][value] if isinstance(value, int) else value

    def filled(self, text):
        return text.replace("{O}", self.owner).replace("{IMAGES}", self.images)

    def plain(self, text):
        for old, new in (
            (self.base, "{BASE}"),
            (self.base.split("//")[1], "{BASE}"),
            (self.owner, "{O}"),
            (self.images, "{IMAGES}"),
            (str(pathlib.Path.cwd()), "{CWD}"),
        ):
            text = text.replace(old, new)
        text = re.sub(r"20(?:2[1-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "<time>", text)
        text = re.sub(r"(filter configuration file ).*", r"\1<path>", text)
        return re.sub(r"(Width \(-?\d+\) and height \(-?\d+\)) .*", r"\1 <must be positive>", text)

    def send(self, record):
        body = record.get("bodyBase64")
        data = base64.b64decode(body) if body else None
        if "body" in record:
            data = self.filled(self.pooled(record["body"])).encode()
        query = "?" + self.filled(record["query"]) if "query" in record else ""
        request = requests.Request(record["method"], self.base, data=data, headers=record.get("headers"))
        prepared = self.session.prepare_request(request)
        prepared.url = self.base + "/v1" + self.filled(record["path"]) + query  # as it was written
        return self.session.send(prepared, timeout=60, allow_redirects=False)

    def differences(self):
        for record in self.document["requests"]:
            answer = self.send(record)
            if record["compare"] and "deliberate" not in record:
                problem = self.difference(record, record["answer"], answer)
                if problem:
                    path = record["path"] + ("?" + record["query"] if "query" in record else "")
                    told = f"{record['method']} {path} {record.get('note', '')}"
                    if "body" in record:
                        told += " <- " + self.pooled(record["body"])
                    if record.get("headers"):
                        told += f" {record['headers']}"
                    if not any(re.search(one, f"{told} {problem}") for one, _ in DELIBERATE + OPEN):
                        yield f"{told[:300]}: {problem}"

    def difference(self, record, wanted, answer):
        aspects = record["compare"]
        if answer.status_code != wanted["status"]:
            return f"{wanted['status']}, not {answer.status_code} {answer.text[:200]}"
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if "type" in aspects and kind != wanted.get("type", ""):
            return f"type {wanted.get('type')}, not {kind}"
        cached = wanted.get("headers", {}).get("Cache-Control")
        if "headers" in aspects and wanted["status"] < 400 and answer.headers.get("Cache-Control") != cached:
            return f"Cache-Control {cached}, not {answer.headers.get('Cache-Control')}"
        if "image" in wanted:
            return pixels_differ(wanted["image"], answer.content) if "pixels" in aspects else None
        old, new = self.pooled(wanted.get("text", "")), self.plain(answer.content.decode("utf-8", "replace"))
        if "upTo" in record:
            old, new = (text.split(record["upTo"])[0] for text in (old, new))
        if "json" in aspects and old != new:
            try:
                one, two = json.loads(old), json.loads(new)
            except ValueError:
                return f"{old[:300]}, not {new[:300]}"
            if "own" in aspects:
                one, two = ([value for value in owners if value == "{O}"] for owners in (one, two))
            if "order" not in aspects:
                one, two = unordered(one), unordered(two)
            return None if alike(one, two) else f"{old[:300]}, not {new[:300]}"
        return f"{old[:300]}, not {new[:300]}" if "text" in aspects and old != new else None


def unordered(value):
    if isinstance(value, dict):
        return {key: unordered(part) for key, part in value.items()}
    if isinstance(value, list):
        value = [unordered(part) for part in value]
        if value and not any(isinstance(part, (int, float)) or part is None for part in value):
            value.sort(key=lambda part: json.dumps(part, sort_keys=True))
    return value


def alike(one, two):
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(alike(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(alike, one, two))
    if isinstance(one, float) and isinstance(two, float):
        # sine and cosine of two libraries, and a point on an edge of two triangles
        return one == two or abs(one - two) <= 1e-9 * max(1.0, abs(one)) or (one != one and two != two)
    return one == two


def pixels_differ(wanted, content):
    if "mode" not in wanted:
        return None if hashlib.sha256(content).hexdigest() == wanted["digest"] else "other bytes"
    image = Image.open(io.BytesIO(content))
    pixels = np.array(image)
    if image.mode.startswith("I;16"):
        pixels = pixels.astype("<u2")
    if list(pixels.shape) != wanted["shape"]:
        return f"{wanted['shape']}, not {pixels.shape}"
    tables = {str(key): list(table) for key, table in getattr(image, "quantization", {}).items()}
    if wanted.get("tables") is not None and wanted["tables"] != tables:
        return "other quantisation tables"
    same = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest() == wanted["digest"]
    if not same and "file" in wanted:
        # two libraries of JPEG may round otherwise
        old = np.array(Image.open(io.BytesIO(base64.b64decode(wanted["file"])))).astype(int)
        same = np.abs(old - pixels).max() <= 12
    return None if same else "other pixels"


@pytest.fixture(scope="module", params=["memory", pytest.param("socket", marks=pytest.mark.slow)])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    digest = make_images(folder)
    with serve_background(transport=request.param, image_roots=[folder], properties=LIMIT) as running:
        yield running, folder, digest


@pytest.mark.parametrize("section", SECTIONS)
def test_answers_as_a_real_server(server, section):
    running, folder, digest = server
    replay = Replay(running, section, folder)
    assert replay.document["about"]["images"] == digest, "the source images come out otherwise"
    found = list(replay.differences())
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:10])
