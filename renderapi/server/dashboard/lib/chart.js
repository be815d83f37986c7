/** Charts of values by z. */

import { el, number, short } from "./page.js";
import { nearest, surface, ticks } from "./surface.js";

const MARGIN = { left: 58, right: 14, top: 10, bottom: 26 };

/**
 * Make a chart over layers. It is read by pointing at it, or with the arrow keys when it has the focus.
 *
 * @param {string} title
 * @param {number[]} zs sorted
 * @param {Array} series `{name, values, colour}`, a value for every z
 * @param {Object} options `bars` draws bars from 0, `onCursor(index)` is told where the reader is,
 *     `open(index)` opens a layer
 */
export function chart(title, zs, series, { bars = false, onCursor = () => {}, open }) {
  let cursor = null;
  const range = valueRange(series, bars);
  const readout = el("output", {}, "Point at the chart, or move along it with the arrow keys.");
  // half a layer on either side, for the bars
  const around = zs.length > 1 ? (zs.at(-1) - zs[0]) / (zs.length - 1) / 2 : 1;
  const [first, last] = [zs[0] - around, zs.at(-1) + around];
  const drawn = surface(draw, {
    tabindex: 0,
    role: "slider",
    "aria-label": `${title}, by z`,
    "aria-valuemin": 0,
    "aria-valuemax": zs.length - 1,
    "aria-valuenow": 0,
    "aria-valuetext": describe(0),
    class: "chart",
  });
  const { canvas, redraw, shade, size } = drawn;

  const xAt = (z) => MARGIN.left + ((z - first) / (last - first)) * (size.width - MARGIN.left - MARGIN.right);
  const yAt = (value, height) =>
    height - MARGIN.bottom - ((value - range.low) / (range.high - range.low)) * (height - MARGIN.top - MARGIN.bottom);

  function describe(index) {
    const values = series.map(({ name, values }) => `${name} ${number(values[index])}`).join(", ");
    return `z ${number(zs[index])}: ${values}`;
  }

  function axes(context, width, height) {
    context.font = "12px system-ui, sans-serif";
    context.lineWidth = 1;
    context.strokeStyle = shade("--line");
    context.fillStyle = shade("--muted");
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.beginPath();
    for (const value of ticks(range.low, range.high, 4)) {
      const y = Math.round(yAt(value, height)) + 0.5;
      context.moveTo(MARGIN.left, y);
      context.lineTo(width - MARGIN.right, y);
      context.fillText(short(value), MARGIN.left - 8, y);
    }
    context.stroke();
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const z of ticks(zs[0], zs.at(-1), Math.max(2, width / 110))) {
      context.fillText(number(z), xAt(z), height - MARGIN.bottom + 8);
    }
    context.textAlign = "left";
    context.fillText("z", width - MARGIN.right + 4, height - MARGIN.bottom + 8);
  }

  function drawBars(context, values, height) {
    const room = ((size.width - MARGIN.left - MARGIN.right) / Math.max(1, last - first)) * 0.7;
    const wide = Math.max(1, Math.min(room, 24));
    const floor = yAt(0, height);
    values.forEach((value, index) => {
      if (value === null) return;
      const top = yAt(value, height);
      context.fillRect(xAt(zs[index]) - wide / 2, top, wide, floor - top);
    });
  }

  function drawLine(context, values, height) {
    context.beginPath();
    let down = false;
    values.forEach((value, index) => {
      if (value === null) down = false;
      else if (down) context.lineTo(xAt(zs[index]), yAt(value, height));
      else {
        context.moveTo(xAt(zs[index]), yAt(value, height));
        down = true;
      }
    });
    context.stroke();
    if (zs.length > 60) return;
    values.forEach((value, index) => {
      if (value === null) return;
      context.beginPath();
      context.arc(xAt(zs[index]), yAt(value, height), 2.5, 0, 2 * Math.PI);
      context.fill();
    });
  }

  function draw(context, width, height) {
    axes(context, width, height);
    series.forEach(({ values, colour: name, dash = [] }) => {
      context.fillStyle = context.strokeStyle = shade(name);
      context.lineWidth = 1.8;
      context.setLineDash(dash);
      (bars ? drawBars : drawLine)(context, values, height);
      context.setLineDash([]);
    });
    if (cursor === null) return;
    const x = Math.round(xAt(zs[cursor])) + 0.5;
    context.strokeStyle = shade("--text");
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(x, MARGIN.top);
    context.lineTo(x, height - MARGIN.bottom);
    context.stroke();
    context.setLineDash([]);
  }

  function show(index) {
    if (cursor === index) return;
    cursor = index;
    readout.replaceChildren(
      `${describe(index)} `,
      el("a", { href: open(index) }, "open the layer"),
    );
    canvas.setAttribute("aria-valuenow", index);
    canvas.setAttribute("aria-valuetext", describe(index));
    redraw();
  }

  const move = (index) => {
    const inside = Math.min(zs.length - 1, Math.max(0, index));
    show(inside);
    onCursor(inside);
  };
  const point = (event) => {
    const share = (event.offsetX - MARGIN.left) / (size.width - MARGIN.left - MARGIN.right);
    move(nearest(zs, first + share * (last - first)));
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("keydown", (event) => {
    const at = cursor ?? -1;
    const page = Math.max(2, Math.round(zs.length / 10));
    const target = {
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      PageUp: at + page,
      PageDown: at - page,
      Home: 0,
      End: zs.length - 1,
    }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      move(target);
    } else if (event.key === "Enter" && cursor !== null) location.assign(open(cursor));
  });

  const legend =
    series.length > 1 &&
    el(
      "ul",
      { class: "legend" },
      ...series.map(({ name, colour, dash }) => {
        const swatch = el("i", { class: dash ? "swatch dashed" : "swatch" });
        swatch.style.borderColor = `var(${colour})`;
        return el("li", {}, swatch, name);
      }),
    );
  const element = el(
    "figure",
    {},
    el("figcaption", {}, el("h2", {}, title), legend || null),
    canvas,
    readout,
  );
  return { element, show };
}

function valueRange(series, bars) {
  let low = bars ? 0 : Infinity;
  let high = bars ? 1 : -Infinity;
  for (const { values } of series) {
    for (const value of values) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) [low, high] = [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return { low: bars ? low : low - room, high: high + room };
}
