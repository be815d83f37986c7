"""A render-ws of one's own, in Python: no Java, no MongoDB, nothing to install beside this package.

`serve_background` starts one beside a program, `serve` runs one until it is interrupted, and `create_app`
builds the WSGI application over a `Store` for any other way of running it. It is meant for laptops,
notebooks, tests and small data; docs/server.rst says what it does and does not do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from renderapi._extras import install_line

if TYPE_CHECKING:
    from renderapi.server.http.app import create_app
    from renderapi.server.http.running import BackgroundServer, ListenError, serve, serve_background
    from renderapi.server.store.database import Store, StoreError

__all__ = [
    "BackgroundServer",
    "ListenError",
    "Store",
    "StoreError",
    "create_app",
    "serve",
    "serve_background",
]

# flask and waitress are loaded by the one who uses them
_HOMES = {
    "BackgroundServer": "http.running",
    "ListenError": "http.running",
    "serve": "http.running",
    "serve_background": "http.running",
    "create_app": "http.app",
    "Store": "store.database",
    "StoreError": "store.database",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as missing:
        if missing.name in ("flask", "waitress", "werkzeug"):
            raise ModuleNotFoundError(
                f"renderapi.server needs {missing.name}: {install_line('server')}",
                name=missing.name,
            ) from missing
        raise
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
