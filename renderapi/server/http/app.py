"""The WSGI application: the endpoints of all services over one store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, unquote_to_bytes

from flask import Flask, Response, current_app, g, redirect, request, send_from_directory
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import BaseConverter, Map, Rule, ValidationError

from renderapi.errors import SpecError
from renderapi.server.documents.java_order import as_hash_set
from renderapi.server.documents.keys import CollectionKey, StackKey
from renderapi.server.documents.problems import Problem
from renderapi.server.documents.stacks import STATES
from renderapi.server.documents.values import double_of_text, integer_of_text
from renderapi.server.endpoints import turns
from renderapi.server.endpoints.collecting import reading
from renderapi.server.endpoints.declaring import JSON, TEXT, Answer, Context, Endpoint, Service
from renderapi.server.endpoints.drawing import CACHE_BYTES, MAX_PIXELS, Drawing
from renderapi.server.endpoints.refusals import Refusal, status_of
from renderapi.server.http.openapi import swagger
from renderapi.server.http.protocol import check_accept, tidy_path
from renderapi.server.http.visitors import Visitors
from renderapi.server.services import (
    configuration,
    coordinates,
    hierarchical,
    images,
    layout_file,
    stacks,
    tiles,
    trials,
    validation,
)
from renderapi.server.store import metadata
from renderapi.server.store.database import DamagedError, Store, StoreError, is_database_problem, is_full

logger = logging.getLogger("renderapi.server")

ROOT = "/render-ws"
VERSION = "/v1"
BASE = ROOT + VERSION
MAX_BODY = 1 << 30
PAGES = Path(__file__).parents[1] / "dashboard"

SERVICES: tuple[Service, ...] = (
    stacks.service,
    layout_file.service,  # RenderDataService, to which layers, layout_file and tiles add their endpoints
    tiles.service,
    coordinates.service,
    trials.service,  # MatchService, to which matches and trials add their endpoints
    hierarchical.service,
    validation.service,
    configuration.service,
    *images.services,
)

# seconds for which an image is good
_MAX_AGE = 3600
_TEXT_UTF8 = f"{TEXT};charset=UTF-8"
_FLASK_TYPES = {"": "text", "double": "double", "int": "int32", "state": "state"}
_TOO_DEEP = "the document is nested too deeply"
_READING = "GET,OPTIONS,HEAD"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET,POST,PUT,OPTIONS,HEAD",
    "Access-Control-Allow-Headers": "X-Requested-With,Content-Type,Accept,Origin",
    "Access-Control-Max-Age": "1800",
}


class _Text(BaseConverter):
    """A path segment. Routing sees it percent-encoded, so that an id may contain a slash."""

    regex = "[^/]+"
    parse: Callable[[str], Any] = staticmethod(str)

    def to_python(self, value: str) -> Any:
        try:
            return self.parse(unquote(value, errors="strict"))
        except ValueError as problem:
            # to render-ws a path with a word for a number is no path of its own
            raise ValidationError(str(problem)) from None


class _Double(_Text):
    parse = staticmethod(double_of_text)


class _Integer(_Text):
    parse = staticmethod(integer_of_text)


def _parse_state(text: str) -> str:
    if text not in STATES:
        raise ValueError(text)
    return text


class _State(_Text):
    parse = staticmethod(_parse_state)


# characters that may stand in a path as they are
_UNENCODED = "!$&'()*+,:=@~"


class _EncodedPath:
    """Put the path as it was sent, still encoded, where Flask looks for it."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        sent = environ.get("REQUEST_URI") or environ.get("RAW_URI")
        decoded = environ.get("PATH_INFO", "")
        prefix = quote(environ.get("SCRIPT_NAME", ""))
        path = quote(decoded.encode("latin-1"))
        if sent:
            sent = sent.partition("?")[0]
            if "://" in sent.partition("/")[0] + "//":
                sent = "/" + sent.split("/", 3)[-1]
            sent = sent[len(prefix) :] if prefix and sent.startswith(prefix) else sent
            # a proxy may have changed the path after it was received
            if unquote(sent, "latin-1") == unquote(path, "latin-1"):
                path = sent
        if path.startswith(BASE):
            try:
                path = tidy_path(path)
            except Refusal as refusal:
                refused = Response(refusal.message, status=refusal.status, content_type=_TEXT_UTF8)
                return refused(environ, start_response)
        environ["PATH_INFO"] = path
        return self.application(environ, start_response)


