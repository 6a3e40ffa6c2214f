/**
 * How coarsely an AV1 picture was quantised, from its sequence header and its first frame's: number
 * for number subpixel.media.compression.av1_sequence and av1_frame.
 * Source: AV1 Bitstream & Decoding Process Specification, 5.3, 5.5 and 5.9.
 */

/** A tool that each frame may choose. */
const SELECT = 2;
const SEQUENCE_HEADER = 1;
/** A frame header, and a frame with its header. */
const FRAME_UNITS = [3, 6];
const KEY_FRAME = 0;
const ORDER_BITS = 3;
const MAX_TILE_SIDE = 4096;
const MAX_TILE_PIXELS = 4096 * 2304;
const MAX_TILES = 64;

/**
 * The base quantiser index of a stream's first frame, 1 (fine) … 255 (coarse); null where it is
 * without loss, doesn't begin with a key frame that is shown, or can't be read.
 */
export function readAv1Quantizer(stream) {
  try {
    let [sequence, frame] = [null, null];
    for (const [kind, data] of unitsOf(stream)) {
      if (kind === SEQUENCE_HEADER) sequence ??= readSequence(new HighBits(data));
      if (FRAME_UNITS.includes(kind)) frame ??= data;
      if (sequence && frame) return readFrame(new HighBits(frame), sequence) || null;
    }
    return null;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return null;
  }
}

/** Kind and payload of each unit (OBU), the last maybe cut off. */
function* unitsOf(stream) {
  for (let at = 0; at < stream.length; ) {
    const head = stream[at];
    at += head & 4 ? 2 : 1;
    const [size, length] = head & 2 ? readLeb128(stream, at) : [stream.length - at, 0];
    at += length;
    yield [(head >> 3) & 15, stream.subarray(at, at + size)];
    at += size;
  }
}

/** A number of seven bits a byte, the lowest first, and how many bytes it takes. */
function readLeb128(data, at) {
  let number = 0;
  for (let i = 0; i < 8; i++) {
    if (at + i >= data.length) break;
    number += (data[at + i] & 127) * 2 ** (7 * i);
    if (data[at + i] < 128) return [number, i + 1];
  }
  throw new RangeError("a number that doesn't end");
}

/** Numbers of any number of bits, the highest first; a RangeError at the end. */
class HighBits {
  constructor(data) {
    Object.assign(this, { data, at: 0 });
  }

  take(count) {
    let number = 0;
    for (let i = 0; i < count; i++, this.at++) {
      const byte = this.data[this.at >> 3];
      if (byte === undefined) throw new RangeError("the header is cut off");
      number = number * 2 + ((byte >> (7 - (this.at & 7))) & 1);
    }
    return number;
  }

  flag() {
    return this.take(1) === 1;
  }

  /** Skip a number that states its own length. */
  skipExpGolomb() {
    let zeros = 0;
    while (!this.flag()) zeros++;
    this.take(zeros);
  }
}

function readSequence(bits) {
  bits.take(3 + 1);
  const isReduced = bits.flag();
  let timing = { hasModel: false, shownBits: 0 };
  if (isReduced) bits.take(5);
  else timing = readOperatingPoints(bits);
  const [widthBits, heightBits] = [bits.take(4) + 1, bits.take(4) + 1];
  const [width, height] = [bits.take(widthBits) + 1, bits.take(heightBits) + 1];
  let idBits = 0;
  if (!isReduced && bits.flag()) {
    const more = bits.take(4) + 2;
    idBits = bits.take(3) + more + 1;
  }
  const blockSide = bits.flag() ? 128 : 64;
  bits.take(2);
  const tools = isReduced ? { screenContent: SELECT, integerMotion: SELECT, orderBits: 0 } : readTools(bits);
  const hasSuperres = bits.flag();
  return { isReduced, ...timing, widthBits, heightBits, width, height, idBits, blockSide, ...tools, hasSuperres };
}

function readOperatingPoints(bits) {
  let [delayBits, shownBits] = [0, 0];
  let [hasModel, isEven] = [false, false];
  if (bits.flag()) {
    bits.take(64);
    isEven = bits.flag();
    if (isEven) bits.skipExpGolomb();
    hasModel = bits.flag();
    if (hasModel) {
      delayBits = bits.take(5) + 1;
      bits.take(32 + 5);
      shownBits = bits.take(5) + 1;
    }
  }
  const hasDelays = bits.flag();
  for (let count = bits.take(5) + 1; count > 0; count--) {
    bits.take(12);
    if (bits.take(5) > 7) bits.take(1);
    if (hasModel && bits.flag()) bits.take(2 * delayBits + 1);
    if (hasDelays && bits.flag()) bits.take(4);
  }
  return { hasModel, shownBits: hasModel && !isEven ? shownBits : 0 };
}

