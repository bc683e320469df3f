/**
 * Synthetic photographs with known labels: animals of ellipses on a meadow.
 */
import { random } from "./random.mjs";

export const CLASSES = [
  { id: 0, name: "background", color: "#5b6b82" },
  { id: 1, name: "animal", color: "#ff3d6e" },
  { id: 2, name: "sky", color: "#18b7ff" },
];

/** { width, height, rgb, labels }; the same for the same seed. */
export function makeScene(seed, width, height) {
  const next = random(seed);
  const horizon = height * (0.25 + 0.2 * next());
  const parts = Array.from({ length: 1 + Math.floor(3 * next()) }, () => animal(next, width, height, horizon)).flat();
  const rgb = new Uint8Array(3 * width * height);
  const labels = new Uint8Array(width * height);
  const tint = [next() * 30, next() * 30, next() * 30];
  let grain = seed * 7919 + 13;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      grain = (grain * 1664525 + 1013904223) >>> 0;
      const noise = (grain >>> 24) / 16 - 8;
      const sky = y < horizon + 0.02 * height * Math.sin((9 * x) / width);
      let colour = sky
        ? [150 + (60 * y) / height, 190 + (40 * y) / height, 235]
        : [95 + tint[0] + 20 * Math.sin(x / 17), 130 + tint[1] + 14 * Math.sin(y / 11), 60];
      let label = sky ? 2 : 0;
      for (const p of parts) {
        const dx = x - p.x,
          dy = y - p.y;
        const u = (dx * p.cos + dy * p.sin) / p.a,
          v = (-dx * p.sin + dy * p.cos) / p.b;
        if (u * u + v * v > 1) continue;
        const shade = 1 - 0.35 * Math.max(0, v);
        colour = p.colour.map((c) => c * shade);
        label = 1;
      }
      labels[i] = label;
      for (let c = 0; c < 3; c++) rgb[3 * i + c] = Math.min(255, Math.max(0, colour[c] + noise));
    }
  }
  return { width, height, rgb, labels };
}

function animal(next, width, height, horizon) {
  const size = (0.08 + 0.1 * next()) * Math.min(width, height) * 1.4;
  const x = width * (0.2 + 0.6 * next());
  const y = horizon + (height - horizon) * (0.3 + 0.4 * next());
  const colour = [
    [120, 74, 42],
    [225, 220, 210],
    [60, 52, 48],
    [176, 120, 70],
  ][Math.floor(4 * next())];
  const side = next() < 0.5 ? -1 : 1;
  const part = (dx, dy, a, b, turn = 0) => ({
    x: x + side * dx * size,
    y: y + dy * size,
    a: a * size,
    b: b * size,
    cos: Math.cos(side * turn),
    sin: Math.sin(side * turn),
    colour,
  });
  return [
    part(0, 0, 1, 0.5),
    part(0.95, -0.5, 0.5, 0.22, -0.9),
    part(1.3, -0.85, 0.32, 0.17, 0.4),
    part(-0.7, 0.75, 0.12, 0.6),
    part(-0.4, 0.75, 0.12, 0.6),
    part(0.5, 0.75, 0.12, 0.6),
    part(0.75, 0.75, 0.12, 0.6),
    part(-1.1, 0.1, 0.1, 0.5, 0.3),
  ];
}
