/** What the mouse, fingers and the wheel do on a canvas. */

// as far as a finger or a hand may tremble in a click
const STILL = 5;

/**
 * Listen to the pointers of a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Object} told `pan(dx, dy)`, `zoom(factor, left, top)`, `point(left, top)` without a button,
 *     `click(left, top)`, `leave()`
 */
export function gestures(canvas, { pan, zoom, point, click, leave }) {
  const pointers = new Map();
  let moved = 0;

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (pointers.size === 0) moved = 0;
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    const now = [event.offsetX, event.offsetY];
    if (!before) {
      point(...now);
      return;
    }
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    moved += Math.abs(dx) + Math.abs(dy);
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      pan(dx / 2, dy / 2);
    } else pan(dx, dy);
    pointers.set(event.pointerId, now);
  });
  for (const ending of /** @type {("pointerup" | "pointercancel")[]} */ (["pointerup", "pointercancel"])) {
    canvas.addEventListener(ending, (event) => {
      const alone = pointers.size === 1;
      pointers.delete(event.pointerId);
      if (ending === "pointerup" && alone && moved < STILL) click(event.offsetX, event.offsetY);
    });
  }
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      // lines, pages and pixels, by the mouse
      const amount = event.deltaY * (event.deltaMode === 0 ? 1 : 33);
      zoom(Math.exp(-amount / 400), event.offsetX, event.offsetY);
    },
    { passive: false },
  );
}
