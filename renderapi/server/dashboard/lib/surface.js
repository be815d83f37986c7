/** A canvas that is sharp on every screen and is drawn at most once per frame. */

import { el, onColours } from "./page.js";

/**
 * Make a canvas that fills the width of its parent. Its `shade(name)` gives a colour of the style sheet as it is
 * where the canvas is.
 *
 * @param {(context, width, height) => void} draw draws in units of CSS pixels
 * @param {Object} attributes of the canvas
 * @param {() => void} onSize is called when its size has changed, before it is drawn
 */
export function surface(draw, attributes = {}, onSize = () => {}) {
  const canvas = el("canvas", attributes);
  const context = canvas.getContext("2d");
  const size = { width: 0, height: 0 };
  const shades = new Map();
  let waiting = false;

  function shade(name) {
    if (!shades.has(name)) {
      canvas.style.color = `var(${name})`;
      shades.set(name, getComputedStyle(canvas).color);
    }
    return shades.get(name);
  }

  function paint() {
    waiting = false;
    shades.clear();
    if (size.width === 0 || size.height === 0) return;
    const sharpness = devicePixelRatio || 1;
    const [wide, high] = [Math.round(size.width * sharpness), Math.round(size.height * sharpness)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    context.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    draw(context, size.width, size.height);
  }

  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(paint);
  }

  new ResizeObserver(([entry]) => {
    size.width = entry.contentRect.width;
    size.height = entry.contentRect.height;
    onSize();
    redraw();
  }).observe(canvas);
  onColours(redraw);
  return { canvas, redraw, shade, size };
}

/** Give round numbers, about so many, between two numbers. */
export function ticks(low, high, about) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at += 1) found.push(at * step + 0);
  return found;
}

/** Give the largest round number that is not above another. */
export function roundBelow(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  // a logarithm just below a whole number is rounded to it
  return power * ([5, 2, 1].find((factor) => factor * power <= most) ?? 0.5);
}

/** Give the place where a sorted list has, or would have, a value nearest to another. */
export function nearest(sorted, value) {
  let low = 0;
  let high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle;
    else high = middle;
  }
  return Math.abs(sorted[low] - value) <= Math.abs(sorted[high] - value) ? low : high;
}
