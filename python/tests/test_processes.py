"""Threads, forked and spawned processes."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import dapple
from conftest import picture

#: Seconds after which a process counts as hung.
PATIENCE = 300

_shared = None


def labels_of(image):
    return _shared.predict(image).labels


def labels_by(segmenter, image):
    return segmenter.predict(image).labels


def score_of(maps):
    return dapple.metrics.miou(*maps)


def test_threads_share_a_segmenter(segmenter):
    images = [picture(seed=seed) for seed in range(8)]
    wanted = [segmenter.predict(image).labels for image in images]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda image: segmenter.predict(image, flip="both").labels, images))
        again = list(threads.map(lambda image: segmenter.predict(image).labels, images))
    assert all(np.array_equal(a, b) for a, b in zip(again, wanted)) and len(found) == 8


def test_other_threads_run_while_a_network_does(segmenter):
    image, times, beats, over = picture(256, 256), [], [], threading.Event()

    def work():
        begin = time.perf_counter()
        segmenter.predict(image, size=1024)
        times.extend([begin, time.perf_counter()])
        over.set()

    worker = threading.Thread(target=work)
    worker.start()
    while not over.wait(0.001):
        beats.append(time.perf_counter())
    worker.join()
    assert sum(times[0] < beat < times[1] for beat in beats) >= 5


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="processes are not forked there")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_uses_the_models_of_its_parent(segmenter):
    global _shared
    _shared = segmenter
    images = [picture(seed=seed) for seed in range(3)]
    wanted = [segmenter.predict(image).labels for image in images]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map_async(labels_of, images).get(PATIENCE)
        scores = pool.map_async(score_of, [(label, label) for label in wanted]).get(PATIENCE)
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted)) and scores == [1.0] * 3
    # And the parent goes on.
    assert np.array_equal(segmenter.predict(images[0]).labels, wanted[0])


def test_a_spawned_process_gets_a_copy(segmenter):
    image = picture()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply_async(labels_by, (segmenter, image)).get(PATIENCE)
    assert np.array_equal(found, segmenter.predict(image).labels)
    copy = pickle.loads(pickle.dumps(segmenter))
    assert np.array_equal(copy.predict(image).labels, found)


def test_errors_pass_between_processes():
    error = pickle.loads(pickle.dumps(dapple.InputError("wrong")))
    assert isinstance(error, dapple.InputError) and str(error) == "wrong"
