"""One value says which project a piece of bulk work is for, and who does it."""

import pickle

import pytest

from renderapi.client.calls.engine import java_keywords, run_of
from renderapi.client.java.arguments import JavaRun
from renderapi.errors import ConnectionSettingsError

PLACE = ("localhost", 8080, "me", "p", None)


def test_java_is_run_as_the_call_says():
    run = run_of(*PLACE, "/s/run_ws_client.sh", "2G", "call", engine="java", timeout=3, progress=True)
    assert run.java == JavaRun("/s/run_ws_client.sh", "2G", "call", {"timeout": 3})
    assert run.java.awaited() == JavaRun("/s/run_ws_client.sh", "2G", None, {"timeout": 3})


def test_a_folder_of_scripts_stands_for_its_script():
    assert run_of(*PLACE, engine="java", client_scripts="/s").java.client_script == "/s/run_ws_client.sh"
    named = run_of(*PLACE, "/other.sh", engine="java", client_scripts="/s")
    assert named.java.client_script == "/other.sh"


@pytest.mark.parametrize("choice", [{"engine": "python"}, {"use_rest": True, "engine": "java"}])
def test_without_java_the_work_is_done_here(choice):
    session = object()
    run = run_of(*PLACE, "/s/run_ws_client.sh", session=session, **choice)
    assert run.java is None
    assert run.project.keywords() == {
        "host": "localhost", "port": 8080, "owner": "me", "project": "p", "session": session, "render": None,
    }  # fmt: skip


@pytest.mark.parametrize("missing", [0, 2, 3])
def test_a_setting_that_is_not_known_is_named_before_anything_is_done(missing):
    settings = [*PLACE]
    settings[missing] = None
    with pytest.raises(ConnectionSettingsError, match=("host", "", "owner", "project")[missing]):
        run_of(*settings, engine="python")


def test_another_project_of_the_same_server():
    at = run_of(*PLACE, engine="python").project
    assert at.other(owner="you").keywords() == {**at.keywords(), "owner": "you"}
    assert at.other(project="q").keywords() == {**at.keywords(), "project": "q"}
    assert at.other() == at


def test_what_runs_java_goes_to_other_processes():
    run = run_of(*PLACE, "/s/run_ws_client.sh", engine="java", session=lambda: None)
    keywords = java_keywords(run.project, run.java)
    assert pickle.loads(pickle.dumps(keywords)) == keywords
    assert keywords["engine"] == "java"
    assert keywords["owner"] == "me"
