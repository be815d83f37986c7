"""Channels: read and written without loss, whatever is unset."""

import copy
import pickle

import pytest

from renderapi.channel import Channel
from renderapi.image_pyramid import ImagePyramid, MipMap

DOCUMENT = {
    "name": "DAPI",
    "minIntensity": 10.0,
    "maxIntensity": 4095.0,
    "mipmapLevels": {"0": {"imageUrl": "a.tif"}},
    "filterSpec": {"className": "org.x.Filter", "parameters": {}},
}


def test_a_document_is_read_and_written_without_loss():
    channel = Channel(json=DOCUMENT)
    assert (channel.name, channel.minIntensity, channel.maxIntensity) == ("DAPI", 10, 4095)
    assert channel.ip == ImagePyramid({0: MipMap("a.tif")})
    assert channel.to_dict() == DOCUMENT


def test_a_channel_is_built_of_its_attributes():
    channel = Channel("DAPI", 4095.0, 10.0, ImagePyramid({0: MipMap("a.tif")}))
    assert channel.to_dict() == {key: value for key, value in DOCUMENT.items() if key != "filterSpec"}
    assert Channel(name="x", json=DOCUMENT).name == "DAPI"


@pytest.mark.parametrize(
    "channel",
    [
        Channel(),
        Channel("DAPI"),
        Channel("DAPI", minIntensity=0),
        Channel(maxIntensity=255, ip=ImagePyramid()),
    ],
)
def test_what_is_written_can_be_read(channel):
    again = Channel(json=channel.to_dict())
    assert again == channel
    assert (again.name, again.minIntensity, again.maxIntensity) == (
        channel.name, channel.minIntensity, channel.maxIntensity,
    )  # fmt: skip


def test_what_is_unset_is_left_out():
    assert Channel().to_dict() == {"mipmapLevels": {}}
    assert Channel("a", minIntensity=0).to_dict() == {"name": "a", "minIntensity": 0, "mipmapLevels": {}}
    assert Channel(json={}).minIntensity is None


def test_reading_replaces_what_was_there():
    channel = Channel(json=DOCUMENT)
    channel.from_dict({"name": "GFP"})
    assert channel.to_dict() == {"name": "GFP"}


def test_channels_compare_by_what_they_hold():
    assert Channel(json=DOCUMENT) == Channel(json=DOCUMENT)
    assert hash(Channel(json=DOCUMENT)) == hash(Channel(json=DOCUMENT))
    assert Channel(json=DOCUMENT) != Channel(json={**DOCUMENT, "filterSpec": {}})
    assert Channel("a") != Channel("b")
    assert (Channel() == None) is False  # noqa: E711
    assert Channel() != {"mipmapLevels": {}}


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy, copy.deepcopy])
def test_channels_pickle_and_copy(copied):
    assert copied(Channel(json=DOCUMENT)).to_dict() == DOCUMENT


def test_the_repr_says_what_it_holds():
    assert repr(Channel("a", 255, 0)) == "Channel(name='a', minIntensity=0, maxIntensity=255, ip=None)"
