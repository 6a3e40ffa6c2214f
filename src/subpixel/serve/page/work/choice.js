/**
 * Which network of the family a picture goes through, by what its file says of its compression:
 * number for number subpixel.media.compression and subpixel.upscaling.choice.curve.
 */

/** ITU-T T.81, table K.1, in zigzag order. */
const ANNEX_K = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
  60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121,
  112, 100, 120, 92, 101, 103, 99,
];
const LOW_FREQUENCIES = 21;
/**
 * Of each format: what its files state (null: nothing), from which value on each strength is the
 * best, and how it is said.
 */
const STATED = {
  jpeg: {
    read: ({ lumaTable }) => (lumaTable?.every(Boolean) ? fitQuality(lumaTable) : null),
    strengths: [[0, 1], [81, 0.75], [91, 0.5], [94, 0.25], [98, 0]],
    explain: (quality) => `a JPEG of quality ${quality}, by its tables`,
  },
  webp: {
    read: ({ quantizer }) => quantizer,
    strengths: [[0, 0], [8, 0.25], [17, 0.5], [27, 0.75], [48, 1]],
    explain: (index) => `a WebP of quantiser ${toEven(index)} of 127`,
  },
  avif: {
    read: ({ quantizer }) => quantizer,
    strengths: [[0, 0], [36, 0.25], [72, 0.5], [92, 0.75], [116, 1]],
    explain: (index) => `an AVIF of quantiser ${index} of 255`,
  },
};

/** The libjpeg quality, 1 … 100, whose table is nearest to 64 steps in zigzag order. */
export function fitQuality(table) {
  let best = { quality: 0, distance: Infinity };
  for (let quality = 100; quality > 0; quality--) {
    const distance = tableDistance(table, libjpegTable(quality));
    if (distance < best.distance) best = { quality, distance };
  }
  return best.quality;
}

function libjpegTable(quality) {
  const percent = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  return ANNEX_K.map((step) => Math.min(Math.max(Math.floor((step * percent + 50) / 100), 1), 255));
}

function tableDistance(one, other) {
  let sum = 0;
  for (let i = 0; i < LOW_FREQUENCIES; i++) sum += Math.abs(Math.log(one[i] / other[i]));
  return sum;
}

/** The nearest whole number; the even one of two. */
const toEven = (value) => Math.round(value) - (value % 2 === 0.5 ? 1 : 0);

/** { strength, reason }: how much is to be cleaned up, 0 … 1, by what the file says; and why. */
export function judgeFile({ format, metadata }) {
  const value = STATED[format]?.read(metadata) ?? null;
  if (value === null) return { strength: 0, reason: "" };
  const { strengths, explain } = STATED[format];
  return { strength: strengths.findLast(([from]) => value >= from)[1], reason: explain(value) };
}

/**
 * { facts, reason } of the network for a picture. `family` has { strength, facts } by strength, and
 * is empty where a network was named: that is `chosen`, and `deep` is for more than 8 bits.
 */
export function chooseNetwork(picture, { chosen, family, deep }) {
  if (picture.depth === 16 && deep) return { facts: deep, reason: "" };
  if (!family.length) return { facts: chosen, reason: "" };
  const { strength: wanted, reason } = judgeFile(picture);
  const distance = ({ strength }) => Math.abs(strength - wanted);
  const nearest = family.reduce((best, point) => (distance(point) < distance(best) ? point : best));
  return { facts: nearest.facts, reason: reason || "the file states no lossy compression" };
}
