"""What the conformance classes share: where the server is, an owner per test, and tables of calls."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import requests

from renderapi.testing.documents import affine, make_tile
from renderapi.testing.rest import ABSENT, JSON, Rest

PROJECT = "/owner/{owner}/project/{project}"
STACK = PROJECT + "/stack/{stack}"
KEY = "stack with owner '{owner}', project 'p', and name 's'"
MISSING = f"{KEY} does not exist"
REF = {"type": "ref", "refId": "x"}

SHARED = affine("1 0 0 1 10 20", id="x")
A = make_tile("a", 1.0, (10.0, 20.0, 110.0, 100.0), specs=[REF])
B = make_tile("b", 1.0, (60.0, 20.0, 160.0, 100.0), specs=[affine("1 0 0 1 60 20")], groupId="g")
C = make_tile("c", 1.5, section="1.5")
RESOLVED_A = {**A, "transforms": {"type": "list", "specList": [SHARED]}}

_Test = TypeVar("_Test", bound=Callable[..., None])


def inferred(test: _Test) -> _Test:
    """Say of a test that its rule was inferred from the parts of render-ws, and not seen; see the plugin."""
    test.__dict__["render_inferred"] = True
    return test


def configurable(test: _Test) -> _Test:
    """Say of a test that it depends on the configuration of a server, or on being its only user."""
    test.__dict__["render_configurable"] = True
    return test


def superset(test: _Test) -> _Test:
    """Say of a test that a full render-ws fails it: it answers less there."""
    test.__dict__["render_superset"] = True
    return test


def of_master(test: _Test) -> _Test:
    """Say of a test that a server of render's branch newsolver answers otherwise."""
    test.__dict__["render_master"] = True
    return test


@dataclass(frozen=True)
class Call:
    """A request to an endpoint, and its answer, when the stack ``s`` holds the tiles a, b and c.

    `gives` is the document or text of the answer, None for no contents, a pattern of the whole text, or a function
    of the document and the owner that says whether it is right.
    """

    method: str
    path: str
    gives: Any = None
    body: Any = ABSENT
    status: int = 200
    where: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    text: str | None = None
    state: str = "LOADING"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def filled_path(self) -> str:
        """The path with a value for each variable but the owner."""
        values = {"project": "p", "stack": "s", "owner": "{owner}", **self.where}
        return self.path.format(**values) + self.query


def has(*parts: Any) -> Callable[[Any, str], bool]:
    """Expect a list that has some elements, whatever else there may be on the server."""
    return lambda found, owner: all(
        (part.replace("{owner}", owner) if isinstance(part, str) else part) in found for part in parts
    )


def keys(*names: str) -> Callable[[Any, str], bool]:
    """Expect a document with these keys and no others."""
    return lambda found, owner: set(found) == set(names)


def check(api: Rest, call: Call) -> None:
    """Make a call and compare its answer."""
    options: dict[str, Any] = {} if call.text is None else {"data": call.text, "content_type": "text/plain"}
    if call.text is not None and call.path.endswith("defaultChannel"):
        options["content_type"] = JSON
    answer = api(call.method, call.filled_path, call.body, **options)
    assert answer.status_code == call.status, answer.text
    expected = api.fill(call.gives)
    if expected is None:
        assert answer.content == b""
    elif isinstance(expected, str):
        assert answer.text == expected
    elif isinstance(expected, re.Pattern):
        assert expected.fullmatch(answer.text)
    elif callable(expected):
        assert expected(answer.json(), api.owner), answer.text
    else:
        assert answer.json() == expected


def rows(*values: Sequence[Any], names: str) -> pytest.MarkDecorator:
    """Make a parametrised test of rows whose first value is the name of the row."""
    return pytest.mark.parametrize(names, [pytest.param(*row[1:], id=str(row[0])) for row in values])


class ServiceConformance:
    """Base of all conformance classes: fixtures that say where the server is and clean up behind every test.

    Subclasses override `render_url`, and `http` if the server cannot be reached by a plain session.
    """

    @pytest.fixture
    def render_url(self) -> str:
        """Return the address of the server, such as ``http://localhost:8080/render-ws``; to be overridden."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say where the server is: give it a fixture render_url"
        )

    @pytest.fixture
    def http(self) -> Iterator[requests.Session]:
        """Return what sends the requests."""
        with requests.Session() as session:
            yield session

    @pytest.fixture
    def api(self, render_url: str, http: requests.Session) -> Iterator[Rest]:
        """Return requests of an owner who has nothing yet; what is made is removed afterwards."""
        api = Rest(render_url, http, f"conformance_{uuid.uuid4().hex[:12]}")
        try:
            yield api
        finally:
            api.clean()

    @pytest.fixture
    def loading(self, api: Rest) -> Rest:
        """Return an empty stack."""
        api.create()
        return api

    @pytest.fixture
    def stack(self, loading: Rest) -> Rest:
        """Return a stack with a shared transform, x, and tiles: a and b overlap at z 1, c is at z 1.5."""
        loading.put_tiles(A, B, C, transforms=[SHARED])
        return loading
