"""Connect through a proxy with a password, with your own timeouts, and tell "not there" from "no answer".

The server is given by its address; user and password come from the environment (RENDER_USER,
RENDER_PASSWORD) or from a .netrc file. A session of your own works too: see ``connect_with_a_session``.

    python own_session.py https://em.example.org/lab/render-ws --owner me --project montage --stack v1
"""

import argparse
import os

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import renderapi
from renderapi.errors import AccessDeniedError, NotFoundError


def connect(options):
    """Let renderapi make the sessions: one for each thread, with timeouts and retries."""
    user = os.environ.get("RENDER_USER")
    return renderapi.connect(
        url=options.url,
        owner=options.owner,
        project=options.project,
        auth=(user, os.environ["RENDER_PASSWORD"]) if user else None,
        timeout=(5, 60),  # seconds: for a connection, and for an answer
        retries=2,
        headers={"User-Agent": "our pipeline"},
    )


def connect_with_a_session(options):
    """Bring a session; it is used as it is, so its retries are up to you."""
    session = requests.Session()
    session.headers["User-Agent"] = "our pipeline"
    retries = Retry(total=2, backoff_factor=0.5, status_forcelist=(502, 503, 504))
    for prefix in ("http://", "https://"):
        session.mount(prefix, HTTPAdapter(max_retries=retries))
    return renderapi.connect(url=options.url, owner=options.owner, project=options.project, session=session)


def main():
    """Say what is known of a stack, or why that cannot be said."""
    parser = argparse.ArgumentParser(description="Say what is known of a stack.")
    parser.add_argument("url", help="address of the server, up to /render-ws")
    parser.add_argument("--owner", required=True)
    parser.add_argument("--project", required=True)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--session", action="store_true", help="with a session of our own")
    options = parser.parse_args()

    render = connect_with_a_session(options) if options.session else connect(options)
    try:
        metadata = renderapi.stack.get_full_stack_metadata(options.stack, render=render)
    except NotFoundError:
        print(f"there is no stack {options.stack}")
    except AccessDeniedError as error:
        raise SystemExit(f"wrong user or password ({error.status_code})") from None
    except requests.ConnectionError as error:  # and its subclass renderapi.errors.ServerUnreachableError
        raise SystemExit(f"no answer: {error}") from None
    else:
        print(f"{options.stack} is {metadata['state']}")

    # for one call that takes long, a copy of the connection with more patience
    patient = render.options(timeout=(5, 3600))
    print("owners:", ", ".join(renderapi.render.get_owners(render=patient)))


if __name__ == "__main__":
    main()
