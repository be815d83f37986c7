"""A server that can be killed, and somebody who stores something there meanwhile."""

import os
import re
import signal
import subprocess
import sys
import threading

import requests
from embedded import make_tile

TIMEOUT = 30
SIZE = 40


class Server:
    """A server in a process of its own."""

    def __init__(self, folder):
        program = f"from renderapi.server import serve; serve({str(folder)!r}, port=0)"
        self.process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        self.url = re.match(r"render-ws at (\S+),", self.process.stdout.readline())[1]

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        with self.process:
            pass


class Importer(threading.Thread):
    """Stores numbered batches of tiles and matches, one after another, until the server is gone."""

    def __init__(self, url, first):
        super().__init__()
        self.base = f"{url}/v1/owner/o"
        self.acknowledged = []
        self.sent = first - 1
        self.progress = threading.Event()

    def run(self):
        with requests.Session() as session:
            try:
                while True:
                    self.sent += 1
                    tiles = [make_tile(f"{self.sent}-{n}", float(self.sent)) for n in range(SIZE)]
                    pairs = [
                        {"pGroupId": str(self.sent), "pId": str(n), "qGroupId": "x", "qId": "q"}
                        for n in range(SIZE)
                    ]
                    body = {"tileIdToSpecMap": {tile["tileId"]: tile for tile in tiles}}
                    path = f"{self.base}/project/p/stack/s/resolvedTiles"
                    session.put(path, json=body, timeout=TIMEOUT).raise_for_status()
                    path = f"{self.base}/matchCollection/c/matches"
                    session.put(path, json=pairs, timeout=TIMEOUT).raise_for_status()
                    self.acknowledged.append(self.sent)
                    self.progress.set()
            except requests.ConnectionError:
                return
