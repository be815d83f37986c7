"""Names of channels and their weights."""

import pytest

from renderapi.rendering import RenderParametersError
from renderapi.rendering.channels import channel_weights


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("DAPI", {"DAPI": 1.0}),
        ("", {"": 1.0}),
        ("a_b", {"a_b": 1.0}),
        ("a__0.25__b__0.75", {"a": 0.25, "b": 0.75}),
        ("a__1", {"a": 1.0}),
        ("b__0__a__0.5", {"b": 0.0, "a": 0.5}),
    ],
)
def test_weights_are_read_in_their_order(text, weights):
    assert list(channel_weights(text).items()) == list(weights.items())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a__x", 'For input string: "x"'),
        ("a__nan", 'For input string: "nan"'),
        ("a__0.5__b", 'For input string: ""'),
        ("a__1.5", r"Channel a weight 1.5 is too large.*Current weights are: \{\}"),
        ("a__0.75__b__0.5", r"Channel b weight 0.5 is too large.*Current weights are: \{a=0.75\}"),
    ],
)
def test_weights_that_are_none_or_too_large(text, said):
    with pytest.raises(RenderParametersError, match=said):
        channel_weights(text)
