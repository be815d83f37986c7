"""The one reader of trees of transforms: what it follows, and what it says of what is missing."""

import doctest

import pytest

from renderapi.errors import SpecError
from renderapi.transform import AffineModel, InterpolatedTransform, ReferenceTransform, TransformList, trees
from renderapi.transform.trees import (
    TreeReader,
    UnresolvedError,
    by_id,
    followed,
    members,
    referenced,
    references,
)

LEAF = {"type": "leaf", "className": "a", "dataString": "1"}


def ref(ident):
    return {"type": "ref", "refId": ident}


def test_references_are_found_in_their_order_wherever_they_are():
    inner = {
        "type": "interpolated",
        "a": ref("b"),
        "b": {"type": "list", "specList": [ref("c"), LEAF]},
        "lambda": 0.5,
    }
    spec = {"type": "list", "specList": [ref("a"), inner, ref("a"), {"type": "ref"}]}
    assert list(references(spec)) == ["a", "b", "c", "a", "null"]


@pytest.mark.parametrize(
    "spec", [None, "text", 5, {}, {"specList": 5}, {"specList": [None, "x"]}, {"type": "interpolated"}]
)
def test_what_is_no_transform_is_passed_over(spec):
    assert list(references(spec)) == []


def test_no_depth_of_lists_is_too_much():
    spec = ref("a")
    for _ in range(5000):
        spec = {"type": "list", "specList": [spec]}
    assert list(references(spec)) == ["a"]


def test_shared_transforms_are_followed_also_in_circles():
    shared = {"a": {"type": "list", "specList": [ref("b")]}, "b": ref("a"), "c": LEAF}
    assert referenced([ref("a"), ref("missing"), LEAF], shared) == {"a", "b"}
    assert referenced([], shared) == set()


def test_members_are_those_of_lists_and_of_interpolations_if_they_are_asked_for():
    between = {"type": "interpolated", "a": ref("a"), "b": LEAF, "lambda": 0.5}
    spec = {"type": "list", "specList": [between, {"specList": [LEAF]}]}
    assert list(members(spec)) == [between, LEAF]
    assert list(members(spec, in_interpolations=True)) == [ref("a"), LEAF, LEAF]


def test_shared_transforms_are_followed_for_so_many_passes():
    asked = []

    def load(ids):
        asked.append(sorted(ids))
        return {ident: [str(int(ident) + 1), "1"] for ident in ids if ident != "missing"}

    assert followed(["1", "missing"], load, most_passes=3) == {"1", "2", "3"}
    assert asked == [["1", "missing"], ["2"], ["3"]]
    assert followed([], load) == set()


class Words(TreeReader):
    """Writes what it reads."""

    def nothing(self):
        return []

    def leaf(self, spec, found, path):
        found.append("/".join([*path, str(spec["className"] if isinstance(spec, dict) else spec.B0)]))

    def listed(self, spec, parts, found):
        found.append(parts)

    def between(self, spec, a, b, found):
        found.append((trees.fraction_of(spec), a, b))


def leaf(name):
    return {"type": "leaf", "className": name}


def in_list(*specs, **more):
    return {"type": "list", "specList": list(specs), **more}


DOCUMENTS = [
    in_list(leaf(1.0), ref("x")),
    {"type": "interpolated", "a": leaf(2.0), "b": ref("x"), "lambda": 0.25},
    {"className": 3.0},
]
OBJECTS = [
    TransformList([AffineModel(B0=1.0), ReferenceTransform("x")]),
    InterpolatedTransform(AffineModel(B0=2.0), ReferenceTransform("x"), 0.25),
    AffineModel(B0=3.0),
]
SHARED = [[{**leaf(9.0), "id": "x"}], {"x": leaf(9.0)}, [AffineModel(B0=9.0, transformId="x")]]


@pytest.mark.parametrize("specs", [DOCUMENTS, OBJECTS], ids=["documents", "objects"])
@pytest.mark.parametrize("shared", SHARED, ids=["documents", "mapping", "objects"])
def test_documents_and_objects_are_read_alike(specs, shared):
    assert Words(shared).read(specs) == [["1.0", "x/9.0"], (0.25, ["2.0"], ["x/9.0"]), "3.0"]


def test_python_lists_are_lists_too():
    assert Words().read([[leaf("a"), (leaf("b"),)], in_list()]) == [["a", ["b"]], []]


def test_ids_that_are_numbers_are_their_text():
    assert list(by_id({1: LEAF})) == list(by_id([{**LEAF, "id": 1}])) == ["1"]
    assert Words({1: leaf("a")}).read([ref("1"), ref(1)]) == ["1/a", "1/a"]


def test_what_has_no_id_is_not_found():
    assert by_id([LEAF, AffineModel()]) == {} == by_id(None)
    with pytest.raises(UnresolvedError, match="'null' that is not given"):
        Words([LEAF]).read([{"type": "ref"}])


def test_everything_that_is_missing_is_named_in_its_order():
    specs = [ref("b"), in_list(leaf("x"), ref("a")), {"type": "interpolated", "a": ref("c"), "b": ref("d")}]
    with pytest.raises(UnresolvedError, match="not given: 'b', 'a', 'c'") as caught:
        Words().read(specs)
    assert caught.value.ids == ["b", "a", "c"]
    assert not caught.value.circular


@pytest.mark.parametrize("shared", [{"a": ref("a")}, {"a": in_list(ref("b")), "b": in_list(LEAF, ref("a"))}])
def test_a_circle_is_no_way(shared):
    with pytest.raises(UnresolvedError, match="'a' refers to itself") as caught:
        Words(shared).read([ref("a")])
    assert caught.value.circular
    assert caught.value.ids == ["a"]


def test_references_in_shared_transforms_are_followed_for_so_many_steps():
    shared = {"a": in_list(ref("b")), "b": in_list(ref("c")), "c": leaf("x")}
    assert Words(shared, most_steps=3).read([ref("a")]) == [[["a/b/c/x"]]]
    with pytest.raises(UnresolvedError, match="'c' that is not given"):
        Words(shared, most_steps=2).read([ref("a")])
    with pytest.raises(UnresolvedError, match="'b' that is not given"):
        Words(shared, most_steps=1).read([ref("a")])


def test_references_to_references_may_be_refused():
    shared = {"a": ref("b"), "b": leaf("x"), "c": in_list(ref("b"))}
    assert Words(shared).read([ref("a"), ref("c")]) == ["a/b/x", ["c/b/x"]]
    with pytest.raises(UnresolvedError, match="'a'"):
        Words(shared, straight=False).read([ref("a")])
    assert Words(shared, straight=False).read([ref("c")]) == [["c/b/x"]]


@pytest.mark.parametrize(
    ("specs", "name"), [([None], "null"), ([in_list(None, id="l")], "l"), ([TransformList([None], "l")], "l")]
)
def test_null_in_a_list_is_told_of_with_the_id_of_the_list(specs, name):
    with pytest.raises(SpecError, match=f"transform spec list with id '{name}'"):
        Words().read(specs)


def test_the_examples_of_the_docstrings():
    assert doctest.testmod(trees).failed == 0
