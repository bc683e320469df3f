"""Pictures, polygons, areas and files of a prediction."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import dapple


@pytest.fixture(scope="module")
def prediction(run, discs) -> dapple.Prediction:
    return dapple.load(run, device="cpu").predict(discs / "images" / "00.png", threshold=0.3)


def test_an_overlay_lies_between_image_and_colours(prediction, discs):
    image = np.asarray(Image.open(discs / "images" / "00.png"))
    assert np.array_equal(prediction.overlay(opacity=0), image)
    colours = prediction.colours[prediction.labels]
    middle = (image.astype(int) + colours) / 2
    shown = prediction.labels > 0
    assert np.abs(prediction.overlay(0.5)[shown] - middle[shown]).max(initial=0) <= 1.5


def test_a_cutout_has_alpha_or_a_background(prediction):
    assert prediction.cutout().shape == (64, 64, 4)
    assert prediction.cutout(background=(0, 177, 64)).shape == (64, 64, 3)
    assert np.array_equal(
        prediction.cutout(keep=["background"], refine="off")[..., 3],
        prediction.cutout(keep=[0], refine="off")[..., 3],
    )
    assert prediction.heatmap().shape == (64, 64, 3)


def test_polygons_cover_the_pixels_of_their_class(prediction):
    polygons = prediction.polygons()
    assert polygons.crs is None
    assert polygons.__geo_interface__["features"] == [feature.__geo_interface__ for feature in polygons]
    assert prediction.__geo_interface__ == polygons.__geo_interface__
    counted = np.bincount(prediction.labels.ravel(), minlength=2)
    for label, name in enumerate(prediction.classes):
        of_class = [feature for feature in polygons if feature["properties"]["class"] == name]
        assert sum(feature["properties"]["pixels"] for feature in of_class) == counted[label]
        for feature in of_class:
            outer, *holes = feature["geometry"]["coordinates"]
            area = abs(shoelace(outer)) - sum(abs(shoelace(hole)) for hole in holes)
            assert area == feature["properties"]["pixels"]
    assert len(prediction.polygons(min_area=64 * 64 + 1)) == 0


def shoelace(ring) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:])) / 2


def test_areas_are_counts(prediction):
    counted = np.bincount(prediction.labels.ravel(), minlength=2)
    classes = [area for area in prediction.areas() if area["region"] is None]
    assert [area["pixels"] for area in classes] == counted.tolist()
    assert [area["class"] for area in classes] == prediction.classes
    assert abs(sum(area["share"] for area in classes) - 1) < 1e-5
    for region in (area for area in prediction.areas() if area["region"] is not None):
        x, y, width, height = region["box"]
        assert 0 <= x and x + width <= 64 and 0 <= y and y + height <= 64 and region["pixels"] <= width * height


def test_pandas_makes_a_table_of_areas(prediction):
    pandas = pytest.importorskip("pandas")
    assert set(pandas.DataFrame(prediction.areas())["class"]) <= set(prediction.classes)


def test_files_are_those_of_the_command(prediction, tmp_path):
    for name, kind in [
        ("mask.png", None),
        ("labels.png", "labels"),
        ("overlay.png", "overlay"),
        ("cutout.png", "cutout"),
        ("p.npy", None),
        ("p.png", "probability"),
        ("outlines.geojson", None),
        ("coco.json", None),
        ("areas.csv", None),
    ]:
        prediction.save(tmp_path / name, kind)
        assert (tmp_path / name).stat().st_size > 0, name
    assert np.array_equal(np.asarray(Image.open(tmp_path / "mask.png")), prediction.labels)
    assert np.allclose(np.load(tmp_path / "p.npy"), prediction.probabilities[..., 1])
    outlines = json.loads((tmp_path / "outlines.geojson").read_text())
    assert outlines["features"] == prediction.polygons().__geo_interface__["features"]


def test_arrays_are_computed_once_and_fixed(prediction):
    assert prediction.labels is prediction.labels
    with pytest.raises(ValueError):
        prediction.labels[0, 0] = 1


def test_notebooks_show_the_mask_over_the_image(prediction):
    assert prediction._repr_png_().startswith(b"\x89PNG")
    shown = prediction._repr_html_()
    assert "data:image/png;base64," in shown and "background" in shown and "00.png" in shown
    assert repr(prediction) == f"Prediction(64 x 64, {', '.join(prediction.classes)})"


def test_a_place_on_the_ground_comes_with_the_polygons(run, discs, tmp_path):
    path = tmp_path / "field.png"
    path.write_bytes((discs / "images" / "00.png").read_bytes())
    # A world file: half a metre a pixel.
    (tmp_path / "field.pgw").write_text("0.5\n0\n0\n-0.5\n300000.25\n4999999.75\n")
    (tmp_path / "field.prj").write_text("EPSG:32632")
    # Every pixel is foreground, whatever the short training has learned.
    prediction = dapple.load(run, device="cpu").predict(path, tile="off", threshold=0.0)
    points = [point for feature in prediction.polygons() for ring in feature["geometry"]["coordinates"] for point in ring]
    assert min(x for x, _ in points) == 300000 and max(y for _, y in points) == 5000000
