"""Recorded conversations with a real render-ws, asked for again and compared.

tests/data/real/README.md has the format, and what is compared.
"""

import base64
import gzip
import hashlib
import io
import json
import math
import pathlib
import re
import uuid
import zlib
from dataclasses import dataclass

import numpy as np
import requests
from PIL import Image

DATA = pathlib.Path(__file__).parent.parent / "data" / "real"
SECTIONS = sorted(path.name.split(".")[0] for path in DATA.glob("*.json.gz"))
HEADERS = ("Location", "ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin", "Allow")

# sine and cosine of two libraries, and the pixels of JPEGs that two libraries write
_DIGITS = 1e-12
_LEVELS = 12


@dataclass(frozen=True)
class Difference:
    """What differs - status, type, header, json, order, text or pixels - and what was recorded and is answered."""

    aspect: str
    recorded: str
    answered: str


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


class Recording:
    """The exchanges of a section; `about` says for what they hold."""

    def __init__(self, section):
        with gzip.open(DATA / f"{section}.json.gz", "rt", encoding="utf-8") as file:
            document = json.load(file)
        self.section, self.about = section, document["about"]
        pool = document["pool"]
        self.exchanges = document["requests"]
        # longer texts are kept once, and numbers stand for them
        for record in self.exchanges:
            for holder, name in ((record, "body"), (record.get("answer", {}), "text")):
                if isinstance(holder.get(name), int):
                    holder[name] = pool[holder[name]]


def request_line(record):
    """Write the request of an exchange in a line."""
    return f"{record['method']} {record['path']}" + ("?" + record["query"] if "query" in record else "")


class Replay:
    """A recording that is asked for again at a server, for an owner of its own."""

    def __init__(self, recording, server, images):
        self.recording, self.base, self.images = recording, server.url, str(images)
        self.session = server.session()
        # limits of names depend on the length of the owner's
        rest = recording.about["ownerLength"] - len(recording.section) - 2
        self.owner = f"r{(uuid.uuid4().hex * 2)[:rest]}_{recording.section}"

    def __iter__(self):
        """Ask for everything in its order; give the exchanges that are evidence, and their differences."""
        for record in self.recording.exchanges:
            response = self._send(record)
            if record["compare"]:
                yield record, list(self._differences(record, response))

    def _filled(self, text):
        return text.replace("{O}", self.owner).replace("{IMAGES}", self.images)

    def _plain(self, text):
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
        return re.sub(
            r"(Width \(-?\d+\) and height \(-?\d+\)) (?:cannot be <= 0|must be > 0)",
            r"\1 <must be positive>",
            text,
        )

    def _send(self, record):
        data = base64.b64decode(record["bodyBase64"]) if "bodyBase64" in record else None
        if "body" in record:
            data = self._filled(record["body"]).encode()
        request = requests.Request(record["method"], self.base, data=data, headers=record.get("headers"))
        prepared = self.session.prepare_request(request)
        # as it was written: requests would tidy it
        prepared.url = self.base + "/v1" + self._filled(request_line(record).partition(" ")[2])
        return self.session.send(prepared, timeout=60, allow_redirects=False)

    def _headers(self, response):
        found = {name: self._plain(response.headers[name]) for name in HEADERS if response.headers.get(name)}
        if "ETag" in found:
            found["ETag"] = True
        if "Allow" in found:
            found["Allow"] = sorted(method.strip() for method in found["Allow"].split(","))
        return found

    def _differences(self, record, response):
        wanted, aspects = record["answer"], record["compare"]
        old = wanted.get("text", "")
        new = "" if "image" in wanted else self._plain(response.content.decode("utf-8", "replace"))
        if "upTo" in record:
            old, new = (text.split(record["upTo"])[0] for text in (old, new))
        if response.status_code != wanted["status"]:
            text = self._plain(response.text[:300])
            yield Difference("status", f"{wanted['status']} {old[:300]}", f"{response.status_code} {text}")
            return
        if "type" in aspects:
            kinds = [wanted.get("contentType", ""), response.headers.get("Content-Type", "")]
            one, two = (kind.lower().replace(" ", "") for kind in kinds)
            if one != two:
                yield Difference("type", one, two)
        if "headers" in aspects and wanted["status"] < 400:
            one, two = wanted.get("headers", {}), self._headers(response)
            for name in HEADERS:
                if one.get(name) != two.get(name):
                    yield Difference("header", f"{name}: {one.get(name)}", f"{name}: {two.get(name)}")
        if "image" in wanted:
            problem = pictures_differ(wanted["image"], response.content) if "pixels" in aspects else None
            if problem:
                yield Difference("pixels", f"{wanted['image']['length']} bytes", problem)
        elif old != new and "json" in aspects:
            aspect = documents_differ(old, new, aspects, record.get("near", 0.0))
            if aspect:
                yield Difference(aspect, old, new)
        elif old != new and "text" in aspects:
            yield Difference("text", old, new)


