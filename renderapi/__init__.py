"""renderapi: the Python side of render-ws, the server of tile specs and point matches for volume EM.

Start with `renderapi.connect` for a server that runs, with ``renderapi.server.serve_background`` for one of
your own, or with ``renderapi demo`` in a terminal.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

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

if _TYPE_CHECKING:
    from renderapi import align as align
    from renderapi import geometry as geometry
    from renderapi import match as match
    from renderapi import plot as plot
    from renderapi import rendering as rendering
    from renderapi import schemas as schemas
    from renderapi import server as server
    from renderapi import solve as solve
    from renderapi import tables as tables
    from renderapi import transfer as transfer
    from renderapi import viewing as viewing
    from renderapi.viewing import view as view

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


# what most programs do without loads when it is first named
_WHEN_NAMED = (
    "align",
    "geometry",
    "match",
    "plot",
    "rendering",
    "schemas",
    "server",
    "tables",
    "transfer",
    "solve",
    "viewing",
)
# functions, and the rooms that they are in
_FUNCTIONS_WHEN_NAMED = {"view": "viewing"}


def __dir__() -> list[str]:
    return sorted([*__all__, *_WHEN_NAMED, *_FUNCTIONS_WHEN_NAMED])


def __getattr__(name: str) -> _Any:
    if name in _WHEN_NAMED:
        return _import_module(f"{__name__}.{name}")
    if name in _FUNCTIONS_WHEN_NAMED:
        return getattr(_import_module(f"{__name__}.{_FUNCTIONS_WHEN_NAMED[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
