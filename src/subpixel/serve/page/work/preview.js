/** A smaller copy of a picture that passes by in rows, for the screen alone. */

/** The longest side of a preview. */
const MAX_SIDE = 2048;
/** Up to so many pixels a browser shows the picture itself with ease. */
const EASY_PIXELS = 24e6;

/** The size of a picture's preview; null where the picture itself is shown. */
export function previewSize({ width, height }) {
  if (width * height <= EASY_PIXELS) return null;
  const step = Math.ceil(Math.max(width, height) / MAX_SIDE);
  return { width: Math.ceil(width / step), height: Math.ceil(height / step), step };
}

/** Averages over squares of whole pixels, handed to a writer row by row. */
export class PreviewMaker {
  constructor({ width, channels }, size, writer) {
    Object.assign(this, { width, channels, size, writer, row: 0 });
    this.sums = new Float64Array(size.width * channels);
    this.counts = new Float64Array(size.width);
  }

  async add(samples) {
    const { channels, sums, counts } = this;
    const { step } = this.size;
    for (let at = 0; at < samples.length; at += this.width * channels) {
      for (let x = 0, i = at; x < this.width; x++) {
        const to = Math.floor(x / step);
        counts[to]++;
        for (let c = 0; c < channels; c++) sums[to * channels + c] += samples[i++];
      }
      if (++this.row % step === 0) await this.settle(samples.constructor);
    }
    this.kind = samples.constructor;
  }

  async settle(Samples) {
    const { channels, sums, counts } = this;
    const line = Samples.from(sums, (sum, i) => Math.round(sum / counts[Math.floor(i / channels)]));
    sums.fill(0);
    counts.fill(0);
    await this.writer.write(line);
  }

  async finish() {
    if (this.row % this.size.step) await this.settle(this.kind);
    return this.writer.finish();
  }
}
