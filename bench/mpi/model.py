"""The cost of a step over ranks: a model of the sums, its fit to measurements, and predictions with a plot.

Sums are `dapple_base::Ranks`': up to 4096 values are exchanged by everyone with everyone; of more, each rank adds up one part and
gives it to the others. With n ranks, a latency a, a time o for each message beside the first and a time b for each byte:

    small(n, bytes) = a + (n - 1) (o + bytes b)
    large(n, bytes) = 2 (a + (n - 2) o + (n - 1) / n bytes b)      in pieces of 2^22 values

A step has one large sum of four bytes a parameter and, with joint batch norms, one small sum of sixteen bytes a channel for each
norm on the way forward and one on the way back.
"""

import numpy as np

#: Values up to which a sum is one exchange, and values of a piece.
SMALL, PIECE = 4096, 1 << 22


def row(ranks, values, size):
    """The factors of latency, message and byte in the time of a sum of values of `size` bytes."""
    if ranks == 1:
        return np.zeros(3)
    if values <= SMALL:
        return np.array([1, ranks - 1, (ranks - 1) * values * size], float)
    pieces = -(-values // PIECE)
    return np.array([2 * pieces, 2 * pieces * (ranks - 2), 2 * (ranks - 1) / ranks * values * size], float)


def fit(measured):
    """Latency, message and byte from (ranks, values of four bytes, seconds): least squares of relative errors, none below 0."""
    rows = np.array([row(ranks, values, 4) / seconds for ranks, values, seconds in measured])
    # Columns of one size, so that the steps below are all alike.
    scale = np.maximum(np.linalg.norm(rows, axis=0), 1e-30)
    matrix = rows / scale
    found = np.zeros(3)
    for _ in range(20_000):
        # Coordinate descent: each optimum in turn, cut at 0.
        before = found.copy()
        for i in range(3):
            rest = 1 - matrix @ found + matrix[:, i] * found[i]
            found[i] = max(0.0, matrix[:, i] @ rest / max(matrix[:, i] @ matrix[:, i], 1e-30))
        if np.abs(found - before).max() < 1e-12:
            break
    return found / scale


def errors(costs, measured):
    """Predicted over measured time of each sum."""
    return [row(ranks, values, 4) @ costs / seconds for ranks, values, seconds in measured]


def step(costs, ranks, network, joint):
    """Seconds of communication in a step of a network: a dictionary with parameters and channels of its norms."""
    total = row(ranks, network["parameters"], 4) @ costs
    if joint:
        total += sum(2 * (row(ranks, 2 * channels, 8) @ costs) for channels in network["norms"])
    return total


def at(costs, bits_per_second):
    """The same machine with links of another speed."""
    return np.array([costs[0], costs[1], 8 / bits_per_second])


def plot(path, curves, title):
    """Efficiency (0 to 1) by ranks, of curves (name, [(ranks, efficiency)]), as SVG."""
    width, height, left, top = 720, 400, 60, 40
    colours = ["#1b6ca8", "#d1495b", "#2e8b57", "#8a5a9e", "#c98b1d", "#555555"]
    most = max(ranks for _, points in curves for ranks, _ in points)
    x = lambda ranks: left + np.log2(ranks) / np.log2(most) * (width - left - 220)
    y = lambda share: top + (1 - share) * (height - top - 50)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="22" font-size="14">{title}</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line x1="{left}" x2="{x(most):.1f}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for ranks in (2**power for power in range(int(np.log2(most)) + 1)):
        parts.append(f'<text x="{x(ranks):.1f}" y="{height - 28}" text-anchor="middle">{ranks}</text>')
    parts.append(f'<text x="{(left + x(most)) / 2:.1f}" y="{height - 8}" text-anchor="middle">ranks</text>')
    for number, (name, points) in enumerate(curves):
        colour = colours[number % len(colours)]
        dash = "" if number < len(colours) else ' stroke-dasharray="5 3"'
        line = " ".join(f"{x(ranks):.1f},{y(share):.1f}" for ranks, share in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        place = top + 14 * number
        parts.append(f'<line x1="{width - 205}" x2="{width - 180}" y1="{place}" y2="{place}" stroke="{colour}" stroke-width="2"{dash}/>')
        parts.append(f'<text x="{width - 174}" y="{place + 4}">{name}</text>')
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
