/** What the page can do without a connection, as far as its service worker has it. */

/**
 * Have `container`, the browser's service workers, keep the networks, and say in words what is kept.
 *
 * `fetches`: whether those that the first visit doesn't need may be fetched in the background.
 */
export async function keepOffline(container, networks, { fetches, hasGpu }, say) {
  container.addEventListener("message", ({ data }) => {
    if (data?.kind === "kept") say(describeKept(networks, data.missing, hasGpu));
  });
  const ask = async () => (await container.ready).active.postMessage({ kind: "keep", fetches });
  container.addEventListener("controllerchange", ask); // a newer version has a store of its own
  await container.register("service_worker.js", { updateViaCache: "none" });
  await ask();
}

/** What works offline: all, or factors whose every network is kept; empty for none. */
export function describeKept(networks, missing, hasGpu) {
  const isMissing = ({ file }) => missing.includes(`networks/${file}`);
  const scales = [...new Set(networks.map(({ scale }) => scale))].sort((one, other) => one - other);
  const whole = scales.filter((scale) => !networks.some((facts) => facts.scale === scale && isMissing(facts)));
  if (!whole.length) return "";
  const where = whole.length < scales.length ? ` at ${whole.map((scale) => `${scale}×`).join(" and ")}` : "";
  const needsCard = hasGpu && missing.some((file) => file.startsWith("vendor/"));
  return `Works offline${where}${needsCard ? "; on the graphics card once it was used" : ""}.`;
}
