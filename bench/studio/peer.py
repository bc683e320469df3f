#!/usr/bin/env python3
"""scikit-image's trainable segmentation behind the simulated annotator: a random forest on multiscale features.

It follows the gallery of scikit-image ("Trainable segmentation using local features and random forests"), with all photographs that
have labels in the training set. Lines come in as FOLDER<tab>PHOTOGRAPH<tab>PNG; see crates/dapple-studio/examples/annotator.rs.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import feature
from sklearn.ensemble import RandomForestClassifier

UNLABELLED = 255
# Those of the gallery.
FEATURES = partial(
    feature.multiscale_basic_features,
    intensity=True,
    edges=False,
    texture=True,
    sigma_min=1,
    sigma_max=16,
    channel_axis=-1,
)
computed = {}


def features(folder, name):
    """Features of a photograph, computed once."""
    if name not in computed:
        image = np.asarray(Image.open(Path(folder) / "images" / name).convert("RGB"))
        computed[name] = FEATURES(image).astype(np.float32)
    return computed[name]


def main():
    for line in sys.stdin:
        folder, name, out = line.rstrip("\n").split("\t")
        vectors, labels = [], []
        for mask in sorted((Path(folder) / "masks").glob("*.png")):
            values = np.asarray(Image.open(mask))
            labelled = values != UNLABELLED
            photograph = next((Path(folder) / "images").glob(f"{mask.stem}.*")).name
            vectors.append(features(folder, photograph)[labelled])
            labels.append(values[labelled])
        forest = RandomForestClassifier(n_estimators=50, n_jobs=-1, max_depth=10, max_samples=0.05, random_state=0)
        forest.fit(np.concatenate(vectors), np.concatenate(labels))
        wanted = features(folder, name)
        found = forest.predict(wanted.reshape(-1, wanted.shape[-1])).reshape(wanted.shape[:2])
        Image.fromarray(found.astype(np.uint8)).save(out)
        print("done", flush=True)


if __name__ == "__main__":
    main()
