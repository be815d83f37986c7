"""JSON in and out: the fast libraries and the standard one give the same documents."""

import collections
import dataclasses
import datetime
import enum
import gc
import json
import math
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderapi import _json
from renderapi.errors import SpecError

needs_orjson = pytest.mark.skipif(_json._orjson is None, reason="orjson is not installed")


@pytest.fixture(params=[pytest.param("orjson", marks=needs_orjson), "standard library"])
def codec(request, monkeypatch):
    """Run a test with orjson, and as where it is not installed."""
    if request.param != "orjson":
        monkeypatch.setattr(_json, "_orjson", None)


class WithToDict:
    def __init__(self, **values):
        self.values = values

    def to_dict(self):
        return self.values


class Pairs:
    def __iter__(self):
        return iter({"a": 1}.items())


class Attributes:
    def __init__(self):
        self.a = 1


class MyFloat(float):
    pass


@dataclasses.dataclass
class Record:
    a: int = 1


@dataclasses.dataclass
class RecordWithToDict:
    a: int = 1

    def to_dict(self):
        return {"b": 2}


class Colour(enum.Enum):
    RED = "red"


Point = collections.namedtuple("Point", "x y")

WRITTEN = [
    (None, None),
    ({"a": [1, 2.5, True, None, "é\u2028\x00"]}, {"a": [1, 2.5, True, None, "é\u2028\x00"]}),
    ((1, 2), [1, 2]),
    (2**63, 2**63),
    ({1: 2, 2.5: 3, None: 4}, {"1": 2, "2.5": 3, "null": 4}),
    (np.int64(2**62), 2**62),
    (np.uint8(7), 7),
    (np.float64(0.1), 0.1),
    (np.float32(0.1), 0.1),
    (np.float16(0.5), 0.5),
    (np.longdouble(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.datetime64("2020-01-02T03:04:05.678"), "2020-01-02T03:04:05.678000"),
    (np.datetime64("2020-01-02"), "2020-01-02T00:00:00"),
    (np.array([0.1, 1 / 3]), [0.1, 1 / 3]),
    (np.array([0.1, 1 / 3], np.float32), [0.1, 0.33333334]),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (np.arange(6.0).reshape(2, 3).T, [[0, 3], [1, 4], [2, 5]]),
    (np.arange(6, dtype=np.float32).reshape(2, 3).T, [[0, 3], [1, 4], [2, 5]]),
    (np.array([1.5], ">f8"), [1.5]),
    (np.array(1.5), 1.5),
    (np.array([]), []),
    (np.array([1, None, "a"], object), [1, None, "a"]),
    (np.array(["a", "bc"]), ["a", "bc"]),
    (WithToDict(z=np.float64(3)), {"z": 3.0}),
    ([WithToDict(t=[WithToDict(a=1)])], [{"t": [{"a": 1}]}]),
    (Record(), {"a": 1}),
    (RecordWithToDict(), {"b": 2}),
    (Pairs(), {"a": 1}),
    (Attributes(), {"a": 1}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (collections.ChainMap({"a": 1}), {"a": 1}),
    (Colour.RED, "red"),
    (MyFloat(1.5), 1.5),
    (Point(1, 2), [1, 2]),
    (Point(("a", 1), ("b", 2)), [["a", 1], ["b", 2]]),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    ({"b", 2, "a", 1}, [1, 2, "a", "b"]),
    ({"ab": 1, "cd": 2}.keys(), ["ab", "cd"]),
    ({1: "ab", 2: "cd"}.values(), ["ab", "cd"]),
    (range(3), [0, 1, 2]),
    (collections.deque(["ab", "cd"]), ["ab", "cd"]),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (datetime.datetime(2020, 1, 2, 3, 4, 5, 678901), "2020-01-02T03:04:05.678Z"),
    (datetime.date(2020, 1, 2), "2020-01-02"),
]


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(("obj", "document"), WRITTEN, ids=lambda value: type(value).__name__)
def test_values_of_any_kind_are_written(obj, document):
    assert json.loads(_json.dumps(obj)) == document
    assert json.loads(_json.dumps_text({"in": [obj]})) == {"in": [document]}


@needs_orjson
@pytest.mark.parametrize("obj", [obj for obj, _ in WRITTEN], ids=lambda value: type(value).__name__)
def test_both_codecs_write_the_same_bytes(obj, monkeypatch):
    fast = _json.dumps(obj)
    monkeypatch.setattr(_json, "_orjson", None)
    assert fast == _json.dumps(obj)


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    "obj",
    [
        1j,
        np.complex128(1j),
        b"bytes",
        memoryview(b"x"),
        Record,
        math,
        print,
        iter(["ab", "cd"]),
        (x for x in ["ab", "cd"]),
        datetime.timedelta(1),
        {(1, 2): 3},
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_is_refused(obj):
    with pytest.raises(TypeError):
        _json.dumps([obj])


@pytest.mark.usefixtures("codec")
def test_a_document_that_holds_itself_is_refused():
    document = []
    document.append(document)
    with pytest.raises(ValueError, match="Circular"):
        _json.dumps(document)


NAN = float("nan")


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (NAN, "the value is nan: "),
        ({"a": [1, {"b": math.inf}]}, "a[1].b is inf: "),
        ([{"tileId": "t7", "transforms": [{"x": -math.inf}]}], "[0].transforms[0].x of tile 't7' is -inf"),
        ({"tileId": "t7", "layout": {"stageX": np.float32("nan")}}, "layout.stageX of tile 't7' is nan"),
        (WithToDict(tileId="t8", z=NAN), "z of tile 't8' is nan"),
        ([None, WithToDict(tileId="t8", z=NAN)], "[1].z of tile 't8' is nan"),
        (np.array([[1, 2], [3, NAN]]), "[1][1] is nan"),
        ({"p": np.array([1, NAN], np.float32)}, "p[1] is nan"),
        ({"w": np.array([1, NAN], object)}, "w[1] is nan"),
        ({"w": np.array([1, 2]), "s": b"".decode(), "n": None, "z": (1, NAN)}, "z[1] is nan"),
        ({"in": {"a", NAN}}, "is nan"),
        ({"in": MyFloat("nan")}, "in is nan"),
    ],
)
def test_numbers_that_json_does_not_have_are_refused_with_their_place(obj, message):
    with pytest.raises(SpecError) as caught:
        _json.dumps(obj)
    assert message in str(caught.value)
    assert "finite numbers only" in str(caught.value)


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize("text", ["null", "NaN", "a null b"])
def test_the_word_null_is_no_number(text):
    assert json.loads(_json.dumps({text: text, "n": None})) == {text: text, "n": None}


def test_every_bad_number_of_a_document_is_found():
    found = list(
        _json.nonfinite_numbers({"tileId": "t", "a": [NAN, 1, np.array([math.inf, 2.0, -math.inf])]})
    )
    assert [(path, tile) for path, _, tile in found] == [("a[0]", "t"), ("a[2][0]", "t"), ("a[2][2]", "t")]
    assert [value for _, value, _ in found[1:]] == [math.inf, -math.inf]


class Untouched:
    """Stands for a tile that was read and not touched."""

    def __init__(self, content, document):
        self.content, self.document = content, document

    def _untouched_json(self):
        return self.content

    def to_dict(self):
        return self.document


@pytest.mark.usefixtures("codec")
def test_an_untouched_document_is_written_as_it_came():
    tile = Untouched(b'{"z":1.0}', {"z": 1.0})
    assert _json.dumps([tile]) == b'[{"z":1.0}]'
    assert _json.dumps([Untouched(None, {"z": 2})]) == b'[{"z":2}]'


@needs_orjson
def test_untouched_bytes_are_not_decoded_for_writing():
    assert _json.dumps(Untouched(b'{"as": "they are"}', None)) == b'{"as": "they are"}'


class OfAList:
    """Stands for documents that are written as a list faster than one by one."""

    z = 1

    def to_dict(self):
        return {"tileId": "t", "z": self.z}

    @staticmethod
    def _list_json(documents):
        if any(document.z != document.z for document in documents):
            raise SpecError("z is nan")
        return _json.dumps([document.to_dict() for document in documents])


@pytest.mark.usefixtures("codec")
def test_a_list_may_be_written_at_once():
    documents = [OfAList(), OfAList()]
    assert _json.dumps(documents) == b'[{"tileId":"t","z":1},{"tileId":"t","z":1}]'
    assert _json.dumps({"a": documents}) == b'{"a":[{"tileId":"t","z":1},{"tileId":"t","z":1}]}'
    documents[1].z = NAN
    with pytest.raises(SpecError, match=r"\[1\].z of tile 't' is nan"):
        _json.dumps(documents)


@needs_orjson
def test_a_list_that_is_refused_for_another_reason_is_refused():
    class Refused(OfAList):
        @staticmethod
        def _list_json(documents):
            raise SpecError("no tile id")

    with pytest.raises(SpecError, match="no tile id"):
        _json.dumps([Refused()])


json_documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


def same(a, b):
    """Compare documents, with 1 and 1.0 and True told apart."""
    return repr(a) == repr(b)


@given(json_documents)
def test_documents_come_back_the_same_from_either_codec(document):
    fast = _json.dumps(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json, "_orjson", None)
        slow = _json.dumps(document)
        assert same(_json.loads(fast), document)
        assert same(_json.loads(slow), document)
    assert same(_json.loads(slow), document)
    assert same(_json.loads(fast.decode()), document)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_arrays_come_back_to_the_last_bit(values):
    array = np.array(values, dtype=np.float64)
    assert np.array_equal(np.array(_json.loads(_json.dumps(array)), dtype=np.float64), array)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_single_precision_comes_back_to_the_last_bit(values):
    array = np.array(values, dtype=np.float32)
    assert np.array_equal(np.array(_json.loads(_json.dumps(array)), dtype=np.float32), array)


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    "form", [str, str.encode, lambda t: bytearray(t.encode()), lambda t: memoryview(t.encode())]
)
def test_text_and_bytes_of_any_kind_are_read(form):
    assert _json.loads(form('{"a": [1, -0.0, "é"]}')) == {"a": [1, 0.0, "é"]}


