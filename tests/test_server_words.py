"""What the texts of error answers stand for."""

import pytest

from renderapi import errors
from renderapi._server_words import meaning_of


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", errors.ServerOutOfMemoryError, "less at a time"),
        ("stack is in READ_ONLY state", errors.StackStateError, "first be set COMPLETE"),
        ("the stack must be in the LOADING state", errors.StackStateError, "'LOADING'"),
        (
            "the s stack's state is currently LOADING and must first be transitioned to COMPLETE before "
            "transitioning it to READ_ONLY.",
            errors.StackStateError,
            "'COMPLETE') first",
        ),
        ("stats have not been stored", errors.StackStateError, "'COMPLETE'"),
        ("stack s already exists", errors.ConflictError, ""),
        ("com.mongodb.MongoTimeoutException", errors.ServerError, "MongoDB"),
        ("query too broad", errors.BadRequestError, "by section"),
    ],
)
def test_a_text_says_more_than_its_status(text, kind, advice):
    found, said = meaning_of(text)
    assert found is kind
    assert advice in said


def test_of_two_meanings_the_first_counts():
    # a read-only stack is not set LOADING at once, whatever else the text says
    found, advice = meaning_of("stack must be LOADING but is READ_ONLY")
    assert found is errors.StackStateError
    assert "COMPLETE" in advice


@pytest.mark.parametrize("text", ["", "no such tile", "loading"])
def test_other_texts_leave_it_to_the_status(text):
    assert meaning_of(text) is None
