"""The API description at ``/render-ws/swagger.json``, made from the declared endpoints (Swagger 2.0)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from renderapi import _json
from renderapi._version import __version__
from renderapi.server.documents.stacks import STATES
from renderapi.server.endpoints.declaring import JSON, Endpoint, Service

_PATH_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "double": {"type": "number", "format": "double"},
    "int": {"type": "integer", "format": "int32"},
    "state": {"type": "string", "enum": list(STATES)},
}
_FILES = ("image/jpeg", "image/png", "image/tiff", "application/octet-stream")
_QUERY_FORMATS = {"number": "double", "integer": "int32"}


def swagger(base: str, version: str, services: Iterable[Service], branch: str) -> bytes:
    """Describe the endpoints of services.

    Parameters
    ----------
    base : str
        Path of the application.
    version : str
        Path that all endpoints begin with, below `base`. It is part of every path, as it is in the description
        of a Java render-ws, which programs such as Neuroglancer read.
    services : iterable of Service
        What is served.
    branch : {"master", "newsolver"}
        Branch of render whose endpoints and parameters are described, by which clients tell which it is.

    Returns
    -------
    bytes
        A Swagger 2.0 document as JSON.
    """
    paths: dict[str, dict[str, Any]] = {}
    tags = []
    for service in services:
        tags.append({"name": service.name, "description": service.description})
        for endpoint in service.endpoints:
            if not endpoint.is_part_of(branch):
                continue
            path = endpoint.path
            for name, kind in endpoint.variables:
                path = path.replace(f"{{{name}:{kind}}}", f"{{{name}}}")
            paths.setdefault(version + path, {})[endpoint.method.lower()] = _operation(
                service, endpoint, branch
            )
    return _json.dumps(
        {
            "swagger": "2.0",
            "info": {"title": "render-ws (embedded server of renderapi)", "version": __version__},
            "basePath": base,
            "tags": tags,
            "paths": paths,
        }
    )


def _operation(service: Service, endpoint: Endpoint, branch: str) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, **_PATH_TYPES[kind]}
        for name, kind in endpoint.variables
    ]
    for name, rule in endpoint.query.items():
        if rule.newer and branch != "newsolver":
            continue
        kind: dict[str, Any] = {"type": rule.word}
        if rule.word in _QUERY_FORMATS:
            kind["format"] = _QUERY_FORMATS[rule.word]
        if rule.many:
            kind = {"type": "array", "items": kind, "collectionFormat": "multi"}
        parameters.append({"name": name, "in": "query", "required": False, **kind})
    operation: dict[str, Any] = {"tags": [service.name], "summary": endpoint.summary}
    if endpoint.takes is not None:
        parameters.append({"name": "body", "in": "body", "required": True, "schema": {}})
        operation["consumes"] = [endpoint.takes]
    if endpoint.gives is not None:
        operation["produces"] = [endpoint.gives]
    operation["parameters"] = parameters
    operation["responses"] = {
        "default": {"description": "plain text tells what is wrong unless it succeeded"}
    }
    if endpoint.gives == JSON:
        operation["responses"]["200"] = {"description": "success", "schema": {}}
    elif endpoint.gives in _FILES:
        operation["responses"]["200"] = {"description": "an image", "schema": {"type": "file"}}
    if endpoint.of_stack:
        operation["responses"]["304"] = {"description": "the stack was not modified since If-None-Match"}
    return operation
