/** EXIF, as far as it speaks of the picture's size and of how it is turned. */

import { hasText, viewOf } from "./bytes.js";

const EXIF_IFD = 0x8769;
const ORIENTATION = 0x0112;
const SIZE_TAGS = { 0x0100: "width", 0x0101: "height", 0xa002: "width", 0xa003: "height" };
const SHORT = 3;
const LONG = 4;

/**
 * A copy of a TIFF block (what follows "Exif\0\0") in which the size is another one.
 *
 * Only numbers that stand there are changed; a block that can't be followed stays as it is.
 */
export function withSize(block, size) {
  const result = block.slice();
  try {
    const view = viewOf(result);
    const little = view.getUint16(0) === 0x4949;
    const first = view.getUint32(4, little);
    const further = patchDirectory(view, first, little, size);
    if (further) patchDirectory(view, further, little, size);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return block;
  }
  return result;
}

/** Patch one directory; returns where the EXIF directory is, if it says so. */
function patchDirectory(view, at, little, size) {
  let further = 0;
  for (let i = 0; i < view.getUint16(at, little); i++) {
    const entry = at + 2 + 12 * i;
    const [tag, type] = [view.getUint16(entry, little), view.getUint16(entry + 2, little)];
    const value = size[SIZE_TAGS[tag]];
    if (tag === EXIF_IFD) further = view.getUint32(entry + 8, little);
    else if (value && type === LONG) view.setUint32(entry + 8, value, little);
    else if (value && type === SHORT) view.setUint16(entry + 8, Math.min(value, 65535), little);
  }
  return further;
}

/** Whether a TIFF block, with or without "Exif\0\0" before it, lays the picture on its side: by orientation 5 … 8. */
export function isTurned(block) {
  if (!block) return false;
  try {
    const orientation = readOrientation(viewOf(block.subarray(hasText(block, "Exif\0\0") ? 6 : 0)));
    return orientation >= 5 && orientation <= 8;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return false;
  }
}

function readOrientation(view) {
  const little = view.getUint16(0) === 0x4949;
  const at = view.getUint32(4, little);
  for (let i = 0; i < view.getUint16(at, little); i++) {
    const entry = at + 2 + 12 * i;
    if (view.getUint16(entry, little) === ORIENTATION) return view.getUint16(entry + 8, little);
  }
  return 1;
}
