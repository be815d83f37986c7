"""Helpers that programs import: JSON of documents, requests by URL, blocks of doubles, argument sorting."""

import base64
import gzip
import io
import json
import logging
import math
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import requests
import responses
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loopback import Loopback, answer

import renderapi
from renderapi import errors, utils
from renderapi.errors import ConversionError, RenderError, RenderWarning, SpecError
from renderapi.tilespec import read_tilespecs

URL = "http://localhost:8080/render-ws/v1/x"
NAN = float("nan")


class Tile:
    def __init__(self, **values):
        self.values = {"tileId": "t1", **values}

    def to_dict(self):
        return self.values


# ------------------------------------------------------------------------------------------ writing JSON


def test_the_encoder_writes_numpy_values_and_documents():
    document = {"a": np.arange(2), "b": np.float32(0.1), "c": {2, 1}, "d": np.bool_(True), "t": Tile(z=1)}
    assert json.loads(json.dumps(document, cls=utils.RenderEncoder)) == {
        "a": [0, 1],
        "b": 0.1,
        "c": [1, 2],
        "d": True,
        "t": {"tileId": "t1", "z": 1},
    }


@pytest.mark.parametrize("options", [{}, {"indent": 2}, {"sort_keys": True}, {"cls": utils.RenderEncoder}])
def test_documents_are_written_with_any_option_of_json(options):
    tiles = [Tile(z=np.float64(1.5), name="é"), {"plain": (1, 2)}]
    text = utils.renderdumps(tiles, **options)
    assert json.loads(text) == [{"tileId": "t1", "z": 1.5, "name": "é"}, {"plain": [1, 2]}]
    file = io.StringIO()
    utils.renderdump(tiles, file, **options)
    assert file.getvalue() == text


def test_options_are_honoured():
    assert utils.renderdumps({"b": 1, "a": [Tile()]}) == '{"b": 1, "a": [{"tileId": "t1"}]}'
    assert utils.renderdumps({"b": 1, "a": 2}, sort_keys=True) == '{"a": 2, "b": 1}'
    assert utils.renderdumps({"a": 1}, indent=1) == '{\n "a": 1\n}'
    assert utils.renderdumps({"a": 1j}, default=str) == '{"a": "1j"}'


@pytest.mark.parametrize(
    "number", [1e16, 1.5e-7, 0.0001, 1e-5, 9e15, 123456789.125, -0.0, 1e300, 5e-324, 2**63, -(2**80)]
)
def test_the_text_of_documents_has_the_numbers_of_json(number):
    assert utils.renderdumps([number]) == json.dumps([number])


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(DOCUMENTS)
@example(-(2**63) - 1)
@example({"": -(2**63) - 1, "\x7f": None})
@settings(deadline=None)
def test_the_text_of_documents_is_that_of_json(document):
    assert utils.renderdumps(document) == json.dumps(document)
    tile = {"tileId": "t", "more": document}
    assert utils.renderdumps([renderapi.tilespec.TileSpec(json=tile)]) == json.dumps([tile])


NUMBERS = ["1.50", "1E5", "1.0E-5", "10", "10.0", "-0", "-0.0", "0.00001", "1e-05", "0.1000000000000000055",
           "4915.200000000001", "123456789012345678", "10000000000000000.0", "1.5e+300", "20.30", "0.0001"]  # fmt: skip


@given(
    st.lists(
        st.sampled_from(NUMBERS) | st.floats(allow_nan=False, allow_infinity=False).map(repr), max_size=5
    ),
    st.sampled_from(["a", "1.0 0.0 1e-5 1.50", "x, 1E5, 2.50, 3", "[1.0E5, 0.00001]", "\\u00e9\\/", "\\n"]),
    st.sampled_from([",", ", ", " ,\n"]),
)
def test_tiles_that_were_read_are_written_with_the_numbers_and_texts_of_json(numbers, text, comma):
    more = "".join(f'{comma}"n{i}":{number}' for i, number in enumerate(numbers))
    raw = f'[{{"tileId":"{text}"{more}}}{comma}{{"tileId":"b","z":[{comma.join(numbers)}]}}]'.encode()
    assert utils.renderdumps(renderapi.tilespec.read_tilespecs(raw)) == json.dumps(json.loads(raw))


