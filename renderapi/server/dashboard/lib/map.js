/** Boxes of tiles and lines between them, drawn in world coordinates: pan, zoom, point, choose. */

import { colour, el, number } from "./page.js";
import { roundBelow, surface } from "./surface.js";

const HELP =
  "Drag or use Shift and the arrow keys to move, the wheel or + and − to zoom, 0 to see everything. " +
  "With the arrow keys alone you go from tile to tile, with Escape you leave them.";
const MARGIN = 16;

/**
 * A map of tiles.
 *
 * `mark(index)` gives the tiles that a tile is connected with, `onPoint(index, x, y)` is told what is under the pointer (-1: no tile) and where in the world that is,
 * `onChoose(index)` which tile was chosen. The boxes and lines are on one canvas, what follows the pointer is on
 * another above it, so that pointing does not draw 10,000 boxes again.
 */
export class TileMap {
  #boxes = null;
  #styles = [];
  #styleOf = null;
  #lines = [];
  #view = { x: 0, y: 0, scale: 1 };
  // everything is in sight, and shall be when the canvas changes its size
  #fitted = true;
  #pointed = -1;
  #chosen = -1;
  #pointers = new Map();
  #moved = 0;

  constructor(label, { onPoint = () => {}, onChoose = () => {}, mark = () => [] } = {}) {
    this.onPoint = onPoint;
    this.onChoose = onChoose;
    this.mark = mark;
    this.#base = surface((context, width, height) => this.#drawBase(context, width, height), { "aria-hidden": "true" });
    this.#top = surface((context, width, height) => this.#drawTop(context, width, height), {
      tabindex: 0,
      role: "application",
      "aria-label": label,
      "aria-describedby": "map-help",
      class: "top",
    }, () => this.#fitted && this.fit());
    const button = (text, name, act) => el("button", { type: "button", "aria-label": name, title: name, onclick: act }, text);
    this.element = el(
      "div",
      { class: "map" },
      el(
        "div",
        { class: "canvases" },
        this.#base.canvas,
        this.#top.canvas,
        el(
          "div",
          { class: "zoom" },
          button("+", "Zoom in", () => this.zoom(1.6)),
          button("−", "Zoom out", () => this.zoom(1 / 1.6)),
          button("⤢", "See everything", () => this.fit()),
        ),
      ),
      el("p", { class: "help", id: "map-help" }, HELP),
    );
    this.#listen();
  }

  #base;
  #top;

  /**
   * Show boxes.
   *
   * @param {Boxes} boxes
   * @param {Array} styles `{fill, alpha, hollow}`, the fill a name of a colour of the style sheet
   * @param {Uint8Array} styleOf the style of every box
   */
  show(boxes, styles, styleOf, { keepView = false } = {}) {
    this.#boxes = boxes;
    this.#styles = styles;
    this.#styleOf = styleOf;
    this.#lines = [];
    this.#pointed = this.#chosen = -1;
    if (!keepView || this.#fitted) this.fit();
    this.redraw();
  }

  /** Show lines between the centres of boxes: `{colour, width, dash, pairs: [[a, b], ...]}` per kind. */
  setLines(kinds) {
    this.#lines = kinds;
    this.#base.redraw();
  }

  redraw() {
    this.#base.redraw();
    this.#top.redraw();
  }

  /** See all boxes. */
  fit() {
    const { width, height } = this.#top.size;
    this.#fitted = true;
    if (!(width > 0 && height > 0 && this.#boxes?.count > 0)) return;
    const { minX, minY, maxX, maxY } = this.#boxes.bounds;
    const scale = Math.min(
      (width - 2 * MARGIN) / Math.max(1, maxX - minX),
      (height - 2 * MARGIN) / Math.max(1, maxY - minY),
    );
    this.#view = {
      scale,
      x: (minX + maxX) / 2 - width / 2 / scale,
      y: (minY + maxY) / 2 - height / 2 / scale,
    };
    this.redraw();
  }

  /** Zoom about a place on the canvas, by default its middle. */
  zoom(factor, atX = this.#top.size.width / 2, atY = this.#top.size.height / 2) {
    const [x, y] = this.#world(atX, atY);
    const scale = Math.min(64, Math.max(1e-7, this.#view.scale * factor));
    this.#view = { scale, x: x - atX / scale, y: y - atY / scale };
    this.#fitted = false;
    this.redraw();
  }

  pan(dx, dy) {
    this.#view.x -= dx / this.#view.scale;
    this.#view.y -= dy / this.#view.scale;
    this.#fitted = false;
    this.redraw();
  }

  /** Choose a tile, -1 for none; one that is out of sight is brought into it. */
  choose(index) {
    this.#chosen = index;
    if (index >= 0) {
      const [x, y] = this.#boxes.centre(index);
      const { width, height } = this.#top.size;
      const [left, top] = this.#screen(x, y);
      if (left < 0 || top < 0 || left > width || top > height) this.pan(width / 2 - left, height / 2 - top);
    }
    this.#top.redraw();
    this.onChoose(index);
  }

  #world(left, top) {
    return [this.#view.x + left / this.#view.scale, this.#view.y + top / this.#view.scale];
  }

  #screen(x, y) {
    return [(x - this.#view.x) * this.#view.scale, (y - this.#view.y) * this.#view.scale];
  }

  #rectangle(index) {
    const { minX, minY, maxX, maxY } = this.#boxes;
    const [left, top] = this.#screen(minX[index], minY[index]);
    const { scale } = this.#view;
    return [left, top, (maxX[index] - minX[index]) * scale, (maxY[index] - minY[index]) * scale];
  }

  #drawBase(context, width, height) {
    if (!this.#boxes) return;
    this.#drawBoxes(context, width, height);
    this.#drawLines(context, width, height);
    this.#drawScale(context, height);
  }

  #drawBoxes(context, width, height) {
    const labelled = [];
    for (const [style, { fill, alpha = 0.28, hollow }] of this.#styles.entries()) {
      const shade = colour(fill);
      for (let index = 0; index < this.#boxes.count; index += 1) {
        if (this.#styleOf[index] !== style) continue;
        const [left, top, wide, high] = this.#rectangle(index);
        if (left > width || top > height || left + wide < 0 || top + high < 0) continue;
        context.fillStyle = shade;
        if (!hollow) {
          context.globalAlpha = alpha;
          context.fillRect(left, top, Math.max(1, wide), Math.max(1, high));
        }
        // four thin rectangles are drawn several times faster than a stroke
        context.globalAlpha = wide > 6 ? 0.9 : 0.5;
        if (wide > 3 || hollow) {
          context.fillRect(left, top, wide, 1);
          context.fillRect(left, top + high - 1, wide, 1);
          context.fillRect(left, top, 1, high);
          context.fillRect(left + wide - 1, top, 1, high);
        }
        if (wide > 90 && high > 24) labelled.push([index, left, top, wide]);
      }
    }
    context.globalAlpha = 1;
    context.fillStyle = colour("--text");
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "top";
    for (const [index, left, top, wide] of labelled) {
      context.save();
      context.beginPath();
      context.rect(left, top, wide - 4, 22);
      context.clip();
      context.fillText(this.#boxes.tileIds[index], left + 6, top + 6);
      context.restore();
    }
  }

  #drawLines(context, width, height) {
    if (this.#lines.length === 0) return;
    const { x, y, scale } = this.#view;
    const { minX, minY, maxX, maxY } = this.#boxes;
    const left = minX.map((low, index) => ((low + maxX[index]) / 2 - x) * scale);
    const top = minY.map((low, index) => ((low + maxY[index]) / 2 - y) * scale);
    context.lineCap = "round";
    for (const { colour: name, width: wide = 1.5, dash = [], pairs } of this.#lines) {
      context.strokeStyle = colour(name);
      context.lineWidth = wide;
      context.setLineDash(dash);
      // a path of many thousand lines costs more than its parts
      for (let from = 0; from < pairs.length; from += 500) {
        context.beginPath();
        for (let line = from; line < Math.min(from + 500, pairs.length); line += 1) {
          const [a, b] = [pairs[line][0], pairs[line][1]];
          const [x0, y0, x1, y1] = [left[a], top[a], left[b], top[b]];
          const outside =
            (x0 < 0 && x1 < 0) || (y0 < 0 && y1 < 0) || (x0 > width && x1 > width) || (y0 > height && y1 > height);
          if (outside) continue;
          context.moveTo(x0, y0);
          context.lineTo(x1, y1);
        }
        context.stroke();
      }
    }
    context.setLineDash([]);
  }

  #drawScale(context, height) {
    const length = roundBelow(140 / this.#view.scale);
    const wide = length * this.#view.scale;
    const text = `${number(length)} px`;
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colour("--surface");
    context.globalAlpha = 0.85;
    context.fillRect(8, height - 34, Math.max(wide, context.measureText(text).width) + 16, 28);
    context.globalAlpha = 1;
    context.fillStyle = colour("--text");
    context.textBaseline = "bottom";
    context.fillText(text, 16, height - 16);
    context.fillRect(16, height - 13, wide, 2);
  }

  #drawTop(context) {
    if (!this.#boxes) return;
    const outline = (index, name, wide) => {
      context.strokeStyle = colour(name);
      context.lineWidth = wide;
      const [left, top, w, h] = this.#rectangle(index);
      context.strokeRect(left, top, Math.max(2, w), Math.max(2, h));
    };
    for (const [index, name, wide] of [
      [this.#pointed, "--text", 2],
      [this.#chosen, "--accent", 3],
    ]) {
      if (index < 0) continue;
      outline(index, name, wide);
      context.beginPath();
      for (const partner of this.mark(index)) {
        context.moveTo(...this.#screen(...this.#boxes.centre(index)));
        context.lineTo(...this.#screen(...this.#boxes.centre(partner)));
      }
      context.stroke();
    }
  }

  #point(left, top) {
    if (!this.#boxes) return;
    const [x, y] = this.#world(left, top);
    const index = this.#boxes.at(x, y);
    if (index !== this.#pointed) {
      this.#pointed = index;
      this.#top.redraw();
    }
    this.onPoint(index, x, y);
  }

  #listen() {
    const { canvas } = this.#top;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      this.#moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => this.#pointerMoved(event));
    for (const ending of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(ending, (event) => {
        const alone = this.#pointers.size === 1;
        this.#pointers.delete(event.pointerId);
        if (ending === "pointerup" && alone && this.#moved < 5 && this.#boxes) {
          this.choose(this.#boxes.at(...this.#world(event.offsetX, event.offsetY)));
        }
      });
    }
    canvas.addEventListener("pointerleave", () => {
      this.#pointed = -1;
      this.#top.redraw();
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        // lines, pages and pixels, by the mouse
        const amount = event.deltaY * (event.deltaMode === 0 ? 1 : 33);
        this.zoom(Math.exp(-amount / 400), event.offsetX, event.offsetY);
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #pointerMoved(event) {
    const before = this.#pointers.get(event.pointerId);
    const now = [event.offsetX, event.offsetY];
    if (!before) {
      this.#point(...now);
      return;
    }
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    this.#moved += Math.abs(dx) + Math.abs(dy);
    if (this.#pointers.size === 2) {
      const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      this.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      this.pan(dx / 2, dy / 2);
    } else this.pan(dx, dy);
    this.#pointers.set(event.pointerId, now);
  }

  #key(event) {
    if (!this.#boxes || event.ctrlKey || event.altKey || event.metaKey) return;
    const [dx, dy] =
      { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (dx !== undefined && event.shiftKey) this.pan(-60 * dx, -60 * dy);
    else if (dx !== undefined) this.#step(dx, dy);
    else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "0") this.fit();
    else if (event.key === "Escape" && this.#chosen >= 0) this.choose(-1);
    else return;
    event.preventDefault();
  }

  #step(dx, dy) {
    if (this.#boxes.count === 0) return;
    if (this.#chosen >= 0) {
      this.choose(this.#boxes.neighbour(this.#chosen, dx, dy));
      return;
    }
    const { width, height } = this.#top.size;
    const middle = this.#boxes.at(...this.#world(width / 2, height / 2));
    this.choose(Math.max(0, middle));
  }
}