@pytest.mark.usefixtures("codec")
def test_lenient_writers_are_read():
    nan, inf, minus = _json.loads(b"[NaN, Infinity, -Infinity]")
    assert math.isnan(nan)
    assert (inf, minus) == (math.inf, -math.inf)
    assert _json.loads(b"\xef\xbb\xbf[1]") == [1]
    assert math.isnan(_json.loads(memoryview(b"[NaN]"))[0])


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    "content",
    [b"", b"[1,", b"{'a': 1}", b"<html>", b'"\xff"', b"[1,]", b"[" * 100_000, b"1" * 5000],
    ids=lambda c: repr(c[:12]),
)
def test_what_is_not_json_is_a_value_error(content):
    with pytest.raises(ValueError):
        _json.loads(content)


@pytest.mark.skipif(not _json._HAS_MSGSPEC, reason="msgspec is not installed")
class TestSplitting:
    def test_a_list_is_cut_into_its_documents(self):
        assert _json.split_list(b' [ {"a": 1} , [2, 3],"x",4 ] ') == [b'{"a": 1}', b"[2, 3]", b'"x"', b"4"]

    def test_a_map_of_maps_is_cut_into_the_values_of_each(self):
        parts = _json.split_maps('{"é": {"t": [1, 2], "u":null}, "b": {}}'.encode())
        assert parts == {"é": {"t": b"[1, 2]", "u": b"null"}, "b": {}}

    @pytest.mark.parametrize("content", [b"", b"1", b"[1", b"[NaN]", b'["\xff"]', b'{"a":NaN}', b"nonsense"])
    def test_what_cannot_be_cut_is_left_to_the_caller(self, content):
        assert _json.split_list(content) is None
        assert _json.split_maps(content) is None

    def test_only_the_right_container_is_cut(self):
        assert _json.split_list(b"{}") is None
        assert _json.split_maps(b"[]") is None
        assert _json.split_list(b"[]") == []
        assert _json.split_list('["é"]'.encode()) == ['"é"'.encode()]
        assert _json.split_maps(b"{}") == {}


