"""Labels of many images over a cluster, with Ray Data.

    pip install "ray[data]" dapple
    python ray_images.py horse photos labels
"""

import sys

import ray

import dapple.ray


def main(model, photos, out):
    images = ray.data.read_images(photos, include_paths=True, mode="RGB")
    labels = images.map_batches(
        dapple.ray.Predictor,
        fn_constructor_kwargs={"model": model, "outputs": ["labels"], "threads": 1},
        batch_size=16,
        # One processor an actor: Ray needs others for reading and writing, and waits for ever where there are none.
        num_cpus=1,
        concurrency=(1, 8),
    )
    labels.drop_columns(["image"]).write_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
