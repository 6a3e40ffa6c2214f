/**
 * The geometry of tiles, number for number that of subpixel.upscaling.tiles.tiling and planning.
 *
 * All lengths are input pixels. A span reads [start, stop) and keeps [keepStart, keepStop). Where
 * network and tiles settle nothing else, the golden plans in tests/serve/page hold for both sides.
 */

/** Side of a tile where none is asked for, as DEFAULT_TILE in Python. */
export const DEFAULT_TILE = 512;
const STRETCH = 2;
const NON_LOCAL_OVERLAP = 32;
/** Input pixels around a pixel that bound its alpha, as REACH in Python. */
export const ALPHA_REACH = 1;
const USEFUL = 4;
const MANY = 8;

const ceilDiv = (a, b) => Math.ceil(a / b);
const floorTo = (length, multiple) => Math.floor(length / multiple) * multiple;

/** What tiles share on each side for a network of these facts. */
export function overlapOf(facts, extraChannels) {
  const overlap = facts.halo === null ? NON_LOCAL_OVERLAP : facts.halo;
  return extraChannels > 0 ? Math.max(overlap, ALPHA_REACH) : overlap;
}

/**
 * How a picture of height by width, with so many channels beyond its colours, is cut.
 *
 * `tile` is the side of a tile, halo included (null: 512; 0: the whole picture at once).
 */
export function planPicture(facts, height, width, { extraChannels = 0, tile = null, workers = 1 } = {}) {
  const halo = overlapOf(facts, extraChannels);
  const cut = (size) => planTiles(height, width, size, halo, facts);
  const size = tileSize(facts, height, width, tile);
  const rigid = facts.square || facts.fixed_size !== null;
  if (size === null || rigid) return cut(size);
  return shareOut(cut, size, halo, workers, tile ? 1 : STRETCH);
}

function tileSize(facts, height, width, asked) {
  if (facts.fixed_size !== null) return facts.fixed_size;
  const most = facts.size_maximum;
  let tile = asked || (facts.halo === null || asked === 0 ? null : DEFAULT_TILE);
  if (most !== null && Math.max(height, width) > most) tile = Math.min(tile || most, most);
  return tile ? [tile, tile] : null;
}

/** Tiles of at most such a height and width; null: one, the whole picture. */
export function planTiles(height, width, tile, halo, facts) {
  const { size_multiple: multiple, size_minimum: minimum, square, padding } = facts;
  const fixed = facts.fixed_size !== null;
  const padded = workingSize(height, width, multiple, minimum, square);
  if (tile && !fixed && !square) {
    tile = [0, 1].map((axis) => minSize(padded[axis], tile[axis], halo, multiple, minimum));
  }
  const axes = [height, width].map((length, axis) => {
    return planAxis(length, padded[axis], tile && tile[axis], halo, facts);
  });
  const [[rows, paddedHeight], [columns, paddedWidth]] = axes;
  return { height, width, paddedHeight, paddedWidth, rows, columns, padding };
}

/** Height and width of every tile of a plan. */
export function tileOf(plan) {
  return [plan.rows[0].stop - plan.rows[0].start, plan.columns[0].stop - plan.columns[0].start];
}

function workingSize(height, width, multiple, minimum, square) {
  const sides = [height, width].map((side) => ceilDiv(Math.max(side, minimum), multiple) * multiple);
  const longest = Math.max(...sides);
  return square ? [longest, longest] : sides;
}

/** The smallest tile that keeps anything between its halos. */
export function minTileSide(halo, multiple, minimum = 1) {
  return ceilDiv(Math.max(2 * halo + multiple, minimum), multiple) * multiple;
}

const tileStep = (size, halo, multiple) => floorTo(size - 2 * halo, multiple);

/** The least size with which no more tiles are needed than with `tile`. */
function minSize(padded, tile, halo, multiple, minimum) {
  const count = (size) => 1 + ceilDiv(padded - size, tileStep(size, halo, multiple));
  const size = floorTo(tile, multiple);
  const smallest = minTileSide(halo, multiple, minimum);
  if (padded <= size || size < smallest) return tile;
  const least = Math.max(ceilDiv(padded, count(size)), smallest);
  let side = ceilDiv(least, multiple) * multiple;
  while (count(side) > count(size)) side += multiple;
  return side;
}

function planAxis(length, padded, tile, halo, facts) {
  const { size_multiple: multiple, size_minimum: minimum, fixed_size: fixed } = facts;
  const size = tile === null ? padded : floorTo(tile, multiple);
  if (padded <= size) {
    const whole = fixed === null ? padded : size;
    return [[{ start: 0, stop: whole, keepStart: 0, keepStop: length }], whole];
  }
  const smallest = minTileSide(halo, multiple, minimum);
  if (size < smallest) {
    throw new RangeError(
      `a tile of ${tile} pixels can't hold this network's halo of ${halo} on each side; ` +
        `use at least ${smallest}`,
    );
  }
  const step = tileStep(size, halo, multiple);
  const starts = [];
  for (let start = 0; start < padded - size; start += step) starts.push(start);
  starts.push(padded - size);
  const cuts = [0, ...starts.slice(1).map((start) => Math.min(start + halo, length)), length];
  const spans = starts
    .map((start, i) => ({ start, stop: start + size, keepStart: cuts[i], keepStop: cuts[i + 1] }))
    .filter((span) => span.keepStart < span.keepStop);
  return [spans, padded];
}

/** The way to cut a picture that takes so many workers least. */
function shareOut(cut, tile, halo, workers, stretch) {
  const plan = cut(tile);
  if (plan.rows.length * plan.columns.length > MANY * workers) return plan;
  const fair = fairTile(plan, tile, halo, workers, stretch);
  if (fair === null) return plan;
  const other = cut(fair);
  return largestShare(other, workers) < largestShare(plan, workers) ? other : plan;
}

function fairTile(plan, tile, halo, workers, stretch) {
  const area = stretch * tile[0] * tile[1];
  const longest = tile.map((side) => stretch ** 2 * side);
  const heights = lengths(plan.paddedHeight, Math.max(2 * plan.rows.length, workers), halo);
  const widths = lengths(plan.paddedWidth, Math.max(2 * plan.columns.length, workers), halo);
  let best = null;
  for (const [rows, height] of heights) {
    for (const [columns, width] of widths) {
      if (height * width > area || height > longest[0] || width > longest[1]) continue;
      const share = ceilDiv(rows * columns, workers) * height * width;
      const way = [share, rows * columns, columns, height, width];
      if (best === null || isBefore(way, best)) best = way;
    }
  }
  return best && [best[3], best[4]];
}

function isBefore(one, other) {
  const i = one.findIndex((value, at) => value !== other[at]);
  return i >= 0 && one[i] < other[i];
}

function lengths(side, most, halo) {
  const count = Math.max(1, Math.min(most, Math.floor(side / Math.max(USEFUL * halo, 1))));
  return Array.from({ length: count }, (_, i) => [
    i + 1,
    Math.min(side, ceilDiv(side, i + 1) + 2 * halo),
  ]);
}

function largestShare(plan, workers) {
  const [height, width] = tileOf(plan);
  return ceilDiv(plan.rows.length * plan.columns.length, workers) * height * width;
}

/** Which of `length` rows each row of [start, stop) of the padded picture shows; -1: none, black. */
export function sourceRows(start, stop, length, padding) {
  const last = length - 1;
  return Array.from({ length: stop - start }, (_, i) => {
    const row = start + i;
    if (padding === "reflect") return Math.max(last - Math.abs(row - last), 0);
    return row <= last ? row : padding === "edge" ? last : -1;
  });
}
