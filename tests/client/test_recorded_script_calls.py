"""The script calls and requests that render-python 2.4.2 made for each function are made here too."""

import importlib
import inspect
import json
import tempfile
from pathlib import Path

import pytest
import responses

from renderapi.client import ClientArgumentError, SiftPointMatchOptions
from renderapi.external.processpools.stdlib_pool import WithThreadPool
from renderapi.tilespec import TileSpec

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "golden" / "requests.json").read_text())["calls"]
CALLS = [call for call in RECORDED if call["script_calls"]]

ANSWERS = """
to=$(value --toJson "$@")
case "$2" in
*.CoordinateClient) echo '[[{"tileId": "tile_1", "local": [1, 2, 3], "world": [1, 2, 3]}]]' > "$to" ;;
*.TilePairClient) echo '{"renderParametersUrlTemplate": "t", "neighborPairs": []}' > "$to" ;;
esac
"""


def replaced(words, old, new):
    """`words` with one run of them replaced."""
    for i in range(len(words)):
        if words[i : i + len(old)] == old:
            return words[:i] + new + words[i + len(old) :]
    raise AssertionError(f"{old} is not in {words}")


def with_epsilon(words):
    at = next(i for i, word in enumerate(words) if word.startswith("http") and "/tile/" in word)
    return [*words[:at], "--matchMaxEpsilon", "10", *words[at:]]


EPSILON = {"sift_options": SiftPointMatchOptions(matchMaxEpsilon=10.0)}

#: Where a call differs from the recorded one: id or section of what was wrong, why, and what is different
#: (other `arguments`, the `expected` words, or the error that is `raised`).
EXCEPTIONS = {
    ("importJsonClient", "required"): {
        "id": "java_clients 2.1 ImportJsonClient",
        "why": "without files Java was asked to open one called 'None'",
        "raised": "needs tileFiles",
    },
    ("pointMatchClient", "required"): {
        "id": "java_clients 2.1 PointMatchClient",
        "why": "Java has no default for the largest error and failed",
        "arguments": EPSILON,
        "expected": with_epsilon,
    },
    ("pointMatchClient", "optional"): {
        "id": "java_clients 2.1 PointMatchClient",
        "why": "as above; and the server's name for renderWithoutMask is excludeMask",
        "arguments": EPSILON,
        "expected": lambda words: [
            word.replace("renderWithoutMask=true", "renderWithoutMask=true&excludeMask=true")
            for word in with_epsilon(words)
        ],
    },
    ("renderSectionClient", "optional"): {
        "id": "java_clients 2.1 RenderSectionClient",
        "why": "--convertToGray is unknown to Java, --padFileNamesWithZeros takes no value",
        "arguments": {"convertToGray": None},
        "expected": lambda words: [w for w in words if w not in ("--convertToGray", "True")],
    },
    ("transformSectionClient", "optional"): {
        "id": "java_clients 2.1 TransformSectionClient",
        "why": "--replaceLast has become --transformApplicationMethod",
        "expected": lambda words: replaced(
            words,
            ["--replaceLast", "--targetProject", "tp"],
            ["--targetProject", "tp", "--transformApplicationMethod", "REPLACE_LAST"],
        ),
    },
}  # fmt: skip


def find(name):
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module), function)


def python_value(value):
    """Arguments are recorded as JSON: tile specs were objects, with the box that was not written."""
    if isinstance(value, dict) and "tileId" in value and "transforms" in value:
        tile = TileSpec(json=value)
        tile.minX, tile.minY = 10.0, 20.0
        return tile
    if isinstance(value, list):
        return [python_value(item) for item in value]
    return value


def as_recorded(word, tmp_path):
    """A word in the form that two spellings of the same number, or two temporary names, share."""
    if word == "TEMPFILE.json" or (
        word.endswith(".json") and str(Path(word).parent) == tempfile.gettempdir()
    ):
        return "a temporary file"
    if word in (str(tmp_path / "to.json"), "/tmpdir/to.json"):
        return "the file of the caller"
    try:
        return float(word)
    except ValueError:
        return word


#: How an import looks afterwards whether the tiles are there; here nobody answers, which is a warning.
LOOKS = ("/tileBounds", "/tile-specs-with-ids")


@pytest.mark.filterwarnings("ignore:the Java client ended well, but whether:renderapi.errors.RenderWarning")
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call['function']}-{call['variant']}")
@responses.activate
def test_script_calls_are_those_of_render_python(call, script, connection, tmp_path):
    function = find(call["function"])
    name = call["function"].rpartition(".")[2]
    exception = EXCEPTIONS.get((name, call["variant"]), {})
    script.write(ANSWERS)
    for request in call["requests"]:
        responses.add(request["method"], request["url"], status=201)

    arguments = {key: python_value(value) for key, value in call["arguments"].items()}
    if arguments.get("toJson") == "/tmpfile.json":
        arguments["toJson"] = str(tmp_path / "to.json")
    if "mpPool" in inspect.signature(function).parameters:
        # processes would leave the mocked requests behind
        arguments["mpPool"] = WithThreadPool
    arguments.update(exception.get("arguments", {}))
    if name == "call_run_ws_client":
        arguments["client_script"] = connection["client_script"]
    else:
        arguments.update(connection)

    if "raised" in exception:
        with pytest.raises(ClientArgumentError, match=exception["raised"]):
            function(**arguments)
        assert script.calls == []
        return
    returned = function(**arguments)
    assert type(returned).__name__ == call["returns"]
    change = exception.get("expected", list)
    expected = [[as_recorded(w, tmp_path) for w in change(words)] for words in call["script_calls"]]
    made = [[as_recorded(w, tmp_path) for w in words] for words in script.calls]
    # several scripts at once may start in any order
    assert sorted(made, key=repr) == sorted(expected, key=repr)
    made = [(r.request.method, r.request.url) for r in responses.calls]
    assert [request for request in made if not request[1].endswith(LOOKS)] == [
        (request["method"], request["url"]) for request in call["requests"]
    ]


def test_every_exception_is_of_a_recorded_call_and_says_why():
    recorded = {(call["function"].rpartition(".")[2], call["variant"]) for call in CALLS}
    assert EXCEPTIONS.keys() <= recorded
    assert all(exception["id"] and exception["why"] for exception in EXCEPTIONS.values())


def test_the_exceptions_are_needed():
    """What the table excuses does differ from the recorded call."""
    for call in CALLS:
        exception = EXCEPTIONS.get((call["function"].rpartition(".")[2], call["variant"]), {})
        if "expected" in exception:
            assert [exception["expected"](words) for words in call["script_calls"]] != call["script_calls"]


def test_url_templates_are_those_of_render_python():
    from renderapi.client import get_canvas_url_template

    for call in RECORDED:
        if call["function"].endswith("get_canvas_url_template"):
            url = get_canvas_url_template(
                host="http://render.example", port=8080, owner="own", project="proj", **call["arguments"]
            )
            recorded = next(
                word
                for other in CALLS
                if other["function"].endswith("pointMatchClient") and other["variant"] == call["variant"]
                for word in other["script_calls"][0]
                if "/tile/tile_1/" in word
            )
            expected = recorded.replace("tile_1", "{}").replace("&channels=DAPI", "")
            assert url.replace("&excludeMask=true", "") == expected
