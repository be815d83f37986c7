"""Bulk work of the client under its old name (re-exports; see `renderapi.client`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from renderapi.client.calls.arrays import (
    local_to_world_array,
    materialize_renderparameters_image,
    materialize_tilespec_image,
    render_renderparameters,
    render_tilespec,
    world_to_local_array,
)
from renderapi.client.client_calls import (
    call_run_ws_client,
    importJsonClient,
    renderClient,
    rendererClient,
)
from renderapi.client.importing import (
    import_jsonfiles,
    import_jsonfiles_and_transforms_parallel_by_z,
    import_jsonfiles_parallel,
    import_jsonfiles_validate_client,
    import_single_json_file,
    import_tilespecs,
    import_tilespecs_parallel,
    logger,
)
from renderapi.client.utils import renderclientaccess
from renderapi.render import renderaccess
from renderapi.resolvedtiles import put_tilespecs
from renderapi.stack import make_stack_params, set_stack_state
from renderapi.utils import NullHandler, renderdump_temp

if TYPE_CHECKING:
    from renderapi.external.processpools.stdlib_pool import WithMultiprocessingPool
    from renderapi.external.processpools.stdlib_pool import WithMultiprocessingPool as WithPool

__all__ = [
    "NullHandler",
    "WithMultiprocessingPool",
    "WithPool",
    "call_run_ws_client",
    "importJsonClient",
    "import_jsonfiles",
    "import_jsonfiles_and_transforms_parallel_by_z",
    "import_jsonfiles_parallel",
    "import_jsonfiles_validate_client",
    "import_single_json_file",
    "import_tilespecs",
    "import_tilespecs_parallel",
    "local_to_world_array",
    "logger",
    "make_stack_params",
    "materialize_renderparameters_image",
    "materialize_tilespec_image",
    "put_tilespecs",
    "renderClient",
    "render_renderparameters",
    "render_tilespec",
    "renderaccess",
    "renderclientaccess",
    "renderdump_temp",
    "rendererClient",
    "set_stack_state",
    "world_to_local_array",
]


def __getattr__(name: str) -> Any:
    # multiprocessing.pool loads when a pool is first asked for; a program may also set these names itself
    if name in ("WithMultiprocessingPool", "WithPool"):
        from renderapi.external.processpools import stdlib_pool

        return stdlib_pool.WithMultiprocessingPool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
