"""Every public name of render-python 2.4.2 is here, and can be called as it always could.

``data/api/renderapi-2.4.2.json`` lists modules, names, parameters, defaults and class members of that
release. More names, more parameters (behind the old ones) and more members are welcome.
"""

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

import renderapi

INVENTORY = json.loads((Path(__file__).parent / "data" / "api" / "renderapi-2.4.2.json").read_text())
MODULES = INVENTORY["modules"]
#: What a program finds in each module, imported names too: programs take them from there.
REACHABLE = json.loads((Path(__file__).parent / "data" / "api" / "reachable-2.4.2.json").read_text())

#: Names that got into the old modules by accident, from Python 2.
ACCIDENTS = {"raw_input", "getfullargspec"}
#: Bases from the standard library that said nothing to the users of a class.
FOREIGN_BASES = {
    "Collection", "Container", "Filterer", "Handler", "Iterable", "Mapping", "MutableMapping", "Sized"
}  # fmt: skip
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def parameter_shortfalls(old_parameters, function):
    """List what a call in the old way would stumble over."""
    new = inspect.signature(function).parameters
    kinds = {parameter.kind for parameter in new.values()}
    order = [name for name, parameter in new.items() if parameter.kind in POSITIONAL]
    old_order = [old["name"] for old in old_parameters if old["kind"] == "positional_or_keyword"]
    if order[: len(old_order)] != old_order:
        yield f"positional parameters are {order}, not {old_order}"
    for old in old_parameters:
        if old["kind"] == "var_keyword":
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                yield f"takes no **{old['name']}"
        elif old["kind"] == "var_positional":
            if inspect.Parameter.VAR_POSITIONAL not in kinds and not order:
                yield f"takes no *{old['name']}"
        elif old["name"] not in new:
            yield f"has no parameter {old['name']}"
        elif not old.get("required"):
            yield from default_shortfalls(old, new[old["name"]].default)


def default_shortfalls(old, default):
    name = old["name"]
    if default is inspect.Parameter.empty:
        yield f"{name} must be given"
    elif "default" in old:
        as_json = list(default) if isinstance(default, tuple) else default
        empty = (None, [], {})  # a mutable default may have become None
        if as_json != old["default"] and not (as_json in empty and old["default"] in empty):
            yield f"default of {name} is {default!r}, not {old['default']!r}"


def function_shortfalls(old, function):
    if not callable(function):
        yield "cannot be called"
    elif old.get("parameters") is not None:
        yield from parameter_shortfalls(old["parameters"], function)


def class_shortfalls(old, cls):
    if not inspect.isclass(cls):
        yield "is no class"
        return
    ancestors = {ancestor.__name__ for ancestor in cls.__mro__}
    for base in set(old.get("bases", ())) - FOREIGN_BASES - ancestors:
        yield f"does not descend from {base}"
    declared = {name for ancestor in cls.__mro__ for name in vars(ancestor).get("__annotations__", ())}
    for name, member in old["members"].items():
        kind = member["kind"]
        if not hasattr(cls, name):
            # what was a property may be a plain attribute of the objects
            if kind != "property" or name not in declared:
                yield f".{name} is missing"
            continue
        raw = inspect.getattr_static(cls, name)
        if kind == "staticmethod" and not isinstance(raw, staticmethod):
            yield f".{name} is no staticmethod"
        elif kind in ("method", "staticmethod", "classmethod"):
            plain = raw.__func__ if isinstance(raw, (staticmethod, classmethod)) else raw
            if callable(plain):
                yield from (f".{name} {problem}" for problem in function_shortfalls(member, plain))
        elif kind == "attribute" and member["value"] is not None and getattr(cls, name) != member["value"]:
            yield f".{name} is {getattr(cls, name)!r}, not {member['value']!r}"


def constant_shortfalls(old, value):
    if isinstance(old["value"], dict):
        for key, expected in old["value"].items():
            key = None if key == "null" else key
            if value.get(key) != expected:
                yield f"[{key!r}] is {value.get(key)!r}, not {expected!r}"


def shortfalls(old, value):
    if old["kind"] == "class" and "members" in old:
        yield from class_shortfalls(old, value)
    elif old["kind"] == "function" and "parameters" in old:
        yield from function_shortfalls(old, value)
    elif old["kind"] == "constant":
        yield from constant_shortfalls(old, value)


@pytest.mark.parametrize("module_name", MODULES)
def test_every_public_name_is_there_and_usable_as_before(module_name):
    module = importlib.import_module(module_name)
    expected = MODULES[module_name]
    missing = [name for name in expected["all"] or () if not hasattr(module, name)]
    found = []
    for name, old in expected["names"].items():
        if name in ACCIDENTS:
            continue
        if not hasattr(module, name):
            missing.append(name)
        else:
            found.extend(f"{name} {problem}" for problem in shortfalls(old, getattr(module, name)))
    assert (missing, found) == ([], [])


