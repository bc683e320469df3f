"""Trainings from Python: the run, its events, its interruptions."""

from __future__ import annotations

import pickle
import signal
from pathlib import Path

import numpy as np
import pytest

import dapple
from conftest import SHORT


def test_a_run_has_its_metrics_as_arrays(run):
    metrics = run.metrics
    assert metrics["epoch"].tolist() == [1, 2]
    assert metrics["train_loss"].dtype == np.float64 and np.isfinite(metrics["train_loss"]).all()
    assert metrics["val_miou"].shape == (2,)
    assert run.best_epoch in (1, 2) and "unet" in run.config
    assert (Path(run.folder) / "report.html").is_file()
    assert "discs" in repr(run) and run._repr_html_().lstrip().startswith("<")
    assert pickle.loads(pickle.dumps(run)).metrics.keys() == metrics.keys()


def test_the_best_epoch_has_the_highest_score(run):
    scores = run.metrics["val_score"]
    assert scores[run.best_epoch - 1] == np.nanmax(scores)


def test_pandas_gets_a_row_for_each_epoch(run):
    pytest.importorskip("pandas")
    table = run.to_pandas()
    assert len(table) == 2 and list(table["epoch"]) == [1, 2]


def test_callbacks_are_told_of_everything(discs, tmp_path):
    events = []
    found = dapple.train(discs, tmp_path / "run", progress=False, callbacks=events.append, **SHORT)
    kinds = [event.kind for event in events]
    assert kinds[0] == "run" and events[0].text == found.folder
    assert {"started", "batch", "scored", "epoch"} <= set(kinds)
    epochs = [event for event in events if event.kind == "epoch"]
    assert [event.epoch for event in epochs] == [1, 2]
    assert epochs[0].record["train_loss"] == found.metrics["train_loss"][0]
    assert epochs[0].line.startswith("epoch 1/2")


def test_progress_is_printed(discs, tmp_path, capsys):
    dapple.train(discs, tmp_path / "run", **{**SHORT, "epochs": 1})
    assert "epoch 1/1" in capsys.readouterr().out


def test_a_callback_ends_the_training_and_the_run_goes_on(discs, tmp_path):
    folder = tmp_path / "run"
    stopped = dapple.train(
        discs, folder, progress=False, callbacks=[lambda event: np.bool_(event.kind != "epoch"), lambda event: None], **SHORT
    )
    assert stopped.metrics["epoch"].tolist() == [1]
    whole = dapple.train(resume=folder, progress=False, device="cpu")
    assert whole.metrics["epoch"].tolist() == [1, 2]


def test_an_interrupted_run_ends_with_the_same_weights(discs, run, tmp_path):
    folder = tmp_path / "run"

    def interrupt(event):
        if event.kind == "batch" and event.batch == 2 and event.epoch == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        dapple.train(discs, folder, progress=False, callbacks=interrupt, **SHORT)
    whole = dapple.train(resume=folder, progress=False, device="cpu", threads=2)
    assert np.array_equal(whole.metrics["train_loss"], run.metrics["train_loss"])


def test_an_exception_of_a_callback_is_raised_and_the_state_saved(discs, tmp_path):
    def fail(event):
        if event.kind == "batch":
            raise LookupError("of the callback")

    with pytest.raises(LookupError, match="of the callback"):
        dapple.train(discs, tmp_path / "run", progress=False, callbacks=fail, **SHORT)
    assert dapple.train(resume=tmp_path / "run", progress=False, device="cpu").metrics["epoch"].size == 2


def test_a_run_is_not_replaced_unless_forced(discs, run):
    with pytest.raises(dapple.InputError, match="force"):
        dapple.train(discs, run.folder, progress=False, **SHORT)
    assert run.metrics["epoch"].tolist() == [1, 2]


def test_warnings_about_the_data_are_warnings(discs, tmp_path):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(discs, broken)
    (broken / "images" / "03.png").write_bytes(b"no picture")
    with pytest.raises(dapple.InputError, match="03.png"):
        dapple.train(broken, tmp_path / "run", progress=False, **SHORT)
    with pytest.warns(UserWarning, match="1 bad pairs were left out"):
        dapple.train(broken, tmp_path / "run", progress=False, skip_bad=True, **{**SHORT, "epochs": 1})
