"""The examples run. Packages that are not installed are skipped, or stood in for where an example only hands itself to them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import dapple
import dapple.ray

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    # Workers and estimators are found by the name of their module.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_the_notebook(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(EXAMPLES / "segmentation.ipynb", as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "error"]
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert (tmp_path / "runs/discs/report.html").is_file()


def test_the_notebook_is_kept_without_results():
    import json

    cells = json.loads((EXAMPLES / "segmentation.ipynb").read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


def test_a_data_set_of_pytorch(discs, capsys):
    pytest.importorskip("torch")
    module = example("torch_dataset")
    images, labels = module.Pairs(discs, size=48)[0]
    assert images.shape == (3, 48, 48) and labels.shape == (48, 48) and float(images.max()) <= 1
    module.main(str(discs))
    assert "(4, 3, 224, 224) (4, 224, 224)" in capsys.readouterr().out


def test_scoring_as_in_scikit_learn(discs, run):
    pytest.importorskip("sklearn")
    found = example("sklearn_scoring").search(run.folder, discs)
    assert found.best_params_["threshold"] in (0.4, 0.5, 0.6) and 0 <= found.best_score_ <= 1


def test_an_app_of_gradio(monkeypatch, image):
    lines = (EXAMPLES / "gradio_app.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 10
    gradio = ModuleType("gradio")
    gradio.Image = lambda **settings: settings
    gradio.Interface = lambda function, *parts: SimpleNamespace(function=function)
    monkeypatch.setitem(sys.modules, "gradio", gradio)
    assert example("gradio_app").app.function(image).shape == (96, 128, 4)


def test_a_backend_of_label_studio(monkeypatch, run, discs):
    class Base:
        parsed_label_config = {"label": {"to_name": ["image"], "inputs": [{"value": "image"}]}}

        def get_local_path(self, url, task_id=None):
            return url

    package, model = ModuleType("label_studio_ml"), ModuleType("label_studio_ml.model")
    model.LabelStudioMLBase = Base
    monkeypatch.setitem(sys.modules, "label_studio_ml", package)
    monkeypatch.setitem(sys.modules, "label_studio_ml.model", model)
    monkeypatch.setenv("MODEL", run.folder)
    backend = example("label_studio_backend").Backend()
    backend.setup()
    found = backend.predict([{"id": 1, "data": {"image": str(discs / "images" / "00.png")}}])
    assert len(found) == 1 and 0 <= found[0]["score"] <= 1
    for result in found[0]["result"]:
        assert result["type"] == "polygonlabels" and len(result["value"]["points"]) >= 4
        assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in result["value"]["points"])


def test_batches_of_ray(run, image):
    predictor = dapple.ray.Predictor(run.folder, device="cpu", outputs=["labels", "entropy"], flip="horizontal")
    batch = predictor({"image": np.stack([image, image[::-1]]), "path": np.array(["a", "b"])})
    assert batch["labels"].shape == (2, 96, 128) and batch["entropy"].dtype == np.float32
    assert batch["path"].tolist() == ["a", "b"]
    mixed = np.empty(2, dtype=object)
    mixed[0], mixed[1] = image, image[:64]
    assert [labels.shape for labels in predictor({"image": mixed})["labels"]] == [(96, 128), (64, 128)]
    with pytest.raises(dapple.InputError, match="no column `image`"):
        predictor({"picture": mixed})
    with pytest.raises(dapple.InputError, match="labels, probabilities, entropy"):
        dapple.ray.Predictor("horse", outputs=["mask"])


def test_images_over_a_cluster_of_ray(run, discs, tmp_path):
    ray = pytest.importorskip("ray")
    pytest.importorskip("pyarrow")
    ray.init(num_cpus=2, include_dashboard=False, ignore_reinit_error=True)
    try:
        example("ray_images").main(run.folder, str(discs / "images"), str(tmp_path / "labels"))
        assert ray.data.read_parquet(str(tmp_path / "labels")).count() == 12
    finally:
        ray.shutdown()
