/** Pictures that the browser itself decodes, by rows and without what a canvas does to colours. */

import { PictureError } from "./bytes.js";

const BAND_PIXELS = 1 << 20;
const SAVE_AS = "the file is damaged, or of a format that it doesn't know. Save it as JPEG, PNG or WebP.";

/**
 * { width, height, channels, losses, rows(), close() } of what the browser makes of a file.
 *
 * `asStored` leaves the colours as they stand in the file; else they become sRGB. With `grey` the
 * first channel stands for all; `hint` is why it may fail, and what to do. Transparent pixels come through WebGL: a canvas of two dimensions
 * multiplies colours by alpha, and rounds.
 */
export async function decodeByBrowser(file, { hasAlpha, grey = false, asStored, hint = SAVE_AS }) {
  const bitmap = await createImageBitmap(file, {
    colorSpaceConversion: asStored ? "none" : "default",
    premultiplyAlpha: "none",
  }).catch(() => refuse(hint));
  const { width, height } = bitmap;
  const straight = hasAlpha ? StraightReader.open(width) : null;
  const losses = hasAlpha && !straight ? ["This browser rounds colours where a photo is nearly transparent."] : [];
  const channels = grey ? 1 : hasAlpha ? 4 : 3;
  const rows = () => (straight ? straight.rows(bitmap) : bitmapRows(bitmap, channels));
  return { width, height, channels, losses, rows, close: () => bitmap.close() };
}

function refuse(hint) {
  throw new PictureError(`This browser can't decode the picture: ${hint}`);
}

async function* bitmapRows(bitmap, channels) {
  const { width, height } = bitmap;
  const band = Math.max(1, Math.min(height, Math.floor(BAND_PIXELS / width)));
  const canvas = new OffscreenCanvas(width, band);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new PictureError(`A row of ${width} pixels is too long for this browser.`);
  context.globalCompositeOperation = "copy";
  context.imageSmoothingEnabled = false;
  for (let top = 0; top < height; top += band) {
    const count = Math.min(band, height - top);
    context.drawImage(bitmap, 0, top, width, count, 0, 0, width, count);
    yield pick(context.getImageData(0, 0, width, count).data, channels);
  }
}

/** The first channels of RGBA. */
function pick(pixels, channels) {
  if (channels === 4) return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length);
  const result = new Uint8Array((pixels.length / 4) * channels);
  for (let i = 0, at = 0; i < pixels.length; i += 4) {
    for (let c = 0; c < channels; c++) result[at++] = pixels[i + c];
  }
  return result;
}

/** Pixels with alpha, as they are. */
class StraightReader {
  /** Null where the browser has no WebGL here, or none for rows as long. */
  static open(width) {
    const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
    if (!gl || width > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return null;
    return new StraightReader(gl);
  }

  constructor(gl) {
    this.gl = gl;
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  }

  async *rows(bitmap) {
    const { width, height } = bitmap;
    const most = Math.max(1, Math.floor(BAND_PIXELS / width));
    for (let top = 0; top < height; top += most) {
      const count = Math.min(most, height - top);
      const band = await createImageBitmap(bitmap, 0, top, width, count, { premultiplyAlpha: "none" });
      yield this.read(band, width, count);
      band.close();
    }
  }

  read(band, width, height) {
    const { gl } = this;
    const texture = gl.getParameter(gl.TEXTURE_BINDING_2D);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, band);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const pixels = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    if (gl.getError() !== gl.NO_ERROR) throw new PictureError("The browser could not read the photo's pixels.");
    return pixels;
  }
}
