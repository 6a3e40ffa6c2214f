/** Whether a GIF's first picture has transparent pixels. Source: GIF89a specification, 20 to 25. */

import { viewOf } from "./bytes.js";

const EXTENSION = 0x21;
const CONTROL = 0xf9;
const IMAGE = 0x2c;

/** Whether the first picture fills the screen and names no transparent colour; false for what can't be followed. */
export function isOpaqueGif(bytes) {
  try {
    return followBlocks(viewOf(bytes));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return false;
  }
}

function followBlocks(view) {
  const packed = view.getUint8(10);
  let at = 13 + (packed & 0x80 ? 3 << ((packed & 7) + 1) : 0);
  let isClear = false;
  while (view.getUint8(at) === EXTENSION) {
    if (view.getUint8(at + 1) === CONTROL) isClear = (view.getUint8(at + 3) & 1) === 1;
    at = skipSubBlocks(view, at + 2);
  }
  return view.getUint8(at) === IMAGE && !isClear && fillsScreen(view, at + 1);
}

function skipSubBlocks(view, from) {
  let at = from;
  while (view.getUint8(at)) at += 1 + view.getUint8(at);
  return at + 1;
}

function fillsScreen(view, at) {
  const [left, top, width, height] = [0, 2, 4, 6].map((step) => view.getUint16(at + step, true));
  return left === 0 && top === 0 && width >= view.getUint16(6, true) && height >= view.getUint16(8, true);
}
