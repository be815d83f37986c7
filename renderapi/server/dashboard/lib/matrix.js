/** A matrix of layers by layers, coloured by how many tile pairs with matches they share. */

import { el, number, plural } from "./page.js";
import { surface } from "./surface.js";

const MARGIN = 46;

export class Matrix {
  #layers;
  #pairs;
  #matches;
  #most;
  /** @type {number[]} */ #at;
  #drawn;
  #readout = el("output", {}, "Point at a square, or go there with the arrow keys; click or Enter opens the two layers.");

  /**
   * @param {number[]} layers z of the layers
   * @param {Float64Array} pairs tile pairs of layers p <= q, at p * layers.length + q
   * @param {Float64Array} matches their point matches, likewise
   * @param {Object} options
   * @param {number[]} options.at the row and column where the reader begins
   * @param {(pZ: number, qZ: number) => void} options.open is called when two layers are chosen
   */
  constructor(layers, pairs, matches, { at, open }) {
    this.#at = at;
    this.#layers = layers;
    this.#pairs = pairs;
    this.#matches = matches;
    this.#most = pairs.reduce((most, count) => Math.max(most, count), 1);
    this.#drawn = surface((context) => this.#draw(context), {
      tabindex: 0,
      role: "application",
      "aria-label": `Tile pairs with matches, by two of ${plural(layers.length, "layer")}`,
      "aria-describedby": "matrix-readout",
      class: "matrix",
    });
    this.#readout.id = "matrix-readout";
    const { canvas } = this.#drawn;
    const choose = () => open(layers[Math.min(...this.#at)], layers[Math.max(...this.#at)]);
    canvas.addEventListener("pointermove", (event) => this.#point(event));
    canvas.addEventListener("click", (event) => this.#point(event) && choose());
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (step) this.#go(this.#at[0] + step[0], this.#at[1] + step[1]);
      else if (event.key === "Enter") choose();
      else return;
      event.preventDefault();
    });
    this.element = el(
      "figure",
      { class: "matrix" },
      el(
        "figcaption",
        {},
        el("h2", {}, "Tile pairs with matches, layer by layer"),
        el("p", { class: "ramp" }, el("span", {}, "1"), el("i", {}), el("span", {}, plural(this.#most, "tile pair"))),
      ),
      canvas,
      this.#readout,
    );
  }

  #count(row, column) {
    return Math.min(row, column) * this.#layers.length + Math.max(row, column);
  }

  #cell() {
    const { width, height } = this.#drawn.size;
    return Math.min(width - MARGIN, height - MARGIN) / this.#layers.length;
  }

  #draw(context) {
    const size = this.#layers.length;
    const cell = this.#cell();
    const gap = cell > 6 ? 1 : 0;
    context.fillStyle = this.#drawn.shade("--line");
    context.globalAlpha = 0.4;
    context.fillRect(MARGIN, MARGIN, cell * size, cell * size);
    context.fillStyle = this.#drawn.shade("--series-1");
    for (let row = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1) {
        const pairs = this.#pairs[this.#count(row, column)];
        if (pairs === 0) continue;
        context.globalAlpha = 0.2 + 0.8 * Math.sqrt(pairs / this.#most);
        context.fillRect(MARGIN + column * cell, MARGIN + row * cell, cell - gap, cell - gap);
      }
    }
    context.globalAlpha = 1;
    context.fillStyle = this.#drawn.shade("--muted");
    context.font = "12px system-ui, sans-serif";
    const every = Math.ceil(34 / cell);
    for (let index = 0; index < size; index += every) {
      const middle = MARGIN + (index + 0.5) * cell;
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(number(this.#layers[index]), MARGIN - 6, middle);
      context.textAlign = "center";
      context.textBaseline = "bottom";
      context.fillText(number(this.#layers[index]), middle, MARGIN - 6);
    }
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText("z", 10, 10);
    context.strokeStyle = this.#drawn.shade("--text");
    context.lineWidth = 2;
    context.strokeRect(MARGIN + this.#at[1] * cell, MARGIN + this.#at[0] * cell, cell, cell);
  }

  #go(row, column) {
    const last = this.#layers.length - 1;
    this.#at = [Math.max(0, Math.min(last, row)), Math.max(0, Math.min(last, column))];
    const [p, q] = [Math.min(...this.#at), Math.max(...this.#at)];
    const cell = this.#count(p, q);
    const pairs = this.#pairs[cell];
    const between = p === q ? `within z ${number(this.#layers[p])}` : `z ${number(this.#layers[p])} with z ${number(this.#layers[q])}`;
    this.#readout.textContent = pairs
      ? `${between}: ${plural(pairs, "tile pair")}, ${plural(this.#matches[cell], "match", "matches")}`
      : `${between}: no matches`;
    this.#drawn.redraw();
  }

  #point(event) {
    const cell = this.#cell();
    const row = Math.floor((event.offsetY - MARGIN) / cell);
    const column = Math.floor((event.offsetX - MARGIN) / cell);
    const inside = row >= 0 && column >= 0 && row < this.#layers.length && column < this.#layers.length;
    if (inside) this.#go(row, column);
    return inside;
  }
}
