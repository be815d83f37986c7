"""Hierarchical alignment, and what the server computes of tiles and their matches.

Servers of render's branch newsolver have clusters and residuals only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from renderapi.http import transport
from renderapi.http.capabilities import only_of
from renderapi.http.transport import confirmed, decode_json
from renderapi.http.urls import required
from renderapi.render import owner_url, renderaccess, stack_url
from renderapi.utils import get_json, post_json, put_json, rest_delete

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

__all__ = [
    "delete_hierarchical_data",
    "delete_tier_data",
    "get_affine_warp_field_transform",
    "get_affine_warp_field_transform_debug",
    "get_clustered_tilebounds",
    "get_hierarchical_data",
    "get_missing_tier_match_layers",
    "get_missing_tier_match_layers_by_project",
    "get_pair_residuals",
    "set_hierarchical_data",
]

#: What servers of newsolver lack, and what to do there.
_TIER_DATA = (
    "tier data",
    "Delete the stacks and collections of the tiers one by one: renderapi.stack.delete_stack, "
    "renderapi.pointmatch.delete_collection.",
)
_MISSING_LAYERS = (
    "list of missing tier match layers",
    "Compare the layers of the tiers (renderapi.stack.get_z_values_for_stack) with the groups of their matches "
    "(renderapi.pointmatch.get_match_groupIds).",
)
_HIERARCHICAL_DATA = (
    "hierarchical data of stacks",
    "Keep them elsewhere, for instance in the versionNotes of the stack (renderapi.stack.set_stack_metadata).",
)
_WARP_FIELD = (
    "warp field of tiers",
    "There is nothing in its place: ask a server of master.",
)


@renderaccess
@only_of("master", *_TIER_DATA)
def delete_tier_data(
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str:
    """Delete the stacks and collections of all tiers that are made of a project.

    Parameters
    ----------
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    str
        How much was removed.

    Raises
    ------
    EndpointMissingError
        If the server is one of newsolver, which does not have this.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "project", required("project", project), "tierData")
    return transport.decode_text(rest_delete(session, url))


@renderaccess
@only_of("master", *_MISSING_LAYERS)
def get_missing_tier_match_layers(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[float]:
    """List the layers of a stack without matches of their tier.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of float

    Raises
    ------
    NotFoundError
        If there is no such stack.
    EndpointMissingError
        If the server is one of newsolver, which does not have this.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "missingTierMatchLayers")
    answer: list[float] = get_json(session, url)
    return answer


@renderaccess
@only_of("master", *_MISSING_LAYERS)
def get_missing_tier_match_layers_by_project(
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """List the stacks of a project that have layers without matches of their tier.

    Parameters
    ----------
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of dict
        StackWithZValues documents.

    Raises
    ------
    EndpointMissingError
        If the server is one of newsolver, which does not have this.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "project", required("project", project), "missingTierMatchLayers")
    answer: list[dict[str, Any]] = get_json(session, url)
    return answer


@renderaccess
@only_of("master", *_HIERARCHICAL_DATA)
def get_hierarchical_data(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any] | None:
    """Tell the place of a stack in a hierarchical alignment.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict or None
        HierarchicalStack document; None if it has none.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    EndpointMissingError
        If the server is one of newsolver, which does not have this.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "hierarchicalData")
    answer: dict[str, Any] | None = transport.decode_optional(transport.send(session, "GET", url))
    return answer


@renderaccess
@only_of("master", *_HIERARCHICAL_DATA)
def set_hierarchical_data(
    stack: str,
    data: Mapping[str, Any],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Say the place of a stack in a hierarchical alignment.

    Parameters
    ----------
    stack : str
        Stack.
    data : dict
        HierarchicalStack document.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    NotFoundError
        If there is no such stack.
    EndpointMissingError
        If the server is one of newsolver, which does not have this.
    RenderError
        If the server refuses.
    """
    return confirmed(
        put_json(session, stack_url(host, port, owner, project, stack, "hierarchicalData"), dict(data))
    )


