/**
 * Colours: "#rrggbb", CIE Lab, and colours for new classes that read on photographs.
 */

export const rgbOf = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) || 0);

/** A pixel of an ImageData as one word, for machines of either byte order. */
const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

export function wordOf([red, green, blue], alpha) {
  const a = Math.round(255 * Math.min(1, Math.max(0, alpha)));
  return (LITTLE ? (a << 24) | (blue << 16) | (green << 8) | red : (red << 24) | (green << 16) | (blue << 8) | a) >>> 0;
}

/** Black or white, whichever reads on the colour (relative luminance of WCAG 2). */
export function inkOn(hex) {
  const [r, g, b] = rgbOf(hex).map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.2 ? "#101418" : "#ffffff";
}

/** Strong, distinct hues: rare in photographs of nature and streets. */
export const NEW_COLOURS = [
  "#ff3d6e",
  "#18b7ff",
  "#ffc61a",
  "#8a5cff",
  "#00d68f",
  "#ff7a1a",
  "#ff66d9",
  "#9be800",
  "#00d4d4",
  "#c98bff",
  "#d94600",
  "#3d7bff",
  "#b8a100",
  "#ff9e9e",
  "#00a36c",
  "#7fb2ff",
];

/** The first of the colours that no class has. */
export function newColour(taken) {
  const used = new Set(taken.map((c) => c.toLowerCase()));
  return NEW_COLOURS.find((c) => !used.has(c)) ?? NEW_COLOURS[taken.length % NEW_COLOURS.length];
}

function linear(byte) {
  const v = byte / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

const LINEAR = Float32Array.from({ length: 256 }, (_, byte) => linear(byte));

/** CIE Lab (D65) of RGBA bytes: three numbers a pixel. */
export function labOf(rgba) {
  const out = new Float32Array((rgba.length / 4) * 3);
  const f = (t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  for (let i = 0, o = 0; i < rgba.length; i += 4, o += 3) {
    const r = LINEAR[rgba[i]],
      g = LINEAR[rgba[i + 1]],
      b = LINEAR[rgba[i + 2]];
    const x = f((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
    const y = f(0.2126729 * r + 0.7151522 * g + 0.072175 * b);
    const z = f((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883);
    out[o] = 116 * y - 16;
    out[o + 1] = 500 * (x - y);
    out[o + 2] = 200 * (y - z);
  }
  return out;
}