class _Rule(Rule):
    # Flask answers OPTIONS itself where this is set
    provide_automatic_options = True


@cache
def _routes(branch: str) -> tuple[Map, dict[str, Callable[..., Response]]]:
    """Make the rules and views of all endpoints; they are the same for every application of a branch."""
    views: dict[str, Callable[..., Response]] = {}
    rules = []
    for service in SERVICES:
        for number, endpoint in enumerate(service.endpoints):
            if endpoint.branch == "master" != branch:
                continue
            name = f"{service.name}.{number}.{endpoint.handler.__name__}"
            methods = [endpoint.method, "OPTIONS"]
            rules.append(_Rule(BASE + _flask_rule(endpoint), endpoint=name, methods=methods))
            views[name] = _view(endpoint)
    pages: dict[str, Callable[..., Response]] = {
        **dict.fromkeys(("/", ROOT, f"{ROOT}/", f"{ROOT}/view", f"{ROOT}/view/"), _to_dashboard),
        f"{ROOT}/view/<path:name>": _page,
        f"{ROOT}/swagger.json": lambda: Response(_description(branch), content_type=JSON),
    }
    for path, view in pages.items():
        rules.append(_Rule(path, endpoint=path, methods=["GET", "OPTIONS"]))
        views[path] = view
    converters = {"text": _Text, "double": _Double, "int32": _Integer, "state": _State}
    return Map(rules, converters=converters, strict_slashes=False, merge_slashes=False), views


@cache
def _description(branch: str) -> bytes:
    return swagger(ROOT, VERSION, SERVICES, branch)


#: What the pages may load: nothing from elsewhere, and nobody may put them in a frame.
_PAGE_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors 'none'"
)
# named here, because a machine's own table may call a module plain text, which browsers refuse to run
_PAGE_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


def _to_dashboard() -> Response:
    return redirect(f"{request.script_root}{ROOT}/view/index.html")  # type: ignore[return-value]


def _page(name: str) -> Response:
    name = unquote(name)
    response = send_from_directory(PAGES, name, mimetype=_PAGE_TYPES.get(Path(name).suffix))
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class Application(Flask):
    """A render-ws as a WSGI application, made by `create_app`."""

    def __init__(self, server: Context, max_body: int, visitors: Visitors) -> None:
        super().__init__("renderapi.server", static_folder=None)
        self.server = server
        self.visitors = visitors
        self.config["MAX_CONTENT_LENGTH"] = max_body
        self.url_map, views = _routes(server.drawing.compat)
        self.view_functions.update(views)
        self.wsgi_app = _EncodedPath(self.wsgi_app)  # type: ignore[method-assign]
        self.register_error_handler(Problem, _refused)
        self.register_error_handler(HTTPException, _http_problem)
        self.register_error_handler(SpecError, lambda problem: _refused(Refusal(400, str(problem))))
        self.register_error_handler(UnicodeEncodeError, lambda problem: _refused(Refusal(400, str(problem))))
        self.register_error_handler(RecursionError, lambda problem: _refused(Refusal(400, _TOO_DEEP)))
        self.register_error_handler(Exception, _failed)
        self.before_request(_check_visitor)
        self.after_request(_cross_origin)

    def make_default_options_response(self) -> Response:
        """Name the methods of a path, in text too; a browser that only asks for permission is told no more."""
        if "Access-Control-Request-Method" in request.headers:
            response = Response()
            del response.headers["Content-Type"]
            return response
        adapter = self.create_url_adapter(request)
        methods = as_hash_set(sorted(adapter.allowed_methods() if adapter is not None else ()))
        response = Response(", ".join(methods), content_type=_TEXT_UTF8)
        response.headers["Allow"] = ", ".join(methods)
        return response

    def close(self) -> None:
        """Close the images that are held open; the store is left to whoever opened it."""
        self.server.drawing.close()


