"""Writes closed_form.txt: alpha by closed-form matting of a picture that is a formula.

Run with PyMatting 1.1.16, NumPy 2: python3 closed_form.py
"""

from pathlib import Path

import numpy
from pymatting import estimate_alpha_cf

WIDTH, HEIGHT = 40, 30
y, x = numpy.mgrid[:HEIGHT, :WIDTH]
# A tilted edge of about 6 pixels between two textured colours; 10 pixels on either side of it are unknown.
distance = x - 14 - y // 3
soft = numpy.clip((distance + 3) * 40, 0, 240)
front = numpy.stack([200 + (x * 7 + y * 3) % 40, 60 + (x * y) % 30, 40 + (x * 3) % 25], axis=2)
back = numpy.stack([30 + (x * 5) % 30, 90 + (y * 11) % 40, 180 + (x + y * 2) % 50], axis=2)
image = (front * soft[..., None] + back * (240 - soft[..., None])) // 240
trimap = numpy.where(distance > 8, 1.0, numpy.where(distance < -8, 0.0, 0.5))
# Known pixels are tied as strongly as doubles allow: ours are fixed.
alpha = estimate_alpha_cf(
    image / 255.0, trimap, laplacian_kwargs={"epsilon": 1e-7}, preconditioner=None, cg_kwargs={"rtol": 1e-12, "maxiter": 20000}
)
lines = [" ".join(f"{value:.5f}" for value in row) for row in alpha]
Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
