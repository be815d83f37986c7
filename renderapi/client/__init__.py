"""Bulk work: importing tiles, and whatever else the Java command line clients do.

Where client scripts are configured (``connect(client_scripts=...)``) these functions run them; where they are
not, they do the same work in Python, images included. ``engine=`` chooses. `client_calls`
has one function for each Java client, `params` their groups of options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from renderapi.client import client, client_calls, params, utils
from renderapi.client.checks import ClientArgumentError
from renderapi.client.client import (
    import_jsonfiles,
    import_jsonfiles_and_transforms_parallel_by_z,
    import_jsonfiles_parallel,
    import_jsonfiles_validate_client,
    import_single_json_file,
    import_tilespecs,
    import_tilespecs_parallel,
    local_to_world_array,
    materialize_renderparameters_image,
    materialize_tilespec_image,
    render_renderparameters,
    render_tilespec,
    world_to_local_array,
)
from renderapi.client.client_calls import (
    call_run_ws_client,
    coordinateClient,
    get_canvas_url_template,
    importJsonClient,
    importTransformChangesClient,
    pointMatchClient,
    renderClient,
    rendererClient,
    renderSectionClient,
    run_subprocess_mode,
    tilePairClient,
    transformSectionClient,
)
from renderapi.client.importing import check_jsonfiles
from renderapi.client.params import (
    ArgumentParameters,
    FeatureExtractionParameters,
    MatchDerivationParameters,
    SiftPointMatchOptions,
)
from renderapi.client.utils import renderclientaccess
from renderapi.errors import ClientScriptError

if TYPE_CHECKING:
    from renderapi.client.client import WithPool

__all__ = [
    "ArgumentParameters",
    "ClientArgumentError",
    "ClientScriptError",
    "FeatureExtractionParameters",
    "MatchDerivationParameters",
    "SiftPointMatchOptions",
    "WithPool",
    "call_run_ws_client",
    "check_jsonfiles",
    "client",
    "client_calls",
    "coordinateClient",
    "get_canvas_url_template",
    "importJsonClient",
    "importTransformChangesClient",
    "import_jsonfiles",
    "import_jsonfiles_and_transforms_parallel_by_z",
    "import_jsonfiles_parallel",
    "import_jsonfiles_validate_client",
    "import_single_json_file",
    "import_tilespecs",
    "import_tilespecs_parallel",
    "local_to_world_array",
    "materialize_renderparameters_image",
    "materialize_tilespec_image",
    "params",
    "pointMatchClient",
    "renderClient",
    "renderSectionClient",
    "render_renderparameters",
    "render_tilespec",
    "renderclientaccess",
    "rendererClient",
    "run_subprocess_mode",
    "tilePairClient",
    "transformSectionClient",
    "utils",
    "world_to_local_array",
]


def __getattr__(name: str) -> Any:
    if name == "WithPool":
        return client.WithPool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
