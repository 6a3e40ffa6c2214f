/** The worker, as the page sees it: one picture at a time, in the order in which they came. */

export class Engine {
  /** `listener(picture, message)` hears of everything that happens to a picture. */
  constructor(listener) {
    this.listener = listener;
    this.waiting = [];
    this.current = null;
    this.start();
  }

  start() {
    this.worker = new Worker(new URL("../work/worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => this.crash(event.message);
  }

  add(picture) {
    this.waiting.push(picture);
    this.next();
  }

  cancel(picture) {
    const at = this.waiting.indexOf(picture);
    if (at >= 0) {
      this.waiting.splice(at, 1);
      this.listener(picture, { kind: "failed", cancelled: true });
    } else if (picture === this.current) this.worker.postMessage({ kind: "cancel", id: picture.id });
  }

  next() {
    if (this.current || !this.waiting.length) return;
    this.current = this.waiting.shift();
    const { id, file, order } = this.current;
    this.listener(this.current, { kind: "stage", stage: "reading" });
    this.worker.postMessage({ kind: "enlarge", id, file, ...order });
  }

  hear(message) {
    const picture = this.current;
    if (message.id !== picture?.id) return;
    const last = message.kind === "done" || message.kind === "failed";
    if (last) this.current = null;
    this.listener(picture, message);
    if (last) this.next();
  }

  /** A worker that ended unasked, be it for want of memory, is replaced. */
  crash(message) {
    this.worker.terminate();
    this.start();
    const picture = this.current;
    this.current = null;
    if (picture) this.listener(picture, { kind: "failed", message: `The computation ended: ${message || "not enough memory"}.` });
    this.next();
  }
}
