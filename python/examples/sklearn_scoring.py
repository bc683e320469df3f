"""A model of dapple as an estimator of scikit-learn: cross-validation over settings of the prediction.

    python sklearn_scoring.py horse horses
"""

import sys

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, KFold

import dapple
from dapple import metrics


class Segmentation(BaseEstimator):
    """Predicts label maps with a trained model; ``fit`` has nothing to learn."""

    def __init__(self, model="horse", threshold=0.5, flip=None):
        self.model = model
        self.threshold = threshold
        self.flip = flip

    def fit(self, images, labels):
        self.segmenter_ = dapple.load(self.model, device="cpu")
        return self

    def predict(self, images):
        found = self.segmenter_.predict(list(images), threshold=self.threshold, flip=self.flip)
        return [prediction.labels for prediction in found]


def search(model, folder):
    """The settings of the prediction with the best mean IoU over the folds."""
    images, labels = zip(*dapple.data.Dataset(folder))
    grid = {"model": [model], "threshold": [0.4, 0.5, 0.6], "flip": [None, "horizontal"]}
    folds = GridSearchCV(Segmentation(), grid, scoring=metrics.scorer("miou"), cv=KFold(3), refit=False)
    return folds.fit(as_objects(images), as_objects(labels))


def as_objects(arrays):
    """Arrays of any shapes as one array that scikit-learn can divide."""
    column = np.empty(len(arrays), dtype=object)
    for at, array in enumerate(arrays):
        column[at] = array
    return column


if __name__ == "__main__":
    found = search(*sys.argv[1:])
    print(found.best_params_, found.best_score_)