def test_long_lists_are_written_as_json_writes_them():
    documents = [{"tileId": str(i), "z": i * 0.3, "note": "é" if i == 700 else "e"} for i in range(1000)]
    documents[300]["z"] = 1e-7
    tiles = [renderapi.tilespec.TileSpec(json=document) for document in documents]
    assert utils.renderdumps(tiles) == json.dumps(documents)
    assert utils.renderdumps(renderapi.tilespec.read_tilespecs(json.dumps(documents).encode())) == json.dumps(
        documents
    )
    documents[500]["z"] = NAN
    with pytest.warns(RenderWarning, match=r"z of tile '500' is nan|\[500\].z"):
        assert utils.renderdumps(documents) == json.dumps(documents)


def test_a_bare_array_is_no_document():
    with pytest.raises(AttributeError, match="an array is no document") as caught:
        utils.renderdumps(np.zeros(3))
    assert isinstance(caught.value, RenderError)
    assert utils.renderdumps(np.float64(1.5)) == "1.5"
    assert utils.renderdumps({"p": np.zeros(2)}) == '{"p": [0.0, 0.0]}'


@pytest.mark.parametrize("options", [{}, {"indent": 1}, {"cls": utils.RenderEncoder}])
@pytest.mark.parametrize("number", [NAN, math.inf, -math.inf, np.float32("nan")])
def test_bad_numbers_are_written_with_a_warning_that_names_their_place(options, number):
    with pytest.warns(RenderWarning, match=r"\[0\]\.layout\.stageX of tile 't1' is -?(nan|inf)") as caught:
        text = utils.renderdumps([Tile(layout={"stageX": number}, name="é")], **options)
    assert json.loads(text)[0]["name"] == "é"
    assert repr(json.loads(text)[0]["layout"]["stageX"]) == repr(float(number))
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("text", ["NaN", "Infinity"])
def test_the_words_for_bad_numbers_are_no_numbers(text):
    assert utils.renderdumps({text: text}, indent=0)


def test_bad_numbers_can_be_refused():
    with pytest.raises(SpecError, match="a is nan"):
        utils.renderdumps({"a": NAN}, allow_nan=False)
    with pytest.raises(SpecError, match="a is nan"):
        utils.renderdumps({"a": NAN}, allow_nan=False, cls=utils.RenderEncoder)


@pytest.mark.parametrize("options", [{}, {"allow_nan": False}])
def test_an_encoder_of_the_callers_own_counts(options):
    class Complex(json.JSONEncoder):
        def default(self, obj):
            return str(obj)

    assert utils.renderdumps([1j], cls=Complex, **options) == '["1j"]'


def test_the_file_may_be_given_by_name_but_must_be_given():
    file = io.StringIO()
    utils.renderdump([1], fp=file)
    assert file.getvalue() == "[1]"
    with pytest.raises(TypeError, match="fp"):
        utils.renderdump([1])


@pytest.mark.parametrize("options", [{}, {"indent": 1}])
def test_a_temporary_file_holds_the_document(options):
    path = Path(utils.renderdump_temp([Tile()], **options))
    try:
        assert path.suffix == ".json"
        assert json.loads(path.read_text()) == [{"tileId": "t1"}]
        assert ("\n" in path.read_text()) == bool(options)
    finally:
        path.unlink()


@pytest.mark.parametrize("options", [{}, {"indent": 1}])
def test_no_temporary_file_is_left_of_a_bad_document(options, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SpecError, match="z of tile 't1' is nan"):
        utils.renderdump_temp(Tile(z=NAN), **options)
    assert list(tmp_path.iterdir()) == []


def test_no_temporary_file_is_left_when_the_disk_is_full(tmp_path, monkeypatch):
    class FullDisk:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            return self

        def __exit__(self, *exc_info):
            pass

        def write(self, content):
            raise OSError(28, "No space left on device")

    file = tmp_path / "t.json"
    file.touch()
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda **options: FullDisk(str(file)))
    with pytest.raises(OSError, match="No space"):
        utils.renderdump_temp([1])
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------- requests by URL


@responses.activate
def test_get_json_decodes_and_passes_parameters():
    responses.get(URL, json={"a": 1})
    assert utils.get_json(None, URL, params={"q": "x y", "n": None}, stream=True, headers={"X-A": "b"}) == {
        "a": 1
    }
    request = responses.calls[0].request
    assert request.url == f"{URL}?q=x+y"
    assert request.headers["X-A"] == "b"