@pytest.mark.parametrize("module_name", REACHABLE)
def test_every_name_is_reachable_where_it_was(module_name):
    module = importlib.import_module(module_name)
    assert [name for name in REACHABLE[module_name] if not hasattr(module, name)] == []


@pytest.mark.parametrize(
    ("module_name", "function"), [("polynomial_models", "svd"), ("affine_models", "svd")]
)
def test_linear_algebra_is_scipys_where_scipy_imports(module_name, function, monkeypatch):
    module = getattr(renderapi.transform, module_name)
    assert getattr(module, function) is getattr(scipy.linalg, function)
    assert module.LinAlgError is scipy.linalg.LinAlgError
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    assert getattr(module, function) is getattr(np.linalg, function)
    with pytest.raises(AttributeError, match=f"{module_name}' has no attribute 'svg'"):
        module.svg


@pytest.mark.parametrize("there", [True, False])
def test_requests_json_is_ujson_where_it_imports_and_is_judged_again_on_reload(there):
    ujson = "types.ModuleType('ujson')" if there else "None"
    code = f"""
import importlib, json, sys, types
import requests.models
sys.modules["ujson"] = None
before = requests.models.complexjson
import renderapi.utils
assert renderapi.utils.requests_json is json
assert requests.models.complexjson is before
sys.modules["ujson"] = {ujson}
importlib.reload(renderapi.utils)
assert renderapi.utils.requests_json is (sys.modules["ujson"] or json)
assert renderapi.utils.requests.models.complexjson is renderapi.utils.requests_json

# a program may also keep it from being imported
import builtins
sys.modules["ujson"] = types.ModuleType("ujson")
real = builtins.__import__
def refuse(name, *args, **kwargs):
    if name == "ujson":
        raise ImportError(name)
    return real(name, *args, **kwargs)
builtins.__import__ = refuse
importlib.reload(renderapi.utils)
assert renderapi.utils.requests_json is json
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_inventory_is_that_of_the_release():
    assert sum(map(len, REACHABLE.values())) == 347
    assert len(MODULES) > 25
    assert sum(len(module["names"]) for module in MODULES.values()) == 383


OLD = {
    "kind": "function",
    "parameters": [
        {"name": "a", "kind": "positional_or_keyword", "required": True},
        {"name": "b", "kind": "positional_or_keyword", "default": 2},
        {"name": "c", "kind": "positional_or_keyword", "default": []},
        {"name": "args", "kind": "var_positional"},
        {"name": "kwargs", "kind": "var_keyword"},
    ],
}


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda a, c=None, b=2, **kwargs: None, "positional parameters are"),
        (lambda a, b=2, **kwargs: None, "has no parameter c"),
        (lambda a, b=3, c=None, **kwargs: None, "default of b is 3, not 2"),
        (lambda a, b=2, *, c=None, **kwargs: None, "positional parameters are"),
        (lambda a, b, c, **kwargs: None, "b must be given"),
        (lambda a, b=2, c=None: None, "takes no **kwargs"),
        (lambda *, a, b=2, c=None, **kwargs: None, "takes no *args"),
        (5, "cannot be called"),
    ],
)
def test_the_comparison_finds_what_an_old_call_would_stumble_over(function, problem):
    assert any(text.startswith(problem) for text in shortfalls(OLD, function))


def test_the_comparison_accepts_what_is_added():
    assert not list(shortfalls(OLD, lambda a=1, b=2, c=None, new=3, *, newer=4, **kwargs: None))


def test_the_comparison_finds_what_a_class_lacks():
    old = {
        "kind": "class",
        "bases": ["Transform", "MutableMapping"],
        "members": {
            "gone": {"kind": "method"},
            "value": {"kind": "attribute", "value": 1},
            "make": {"kind": "staticmethod", "parameters": []},
            "size": {"kind": "property"},
            "call": {
                "kind": "method",
                "parameters": [{"name": "x", "kind": "keyword_only", "required": True}],
            },
        },
    }

    class Now:
        value = 2
        size: int

        def make(self):
            pass

        def call(self):
            pass

    assert set(shortfalls(old, Now)) == {
        "does not descend from Transform",
        ".gone is missing",
        ".value is 2, not 1",
        ".make is no staticmethod",
        ".call has no parameter x",
    }
    assert list(shortfalls(old, Now())) == ["is no class"]
    assert list(shortfalls({"kind": "constant", "value": {"null": 1, "a": 2}}, {None: 1, "a": 3})) == [
        "['a'] is 3, not 2"
    ]
