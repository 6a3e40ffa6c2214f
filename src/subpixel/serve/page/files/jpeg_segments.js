/** A JPEG's segments: what its header says, what is carried over, what a browser is to decode. */

import { PictureError, concat, containsText, hasText, viewOf } from "./bytes.js";
import { withSize } from "./exif.js";

const SOS = 0xda;
const DQT = 0xdb;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP2 = 0xe2;
const APP13 = 0xed;
const APP14 = 0xee;
const COMMENT = 0xfe;
const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/";

export const isJpeg = (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
const isFrame = (marker) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/**
 * { width, height, components, carried, losses, bare, lumaTable } of a JPEG file's bytes.
 *
 * `carried` are the segments for the larger JPEG, `bare` the file without what says how it is to be
 * turned or what its colours mean: every browser decodes that to the same pixels, as they are stored.
 */
export function readJpeg(bytes) {
  const { segments, rest } = readSegments(bytes);
  const frame = segments.find(({ marker }) => isFrame(marker));
  if (!frame || frame.data.length < 6) throw new PictureError("This JPEG has no header; it is damaged.");
  const view = viewOf(frame.data);
  const fourColours = frame.data[5] === 4;
  const { carried, losses } = sortSegments(segments, fourColours);
  const bare = segments.filter(({ marker }) => marker < APP0 || marker === APP14 || (marker > 0xef && marker !== COMMENT));
  return {
    height: view.getUint16(1),
    width: view.getUint16(3),
    components: frame.data[5],
    carried,
    losses,
    lumaTable: readLumaTable(segments),
    bare: [Uint8Array.of(0xff, 0xd8), ...bare.map(({ whole }) => whole), rest],
  };
}

function readSegments(bytes) {
  const view = viewOf(bytes);
  const segments = [];
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) throw new PictureError("This JPEG's segments can't be followed; it is damaged.");
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === SOS) return { segments, rest: bytes.subarray(at) };
    const stop = at + 2 + view.getUint16(at + 2);
    segments.push({ marker, data: bytes.subarray(at + 4, stop), whole: bytes.subarray(at, stop) });
    at = stop;
  }
  throw new PictureError("This JPEG has no pixels; the file is cut off.");
}

function sortSegments(segments, fourColours) {
  const carried = [];
  const losses = new Set(fourColours ? ["CMYK colours became sRGB."] : []);
  for (const segment of segments) {
    const { marker, data } = segment;
    if (marker === APP0 && hasText(data, "JFIF\0")) carried.push(segment);
    else if (marker === APP1 && hasText(data, EXIF)) carried.push(segment);
    else if (marker === APP1 && hasText(data, XMP)) {
      if (containsText(data, "hdrgm:") || containsText(data, "Container:Directory")) {
        losses.add("The gain map (HDR) was left out, and the XMP that announces it.");
      } else carried.push(segment);
    } else if (marker === APP2 && hasText(data, "ICC_PROFILE\0")) {
      if (fourColours) losses.add("The profile of the CMYK colours was left out.");
      else carried.push(segment);
    } else if (marker === APP2 && hasText(data, "MPF\0")) {
      losses.add("Further pictures in the file (a gain map, a preview) were left out.");
    } else if (marker === APP13 || marker === COMMENT) carried.push(segment);
    else if (marker >= APP0 && marker <= 0xef && marker !== APP14) {
      losses.add(`The segment APP${marker - APP0} was left out.`);
    }
  }
  return { carried, losses: [...losses] };
}

/** Steps of the first component's quantisation table in zigzag order, or null. */
function readLumaTable(segments) {
  const frame = segments.find(({ marker }) => isFrame(marker));
  const tables = new Map();
  for (const { data } of segments.filter(({ marker }) => marker === DQT)) {
    for (let at = 0; at < data.length; ) {
      const wide = data[at] >> 4;
      const size = wide ? 128 : 64;
      if (at + 1 + size > data.length) break;
      const view = viewOf(data.subarray(at + 1, at + 1 + size));
      const steps = Array.from({ length: 64 }, (_, i) => (wide ? view.getUint16(2 * i) : view.getUint8(i)));
      tables.set(data[at] & 15, steps);
      at += 1 + size;
    }
  }
  return tables.get(frame.data[8]) ?? null;
}

/** A carried segment as it stands in the larger JPEG. */
export function segmentBytes({ marker, data, whole }, size) {
  if (marker !== APP1 || !hasText(data, EXIF)) return whole;
  return concat(whole.subarray(0, 4 + EXIF.length), withSize(data.subarray(EXIF.length), size));
}

/** The TIFF block of the EXIF among carried segments, for other formats, or null. */
export function exifOf(carried) {
  const segment = carried.find(({ marker, data }) => marker === APP1 && hasText(data, EXIF));
  return segment ? segment.data.subarray(EXIF.length) : null;
}

/** The ICC profile among carried segments, its pieces joined, or null. */
export function iccOf(carried) {
  const pieces = carried.filter(({ marker, data }) => marker === APP2 && hasText(data, "ICC_PROFILE\0"));
  if (!pieces.length) return null;
  const inOrder = [...pieces].sort((one, other) => one.data[12] - other.data[12]);
  return concat(...inOrder.map(({ data }) => data.subarray(14)));
}

/** APP2 segments that hold a profile. */
export function iccSegments(profile) {
  const most = 65535 - 2 - 14;
  const count = Math.ceil(profile.length / most);
  return Array.from({ length: count }, (_, i) => {
    const data = concat(
      Uint8Array.from("ICC_PROFILE\0", (letter) => letter.charCodeAt(0)),
      Uint8Array.of(i + 1, count),
      profile.subarray(i * most, (i + 1) * most),
    );
    return segmentOf(APP2, data);
  });
}

/** An APP1 segment that holds EXIF, or null where it is too long for one. */
export function exifSegment(block) {
  const data = concat(Uint8Array.from(EXIF, (letter) => letter.charCodeAt(0)), block);
  return data.length + 2 > 65535 ? null : segmentOf(APP1, data);
}

function segmentOf(marker, data) {
  const length = data.length + 2;
  return { marker, data, whole: concat(Uint8Array.of(0xff, marker, length >> 8, length & 255), data) };
}
