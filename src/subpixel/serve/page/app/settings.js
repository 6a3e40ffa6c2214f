/** What people choose: network, factor, format, and what computes. */

/** Names and words for the networks that subpixel bundles; others go by their own names. */
const KNOWN = {
  balanced: ["Photos", "For photos without visible damage."],
  denoise: ["JPEG clean-up", "Removes the blocks and rings of strong compression."],
  "denoise-50": ["Drawings", "For screenshots, drawings and logos: no rims along the edges of flat areas."],
  fast: ["Fast", "An eighth of the computing, a little less sharp."],
};
const AUTOMATIC = "auto";
/** How far each network of the family goes in cleaning up, as in subpixel.zoo.family. */
const FAMILY = { balanced: 0, "denoise-25": 0.25, "denoise-50": 0.5, "denoise-75": 0.75, denoise: 1 };
const HINTS = {
  exact: "Whole numbers: the same picture, to the last bit, on every machine.",
  float: "32-bit floating point on the processor: a little finer, and much slower.",
  gpu: "32-bit floating point on the graphics card.",
};

export const plainName = (facts) => facts.name.replace(/-int8$/, "");
const isExact = (facts) => facts.samples === "uint8";

export class Settings {
  constructor(networks, form, hasGpu) {
    Object.assign(this, { networks, form, hasGpu });
    this.fillNetworks();
    this.fillScales();
    this.fillCompute();
    form.addEventListener("change", () => {
      this.fillScales();
      this.fillCompute();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** What one order is made of. */
  get order() {
    const { name, scale, compute } = this;
    const float = this.find(name === AUTOMATIC ? "balanced" : name, scale, false);
    const wanted = compute === "exact";
    const family = name === AUTOMATIC ? this.family(scale, wanted) : [];
    const chosen = family.length ? family[0].facts : this.find(name, scale, wanted) ?? float;
    return {
      choices: { chosen, family, deep: float ?? null },
      device: compute === "gpu" ? "webgpu" : "wasm",
      format: this.form.elements.format.value,
    };
  }

  /** Text by which two orders can be told apart. */
  get key() {
    return JSON.stringify([this.name, this.scale, this.compute, this.form.elements.format.value]);
  }

  get name() {
    return this.form.elements.network.value;
  }

  get scale() {
    return Number(this.form.elements.scale.value);
  }

  get compute() {
    return this.form.elements.compute.value;
  }

  get hint() {
    const network = this.name === AUTOMATIC ? "Cleans up as much as the file's compression asks for." : KNOWN[this.name]?.[1];
    return [network, HINTS[this.compute]].filter(Boolean).join(" ");
  }

  find(name, scale, exact) {
    return this.networks.find(
      (facts) => plainName(facts) === name && facts.scale === scale && isExact(facts) === exact,
    );
  }

  family(scale, exact) {
    return Object.entries(FAMILY)
      .map(([name, strength]) => ({ strength, facts: this.find(name, scale, exact) }))
      .filter(({ facts }) => facts);
  }

  fillNetworks() {
    const names = [...new Set(this.networks.map(plainName))];
    const options = names.filter((name) => name in KNOWN || !(name in FAMILY)).map((name) => [name, KNOWN[name]?.[0] ?? name]);
    if (names.includes("balanced") && names.includes("denoise")) options.unshift([AUTOMATIC, "Automatic"]);
    fill(this.form.elements.network, options);
  }

  fillScales() {
    const name = this.name === AUTOMATIC ? "balanced" : this.name;
    const there = this.networks.filter((facts) => plainName(facts) === name).map((facts) => facts.scale);
    const scales = [...new Set(there)].sort((one, other) => one - other);
    const before = Number(this.form.elements.scale?.value);
    const chosen = [before, this.networks[0].scale, scales[0]].find((scale) => scales.includes(scale));
    const box = this.form.querySelector("#scales");
    if (box.dataset.scales === String(scales)) return;
    box.dataset.scales = String(scales);
    box.replaceChildren(...scales.map((scale) => radio(scale, scale === chosen)));
  }

  fillCompute() {
    const name = this.name === AUTOMATIC ? "balanced" : this.name;
    const before = this.compute;
    const options = [];
    if (this.find(name, this.scale, true)) options.push(["exact", "Exact"]);
    if (this.find(name, this.scale, false)) {
      if (this.hasGpu) options.push(["gpu", "Graphics card"]);
      options.push(["float", "Float32"]);
    }
    fill(this.form.elements.compute, options);
    if (options.some(([value]) => value === before)) this.form.elements.compute.value = before;
  }
}

function fill(select, options) {
  select.replaceChildren(
    ...options.map(([value, text]) => Object.assign(document.createElement("option"), { value, textContent: text })),
  );
}

function radio(scale, checked) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "scale", value: scale, checked });
  label.append(input, `${scale}×`);
  return label;
}
