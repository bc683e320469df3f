#!/usr/bin/env python3
"""Load on `dapple serve`: latencies at several loads, what happens beyond its capacity, memory, and schemathesis.

    python3 bench/serve/run.py [--images FOLDER] [--requests 10000] [--threads N]

locust and schemathesis are installed into $DAPPLE_BENCH_VENV, by default ~/.cache/dapple-bench. Users send photographs of
typical sizes to a U²-Net-lite and wait for cut-outs. First with as many users at a time as loads are listed; then with
four times as many as the server takes, where it has to refuse with 429 and may not break a connection; then all requests
for memory, whose readings must not grow after the first tenth; at last schemathesis tries the API by its own description.
Results go to bench/serve/RESULTS.md (`--write`).
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import stage  # noqa: E402

LOADS = [1, 2, 4, 8, 16]
# Of the server's bounds: images on their way at a time.
QUEUE = 16


class Server:
    def __init__(self, dapple, model, threads):
        # All users have one address here.
        limits = ["--queue", str(QUEUE), "--peer-share", "100", "--threads", str(threads)]
        command = [dapple, "serve", f"lite={model}", "--port", "0", *limits]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = re.search(r"http://[^/]+", self.child.stdout.readline())[0]

    def memory(self):
        """MiB that the process holds."""
        said = subprocess.run(["ps", "-o", "rss=", "-p", str(self.child.pid)], capture_output=True, text=True)
        return int(said.stdout) / 1024

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(60)


def load(server, photos, users, requests, scratch):
    """Status, seconds and Retry-After of each request, and the seconds from the first one's begin to the last one's end."""
    log = scratch / "log.json"
    environment = {
        **os.environ,
        "DAPPLE_PHOTOS": str(photos),
        "DAPPLE_REQUESTS": str(requests),
        "DAPPLE_PATH": "/predict?output=cutout",
        "DAPPLE_LOG": str(log),
    }
    locust = ["locust", "-f", str(Path(__file__).with_name("load.py")), "--headless", "--host", server.url]
    command = [stage.tool(locust[0]), *locust[1:], "-u", str(users), "-r", str(users), "--only-summary"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True)
    if said.returncode != 0:
        sys.exit(said.stdout + said.stderr)
    answers = json.loads(log.read_text())
    span = max(begun + t for _, t, _, begun in answers) - min(begun for *_, begun in answers)
    return [answer[:3] for answer in answers], span


def row(name, answers, seconds):
    times = sorted(1000 * t for status, t, _ in answers if status == 200)
    at = lambda share: times[min(int(share * len(times)), len(times) - 1)] if times else float("nan")  # noqa: E731
    count = lambda wanted: sum(status == wanted for status, _, _ in answers)  # noqa: E731
    odd = len(answers) - count(200) - count(429) - count(0)
    return (
        f"| {name} | {len(times) / seconds:.1f} | {at(0.5):.0f} | {at(0.9):.0f} | {at(0.99):.0f} | {at(1):.0f} | "
        f"{count(200)} | {count(429)} | {count(0)} | {odd} |"
    )


def with_memory(server, work):
    """The result of the work, and the memory at each second of it."""
    readings, over = [], threading.Event()

    def watch():
        while not over.wait(1):
            readings.append(server.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = work()
    finally:
        over.set()
        watcher.join()
    return result, [*readings, server.memory()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of photographs; painted ones without it")
    parser.add_argument("--requests", type=int, default=10_000, help="for memory; a tenth for each load")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--model", type=Path, help="run or model file; a U²-Net-lite is trained without it")
    parser.add_argument("--program", type=Path, help="a dapple that is built; a release build is made without it")
    parser.add_argument("--examples", type=int, default=100, help="examples of schemathesis for each operation")
    parser.add_argument("--write", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    arguments = parser.parse_args()
    stage.enter("serve", ["locust==2.*", "schemathesis==4.*", "numpy", "pillow"])
    from importlib.metadata import version

    dapple = stage.program(arguments.program)
    with tempfile.TemporaryDirectory(prefix="dapple-bench-") as folder:
        scratch = Path(folder)
        photos = scratch / "photos"
        stage.photographs(photos, 21, arguments.images)
        server = Server(dapple, stage.model(dapple, arguments.model, scratch), arguments.threads)
        try:
            few = max(arguments.requests // 10, 20)
            load(server, photos, 4, 20, scratch)
            rows = [
                row(f"{users} users", *load(server, photos, users, few, scratch))
                for users in LOADS
            ]
            beyond, seconds = load(server, photos, 4 * QUEUE, max(few, 8 * QUEUE), scratch)
            rows.append(row(f"{4 * QUEUE} users, capacity {QUEUE}", beyond, seconds))
            untold = sum(status == 429 and not told for status, _, told in beyond)
            (answers, seconds), memory = with_memory(
                server, lambda: load(server, photos, 8, arguments.requests, scratch)
            )
            rows.append(row(f"8 users, {arguments.requests} requests", answers, seconds))
            schema = [stage.tool("schemathesis"), "run", f"{server.url}/openapi.json"]
            # No schema can say which bytes are an image, so that valid requests may be refused.
            bounds = ["--exclude-checks", "positive_data_acceptance", "--max-examples", str(arguments.examples)]
            fuzzed = subprocess.run([*schema, *bounds, "--seed", "1", "--no-color"], capture_output=True, text=True, cwd=scratch)
            alive = server.child.poll() is None
        finally:
            ended = server.stop()
    warm = memory[max(len(memory) // 10, 1) - 1]
    half = memory[len(memory) // 2 :]
    verdict = "finds nothing" if fuzzed.returncode == 0 else f"fails with code {fuzzed.returncode}"
    summary = "\n".join(fuzzed.stdout.strip().splitlines()[-12:])
    text = f"""# `dapple serve` under load

Made by `bench/serve/run.py --requests {arguments.requests}` on {time.strftime("%Y-%m-%d")}:
{stage.machine(arguments.threads)}, locust {version("locust")}, schemathesis {version("schemathesis")}, both on the same machine.
U²-Net-lite at {stage.SIDE} x {stage.SIDE}, JPEG photographs of 1.2 to 8 million pixels, cut-outs.

| load | answered/s | median, ms | 90 %, ms | 99 %, ms | longest, ms | answered | refused (429) | broken | other |
|---|---|---|---|---|---|---|---|---|---|
""" + "\n".join(rows) + f"""

Refusals without Retry-After: {untold}. Memory over {len(answers)} requests: {warm:.0f} MiB after the first tenth,
{statistics.mean(half):.0f} MiB on average in the second half, {max(memory):.0f} MiB at most, {memory[-1]:.0f} MiB at the end.
The server was {"up" if alive else "down"} after all of it and ended with code {ended}.

schemathesis, {arguments.examples} examples an operation: {verdict}.

```
{summary}
```
"""
    arguments.write.write_text(text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
