"""What documents of transforms refer to."""

import doctest

import pytest

from renderapi.transform import trees
from renderapi.transform.trees import referenced, references

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


def test_the_examples_of_the_docstrings():
    assert doctest.testmod(trees).failed == 0