function readTools(bits) {
  bits.take(4);
  const hasOrder = bits.flag();
  if (hasOrder) bits.take(2);
  const screenContent = bits.flag() ? SELECT : bits.take(1);
  const integerMotion = screenContent && !bits.flag() ? bits.take(1) : SELECT;
  return { screenContent, integerMotion, orderBits: hasOrder ? bits.take(ORDER_BITS) + 1 : 0 };
}

function readFrame(bits, sequence) {
  if (!sequence.isReduced && !beginShownKeyFrame(bits, sequence)) return null;
  const isFixed = bits.flag(); // its probabilities don't adapt
  const screen = sequence.screenContent === SELECT ? bits.flag() : sequence.screenContent === 1;
  if (screen && sequence.integerMotion === SELECT) bits.take(1);
  bits.take(sequence.idBits);
  const hasOwnSize = !sequence.isReduced && bits.flag();
  bits.take(sequence.orderBits);
  if (sequence.hasModel && bits.flag()) return null; // times of buffers, of which pictures have none
  const size = readFrameSize(bits, sequence, hasOwnSize);
  if (screen && !size.isStretched) bits.take(1);
  if (!sequence.isReduced && !isFixed) bits.take(1);
  skipTiles(bits, size, sequence.blockSide);
  return bits.take(8);
}

/** Whether it is one; the bits are then behind what says so. */
function beginShownKeyFrame(bits, sequence) {
  const isRepeated = bits.flag();
  const [kind, isShown] = [bits.take(2), bits.flag()];
  if (isRepeated || kind !== KEY_FRAME || !isShown) return false;
  bits.take(sequence.shownBits);
  return true;
}

function readFrameSize(bits, sequence, hasOwnSize) {
  let { width, height } = sequence;
  if (hasOwnSize) [width, height] = [bits.take(sequence.widthBits) + 1, bits.take(sequence.heightBits) + 1];
  const eighths = sequence.hasSuperres && bits.flag() ? bits.take(3) + 9 : 8;
  if (bits.flag()) bits.take(32); // the size at which it is shown
  return { width: Math.floor((width * 8 + (eighths >> 1)) / eighths), height, isStretched: eighths !== 8 };
}

/** Skip how the frame is divided into tiles; `side` is a superblock's, in pixels. */
function skipTiles(bits, size, side) {
  const [across, down] = [Math.ceil(size.width / side), Math.ceil(size.height / side)];
  const [maxWidth, maxArea] = [Math.floor(MAX_TILE_SIDE / side), Math.floor(MAX_TILE_PIXELS / side ** 2)];
  const minColumns = halvings(maxWidth, across);
  const minTiles = Math.max(minColumns, halvings(maxArea, across * down));
  let [columns, rows] = [0, 0];
  if (bits.flag()) {
    columns = countUp(bits, minColumns, halvings(1, Math.min(across, MAX_TILES)));
    rows = countUp(bits, Math.max(minTiles - columns, 0), halvings(1, Math.min(down, MAX_TILES)));
  } else {
    const widths = readTileSides(bits, across, maxWidth);
    const area = (across * down) >> (minTiles ? minTiles + 1 : 0);
    const heights = readTileSides(bits, down, Math.max(Math.floor(area / Math.max(...widths)), 1));
    [columns, rows] = [halvings(1, widths.length), halvings(1, heights.length)];
  }
  if (columns || rows) bits.take(columns + rows + 2);
}

/** How often `small` must be doubled to reach `large`. */
function halvings(small, large) {
  let count = 0;
  while (small * 2 ** count < large) count++;
  return count;
}

function countUp(bits, least, most) {
  let number = least;
  while (number < most && bits.flag()) number++;
  return number;
}

/** Sides of tiles in superblocks, until they reach `total`. */
function readTileSides(bits, total, maxSide) {
  const sides = [];
  for (let left = total; left > 0; left -= sides.at(-1)) sides.push(takeBelow(bits, Math.min(left, maxSide)) + 1);
  return sides;
}

/** A number below `limit`, whose smallest take one bit less (4.10.7, ns). */
function takeBelow(bits, limit) {
  const wide = 32 - Math.clz32(limit);
  const short = 2 ** wide - limit;
  const number = bits.take(wide - 1);
  return number < short ? number : 2 * number - short + bits.take(1);
}
