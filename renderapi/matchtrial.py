"""Match trials: matches of one pair of images, found by the server with parameters that are tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from renderapi.http.transport import confirmed, decode_json
from renderapi.render import owner_url, renderaccess
from renderapi.utils import get_json, post_json, rest_delete

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

__all__ = [
    "delete_match_trial",
    "get_match_trial",
    "run_match_trial",
]


@renderaccess
def get_match_trial(
    trialId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get a match trial.

    Parameters
    ----------
    trialId : str
        Its id.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    dict
        MatchTrial document.

    Raises
    ------
    NotFoundError
        If there is no such trial.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchTrial", trialId)
    answer: dict[str, Any] = get_json(session, url)
    return answer


@renderaccess
def run_match_trial(
    parameters: Mapping[str, Any],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Find matches of one pair of images with given parameters, and keep what was found.

    Parameters
    ----------
    parameters : dict
        MatchTrialParameters document: ``pRenderParametersUrl``, ``qRenderParametersUrl``,
        ``featureAndMatchParameters`` ...
    host, port, owner, session, render
        Connection.

    Returns
    -------
    dict
        MatchTrial document with its ``id``.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchTrial")
    trial: dict[str, Any] = decode_json(post_json(session, url, dict(parameters)))
    return trial


@renderaccess
def delete_match_trial(
    trialId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete a match trial.

    Parameters
    ----------
    trialId : str
        Its id.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    RenderError
        If the server refuses.
    """
    return confirmed(rest_delete(session, owner_url(host, port, owner, "matchTrial", trialId)))
