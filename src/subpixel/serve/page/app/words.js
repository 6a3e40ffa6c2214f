/** Numbers as people read them. */

export const pixels = ({ width, height }) => `${width.toLocaleString("en")} × ${height.toLocaleString("en")}`;

export function bytes(count) {
  if (count < 1e3) return `${count} ${count === 1 ? "byte" : "bytes"}`;
  if (count < 1e6) return `${Math.round(count / 1e3)} kB`;
  return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} MB`;
}

/** "20 s", "3 min", "1 h 10 min"; rounded so that it doesn't flicker. */
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 55) return `${Math.round(seconds / 5) * 5} s`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
