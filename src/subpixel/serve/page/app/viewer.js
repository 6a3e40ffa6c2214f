/** Before and after, one over the other, as large as one likes. */

const STEP = 1.5;
const MAX_ZOOM = 8;
/** Where each key moves the divider, in percent. */
const KEYS = {
  ArrowLeft: (at, factor) => at - 2 * factor,
  ArrowRight: (at, factor) => at + 2 * factor,
  PageDown: (at) => at - 10,
  PageUp: (at) => at + 10,
  Home: () => 0,
  End: () => 100,
};
const HANDLE = '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><path d="M9 7l-5 5 5 5M15 7l5 5-5 5"/></svg>';

export class Viewer {
  constructor(box, bar, level) {
    Object.assign(this, { box, bar, level, content: null, ratio: 1, full: 0, zoom: null, urls: [] });
    bar.addEventListener("click", (event) => this.press(event.target.closest("button")?.dataset.zoom));
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => this.layOut()).observe(box.parentElement);
    addEventListener("resize", () => this.layOut());
  }

  /** The photo alone, while it is being enlarged. */
  showPhoto(file, alt) {
    const image = this.image(file, alt);
    image.addEventListener("error", () => image.remove());
    this.show(image, image);
    this.bar.hidden = true;
  }

  /** Both; `size` is that of the larger picture. */
  showPair(before, after, size) {
    const slider = document.createElement("img-comparison-slider");
    const [first, second] = [this.image(before, "Before"), this.image(after, "After")];
    first.slot = "first";
    second.slot = "second";
    const handle = Object.assign(document.createElement("div"), { slot: "handle", className: "handle", innerHTML: HANDLE });
    slider.append(first, second, handle);
    const set = (name, value) => slider.setAttribute(name, value);
    set("role", "slider");
    set("tabindex", "0");
    set("aria-label", "Before and after: how much of the photo is shown as it was");
    set("aria-valuemin", "0");
    set("aria-valuemax", "100");
    set("aria-valuenow", "50");
    const tell = () => set("aria-valuenow", String(Math.round(slider.value)));
    slider.addEventListener("slide", tell);
    set("keyboard", "disabled"); // the component moves only while a key is held down
    slider.addEventListener("keydown", (event) => {
      const value = KEYS[event.key]?.(slider.value, event.shiftKey ? 5 : 1);
      if (value === undefined) return;
      event.preventDefault();
      slider.value = Math.min(Math.max(value, 0), 100);
      tell();
    });
    this.show(slider, second, size);
    this.bar.hidden = false;
  }

  image(file, alt) {
    const url = URL.createObjectURL(file);
    this.nextUrls = [...(this.nextUrls ?? []), url];
    return Object.assign(new Image(), { src: url, alt, decoding: "async", draggable: false });
  }

  show(content, measured, size = null) {
    this.urls.forEach((url) => URL.revokeObjectURL(url));
    [this.urls, this.nextUrls] = [this.nextUrls, []];
    this.content = content;
    this.zoom = null;
    this.box.replaceChildren(content);
    const settle = () => {
      const [wide, high] = [measured.naturalWidth || 1, measured.naturalHeight || 1];
      this.ratio = wide / high;
      const longest = size && Math.max(size.width, size.height);
      this.full = size ? (wide >= high ? longest : longest * this.ratio) : wide;
      this.layOut();
    };
    this.layOut();
    measured.decode().then(settle, settle);
  }

  /** Width in CSS pixels at which all of it is seen. */
  get fit() {
    const style = getComputedStyle(this.box);
    const high = Number.parseFloat(style.maxHeight) || innerHeight * 0.6;
    const smallest = Math.min(this.box.parentElement.clientWidth, high * this.ratio);
    return Math.max(1, Math.min(this.box.clientWidth || smallest, high * this.ratio));
  }

  layOut() {
    if (!this.content) return;
    const width = this.zoom === null ? this.fit : (this.full * this.zoom) / devicePixelRatio;
    this.content.style.width = `${Math.floor(width)}px`;
    const height = `${Math.floor(width / this.ratio)}px`;
    this.content.style.height = height;
    this.content.querySelectorAll("img").forEach((image) => (image.style.height = height));
    this.level.textContent = `${Math.round(this.current * 100)} %`;
    this.box.dataset.pixels = String(this.zoom !== null && this.zoom >= 4);
    // Dragging anywhere moves the divider, unless it would be in the way of scrolling.
    this.content.handle = this.zoom !== null;
  }

  press(what) {
    if (what === "fit") this.zoomTo(null);
    else if (what === "full") this.zoomTo(1);
    else if (what) this.zoomTo(this.current * (what === "in" ? STEP : 1 / STEP));
  }

  get current() {
    return this.zoom ?? (this.fit * devicePixelRatio) / (this.full || 1);
  }

  wheel(event) {
    if (!event.ctrlKey || this.bar.hidden) return;
    event.preventDefault();
    this.zoomTo(this.current * Math.exp(-event.deltaY / 200), event);
  }

  /** Zoom about the middle of what is seen, or about the mouse. */
  zoomTo(zoom, event = null) {
    const { box } = this;
    const frame = box.getBoundingClientRect();
    const x = event ? event.clientX - frame.left : box.clientWidth / 2;
    const y = event ? event.clientY - frame.top : box.clientHeight / 2;
    const [across, down] = [(box.scrollLeft + x) / box.scrollWidth, (box.scrollTop + y) / box.scrollHeight];
    const smallest = (this.fit * devicePixelRatio) / (this.full || 1);
    this.zoom = zoom === null || zoom <= smallest * 1.001 ? null : Math.min(zoom, MAX_ZOOM);
    this.layOut();
    box.scrollTo(across * box.scrollWidth - x, down * box.scrollHeight - y);
  }
}
