"""Layouts: read and written without loss, nothing invented."""

import copy
import pickle

import pytest

from renderapi.layout import Layout

DOCUMENT = {
    "sectionId": "3417.0",
    "temca": "5",
    "camera": "4",
    "imageRow": 24,
    "imageCol": 0,
    "stageX": 123.4,
    "stageY": -5.0,
    "rotation": 0.0,
    "pixelsize": 3.89,
    "distanceZ": 45.0,
    "private": {"key": "of a lab"},
}
ATTRIBUTES = {
    "sectionId": "3417.0",
    "scopeId": "5",
    "cameraId": "4",
    "imageRow": 24,
    "imageCol": 0,
    "stageX": 123.4,
    "stageY": -5.0,
    "rotation": 0.0,
    "pixelsize": 3.89,
    "distanceZ": 45.0,
}


def read(document):
    layout = Layout()
    layout.from_dict(document)
    return layout


def test_a_document_is_read_and_written_without_loss():
    layout = read(DOCUMENT)
    assert {name: getattr(layout, name) for name in ATTRIBUTES} == ATTRIBUTES
    assert layout.to_dict() == DOCUMENT
    assert layout.to_dict() is not DOCUMENT


def test_a_layout_is_built_of_its_attributes():
    layout = Layout(**ATTRIBUTES, something_else=5)
    assert layout.to_dict() == {key: value for key, value in DOCUMENT.items() if key != "private"}
    assert Layout("1.0", "s", "c", 1, 2, 3.0, 4.0, 5.0, 6.0).to_dict() == {
        "sectionId": "1.0", "temca": "s", "camera": "c", "imageRow": 1, "imageCol": 2, "stageX": 3.0,
        "stageY": 4.0, "rotation": 5.0, "pixelsize": 6.0,
    }  # fmt: skip


@pytest.mark.parametrize("key", sorted(set(DOCUMENT) - {"private"}))
def test_each_value_alone_survives(key):
    assert read({key: DOCUMENT[key]}).to_dict() == {key: DOCUMENT[key]}


def test_a_layout_that_is_built_has_the_default_pixel_size():
    assert Layout().pixelsize == 0.1
    assert Layout().to_dict() == {"pixelsize": 0.1}
    assert Layout(pixelsize=3).pixelsize == 3
    assert Layout(pixelsize=0).pixelsize == 0
    assert Layout(force_pixelsize=False).to_dict() == {}
    assert Layout(force_pixelsize=True, pixelsize=2).pixelsize == 2


@pytest.mark.parametrize("document", [None, {}, {"sectionId": "1"}, {"pixelsize": None}])
def test_reading_invents_nothing(document):
    layout = read(document)
    assert layout.pixelsize is None
    assert layout.to_dict() == {key: value for key, value in (document or {}).items() if value is not None}


def test_reading_replaces_what_was_there():
    layout = Layout(sectionId="1", imageRow=3)
    layout.from_dict(DOCUMENT)
    layout.from_dict({"imageCol": 7})
    assert layout.to_dict() == {"imageCol": 7}


def test_attributes_may_be_set():
    layout = read(DOCUMENT)
    layout.sectionId = 5
    layout.scopeId = None
    layout.note = "of a program"
    assert layout.to_dict()["sectionId"] == 5
    assert "temca" not in layout.to_dict()


def test_layouts_compare_by_what_they_hold():
    assert read(DOCUMENT) == read(DOCUMENT)
    assert hash(read(DOCUMENT)) == hash(read(DOCUMENT))
    assert read(DOCUMENT) != read({**DOCUMENT, "private": 1})
    assert read(DOCUMENT) != Layout(**ATTRIBUTES)
    assert Layout() != {"pixelsize": 0.1}
    assert (Layout() == 5) is False


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy, copy.deepcopy])
def test_layouts_pickle_and_copy(copied):
    assert copied(read(DOCUMENT)).to_dict() == DOCUMENT
    assert copied(Layout()).to_dict() == {"pixelsize": 0.1}


def test_the_repr_says_what_is_known():
    assert repr(Layout(sectionId="1.0", imageRow=0)) == "Layout(sectionId='1.0', imageRow=0, pixelsize=0.1)"
    assert repr(read({})) == "Layout()"
