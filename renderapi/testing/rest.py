"""Plain requests to a render-ws, as tests make them: no client in between whose mistakes could hide others."""

# ruff: noqa: S101 (asserts are what this is for)
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import requests

ABSENT: Any = object()
JSON = "application/json"


class Rest:
    """Requests to a render-ws on behalf of one owner.

    Paths that begin with ``/`` follow ``/render-ws/v1``; all others follow the path of a stack of `owner` and
    project ``p``, by default the stack ``s``. ``{owner}`` in paths and bodies is replaced by `owner`.

    Parameters
    ----------
    url : str
        Address of the server up to and including ``/render-ws``.
    session : requests.Session
        What sends the requests.
    owner : str
        Owner of all that is made.
    timeout : float
        Seconds after which a request that is not answered is a failure.
    """

    def __init__(self, url: str, session: requests.Session, owner: str, timeout: float = 60.0) -> None:
        self.base = url.rstrip("/") + "/v1"
        self.session = session
        self.owner = owner
        self.timeout = timeout

    def fill(self, value: Any) -> Any:
        """Replace ``{owner}`` in every text of a document.

        Parameters
        ----------
        value : object
            The document.

        Returns
        -------
        object
            A new document.
        """
        if isinstance(value, str):
            return value.replace("{owner}", self.owner)
        if isinstance(value, Mapping):
            return {self.fill(key): self.fill(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.fill(part) for part in value]
        return value

    def url(self, path: str, stack: str = "s") -> str:
        """Return the address of a path.

        Parameters
        ----------
        path, stack
            As for a call of this object.

        Returns
        -------
        str
        """
        if not path.startswith("/"):
            path = f"/owner/{{owner}}/project/p/stack/{stack}/{path}".rstrip("/")
        return self.base + str(self.fill(path))

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = ABSENT,
        *,
        stack: str = "s",
        data: str | bytes | None = None,
        content_type: str | None = JSON,
    ) -> requests.Response:
        """Send a request.

        Parameters
        ----------
        method : str
            Its method.
        path : str
            Where to, with its query.
        body : object, optional
            What is sent as JSON; None is sent as ``null``.
        stack : str
            Stack that a path without leading ``/`` belongs to.
        data : str or bytes, optional
            What is sent as it is.
        content_type : str or None
            Content type of a body.

        Returns
        -------
        requests.Response
            The answer, whatever its status.
        """
        if body is not ABSENT:
            data = json.dumps(self.fill(body))
        if isinstance(data, str):
            data = data.encode()
        headers = {} if data is None or content_type is None else {"Content-Type": content_type}
        return self.session.request(
            method, self.url(path, stack), data=data, headers=headers, timeout=self.timeout
        )

    def get(self, path: str, *, stack: str = "s") -> Any:
        """Get a document, or a text if it is none, that must be there.

        Parameters
        ----------
        path, stack
            As for a call of this object.

        Returns
        -------
        object
        """
        answer = self("GET", path, stack=stack)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        try:
            return answer.json()
        except requests.JSONDecodeError:
            return answer.text

    def ask(self, method: str, path: str, body: Any, *, stack: str = "s") -> Any:
        """Send a document and get another.

        Parameters
        ----------
        method, path, body, stack
            As for a call of this object.

        Returns
        -------
        object
        """
        answer = self(method, path, body, stack=stack)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def send(
        self, method: str, path: str, body: Any = ABSENT, status: int = 200, *, stack: str = "s"
    ) -> None:
        """Change something, to which the answer must have a status and no contents.

        Parameters
        ----------
        method, path, body, stack
            As for a call of this object.
        status : int
            Status that the answer must have. Default 200.
        """
        answer = self(method, path, body, stack=stack)
        assert (answer.status_code, answer.content) == (status, b""), answer.text

    def refused(
        self, method: str, path: str, body: Any = ABSENT, *, stack: str = "s", data: str | None = None
    ) -> tuple[int, str]:
        """Return status and text of a refusal, which must be plain text.

        Parameters
        ----------
        method, path, body, stack, data
            As for a call of this object.

        Returns
        -------
        (int, str)
        """
        answer = self(method, path, body, stack=stack, data=data)
        assert answer.status_code >= 400, (answer.status_code, answer.text)
        assert answer.headers["Content-Type"].startswith("text/plain")
        return answer.status_code, answer.text

    def status(self, method: str, path: str, body: Any = ABSENT, *, stack: str = "s") -> int:
        """Return the status of an answer.

        Parameters
        ----------
        method, path, body, stack
            As for a call of this object.

        Returns
        -------
        int
        """
        return self(method, path, body, stack=stack).status_code

    def create(self, stack: str = "s", **version: Any) -> None:
        """Make a stack, or a new version of it.

        Parameters
        ----------
        stack : str
            Its name. Default ``s``.
        **version : object
            Keys of the StackVersion document.
        """
        self.send("POST", "", version, 201, stack=stack)

    def put_tiles(
        self,
        *tiles: Mapping[str, Any],
        transforms: Iterable[Mapping[str, Any]] = (),
        path: str = "resolvedTiles",
        stack: str = "s",
    ) -> None:
        """Store tiles and shared transforms in a stack.

        Parameters
        ----------
        *tiles : dict
            Tile specs, each with its ``tileId``.
        transforms : iterable of dict
            Shared transforms, each with its ``id``. Default: none.
        path : str
            Where they are put to, below the stack.
        stack : str
            The stack. Default ``s``.
        """
        body = {
            "transformIdToSpecMap": {spec["id"]: spec for spec in transforms},
            "tileIdToSpecMap": {tile["tileId"]: tile for tile in tiles},
        }
        self.send("PUT", path, body, 201, stack=stack)

    def put_pairs(self, *pairs: Mapping[str, Any], collection: str = "c") -> None:
        """Store point matches in a collection.

        Parameters
        ----------
        *pairs : dict
            CanvasMatches documents.
        collection : str
            The collection. Default ``c``.
        """
        self.send("PUT", f"/owner/{{owner}}/matchCollection/{collection}/matches", list(pairs), 201)

    def bring_to(self, state: str, stack: str = "s") -> None:
        """Bring a LOADING stack with tiles to a state.

        Parameters
        ----------
        state : {"LOADING", "COMPLETE", "READ_ONLY", "OFFLINE"}
            The state.
        stack : str
            The stack. Default ``s``.
        """
        steps = [] if state == "LOADING" else ["COMPLETE"] if state == "COMPLETE" else ["COMPLETE", state]
        for step in steps:
            self.send("PUT", f"state/{step}", status=201, stack=stack)

    def clean(self) -> None:
        """Remove every stack and match collection of the owner."""
        for metadata in self.get("/owner/{owner}/stacks"):
            key = metadata["stackId"]
            path = f"/owner/{{owner}}/project/{quote(key['project'])}/stack/{quote(key['stack'])}"
            if metadata["state"] == "READ_ONLY":
                self("PUT", f"{path}/state/COMPLETE")
            self("DELETE", path)
        for collection in self.get("/owner/{owner}/matchCollections"):
            name = collection["collectionId"]["name"]
            self("DELETE", f"/owner/{{owner}}/matchCollection/{quote(name)}")
