"""Requests to a server without sockets, and documents to send to it."""

import contextlib
import json
import os
import subprocess
import sys
import time

import pytest

from renderapi.server import create_app

BASE = "/render-ws/v1"
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"


def wait_until(condition, seconds=20):
    """Wait for something that a thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.005)


class Api:
    """Requests to an application, relative to the stack ``o``, ``p``, ``s`` unless the path begins with /."""

    def __init__(self, store, **options):
        self.store = store
        self.app = create_app(store, **options)
        self.client = self.app.test_client()

    @staticmethod
    def url(path, stack="s"):
        return BASE + (
            path if path.startswith("/") else f"/owner/o/project/p/stack/{stack}/{path}".rstrip("/")
        )

    def __call__(self, method, path, body=None, **options):
        if "data" not in options and body is not None:
            options["data"] = json.dumps(body)
            options.setdefault("content_type", "application/json")
        return self.client.open(self.url(path, options.pop("stack", "s")), method=method, **options)

    def get(self, path, **options):
        answer = self("GET", path, **options)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json if answer.is_json else answer.text

    def refused(self, method, path, body=None, **options):
        """Return status and text of a refusal."""
        answer = self(method, path, body, **options)
        assert answer.status_code >= 400, (answer.status_code, answer.text)
        assert answer.headers["Content-Type"] == "text/plain;charset=UTF-8"
        return answer.status_code, answer.text

    def send(self, method, path, body=None, status=200, **options):
        answer = self(method, path, body, **options)
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.data == b""
        return answer

    def create(self, stack="s", **version):
        self.send("POST", "", version, 201, stack=stack)

    def put_tiles(self, *tiles, transforms=(), path="resolvedTiles", stack="s"):
        body = {
            "transformIdToSpecMap": {spec["id"]: spec for spec in transforms},
            "tileIdToSpecMap": {tile["tileId"]: tile for tile in tiles},
        }
        return self.send("PUT", path, body, 201, stack=stack)

    def state(self, state, stack="s"):
        return self.send("PUT", f"state/{state}", status=201, stack=stack)

    def in_state(self, state, *tiles, stack="s"):
        """Make a stack with a tile in some state."""
        self.create(stack)
        self.put_tiles(*(tiles or [make_tile()]), stack=stack)
        if state != "LOADING":
            self.state("COMPLETE", stack)
            if state != "COMPLETE":
                self.state(state, stack)


def make_tile(tile_id="t", z=1.0, box=(0.0, 0.0, 100.0, 80.0), section="1.0", specs=(), **more):
    """Make a tile spec whose box need not be derived."""
    tile = {
        "tileId": tile_id,
        "layout": {"sectionId": section},
        "z": z,
        **dict(zip(("minX", "minY", "maxX", "maxY"), box)),
        "width": 100.0,
        "height": 80.0,
        "mipmapLevels": {"0": {"imageUrl": f"file:/images/{tile_id}.png"}},
        "transforms": {"type": "list", "specList": list(specs)},
        "meshCellSize": 64.0,
    }
    if section is None:
        del tile["layout"]
    tile.update(more)
    return {key: value for key, value in tile.items() if value is not None}


def affine(data="1 0 0 1 0 0", **more):
    """Make an affine transform."""
    return {"type": "leaf", **more, "className": AFFINE, "dataString": data}


@contextlib.contextmanager
def small_disk(folder, size):
    """Make a folder a disk of its own, of so many bytes."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(command, check=False).returncode:
        pytest.skip("only root of a Linux machine may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
