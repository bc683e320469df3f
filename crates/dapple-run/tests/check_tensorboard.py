"""Reads a run with the real TensorBoard and compares it with metrics.jsonl. Checked with tensorboard 2.21.0.

    python check_tensorboard.py RUN

Every epoch must be there once, in order, with the values of the table, and the pictures must be PNG files.
"""

import json
import math
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = pathlib.Path(sys.argv[1])
rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
events.Reload()
tags = events.Tags()
compared = 0
for column in rows[0]:
    if column == "epoch":
        continue
    part, _, quantity = column.partition("_")
    tag = f"{quantity}/{part}" if part in ("train", "val") else f"training/{column}"
    wanted = [(row["epoch"], row[column]) for row in rows if row[column] is not None]
    if not wanted:
        continue
    found = [(event.step, event.value) for event in events.Scalars(tag)]
    assert [step for step, _ in found] == [step for step, _ in wanted], (tag, found, wanted)
    for (_, value), (_, number) in zip(found, wanted):
        assert math.isclose(value, number, rel_tol=1e-6, abs_tol=1e-30), (tag, value, number)
    compared += len(wanted)
pictures = 0
for tag in tags["images"]:
    steps = [picture.step for picture in events.Images(tag)]
    assert steps == sorted(set(steps)), (tag, steps)
    for picture in events.Images(tag):
        assert picture.encoded_image_string.startswith(b"\x89PNG") and picture.width > 0 and picture.height > 0
        pictures += 1
print(f"{len(rows)} epochs, {compared} values of {len(tags['scalars'])} tags, {pictures} pictures: all as in the table")
