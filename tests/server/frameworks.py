"""The embedded server with the answers of the frameworks that a full render-ws is built on.

Jetty and RESTEasy refuse many a request before the service sees it, with pages or without a word. The conformance suite
must not ask for more than that; what it does ask for beyond is marked.
"""

import re

_BATCHES = re.compile(r".*-coordinates|.*/tileIdsForCoordinates|.*/tile-specs-with-ids")
_HTML = "text/html;charset=utf-8"
_WIDTH = re.compile(r"(Width \(-?\d+\) and height \(-?\d+\)) must be > 0")


class Frameworks:
    """A WSGI application whose refusals have the content types and words, or none, that a full render-ws has."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        path = environ["REQUEST_URI"].partition("?")[0]
        refusal = None
        if "%00" in path:
            refusal = (400, _HTML, "<h1>Bad Message 400</h1>")
        elif "%2f" in path.lower():
            refusal = (404, None, "")
        elif path.endswith("/versionInfo"):
            refusal = (204, None, "")
        if refusal is None:
            begun = []

            def begin(status, headers, exc_info=None):
                begun[:] = [status, headers]

            chunks = self.application(environ, begin)
            if int(begun[0][:3]) < 400:
                start_response(*begun)
                return chunks
            text = b"".join(chunks).decode()
            refusal = self._refusal(environ, path, int(begun[0][:3]), text)
            if refusal is None:
                start_response(*begun)
                return [text.encode()]
        status, kind, text = refusal
        start_response(f"{status} .", [("Content-Type", kind)] if kind else [])
        return [text.encode()]

    @staticmethod
    def _refusal(environ, path, status, text):
        if status in (405, 406, 415) or text.startswith(("Could not find resource", "Unable to convert")):
            return status, None, ""
        if text.startswith("Cannot read"):
            return 400, _HTML, "com.fasterxml.jackson.databind.exc.MismatchedInputException: .."
        if status == 500 and environ["REQUEST_METHOD"] == "PUT" and _BATCHES.fullmatch(path):
            return 500, None, ""
        if status == 500 and "mergeCollection=" in environ["QUERY_STRING"]:
            return 500, _HTML, "<h2>HTTP ERROR 500</h2>"
        if _WIDTH.search(text):
            return status, "text/plain", _WIDTH.sub(r"\1 cannot be <= 0", text)
        return None