def test_without_msgspec_nothing_is_cut(monkeypatch):
    monkeypatch.setattr(_json, "_HAS_MSGSPEC", False)
    assert _json.split_list(b"[1]") is None
    assert _json.split_maps(b"{}") is None


def test_the_module_works_where_the_fast_libraries_are_missing():
    code = (
        "import sys; sys.modules['orjson'] = sys.modules['msgspec'] = None\n"
        "from renderapi import _json\n"
        "assert _json._orjson is None and not _json._HAS_MSGSPEC\n"
        "assert _json.loads(_json.dumps({'a': [1.5, 'é']})) == {'a': [1.5, 'é']}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class TestTimestamp:
    def test_now_is_utc(self):
        before = datetime.datetime.now(datetime.timezone.utc)
        text = _json.timestamp()
        moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(
            tzinfo=datetime.timezone.utc
        )
        assert abs(moment - before) < datetime.timedelta(seconds=5)

    def test_another_time_zone_is_converted(self):
        zone = datetime.timezone(datetime.timedelta(hours=2))
        moment = datetime.datetime(2020, 1, 1, 1, 30, 0, 999999, tzinfo=zone)
        assert _json.timestamp(moment) == "2019-12-31T23:30:00.999Z"

    def test_without_a_time_zone_it_is_utc(self):
        assert _json.timestamp(datetime.datetime(2020, 1, 1)) == "2020-01-01T00:00:00.000Z"


def test_an_encoder_class_of_the_callers_decides_by_itself():
    class Mine(json.JSONEncoder):
        def default(self, obj):
            return f"<{type(obj).__name__}>"

    assert _json.dumps_text([1j], cls=Mine) == '["<complex>"]'
    assert _json.dumps_text([NAN], allow_nan=True) == "[NaN]"
    with pytest.raises(TypeError):
        _json.dumps_text([1j])


class TestPausedCollector:
    def test_it_runs_again_afterwards_also_after_an_error(self):
        assert gc.isenabled()
        with _json.collector_paused():
            assert not gc.isenabled()
            with _json.collector_paused():
                assert not gc.isenabled()
            assert not gc.isenabled()
        assert gc.isenabled()
        with pytest.raises(KeyError), _json.collector_paused():
            raise KeyError
        assert gc.isenabled()

    def test_a_program_that_has_switched_it_off_keeps_it_off(self):
        gc.disable()
        try:
            with _json.collector_paused():
                pass
            assert not gc.isenabled()
        finally:
            gc.enable()


def test_each_of_many_documents_is_written_as_by_itself():
    documents = [{"a": 1.5}, {}, {"n": None}, {"large": 1 << 70}, [1]]
    assert _json.dumps_each(documents) == [_json.dumps(document) for document in documents]
    assert _json.dumps_each(documents[:3]) == [_json.dumps(document) for document in documents[:3]]
    with pytest.raises(SpecError, match="b is nan"):
        _json.dumps_each([{"a": 1.0}, {"b": float("nan")}])


FIELD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


@needs_orjson
@given(st.dictionaries(st.text(), FIELD))
def test_the_canonical_form_is_the_same_with_and_without_orjson(document):
    fast = _json.canonical(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json, "_orjson", None)
        assert _json.canonical(document) == fast
    assert json.loads(fast) == document


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{"b": 1E10, "a": {"d": 1, "c": 2.50}}', b'{"a":{"c":2.5,"d":1},"b":10000000000.0}'),
        ('{"a":[0.00001,1e-9,1e300,1e22,-0.0,12345678901234567890.0]}',
         b'{"a":[1e-05,1e-09,1e+300,1e+22,-0.0,1.2345678901234567e+19]}'),
        ('{"a":"1e5,1.0e6,0.00001,\\"1E7,","b":1e17}', b'{"a":"1e5,1.0e6,0.00001,\\"1E7,","b":1e+17}'),
        ('["\\u00e9"]', '["é"]'.encode()),
    ],
)  # fmt: skip
def test_the_canonical_form_does_not_depend_on_who_wrote_a_document(codec, text, written):
    assert _json.canonical(_json.loads(text)) == written


def test_the_canonical_form_of_what_is_not_finite_is_refused(codec):
    with pytest.raises(SpecError, match=r"a\.b is nan"):
        _json.canonical({"a": {"b": math.nan}})