def create_app(
    store: Store,
    *,
    image_roots: Iterable[str | Path] = (),
    image_http: bool = False,
    image_cache: int = CACHE_BYTES,
    max_pixels: int = MAX_PIXELS,
    max_body: int = MAX_BODY,
    properties: Mapping[str, str] | None = None,
    filter_lists: Mapping[str, list[dict[str, Any]]] | None = None,
    allow_hosts: Iterable[str] = (),
    cors_origins: Iterable[str] = (),
    compat: str = "master",
) -> Application:
    """Build the application of a render-ws over a store.

    Parameters
    ----------
    store : Store
        Where everything is kept; it is not closed with the application.
    image_roots : iterable of path
        Folders whose files may be opened when a tile spec names them; none by default.
    image_http : bool
        Whether images may be fetched from other servers when a tile spec names them.
    image_cache : int
        Memory for source images, in bytes.
    max_pixels : int
        Most pixels of an image that is drawn; a larger one is refused with 400.
    max_body : int
        Largest body of a request, in bytes; a larger one is refused with 413.
    properties : mapping, optional
        Answer of ``serverProperties``, for instance ``view.*`` defaults of the dashboard. With
        ``webService.maxTileSpecsToRender`` images of more tiles show their boxes instead of their pixels.
    filter_lists : mapping, optional
        Named filter lists; those that render ships (``default``, ``simpleTest``) unless others are given.
    allow_hosts : iterable of str
        Names and addresses under which clients may come, beside those of this machine alone (``localhost``,
        127.0.0.1, ...); a request for another name is refused with 403, because a page could let its own
        name lead here. ``"*"`` is any name, ``"0.0.0.0"`` any address.
    cors_origins : iterable of str
        Origins (``https://viewer.example.org``) whose pages may use this server in a browser. Those of this
        machine may read in any case, and ``"*"`` lets all others read; only an origin that is named may
        change anything.
    compat : {"master", "newsolver"}
        Branch of render that is followed where the two contradict each other, in documents, statuses and
        pixels (see `renderapi.rendering.render`).

    Returns
    -------
    Application
        A WSGI application, for any WSGI server.

    Raises
    ------
    ValueError
        If ``webService.maxTileSpecsToRender`` is no number, a host or an origin is none, or there is no such
        branch.
    """
    visitors = Visitors.of(allow_hosts, cors_origins)
    drawing = Drawing(image_roots, image_http, max_pixels, image_cache, compat)
    server = Context(
        store,
        drawing,
        dict(properties or {}),
        dict(configuration.FILTER_LISTS if filter_lists is None else filter_lists),
    )
    images.check_properties(server)
    return Application(server, max_body, visitors)


def _flask_rule(endpoint: Endpoint) -> str:
    rule = endpoint.path
    for name, kind in endpoint.variables:
        known = "" if kind == "string" else kind
        rule = rule.replace(
            f"{{{name}:{known}}}" if known else f"{{{name}}}", f"<{_FLASK_TYPES[known]}:{name}>"
        )
    return rule


def _view(endpoint: Endpoint) -> Callable[..., Response]:
    """Make the Flask view: values out of path, query and body, then the handler, then its answer."""

    def view(**path: Any) -> Response:
        turns.begin(request.environ.get("waitress.client_disconnected"))
        check_accept(request.headers.get("Accept"), endpoint.gives)
        values: dict[str, Any] = {
            name: rule.read(name, request.args.getlist(name)) for name, rule in endpoint.query.items()
        }
        if endpoint.takes is not None:
            values["body"] = _body(endpoint)
        _fold_names(path, endpoint)
        for name, value in path.items():
            values[f"path_{name}" if name in endpoint.query else name] = value
        server = cast(Application, current_app).server
        if not endpoint.of_stack:
            return _response(endpoint.handler(server, **values))
        with server.store.read() as connection:
            tag = str(metadata.last_modified(connection, path["stack"]))
        known = request.if_none_match.contains_weak(tag)
        response = Response(status=304) if known else _response(endpoint.handler(server, **values))
        response.set_etag(tag)
        response.headers["Cache-Control"] = f"no-transform, max-age={_MAX_AGE}"
        return response

    return view


def _fold_names(path: dict[str, Any], endpoint: Endpoint) -> None:
    try:
        if "stack" in path:
            key = StackKey(path.pop("owner"), path.pop("project"), path["stack"])
            path["stack"] = key.checked()
        elif "matchCollection" in path:
            path["collection"] = CollectionKey(path.pop("owner"), path.pop("matchCollection")).checked()
    except Problem as problem:
        raise Refusal(endpoint.name_status, problem.message) from None


