"""Makes resize.json: PyTorch's antialiased bilinear resizing of a small picture, for tests/suite/images.rs.

Run: python resize.py > resize.json
"""

import json
import sys

import torch

HEIGHT, WIDTH = 11, 14
picture = [(y * 37 + x * 91 + c * 53 + (x * y) % 7 * 19) % 256 for y in range(HEIGHT) for x in range(WIDTH) for c in range(3)]
tensor = torch.tensor(picture, dtype=torch.float64).reshape(1, HEIGHT, WIDTH, 3).permute(0, 3, 1, 2)
cases = []
for height, width in [(5, 7), (4, 20), (23, 9), (22, 28), (3, 3)]:
    resized = torch.nn.functional.interpolate(tensor, (height, width), mode="bilinear", antialias=True)
    values = resized[0].permute(1, 2, 0).reshape(-1)
    cases.append({"height": height, "width": width, "values": [round(v, 2) for v in values.tolist()]})
json.dump({"torch": torch.__version__, "height": HEIGHT, "width": WIDTH, "picture": picture, "cases": cases}, sys.stdout)
print()