# ------------------------------------------------------------------------------ documents


class Number(str):
    """A number of a document, as it was written."""

    __slots__ = ()


def parsed(text):
    return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=Number)


def documents_differ(old, new, aspects, near):
    """Return the aspect in which two documents differ; the order of lists counts if it is one of the aspects."""
    try:
        one, two = parsed(old), parsed(new)
    except ValueError:
        return "json"
    if "own" in aspects:
        # of all owners there are, only the one of the recording
        one, two = ([value for value in owners if value == "{O}"] for owners in (one, two))
    if "order" in aspects:
        if alike(one, two, near):
            return None
        return "order" if alike(unordered(one), unordered(two), near) else "json"
    return None if alike(unordered(one), unordered(two), near) else "json"


def unordered(value):
    """Sort lists of documents and of texts, whose order is the data base's; those of numbers stay."""
    if isinstance(value, dict):
        return {key: unordered(part) for key, part in value.items()}
    if isinstance(value, list):
        value = [unordered(part) for part in value]
        if value and not any(isinstance(part, Number) or part is None for part in value):
            value.sort(key=lambda part: json.dumps(part, sort_keys=True))
    return value


def alike(one, two, near=0.0):
    """Compare two documents: numbers by value, but ``1`` is not ``1.0``."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(alike(one[key], two[key], near) for key in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(alike(part, other, near) for part, other in zip(one, two))
    if not isinstance(one, Number) or one == two:
        return one == two
    x, y = float(one), float(two)
    fractions = [any(sign in number for sign in ".eE") for number in (one, two)]
    close = abs(x - y) <= max(near, _DIGITS * max(1.0, abs(x)))
    return fractions[0] == fractions[1] and (x == y or close or (math.isnan(x) and math.isnan(y)))


# ------------------------------------------------------------------------------ pictures


def pictures_differ(wanted, content):
    """Say what differs in two pictures, or None: files that Pillow does not read are compared by their bytes."""
    if "mode" not in wanted:
        return None if hashlib.sha256(content).hexdigest() == wanted["digest"] else "other bytes"
    with Image.open(io.BytesIO(content)) as image:
        mode, pixels = decoded(image)
        tables = {str(key): list(table) for key, table in getattr(image, "quantization", {}).items()}
    if (mode, list(pixels.shape)) != (wanted["mode"], wanted["shape"]):
        return f"{mode} {list(pixels.shape)}, not {wanted['mode']} {wanted['shape']}"
    if wanted.get("tables") is not None and wanted["tables"] != tables:
        return "other quantisation tables"
    if hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest() == wanted["digest"]:
        return None
    if "file" in wanted:
        with Image.open(io.BytesIO(base64.b64decode(wanted["file"]))) as image:
            old = decoded(image)[1]
        if np.abs(old.astype(int) - pixels).max() <= _LEVELS:
            return None
    elif "data" in wanted:
        old = np.frombuffer(zlib.decompress(base64.b64decode(wanted["data"])), wanted["dtype"])
        off = old.reshape(wanted["shape"]) != pixels
        return f"{np.count_nonzero(off)} values differ, first at {np.argwhere(off)[0].tolist()}"
    return "other pixels"


def decoded(image):
    """Return mode and pixels of a picture, those of 16 bits with the low byte first."""
    pixels = np.array(image)
    return ("I;16", pixels.astype("<u2")) if image.mode.startswith("I;16") else (image.mode, pixels)