@responses.activate
@pytest.mark.parametrize(("send", "method"), [(utils.put_json, "PUT"), (utils.post_json, "POST")])
def test_documents_are_sent_with_numpy_values(send, method):
    responses.add(method, URL, status=201)
    with requests.Session() as session:
        response = send(session, URL, {"a": np.float32(0.5), "t": [Tile(z=np.int64(2))]}, params={"p": 1})
    assert response.status_code == 201
    request = responses.calls[0].request
    assert request.url == f"{URL}?p=1"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {"a": 0.5, "t": [{"tileId": "t1", "z": 2}]}


@responses.activate
@pytest.mark.parametrize("send", [utils.put_json, utils.post_json])
def test_bad_numbers_are_refused_before_anything_is_sent(send):
    with pytest.raises(SpecError, match="z of tile 't1' is nan"):
        send(None, URL, [Tile(z=NAN)])
    assert len(responses.calls) == 0


@responses.activate
@pytest.mark.parametrize("send", [utils.put_json, utils.post_json])
def test_the_payload_is_not_in_the_error(send):
    responses.put(URL, status=400, body="broken pipe organ")
    responses.post(URL, status=400, body="broken pipe organ")
    with pytest.raises(errors.BadRequestError, match="broken pipe organ") as caught:
        send(None, URL, ["secret" * 10] * 1000)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 2000


@responses.activate
def test_delete_sends_its_parameters():
    responses.delete(URL, status=200)
    assert utils.rest_delete(None, URL, params={"minZ": 1}).status_code == 200
    assert responses.calls[0].request.url == f"{URL}?minZ=1"


@responses.activate
@pytest.mark.parametrize("call", [
    lambda: utils.get_json(None, URL),
    lambda: utils.put_json(None, URL, {}),
    lambda: utils.post_json(None, URL, {}),
    lambda: utils.rest_delete(None, URL),
])  # fmt: skip
def test_refusals_raise_render_errors(call):
    for method in ("GET", "PUT", "POST", "DELETE"):
        responses.add(method, URL, status=404, body="no such thing")
    with pytest.raises(RenderError, match="no such thing") as caught:
        call()
    assert caught.value.status_code == 404


def test_the_json_module_of_requests_stays_as_it_is():
    code = (
        "import requests.models\n"
        "before = vars(requests.models.complexjson).copy()\n"
        "module = requests.models.complexjson\n"
        "import renderapi.utils\n"
        "assert requests.models.complexjson is module and vars(module) == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_document_of_an_untold_length_is_read():
    # no Content-Length: the body ends with the connection
    with Loopback(b"HTTP/1.0 200 OK\r\n\r\n[1, 2]") as server:
        assert utils.get_json(None, f"{server.url}/x") == [1, 2]
        assert utils.get_json(None, f"127.0.0.1:{server.port}/x") == [1, 2]  # as format_baseurl may give it


def test_a_gzipped_document_is_read():
    body = gzip.compress(b"[1]")
    with Loopback(answer(body=body, Content_Encoding="gzip")) as server:
        assert utils.get_json(None, server.url) == [1]


# ------------------------------------------------------------------------------------------ small tools


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (None, "false"), (1, "true"), (0, "false"), (np.bool_(True), "true"),
     ("true", "true"), ("False", "false"), (" FALSE ", "false"), ("", "false"), ("yes", "true")],
)  # fmt: skip
def test_booleans_are_written_as_java_reads_them(value, text):
    assert utils.jbool(value) == text


def test_none_gives_way_to_the_default():
    assert utils.defaultifNone(None, 3) == 3
    assert utils.defaultifNone(None) is None
    assert utils.defaultifNone(0, 3) == 0
    assert utils.defaultifNone("", 3) == ""


def test_every_handler_is_removed():
    logger = logging.getLogger("renderapi.test_strip")
    for _ in range(5):
        logger.addHandler(utils.NullHandler())
    utils.stripLogger(logger)
    assert logger.handlers == []


def test_the_null_handler_stays_silent(capsys):
    logger = logging.getLogger("renderapi.test_null")
    logger.addHandler(utils.NullHandler())
    logger.propagate = False
    logger.error("nothing of this is seen")
    assert capsys.readouterr() == ("", "")