def _body(endpoint: Endpoint) -> Any:
    content = request.get_data(cache=False)
    if endpoint.takes != "*/*" and (content or request.mimetype) and request.mimetype != endpoint.takes:
        if request.mimetype and "/" not in request.mimetype:
            raise Refusal(400, f"'{request.mimetype}' is no content type")
        raise Refusal(415, f"Cannot consume content type '{request.mimetype}', only {endpoint.takes}")
    if not endpoint.raw:
        # a tile spec is about half a kilobyte
        with reading(len(content) >> 9):
            return endpoint.decodes(content)
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        raise Refusal(400, f"Cannot read the body as text: {problem}") from None


def _response(answer: Answer) -> Response:
    response = Response(answer.content, status=answer.status)
    if answer.kind is None:
        del response.headers["Content-Type"]
    else:
        response.headers["Content-Type"] = _TEXT_UTF8 if answer.kind == TEXT else answer.kind
    if answer.status == 201:
        # only what must be encoded is, whatever a client did
        segments = [quote(unquote_to_bytes(segment), _UNENCODED) for segment in request.path.split("/")]
        query = request.full_path[len(request.path) :].rstrip("?")
        address = request.host_url.rstrip("/") + request.script_root + "/".join(segments)
        response.headers["Location"] = address + query
    return response


def _refused(problem: Problem) -> Response:
    status = status_of(problem)
    logger.info("%s %s: %d %s", request.method, request.path, status, " ".join(problem.message.split("\n")))
    return Response(problem.message, status=status, content_type=_TEXT_UTF8)


def _http_problem(problem: HTTPException) -> Response:
    status = problem.code or 500
    if 300 <= status < 400:
        return problem.get_response()  # type: ignore[return-value]
    message = problem.description or problem.name
    if isinstance(problem, RequestEntityTooLarge):
        message = f"the body is larger than the {request.max_content_length} bytes that this server takes"
    elif request.method == "TRACE":
        return _refused(Refusal(403, "TRACE is not answered"))
    elif status == 405 and not _other_method():
        # only the methods of what the path would be with a number in it
        return _refused(Refusal(404, f"Could not find resource for path: {request.path}"))
    elif status == 404:
        message = f"Could not find resource for path: {request.path}"
    response = _refused(Refusal(status, message))
    if "Allow" in problem.get_response().headers:
        response.headers["Allow"] = problem.get_response().headers["Allow"]
    return response


def _other_method() -> bool:
    """Tell whether the path of a request is one of another method."""
    adapter = current_app.create_url_adapter(request)
    if adapter is None:
        return False
    for method in {*adapter.allowed_methods()} - {"OPTIONS", "HEAD"}:
        with suppress(HTTPException):
            adapter.match(method=method)
            return True
    return False


def _failed(problem: Exception) -> Response:
    if isinstance(problem, DamagedError):
        return _refused(Refusal(500, str(problem)))
    if isinstance(problem, StoreError):
        return _refused(Refusal(503, str(problem)))
    if is_full(problem):
        return _refused(Refusal(507, "there is no space left on the disk of the server; nothing was stored"))
    logger.error("%s %s failed", request.method, request.path, exc_info=problem)
    told = (
        f"database problem: {problem}" if is_database_problem(problem) else "the server failed, see its log"
    )
    return Response(told, status=500, content_type=_TEXT_UTF8)


def _check_visitor() -> None:
    visitors = cast(Application, current_app).visitors
    g.origin = visitors.check(request.method, dict(request.headers))


def _cross_origin(response: Response) -> Response:
    response.headers["Vary"] = "Origin"
    # a browser must not take a message for a page, whatever a client has put into it
    response.headers["X-Content-Type-Options"] = "nosniff"
    # that of a page which may not come was never noted
    origin = g.get("origin")
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response.headers.update(_PREFLIGHT)
            if not cast(Application, current_app).visitors.may_change(origin):
                response.headers["Access-Control-Allow-Methods"] = _READING
            if "Access-Control-Request-Private-Network" in request.headers:
                response.headers["Access-Control-Allow-Private-Network"] = "true"
    return response
