"""How an endpoint is declared, and what its handler is given and gives back.

A service module makes a `Service` and declares its endpoints with the path templates of render-ws::

    @service.get(STACK + "/zValues", query={"minZ": double, "maxZ": double})
    def z_values(server, stack, minZ, maxZ):
        ...

The handler gets the server's `Context`, then by keyword the path variables - ``owner``, ``project`` and
``stack`` folded into one `StackKey`, ``owner`` and ``matchCollection`` into one `CollectionKey` - the
query values, and, if the endpoint has one, the ``body``. The declarations are also what the API
description is made of.

Libraries that take parameters out of requests and describe them (connexion, webargs with apispec, flask-smorest)
were looked at: their numbers are Python's, which refuse Java's ``1d`` and take its ``1_0``, a bad one is a 400 or 422
with a body of their own, where render-ws says 404 in its words, or 400, or 500; they describe OpenAPI 3, and
render-ws Swagger 2.0. With types, refusals and description replaced, nothing would be left of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from renderapi import _json
from renderapi.server.documents.values import boolean_of_text, double_of_text, integer_of_text
from renderapi.server.endpoints.drawing import Drawing
from renderapi.server.endpoints.refusals import Refusal

if TYPE_CHECKING:
    from renderapi.server.store.database import Store

OWNER = "/owner/{owner}"
PROJECT = OWNER + "/project/{project}"
STACK = PROJECT + "/stack/{stack}"
COLLECTION = OWNER + "/matchCollection/{matchCollection}"

JSON = "application/json"
TEXT = "text/plain"
# of a body that is decoded at a time, which takes some milliseconds
_PART = 1 << 19
_BETWEEN = re.compile(rb"\}\s*,\s*\{")


@dataclass(frozen=True)
class Context:
    """What every handler may use.

    Attributes
    ----------
    store : Store
        The database.
    drawing : Drawing
        What draws images, and knows the folders whose files may be opened when a client names them.
    properties : dict of str to str
        Answer of ``serverProperties``.
    filter_lists : dict of str to list
        Named filter lists.
    """

    store: Store
    drawing: Drawing = field(default_factory=Drawing)
    properties: Mapping[str, str] = field(default_factory=dict)
    filter_lists: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def newsolver(self) -> bool:
        """Whether render's branch newsolver is followed where it contradicts master."""
        return self.drawing.compat == "newsolver"

    @property
    def most_tiles(self) -> int:
        """Most tiles of an answer."""
        return 500_001 if self.newsolver else 50_001


@dataclass(frozen=True)
class Answer:
    """A successful answer; ``content`` is bytes, or an iterable of bytes that is sent as it is made."""

    content: bytes | Iterable[bytes] = b""
    kind: str | None = None
    status: int = 200


OK = Answer()
CREATED = Answer(status=201)
ABSENT = Answer(status=204)


def json_bytes(content: bytes | Iterable[bytes]) -> Answer:
    """Answer JSON that is written already."""
    return Answer(content, JSON)


def json_of(document: Any) -> Answer:
    """Answer a document."""
    return Answer(_json.dumps(document), JSON)


def text_of(text: str, status: int = 200) -> Answer:
    """Answer plain text."""
    return Answer(text.encode("utf-8", "replace"), TEXT, status)


def array_of(parts: Iterable[bytes]) -> Answer:
    """Answer a JSON array of documents that are written already."""
    return Answer(b"[" + b",".join(parts) + b"]", JSON)


@dataclass(frozen=True)
class Query:
    """The rule of one query parameter; ``word`` is its type in the API description.

    One that only render's branch newsolver knows is `newer`: it is always taken, for nobody else sends it, but
    described as part of that branch only.
    """

    word: str
    parse: Callable[[str], Any]
    many: bool = False
    default: Any = None
    newer: bool = False

    def read(self, name: str, values: list[str]) -> Any:
        """Read the values of a request: a word that cannot be converted is a 404, as in render-ws."""
        if not values and not self.many:
            return self.default
        try:
            if self.many:
                return [self.parse(value) for value in values]
            return self.parse(values[0])
        except ValueError:
            raise Refusal(
                404, f"Unable to convert the value '{values[0]:.100}' of {name} to {self.word}"
            ) from None


double = Query("number", double_of_text)
integer = Query("integer", integer_of_text)
boolean = Query("boolean", boolean_of_text)
false_by_default = Query("boolean", boolean_of_text, default=False)
string = Query("string", str)
doubles = Query("number", double_of_text, many=True)
strings = Query("string", str, many=True)


def enumeration(*words: str, default: str | None = None) -> Query:
    """Make the rule of a parameter that is one of some words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Query("string", parse, default=default)


def newer(rule: Query) -> Query:
    """Make the rule of a parameter that only render's branch newsolver knows."""
    return replace(rule, newer=True)


