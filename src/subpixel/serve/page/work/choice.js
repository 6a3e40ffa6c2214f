/**
 * Which network of the family a JPEG goes through, by its quantisation table: number for number
 * subpixel.media.compression.jpeg_tables and subpixel.upscaling.choice.curve.
 */

/** ITU-T T.81, table K.1, in zigzag order. */
const ANNEX_K = [
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
  60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121,
  112, 100, 120, 92, 101, 103, 99,
];
const LOW_FREQUENCIES = 21;
/** From which quality on each strength is the best. */
const JPEG_STRENGTHS = [[0, 1], [81, 0.75], [91, 0.5], [94, 0.25], [98, 0]];

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

/** How much is to be cleaned up, 0 … 1, for a JPEG of this quality. */
export function strengthFor(quality) {
  return JPEG_STRENGTHS.findLast(([from]) => quality >= from)[1];
}

/**
 * { facts, reason } of the network for a picture. `family` has { strength, facts } by strength, and
 * is empty where a network was named: that is `chosen`, and `deep` is for more than 8 bits.
 */
export function chooseNetwork(picture, { chosen, family, deep }) {
  if (picture.depth === 16 && deep) return { facts: deep, reason: "" };
  if (!family.length) return { facts: chosen, reason: "" };
  const table = picture.format === "jpeg" ? picture.metadata.lumaTable : null;
  if (!table?.every(Boolean)) return { facts: family[0].facts, reason: "the file shows no JPEG damage" };
  const quality = fitQuality(table);
  const wanted = strengthFor(quality);
  const distance = ({ strength }) => Math.abs(strength - wanted);
  const nearest = family.reduce((best, point) => (distance(point) < distance(best) ? point : best));
  return { facts: nearest.facts, reason: `a JPEG of quality ${quality}` };
}