@renderaccess
@only_of("master", *_HIERARCHICAL_DATA)
def delete_hierarchical_data(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Forget the place of a stack in a hierarchical alignment.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    NotFoundError
        If there is no such stack.
    EndpointMissingError
        If the server is one of newsolver, which does not have this.
    RenderError
        If the server refuses.
    """
    return confirmed(rest_delete(session, stack_url(host, port, owner, project, stack, "hierarchicalData")))


@renderaccess
@only_of("master", *_WARP_FIELD)
def get_affine_warp_field_transform(
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    consensusRows: int | None = None,
    consensusColumns: int | None = None,
    consensusBuildMethod: str | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the warp field that joins the tiers of a layer.

    Parameters
    ----------
    z : float
        Layer.
    host, port, owner, project, session, render
        Connection.
    consensusRows, consensusColumns : int, optional
        Size of the grid in which sets of matches are joined.
    consensusBuildMethod : str, optional
        How they are joined.

    Returns
    -------
    dict
        Transform document.

    Raises
    ------
    NotFoundError
        If there are no tiers of the layer.
    EndpointMissingError
        If the server is one of newsolver, which does not have this.
    RenderError
        If the server refuses.
    """
    url = owner_url(
        host, port, owner, "project", required("project", project), "z", z, "affineWarpFieldTransform"
    )
    answer: dict[str, Any] = get_json(
        session,
        url,
        params={
            "consensusRows": consensusRows,
            "consensusColumns": consensusColumns,
            "consensusBuildMethod": consensusBuildMethod,
        },
    )
    return answer


@renderaccess
@only_of("master", *_WARP_FIELD)
def get_affine_warp_field_transform_debug(
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    consensusRows: int | None = None,
    consensusColumns: int | None = None,
    consensusBuildMethod: str | None = None,
    **kwargs: Any,
) -> str:
    """Describe how the warp field that joins the tiers of a layer is made.

    Parameters
    ----------
    z : float
        Layer.
    host, port, owner, project, session, render
        Connection.
    consensusRows, consensusColumns : int, optional
        Size of the grid in which sets of matches are joined.
    consensusBuildMethod : str, optional
        How they are joined.

    Returns
    -------
    str

    Raises
    ------
    NotFoundError
        If there are no tiers of the layer.
    EndpointMissingError
        If the server is one of newsolver, which does not have this.
    RenderError
        If the server refuses.
    """
    url = owner_url(
        host, port, owner, "project", required("project", project), "z", z, "affineWarpFieldTransformDebug"
    )
    query = {
        "consensusRows": consensusRows,
        "consensusColumns": consensusColumns,
        "consensusBuildMethod": consensusBuildMethod,
    }
    return transport.decode_text(transport.send(session, "GET", url, params=query))


@renderaccess
def get_clustered_tilebounds(
    stack: str,
    z: float,
    matchCollection: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    matchOwner: str | None = None,
    **kwargs: Any,
) -> list[list[dict[str, Any]]]:
    """List the bounds of the tiles of a layer, by clusters that matches connect.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    matchCollection : str
        Name of the collection.
    host, port, owner, project, session, render
        Connection.
    matchOwner : str, optional
        Owner of the collection; default: that of the stack.

    Returns
    -------
    list of list of dict
        TileBounds documents of each cluster.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(
        host, port, owner, project, stack, "z", z, "clusteredTileBoundsForCollection", matchCollection
    )
    answer: list[list[dict[str, Any]]] = get_json(session, url, params={"matchOwner": matchOwner})
    return answer


@renderaccess
def get_pair_residuals(
    stack: str,
    parameters: Mapping[str, Any],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Have the server measure how far the matched points of a pair of tiles are apart in a stack.

    Parameters
    ----------
    stack : str
        Stack.
    parameters : dict
        ResidualCalculator.InputData document. Servers of newsolver need ``includeDetails``.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        ResidualCalculator.Result document.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "pairResidualCalculation")
    result: dict[str, Any] = decode_json(post_json(session, url, dict(parameters)))
    return result
