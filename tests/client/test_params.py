import copy
import doctest
import pickle

import pytest

from renderapi.client import (
    ArgumentParameters,
    FeatureExtractionParameters,
    MatchDerivationParameters,
    SiftPointMatchOptions,
    params,
)
from renderapi.errors import ClientScriptError, RenderWarning


def test_attributes_are_the_keywords_of_the_constructor():
    features = FeatureExtractionParameters(SIFTfdSize=4)
    matches = MatchDerivationParameters(matchRod=0.5)
    both = SiftPointMatchOptions(**{**matches.__dict__, **features.__dict__})
    assert (both.SIFTfdSize, both.matchRod) == (4, 0.5)
    assert SiftPointMatchOptions(**both.__dict__).__dict__ == both.__dict__
    assert not any(name.startswith("_") for name in both.__dict__)


def test_arguments_are_in_the_order_of_render_python():
    options = SiftPointMatchOptions(
        renderScale=0.5, fillWithNoise=True, matchRod=0.9, matchIterations=10, SIFTsteps=3, SIFTfdSize=8
    )
    assert options.to_java_args() == [
        "--SIFTfdSize", "8", "--SIFTsteps", "3", "--matchIterations", "10", "--matchRod", "0.9",
        "--renderScale", "0.5", "--fillWithNoise", "true",
    ]  # fmt: skip


def test_positional_parameters_keep_their_order():
    features = FeatureExtractionParameters(1, 2, 3, 4)
    assert vars(features) == {"SIFTfdSize": 1, "SIFTmaxScale": 2, "SIFTminScale": 3, "SIFTsteps": 4}
    assert list(vars(MatchDerivationParameters(*range(8))).values())[:8] == list(range(8))


def test_options_that_java_has_gained_are_known():
    options = MatchDerivationParameters(matchMaxEpsilonFullScale=5.0, matchFilter="CONSENSUS_SETS")
    assert options.to_java_args() == ["--matchMaxEpsilonFullScale", "5.0", "--matchFilter", "CONSENSUS_SETS"]


class BoxParameters(ArgumentParameters):
    def __init__(self, stack, rootDirectory, label=False, **kwargs):
        super().__init__(**kwargs)
        self.stack = stack
        self.rootDirectory = rootDirectory
        self.label = label
        self.kwargs = kwargs


def test_subclasses_with_attributes_of_their_own():
    boxes = BoxParameters("s", "/boxes")
    boxes.added, boxes.later, boxes.nothing = [1, 2], 3, None
    expected = [
        "--stack",
        "s",
        "--rootDirectory",
        "/boxes",
        "--label",
        "false",
        "--added",
        "[1, 2]",
        "--later",
        "3",
    ]
    assert boxes.to_java_args() == expected
    assert copy.copy(boxes).to_java_args() == expected
    assert pickle.loads(pickle.dumps(boxes)).to_java_args() == expected


def test_a_keyword_that_nobody_knows_is_warned_of():
    with pytest.warns(
        RenderWarning, match="SiftPointMatchOptions does not know 'matchMaxEpsylon'.*matchMaxEpsilon"
    ):
        options = SiftPointMatchOptions(matchMaxEpsylon=3, SIFTsteps=2)
    assert options.to_java_args() == ["--SIFTsteps", "2"]
    with pytest.warns(RenderWarning, match=r"BoxParameters does not know 'zzz', which is ignored$"):
        BoxParameters("s", "/boxes", zzz=1)


def test_single_options():
    assert ArgumentParameters.get_cmd_opt(3) == [3]
    assert ArgumentParameters.get_cmd_opt(3, "--x") == ["--x", 3]
    assert ArgumentParameters.get_cmd_opt(None, "--x") == []
    assert ArgumentParameters.get_cmd_opt(0, "--x") == ["--x", 0]
    assert ArgumentParameters.get_flag_cmd(True, "--x") == ["--x"]
    assert ArgumentParameters.get_flag_cmd(False, "--x") == []


def test_commands_are_made_text():
    assert list(ArgumentParameters.sanitize_cmd(["a", 2.5, False, ""])) == ["a", "2.5", "false", ""]
    with pytest.raises(ClientScriptError, match="missing"):
        ArgumentParameters.sanitize_cmd(["a", None])


def test_repr_shows_what_was_given():
    assert repr(SiftPointMatchOptions(matchRod=0.9)) == "SiftPointMatchOptions(matchRod=0.9)"


def test_the_examples_of_the_docstrings():
    assert doctest.testmod(params).failed == 0
