/** Tiles through a network and out of them the larger picture, from top to bottom, by rows. */

import { SURVEY_ROWS, Survey } from "./alpha.js";
import { enlargeTile, fullScaleOf } from "./samples.js";
import { sourceRows } from "./tile_plan.js";

/**
 * Yield the rows of the picture, `scale` times larger, band by band.
 *
 * `source` is { width, height, channels, rows() }: rows() yields arrays of whole rows, and may be
 * called again. `report(done, total)` hears of each tile; `signal` ends it between two tiles.
 */
export async function* enlargeRows(source, plan, scale, runColours, { report, signal }) {
  const { chunks, opaque } = await prepare(source);
  const window = new RowWindow(chunks, source.width * source.channels);
  const total = plan.rows.length * plan.columns.length;
  let done = 0;
  for (const span of plan.rows) {
    const seen = await readPadded(window, span, plan, source.channels);
    const band = new seen.constructor(
      (span.keepStop - span.keepStart) * scale * plan.width * scale * source.channels,
    );
    for (const columns of plan.columns) {
      await hear();
      signal.throwIfAborted();
      const tile = cutTile(seen, plan.paddedWidth, columns, source.channels);
      const [high, wide] = [span.stop - span.start, columns.stop - columns.start];
      const piece = await enlargeTile(runColours, tile, high, wide, source.channels, opaque);
      if (piece.length !== tile.length * scale * scale) {
        throw new Error(`The network turned ${high} × ${wide} pixels into a result of a wrong size.`);
      }
      putTile(band, piece, span, columns, plan.width, scale, source.channels);
      report(++done, total);
    }
    yield band;
  }
}

/** A network computes without a pause: only here can the worker hear that it is to end. */
const hear = () => new Promise((resolve) => setTimeout(resolve));

/** The rows with the colour that transparent pixels hide replaced, and whether alpha is full. */
async function prepare(source) {
  if (source.channels === 1 || source.channels === 3) return { chunks: source.rows(), opaque: false };
  let survey = null;
  for await (const band of regroup(source.rows(), SURVEY_ROWS, source.width * source.channels)) {
    survey ??= new Survey(source.height, source.width, fullScaleOf(band));
    survey.add(band, source.width, source.channels);
  }
  if (survey.opaque) return { chunks: source.rows(), opaque: true };
  return { chunks: paint(source, survey), opaque: false };
}

async function* paint(source, survey) {
  const painter = survey.painter();
  for await (const band of regroup(source.rows(), SURVEY_ROWS, source.width * source.channels)) {
    yield painter(band, source.width, source.channels);
  }
}

/** The same rows, so many at a time; fewer only at the end. */
export async function* regroup(chunks, rows, rowLength) {
  let held = null;
  for await (const chunk of chunks) {
    held = held === null ? chunk : join(held, chunk);
    let top = 0;
    for (; held.length - top >= rows * rowLength; top += rows * rowLength) {
      yield held.slice(top, top + rows * rowLength);
    }
    held = held.subarray(top);
  }
  if (held?.length) yield held.slice();
}

function join(one, other) {
  const both = new one.constructor(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** Rows by number, out of chunks that come in order; only those are held that may be asked again. */
class RowWindow {
  constructor(chunks, rowLength) {
    this.chunks = chunks[Symbol.asyncIterator]();
    this.rowLength = rowLength;
    this.held = [];
    this.top = 0;
    this.bottom = 0;
  }

  /** Rows [start, stop); `start` is never less than in the call before. */
  async read(start, stop) {
    while (this.bottom < stop) {
      const { value, done } = await this.chunks.next();
      if (done) throw new Error("The picture ended before its last row; the file is cut off.");
      this.held.push(value);
      this.bottom += value.length / this.rowLength;
    }
    while (this.top + this.held[0].length / this.rowLength <= start) {
      this.top += this.held.shift().length / this.rowLength;
    }
    const rows = new this.held[0].constructor((stop - start) * this.rowLength);
    let at = (this.top - start) * this.rowLength;
    for (const chunk of this.held) {
      const [from, to] = [Math.max(-at, 0), Math.min(chunk.length, rows.length - at)];
      if (from < to) rows.set(chunk.subarray(from, to), at + from);
      at += chunk.length;
    }
    return rows;
  }
}

/** What the network sees of a band: whole rows of the padded picture. */
async function readPadded(window, span, plan, channels) {
  const below = sourceRows(span.start, span.stop, plan.height, plan.padding);
  const shown = below.filter((row) => row >= 0);
  const [first, last] = [Math.min(...shown), Math.max(...shown)];
  const rows = await window.read(first, last + 1);
  if (span.stop <= plan.height && plan.paddedWidth === plan.width) return rows;
  const right = sourceRows(0, plan.paddedWidth, plan.width, plan.padding);
  const seen = new rows.constructor(below.length * right.length * channels);
  let at = 0;
  for (const row of below) {
    for (const column of right) {
      const from = ((row - first) * plan.width + column) * channels;
      for (let c = 0; c < channels; c++) seen[at++] = row < 0 || column < 0 ? 0 : rows[from + c];
    }
  }
  return seen;
}

function cutTile(seen, width, columns, channels) {
  const rowLength = (columns.stop - columns.start) * channels;
  const height = seen.length / (width * channels);
  const tile = new seen.constructor(height * rowLength);
  for (let y = 0; y < height; y++) {
    const from = (y * width + columns.start) * channels;
    tile.set(seen.subarray(from, from + rowLength), y * rowLength);
  }
  return tile;
}

/** What a tile keeps, to its place in the band. */
function putTile(band, piece, rows, columns, width, scale, channels) {
  const pieceRow = (columns.stop - columns.start) * scale * channels;
  const bandRow = width * scale * channels;
  const left = (columns.keepStart - columns.start) * scale * channels;
  const length = (columns.keepStop - columns.keepStart) * scale * channels;
  const first = (rows.keepStart - rows.start) * scale;
  for (let y = 0; y < (rows.keepStop - rows.keepStart) * scale; y++) {
    const from = (first + y) * pieceRow + left;
    band.set(piece.subarray(from, from + length), y * bandRow + columns.keepStart * scale * channels);
  }
}
