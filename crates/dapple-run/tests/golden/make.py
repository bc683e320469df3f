"""Writes tensorboard.tfevents with TensorBoard's own record writer. Made with tensorboard 2.21.0, protobuf's own encoder.

    python make.py tensorboard.tfevents
"""

import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

image = Summary.Image(height=2, width=1, colorspace=3, encoded_image_string=b"not a picture")
with open(sys.argv[1], "wb") as file:
    writer = RecordWriter(file)
    for event in (
        Event(wall_time=1700000000.0, file_version="brain.Event:2"),
        Event(wall_time=1700000000.5, step=3, summary=Summary(value=[Summary.Value(tag="loss/val", simple_value=0.25)])),
        Event(wall_time=1700000001.0, step=3, summary=Summary(value=[Summary.Value(tag="validation/a", image=image)])),
    ):
        writer.write(event.SerializeToString())
    writer.flush()