def test_importing_installs_no_handler_that_prints():
    code = (
        "import logging, renderapi.utils, renderapi.render\n"
        "for logger in map(logging.getLogger, list(logging.root.manager.loggerDict)):\n"
        "    for handler in logger.handlers:\n"
        "        assert not isinstance(handler, logging.StreamHandler), logger\n"
        "assert logging.root.handlers == []\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class TestFitargspec:
    @staticmethod
    def f(a, b, c=1, d=2, **kwargs):
        pass

    def test_optional_parameters_move_to_their_names(self):
        assert utils.fitargspec(self.f, (1, 2, 3), {"e": 5}) == ((1, 2), {"c": 3, "e": 5})
        assert utils.fitargspec(self.f, (1,), {"b": 2}) == ((1,), {"b": 2})

    def test_functions_without_defaults(self):
        assert utils.fitargspec(lambda a, b: None, (1, 2), {}) == ((1, 2), {})
        assert utils.fitargspec(lambda: None, (), {}) == ((), {})

    def test_functions_of_any_number_of_arguments_stay_as_called(self):
        kwargs = {"k": 1}
        args, other = utils.fitargspec(lambda *args, k=0: None, (1, 2, 3), kwargs)
        assert (args, other) == ((1, 2, 3), {"k": 1})
        assert other is not kwargs

    def test_wrong_calls_are_refused(self):
        with pytest.raises(TypeError, match=r"takes 4 positional arguments, 5 given"):
            utils.fitargspec(self.f, (1, 2, 3, 4, 5), {})
        with pytest.raises(TypeError, match="two values for 'c'"):
            utils.fitargspec(self.f, (1, 2, 3), {"c": 4})


class TestBase64:
    @given(st.lists(st.floats(allow_infinity=True, allow_nan=False)))
    def test_doubles_come_back_to_the_last_bit(self, values):
        block = utils.encodeBase64(values)
        assert utils.decodeBase64(block).tobytes() == np.array(values, dtype=np.float64).tobytes()

    def test_the_format_is_that_of_java(self):
        block = utils.encodeBase64(np.array([[1.0, 2.0], [3.0, 4.0]]).T)
        assert zlib.decompress(base64.b64decode(block)) == np.array([1, 3, 2, 4], ">f8").tobytes()
        decoded = utils.decodeBase64(block)
        assert decoded.dtype == np.dtype("=f8")
        assert decoded.flags.writeable
        assert decoded.tolist() == [1, 3, 2, 4]

    def test_an_at_sign_marks_doubles_that_are_not_compressed(self):
        block = "@" + base64.b64encode(np.array([1.5, -2], ">f8").tobytes()).decode()
        assert utils.decodeBase64(block).tolist() == [1.5, -2.0]

    @pytest.mark.parametrize(
        "block", ["", "@AAA", "not base64!", "AAAA", "é", "@" + base64.b64encode(b"1234567").decode()]
    )
    def test_anything_else_is_a_conversion_error(self, block):
        with pytest.raises(ConversionError, match="not a base64 block"):
            utils.decodeBase64(block)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_json_files_are_opened_as_text(tmp_path, name):
    path = tmp_path / name
    with utils.open_text(path, "w") as file:
        file.write("é")
    with utils.open_text(str(path)) as file:
        assert file.read() == "é"
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith("gz")


@pytest.mark.parametrize(
    "number",
    ["1.50", "1e5", "1E5", "0.00001", "-0.00001", "-0", "123456789012345678901", "0.10000000000000001"],
)
@pytest.mark.parametrize("text", ["a", "0.00001 e", "3e4", "\\u00e9", "\\/", '\\"0.00001'])
def test_tiles_that_are_copied_are_written_as_json_writes_them(number, text):
    content = f'[{{"tileId":"{text}","z":{number},"layout":{{"stageX":{number}}},"more":[{number}]}}]'
    tiles = read_tilespecs(content.encode())
    assert utils.renderdumps(tiles) == json.dumps(json.loads(content))


def test_a_number_beyond_a_double_in_a_tile_that_is_copied_is_warned_of():
    [tile] = read_tilespecs(b'[{"tileId":"a","z":1e999}]')
    with pytest.warns(RenderWarning, match="inf"):
        assert utils.renderdumps([tile]) == '[{"tileId": "a", "z": Infinity}]'
