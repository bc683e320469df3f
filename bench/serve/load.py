"""What the load test's users do (locust): each sends a photograph, waits for the answer, and sends the next one.

Read by bench/serve/run.py, which sets DAPPLE_PHOTOS (a folder), DAPPLE_REQUESTS (how many in all), DAPPLE_PATH and
DAPPLE_LOG (a JSON file that takes of each request its status, 0 for a connection that broke, the seconds that it took,
whether it was told when to come back, and when it began).
"""

import itertools
import json
import os
import time
from pathlib import Path

import gevent
from locust import constant, events, task
from locust.contrib.fasthttp import FastHttpUser
from locust.exception import StopUser

PHOTOS = [path.read_bytes() for path in sorted(Path(os.environ["DAPPLE_PHOTOS"]).iterdir())]
LAST = int(os.environ["DAPPLE_REQUESTS"])
counter = itertools.count()
log = []


class User(FastHttpUser):
    wait_time = constant(0)
    connection_timeout = network_timeout = 120

    @task
    def predict(self):
        number = next(counter)
        if number >= LAST:
            raise StopUser
        begun = time.perf_counter()
        photo = PHOTOS[number % len(PHOTOS)]
        headers = {"Content-Type": "image/jpeg"}
        with self.client.post(os.environ["DAPPLE_PATH"], data=photo, headers=headers, catch_response=True) as answer:
            answer.success()
            told = "Retry-After" in (answer.headers or {})
            log.append((answer.status_code, time.perf_counter() - begun, told, begun))
        if len(log) == LAST:
            # From a greenlet of its own: it ends this one.
            gevent.spawn(self.environment.runner.quit)
        if answer.status_code == 429:
            # A user who is refused waits a moment; without it, refusals would be all there is.
            time.sleep(0.05)


@events.quit.add_listener
def write(**_):
    Path(os.environ["DAPPLE_LOG"]).write_text(json.dumps(log))