@dataclass(frozen=True)
class Endpoint:
    """One method of one path.

    Attributes
    ----------
    path : str
        Template below ``/render-ws/v1``, with variables as ``{name}``, ``{name:double}``, ``{name:int}`` or
        ``{name:state}``.
    takes : str or None
        Content type of the body; None where there is none. ``*/*`` takes any.
    raw : bool
        Give the handler the body as text; a body of JSON is decoded otherwise.
    decodes : callable
        What decodes a body of JSON.
    name_status : int
        Status of the refusal of an illegal owner, project or stack.
    of_stack : bool
        The answer is good for an hour, and for as long as the stack is not modified: it has an ``ETag``, and
        who has it already gets 304. The stack must be there (404) before anything else is looked at.
    branch : str or None
        Branch of render that alone has it. What master has is gone with newsolver; what newsolver has is
        always served, and described as part of that branch only.
    """

    method: str
    path: str
    handler: Callable[..., Answer]
    query: Mapping[str, Query]
    takes: str | None
    gives: str | None
    name_status: int
    raw: bool
    of_stack: bool
    branch: str | None
    decodes: Callable[[bytes], Any]

    def is_part_of(self, branch: str) -> bool:
        """Tell whether a branch of render has it."""
        return self.branch in (None, branch)

    @property
    def summary(self) -> str:
        """First line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]

    @property
    def variables(self) -> list[tuple[str, str]]:
        """Names and types of the path variables."""
        return [(name, kind or "string") for name, kind in re.findall(r"{(\w+):?(\w*)}", self.path)]


class Service:
    """The endpoints of one service of render-ws."""

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self.description = description
        self.endpoints: list[Endpoint] = []

    def _declare(
        self,
        method: str,
        path: str,
        query: Mapping[str, Query] | None = None,
        takes: str | None = None,
        gives: str | None = None,
        name_status: int = 400,
        raw: bool = False,
        of_stack: bool = False,
        branch: str | None = None,
        decodes: Callable[[bytes], Any] | None = None,
    ) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
        def declare(handler: Callable[..., Answer]) -> Callable[..., Answer]:
            raw_body = raw or takes not in (None, JSON)
            endpoint = Endpoint(
                method,
                path,
                handler,
                query or {},
                takes,
                gives,
                name_status,
                raw_body,
                of_stack,
                branch,
                decodes or decode,
            )
            self.endpoints.append(endpoint)
            return handler

        return declare

    def get(self, path: str, gives: str = JSON, **options: Any) -> Callable[..., Any]:
        """Declare a GET."""
        return self._declare("GET", path, gives=gives, **options)

    def put(self, path: str, takes: str | None = JSON, **options: Any) -> Callable[..., Any]:
        """Declare a PUT."""
        return self._declare("PUT", path, takes=takes, **options)

    def post(self, path: str, takes: str | None = JSON, **options: Any) -> Callable[..., Any]:
        """Declare a POST."""
        return self._declare("POST", path, takes=takes, **options)

    def delete(self, path: str, **options: Any) -> Callable[..., Any]:
        """Declare a DELETE."""
        return self._declare("DELETE", path, **options)


def _refuse_constant(token: str) -> NoReturn:
    raise ValueError(f"Non-standard token '{token}'")


def _in_parts(content: bytes, loads: Callable[[bytes], Any]) -> Any:
    """Decode JSON, a long array of objects a part at a time, so that other threads have turns in between.

    What stands before a comma is cut off if that is an array by itself: a comma inside of a string, or of
    another array, would leave it open.
    """
    if len(content) < 2 * _PART or not content.startswith(b"["):
        return loads(content)
    found: list[Any] = []
    start = 1
    with suppress(ValueError, RecursionError):
        while cut := _BETWEEN.search(content, start + _PART):
            found += loads(b"[" + content[start : cut.start() + 1] + b"]")
            start = cut.end() - 1
        return found + loads(b"[" + content[start:])
    return loads(content)


def decode(content: bytes) -> Any:
    """Decode a JSON body; nothing at all is None.

    Raises
    ------
    Refusal
        400 if it is not JSON, which a bare ``NaN`` is not.
    """
    if not content.strip():
        return None
    try:
        # lenient readers take these tokens; inside of strings they are harmless
        if b"NaN" in content or b"Infinity" in content:
            return _in_parts(content, partial(json.loads, parse_constant=_refuse_constant))
        return _in_parts(content, _json.loads)
    except (ValueError, RecursionError) as problem:
        # what comes after a document is not looked at
        with suppress(ValueError, RecursionError):
            found, _ = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(content.decode().strip())
            if isinstance(found, (dict, list)):
                return found
        raise Refusal(400, f"Cannot read the body as JSON: {problem}") from None
