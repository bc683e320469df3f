"""A Label Studio ML backend: a model of dapple proposes polygons, which people then correct.

    pip install label-studio-ml dapple
    label-studio-ml init horses --script label_studio_backend.py
    MODEL=runs/horses label-studio-ml start horses

The project has an image and polygons:

    <View><Image name="image" value="$image"/>
    <PolygonLabels name="label" toName="image"><Label value="horse"/></PolygonLabels></View>
"""

import os
from uuid import uuid4

from label_studio_ml.model import LabelStudioMLBase

import dapple

#: Regions of fewer pixels are not proposed.
LEAST = 64


class Backend(LabelStudioMLBase):
    def setup(self):
        self.segmenter = dapple.load(os.environ.get("MODEL", "horse"))

    def predict(self, tasks, context=None, **rest):
        value = next(iter(self.parsed_label_config.values()))["inputs"][0]["value"]
        paths = [self.get_local_path(task["data"][value], task_id=task.get("id")) for task in tasks]
        return [self.proposal(self.segmenter.predict(path)) for path in paths]

    def proposal(self, prediction):
        """The polygons of all classes but the background, in percent of the image as Label Studio counts."""
        (name, control), (height, width) = next(iter(self.parsed_label_config.items())), prediction.shape
        results = []
        for feature in prediction.polygons(min_area=LEAST):
            if feature["properties"]["label"] == 0:
                continue
            # Label Studio's polygons have no holes, and their ends are not repeated.
            outer = feature["geometry"]["coordinates"][0][:-1]
            results.append(
                {
                    "id": uuid4().hex[:8],
                    "from_name": name,
                    "to_name": control["to_name"][0],
                    "type": "polygonlabels",
                    "original_width": width,
                    "original_height": height,
                    "value": {
                        "points": [[100 * x / width, 100 * y / height] for x, y in outer],
                        "polygonlabels": [feature["properties"]["class"]],
                        "closed": True,
                    },
                }
            )
        return {"model_version": dapple.__version__, "score": float(1 - prediction.entropy.mean()), "result": results}
