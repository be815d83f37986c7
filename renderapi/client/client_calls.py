"""The Java clients of render, one function per client (re-exports; they live in `calls`).

Each function runs ``run_ws_client.sh MEMORY CLASS OPTIONS...`` of the client scripts that are configured
(``connect(client_scripts=...)``, ``RENDER_CLIENT_SCRIPTS``). Options that were not given are left to Java.
Those with the parameter ``engine`` do the same work in Python where no script is configured.
All of them take, beside what is their own:

host, port, owner, project, render
    Connection.
client_script, memGB
    Script to run and memory for Java (``"2G"``), where they differ from those of the connection.
subprocess_mode, stdout, stderr, timeout
    How the script is run: see `run_subprocess_mode`.

and raise `ClientScriptError`, with the end of what Java printed, when the client fails or no client script is
configured, and `ClientArgumentError` (also a `ValueError`) before Java is started for an argument that it
would not understand or that the script would change.
"""

from __future__ import annotations

import logging

from renderapi.client.calls.coordinates import coordinateClient
from renderapi.client.calls.images import renderClient, rendererClient, renderSectionClient
from renderapi.client.calls.pairs import get_canvas_url_template, pointMatchClient, tilePairClient
from renderapi.client.calls.stacks import (
    importJsonClient,
    importTransformChangesClient,
    transformSectionClient,
)
from renderapi.client.checks import ClientArgumentError
from renderapi.client.java.arguments import call_run_ws_client, get_param
from renderapi.client.java.script import run_subprocess_mode
from renderapi.client.params import ArgumentParameters, SiftPointMatchOptions
from renderapi.client.utils import renderclientaccess
from renderapi.errors import ClientScriptError
from renderapi.render import Render, RenderClient, format_baseurl, format_preamble
from renderapi.stack import make_stack_params, set_stack_state
from renderapi.utils import NullHandler

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "ArgumentParameters",
    "ClientArgumentError",
    "ClientScriptError",
    "NullHandler",
    "Render",
    "RenderClient",
    "SiftPointMatchOptions",
    "call_run_ws_client",
    "coordinateClient",
    "format_baseurl",
    "format_preamble",
    "get_canvas_url_template",
    "get_param",
    "importJsonClient",
    "importTransformChangesClient",
    "logger",
    "make_stack_params",
    "pointMatchClient",
    "renderClient",
    "renderSectionClient",
    "renderclientaccess",
    "rendererClient",
    "run_subprocess_mode",
    "set_stack_state",
    "tilePairClient",
    "transformSectionClient",
]
