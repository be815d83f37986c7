"""renderapi: the Python side of render-ws, the server of tile specs and point matches for volume EM.

Start with `renderapi.connect` for a server that runs, with ``renderapi.server.serve_background`` for one of
your own, or with ``renderapi demo`` in a terminal.
"""

from importlib import import_module
from typing import Any

from renderapi import (
    channel,
    client,
    coordinate,
    errors,
    external,
    image,
    image_pyramid,
    layout,
    pointmatch,
    render,
    resolvedtiles,
    stack,
    tilespec,
    transform,
    utils,
)
from renderapi._version import __version__
from renderapi.render import Render, connect

__all__ = [
    "Render",
    "__version__",
    "channel",
    "client",
    "connect",
    "coordinate",
    "errors",
    "external",
    "image",
    "image_pyramid",
    "layout",
    "pointmatch",
    "render",
    "resolvedtiles",
    "stack",
    "tilespec",
    "transform",
    "utils",
]


def __getattr__(name: str) -> Any:
    # what most programs do without loads when it is first named
    if name in ("rendering", "schemas", "server"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
