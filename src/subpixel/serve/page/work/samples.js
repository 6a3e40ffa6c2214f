/** Samples of a picture, grey, with alpha or without, through a network for RGB. */

import { limitAlpha } from "./alpha.js";

const round = Math.fround;
const LUMA = [0.299, 0.587, 0.114].map(round);

/** The sample value that stands for 1, by the array that holds samples. */
export const fullScaleOf = (samples) => (samples instanceof Uint16Array ? 65535 : 255);

/**
 * One tile, height by width by channels, enlarged: same kind of array, same channels.
 *
 * `runColours` takes an interleaved tile of three channels and gives it enlarged, of the same kind.
 * Grey goes in as three equal channels and comes out as their luma; alpha goes by itself, and stays
 * full where the picture is `opaque`.
 */
export async function enlargeTile(runColours, tile, height, width, channels, opaque) {
  const hasAlpha = channels === 2 || channels === 4;
  if (!hasAlpha) return runChannels(runColours, tile, height, width, channels);
  const colours = channels - 1;
  const colour = take(tile, channels, 0, colours);
  const larger = await runChannels(runColours, colour, height, width, colours);
  const alpha = take(tile, channels, colours, 1);
  const coverage = opaque
    ? null
    : limitAlpha(await runChannels(runColours, alpha, height, width, 1), alpha, height, width);
  return weave(larger, colours, coverage, fullScaleOf(tile));
}

async function runChannels(runColours, tile, height, width, channels) {
  if (channels === 3) return runColours(tile, height, width);
  const grey = new tile.constructor(tile.length * 3);
  for (let i = 0; i < tile.length; i++) grey.fill(tile[i], 3 * i, 3 * i + 3);
  return luma(await runColours(grey, height, width));
}

function luma(rgb) {
  const result = new rgb.constructor(rgb.length / 3);
  for (let i = 0, at = 0; i < result.length; i++, at += 3) {
    const sum = round(round(rgb[at] * LUMA[0]) + round(rgb[at + 1] * LUMA[1]));
    result[i] = round(round(sum + round(rgb[at + 2] * LUMA[2])) + 0.5);
  }
  return result;
}

function take(samples, channels, first, count) {
  const result = new samples.constructor((samples.length / channels) * count);
  for (let i = first, at = 0; at < result.length; i += channels) {
    for (let c = 0; c < count; c++) result[at++] = samples[i + c];
  }
  return result;
}

function weave(colour, colours, alpha, full) {
  const count = colour.length / colours;
  const result = new colour.constructor(count * (colours + 1));
  for (let i = 0, at = 0; i < count; i++) {
    for (let c = 0; c < colours; c++) result[at++] = colour[i * colours + c];
    result[at++] = alpha === null ? full : alpha[i];
  }
  return result;
}

/** Interleaved RGB → float32 planes of 0 … 1. */
export function toPlanes(samples) {
  const count = samples.length / 3;
  const step = round(1 / fullScaleOf(samples));
  const planes = new Float32Array(samples.length);
  for (let i = 0, at = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) planes[c * count + i] = samples[at++] * step;
  }
  return planes;
}

/** float32 planes → interleaved RGB, clipped and rounded half up; throws for NaN and infinity. */
export function fromPlanes(planes, Samples) {
  const count = planes.length / 3;
  const result = new Samples(planes.length);
  const full = fullScaleOf(result);
  for (let c = 0; c < 3; c++) {
    for (let i = 0, at = c; i < count; i++, at += 3) {
      const value = planes[c * count + i];
      if (!Number.isFinite(value)) throw new Error("The network computed NaN or infinity.");
      const clipped = value < 0 ? 0 : value > 1 ? 1 : value;
      result[at] = round(round(clipped * full) + 0.5);
    }
  }
  return result;
}
