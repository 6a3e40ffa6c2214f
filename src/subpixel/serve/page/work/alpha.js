/**
 * Transparency on its way through a network, number for number as subpixel.upscaling.alpha has it:
 * every operation is rounded to single precision, as NumPy's are.
 *
 * A layer is { height, width, colours, colour, weight }: colour times alpha, and alpha.
 */

/** Rows of a band that is pulled up to one row of the coarse picture. */
export const SURVEY_ROWS = 64;
const round = Math.fround;
const bitLength = (n) => 32 - Math.clz32(n);

/** What must be known of a whole picture before its first row can be repainted. */
export class Survey {
  constructor(height, width, fullScale) {
    this.levels = Math.min(bitLength(SURVEY_ROWS) - 1, bitLength(Math.max(height, width) - 1));
    this.fullScale = fullScale;
    this.coarse = [];
    this.opaque = true;
  }

  /** Take in the next SURVEY_ROWS rows (fewer only at the end), of width by channels. */
  add(rows, width, channels) {
    for (let i = channels - 1; this.opaque && i < rows.length; i += channels) {
      this.opaque = rows[i] >= this.fullScale;
    }
    this.coarse.push(pull(weighColour(rows, width, channels, this.fullScale), this.levels).at(-1));
  }

  /** A function that gives the same bands, asked for in order, repainted. */
  painter() {
    const behind = fillColour(stack(this.coarse));
    let top = 0;
    let band = 0;
    return (rows, width, channels) => {
      const { height, width: across, colours } = this.coarse[band++];
      const size = across * colours;
      const strip = behind.subarray(top * size, (top + height) * size);
      top += height;
      const layers = pull(weighColour(rows, width, channels, this.fullScale), this.levels);
      const colour = push(layers.slice(0, -1), strip, height, across);
      return repaint(rows, colour, channels, this.fullScale);
    };
  }
}

function weighColour(rows, width, channels, fullScale) {
  const colours = channels - 1;
  const count = rows.length / channels;
  const colour = new Float32Array(count * colours);
  const weight = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const alpha = round(rows[i * channels + colours] / fullScale);
    weight[i] = alpha;
    for (let c = 0; c < colours; c++) {
      colour[i * colours + c] = round(rows[i * channels + c] / fullScale) * alpha;
    }
  }
  return { height: count / width, width, colours, colour, weight };
}

function repaint(rows, colour, channels, fullScale) {
  const colours = channels - 1;
  const result = rows.slice();
  for (let i = 0, at = 0; i < rows.length; i += channels) {
    for (let c = 0; c < colours; c++) result[i + c] = roundHalfEven(round(colour[at++] * fullScale));
  }
  return result;
}

function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

function pull(finest, levels) {
  const layers = [finest];
  for (let level = 0; level < levels; level++) {
    const { height, width, colours, colour, weight } = layers.at(-1);
    const total = halve(weight, height, width, 1);
    const sums = halve(colour, height, width, colours);
    for (let i = 0; i < total.length; i++) {
      const share = total[i] > 0 ? round(Math.min(total[i], 1) / total[i]) : 0;
      for (let c = 0; c < colours; c++) sums[i * colours + c] *= share;
      total[i] *= share;
    }
    layers.push({
      height: (height + 1) >> 1,
      width: (width + 1) >> 1,
      colours,
      colour: sums,
      weight: total,
    });
  }
  return layers;
}

function push(layers, behind, height, width) {
  for (const layer of [...layers].reverse()) {
    const { colours } = layer;
    const next = new Float32Array(layer.colour.length);
    for (let y = 0, i = 0; y < layer.height; y++) {
      for (let x = 0; x < layer.width; x++, i++) {
        const rest = round(1 - layer.weight[i]);
        const from = ((y >> 1) * width + (x >> 1)) * colours;
        for (let c = 0; c < colours; c++) {
          next[i * colours + c] = layer.colour[i * colours + c] + round(rest * behind[from + c]);
        }
      }
    }
    [behind, height, width] = [next, layer.height, layer.width];
  }
  return behind;
}

function fillColour(layer) {
  const layers = pull(layer, bitLength(Math.max(layer.height, layer.width) - 1));
  const top = layers.pop();
  const behind = top.colour.map((value, i) => {
    const weight = top.weight[Math.floor(i / top.colours)];
    return weight > 0 ? value / weight : 0;
  });
  return push(layers, behind, top.height, top.width);
}

/** Sums over squares of two by two, added in one order; zeros beyond an odd edge. */
function halve(plane, height, width, channels) {
  const [high, wide] = [(height + 1) >> 1, (width + 1) >> 1];
  const result = new Float32Array(high * wide * channels);
  const at = (y, x, c) => (y < height && x < width ? plane[(y * width + x) * channels + c] : 0);
  for (let y = 0, i = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      for (let c = 0; c < channels; c++, i++) {
        const upper = round(at(2 * y, 2 * x, c) + at(2 * y, 2 * x + 1, c));
        const lower = round(at(2 * y + 1, 2 * x, c) + at(2 * y + 1, 2 * x + 1, c));
        result[i] = upper + lower;
      }
    }
  }
  return result;
}

function stack(layers) {
  const join = (arrays) => {
    const result = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
    let at = 0;
    for (const array of arrays) {
      result.set(array, at);
      at += array.length;
    }
    return result;
  };
  return {
    height: layers.reduce((sum, layer) => sum + layer.height, 0),
    width: layers[0].width,
    colours: layers[0].colours,
    colour: join(layers.map((layer) => layer.colour)),
    weight: join(layers.map((layer) => layer.weight)),
  };
}

/** Enlarged alpha, one channel, kept within what `alpha` of height by width has around each pixel. */
export function limitAlpha(enlarged, alpha, height, width) {
  const scale = Math.sqrt(enlarged.length / alpha.length);
  const across = width * scale;
  const result = enlarged.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let [low, high] = [Infinity, -Infinity];
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, height - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, width - 1); u++) {
          low = Math.min(low, alpha[v * width + u]);
          high = Math.max(high, alpha[v * width + u]);
        }
      }
      for (let v = 0; v < scale; v++) {
        const first = (y * scale + v) * across + x * scale;
        for (let i = first; i < first + scale; i++) {
          result[i] = Math.min(Math.max(enlarged[i], low), high);
        }
      }
    }
  }
  return result;
}
