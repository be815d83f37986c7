"""The exception tree: what is caught by what, and what survives pickling."""

import copy
import inspect
import pickle
import warnings

import pytest
import requests

from renderapi import errors

CLASSES = [getattr(errors, name) for name in errors.__all__ if name != "RenderWarning"]
OF_A_REQUEST = {
    "method": "PUT",
    "url": "http://host/x",
    "status_code": 500,
    "server_text": "out of luck",
    "attempts": 3,
}


def test_every_class_is_exported_and_in_the_drawn_tree():
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and value.__module__ == "renderapi.errors" and not name.startswith("_")
    }
    assert defined == set(errors.__all__)
    assert all(name in errors.__doc__ for name in errors.__all__)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("copied", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_errors_keep_message_and_details_when_pickled_or_copied(kind, copied):
    error = kind("what happened", **OF_A_REQUEST)
    other = copied(error)
    assert type(other) is kind
    assert other.args == ("what happened",)
    assert str(other) == "what happened"
    assert {name: getattr(other, name) for name in OF_A_REQUEST} == OF_A_REQUEST


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_without_a_request_has_no_details(kind):
    error = kind("plain")
    assert [getattr(error, name) for name in OF_A_REQUEST] == [None] * 5
    assert str(pickle.loads(pickle.dumps(error))) == "plain"


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_can_be_made_without_arguments_as_old_programs_do(kind):
    assert str(kind()) == ""
    assert kind("one", "two").args == ("one", "two")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.NotFoundError, LookupError),
        (errors.BadRequestError, ValueError),
        (errors.AccessDeniedError, PermissionError),
        (errors.StackStateError, ValueError),
        (errors.ConflictError, ValueError),
        (errors.ServerOutOfMemoryError, MemoryError),
        (errors.ServerOutOfMemoryError, errors.ServerError),
        (errors.BadAnswerError, ValueError),
        (errors.ConnectionSettingsError, ValueError),
        (errors.ConversionError, ValueError),
        (errors.EstimationError, ValueError),
        (errors.SpecError, ValueError),
        (errors.ClientScriptError, errors.RenderError),
        (errors.ImportFailedError, errors.RenderError),
        (errors.ServerUnreachableError, requests.exceptions.ConnectionError),
        (errors.ServerTimeoutError, requests.exceptions.Timeout),
        (errors.ServerConnectTimeoutError, errors.ServerTimeoutError),
        (errors.ServerConnectTimeoutError, errors.ServerUnreachableError),
        (errors.ServerCertificateError, requests.exceptions.SSLError),
        (errors.ServerCertificateError, errors.ServerUnreachableError),
    ],
)
def test_errors_are_what_a_caller_expects(kind, builtin):
    with pytest.raises(builtin, match="why"):
        raise kind("why")


@pytest.mark.parametrize(
    "kind",
    [
        errors.ServerUnreachableError,
        errors.ServerTimeoutError,
        errors.ServerConnectTimeoutError,
        errors.ServerCertificateError,
    ],
)
def test_no_answer_is_not_a_render_error(kind):
    # programs take RenderError for "not there" and go on to create it
    assert not issubclass(kind, errors.RenderError)


def test_a_failed_import_carries_its_batches():
    failures = [(["t1", "t2"], errors.ServerError("full", status_code=500))]
    error = pickle.loads(pickle.dumps(errors.ImportFailedError("1 of 2", failures=failures, stored=7)))
    assert error.stored == 7
    tile_ids, reason = error.failures[0]
    assert tile_ids == ["t1", "t2"]
    assert (str(reason), reason.status_code) == ("full", 500)
    assert errors.ImportFailedError("none").failures == []


def test_a_failed_script_carries_its_output():
    error = pickle.loads(pickle.dumps(errors.ClientScriptError("died", returncode=-9, output="Killed")))
    assert (error.returncode, error.output) == (-9, "Killed")


def test_the_warning_is_a_user_warning():
    with pytest.warns(UserWarning, match="odd"):
        warnings.warn("odd", errors.RenderWarning, stacklevel=1)
