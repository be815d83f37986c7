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
        ``featureAndMatchParameters`` ... The query of the first URL says how both tiles are drawn; of p and q the
        lesser id is p.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    dict
        MatchTrial document with its ``id``: ``parameters`` with defaults filled in, ``matches`` (``p``, ``q`` and ``w``
        of each set, in pixels at full scale; empty if the two are not connected) and ``stats``.

    Raises
    ------
    RenderError
        If the server refuses: a tile that is not there, parameters out of range, matches that determine no affine
        transform (400); no largest error (500). The embedded server also refuses what would take too much (400),
        geometric descriptors, and all of it where OpenCV is missing (501).

    Examples
    --------
    >>> derivation = {"matchModelType": "RIGID", "matchMaxEpsilonFullScale": 5}
    >>> how = {"siftFeatureParameters": {"maxScale": 1}, "matchDerivationParameters": derivation}
    >>> tile = "http://here:8080/render-ws/v1/owner/me/project/p/stack/raw/tile/{}/render-parameters?scale=0.5"
    >>> parameters = {
    ...     "featureAndMatchParameters": how,
    ...     "pRenderParametersUrl": tile.format("a"),
    ...     "qRenderParametersUrl": tile.format("b"),
    ... }
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
