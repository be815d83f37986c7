/** Boxes of tiles, lines between them and the pixels below, in world coordinates: pan, zoom, point, choose. */

import { Blocks } from "./blocks.js";
import { gestures } from "./gestures.js";
import { el, number } from "./page.js";
import { ofLength } from "./resolution.js";
import { roundBelow, surface } from "./surface.js";

const MARGIN = 16;
const CLOSEST = 64;
const FARTHEST = 1e-7;
// milliseconds until blocks are asked for, so that levels that are only passed through are not
const AFTER_ZOOM = 140;

function help(arrows, layers) {
  const [move, tiles] = ["the arrow keys", "Shift and the arrow keys"];
  return (
    `Drag or use ${arrows === "view" ? move : tiles} to move, the wheel or + and − to zoom, 0 to see everything. ` +
    `With ${arrows === "view" ? tiles : `${move} alone`} you go from tile to tile, with Escape you leave them` +
    (layers ? "; Page up and Page down change the layer." : ".")
  );
}

/**
 * A map of tiles.
 *
 * It has three canvases: pixels, then boxes and lines, then what follows the pointer, so that neither pointing nor a
 * block that arrives draws 10,000 boxes again.
 */
export class TileMap {
  #boxes = null;
  #styles = [];
  #styleOf = null;
  #lines = [];
  #images = [];
  #blocks = new Blocks(() => this.#ground.redraw());
  // what is in the middle, in world coordinates
  #view = { x: 0, y: 0, scale: 1 };
  #scaleOfGround = 0;
  // everything is in sight, and shall be when the canvas changes its size
  #fitted = true;
  #names = { outlines: true, ids: true };
  // how wide a pixel of the stack is, in nm, if that is known
  #nm;
  #pointed = -1;
  #chosen = -1;
  #told;
  #ground;
  #base;
  #top;

  /**
   * @param {string} label what the map shows
   * @param {Object} told `onPoint(index, x, y)` is told what is under the pointer (-1: no tile) and where in the world
   *     that is, `onChoose(index)` which tile was chosen, `onView()` that something else is in sight, `onImages(seen)`
   *     what has become of the blocks in sight, `onLayer(step)` that another layer is wanted; `mark(index)` gives the
   *     tiles that a tile is connected with; `arrows` says what the arrow keys alone move, "tiles" or "view"
   */
  constructor(label, told = {}) {
    const nothing = () => {};
    this.#told = {
      onPoint: nothing,
      onChoose: nothing,
      onView: nothing,
      onImages: nothing,
      onLayer: null,
      mark: () => [],
      arrows: "tiles",
      ...told,
    };
    this.#ground = surface((...drawing) => this.#drawGround(...drawing), { "aria-hidden": "true", class: "ground" });
    this.#base = surface((...drawing) => this.#drawBase(...drawing), { "aria-hidden": "true", class: "base" });
    this.#top = surface(
      (context) => this.#drawTop(context),
      { tabindex: 0, role: "application", "aria-label": label, "aria-describedby": "map-help", class: "top" },
      () => (this.#fitted ? this.fit() : this.#told.onView()),
    );
    const button = (text, name, act) => el("button", { type: "button", "aria-label": name, title: name, onclick: act }, text);
    this.element = el(
      "div",
      { class: "map" },
      el(
        "div",
        { class: "canvases" },
        this.#ground.canvas,
        this.#base.canvas,
        this.#top.canvas,
        el(
          "div",
          { class: "zoom" },
          button("+", "Zoom in", () => this.zoom(1.6)),
          button("−", "Zoom out", () => this.zoom(1 / 1.6)),
          button("1:1", "One pixel of the stack as one of the screen", () => this.look({ scale: 1 / devicePixelRatio })),
          button("⤢", "See everything", () => this.fit()),
        ),
      ),
      el("p", { class: "help", id: "map-help" }, help(this.#told.arrows, this.#told.onLayer)),
    );
    gestures(this.#top.canvas, {
      pan: (dx, dy) => this.pan(dx, dy),
      zoom: (factor, left, top) => this.zoom(factor, left, top),
      point: (left, top) => this.#point(left, top),
      click: (left, top) => this.#boxes && this.choose(this.#boxes.at(...this.#world(left, top))),
      leave: () => {
        this.#pointed = -1;
        this.#top.redraw();
      },
    });
    this.#top.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  get blocks() {
    return this.#blocks;
  }

  /** What is in the middle, in world coordinates, and how many pixels of the screen a pixel of the stack takes. */
  get view() {
    return { ...this.#view, fitted: this.#fitted };
  }

  /**
   * Show boxes.
   *
   * @param {import("./boxes.js").Boxes} boxes
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

  /** Show the pixels of layers under the boxes, `{pixels, dx, dy}` each, moved by dx and dy. */
  showImages(images) {
    this.#images = images;
    this.element.classList.toggle("pictured", images.length > 0);
    if (images.length === 0) {
      delete this.element.dataset.images;
      this.#blocks.want([]);
    }
    this.redraw();
  }

  /** Ask the server for nothing any more. */
  close() {
    this.#images = [];
    this.#blocks.want([]);
  }

  /** Say whether boxes have outlines, and their tile ids in them. */
  setNames(names) {
    this.#names = names;
    this.#base.redraw();
  }

  /** Say how wide a pixel of the stack is, in nm; undefined where nobody knows. */
  setPixelSize(nm) {
    this.#nm = nm;
    this.#base.redraw();
  }

  /** Show lines between the centres of boxes: `{colour, width, dash, pairs: [[a, b], ...]}` per kind. */
  setLines(kinds) {
    this.#lines = kinds;
    this.#base.redraw();
  }

  redraw() {
    this.#ground.redraw();
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
    this.#see({ scale, x: (minX + maxX) / 2, y: (minY + maxY) / 2 });
  }

  /** See a place, at a scale; what is not given stays. */
  look(view) {
    this.#fitted = false;
    this.#see({ ...this.#view, ...view });
  }

  /** Zoom about a place on the canvas, by default its middle. */
  zoom(factor, left = this.#top.size.width / 2, top = this.#top.size.height / 2) {
    const [x, y] = this.#world(left, top);
    const scale = Math.min(CLOSEST, Math.max(FARTHEST, this.#view.scale * factor));
    const share = this.#view.scale / scale;
    this.look({ scale, x: x + (this.#view.x - x) * share, y: y + (this.#view.y - y) * share });
  }

  pan(dx, dy) {
    this.look({ x: this.#view.x - dx / this.#view.scale, y: this.#view.y - dy / this.#view.scale });
  }

  /** Choose a tile, -1 for none; one that is out of sight is brought into it. */
  choose(index) {
    this.#chosen = index;
    if (index >= 0) {
      const [x, y] = this.#boxes.centre(index);
      const { width, height } = this.#top.size;
      const [left, top] = this.#screen(x, y);
      if (left < 0 || top < 0 || left > width || top > height) this.look({ x, y });
    }
    this.#top.redraw();
    this.#told.onChoose(index);
  }

  #see(view) {
    this.#view = view;
    this.redraw();
    this.#told.onView();
  }

  #world(left, top) {
    const { width, height } = this.#top.size;
    return [
      this.#view.x + (left - width / 2) / this.#view.scale,
      this.#view.y + (top - height / 2) / this.#view.scale,
    ];
  }

  #screen(x, y) {
    const { width, height } = this.#top.size;
    return [
      (x - this.#view.x) * this.#view.scale + width / 2,
      (y - this.#view.y) * this.#view.scale + height / 2,
    ];
  }

  #rectangle(index) {
    const { minX, minY, maxX, maxY } = this.#boxes;
    const [left, top] = this.#screen(minX[index], minY[index]);
    const { scale } = this.#view;
    return [left, top, (maxX[index] - minX[index]) * scale, (maxY[index] - minY[index]) * scale];
  }

  #drawGround(context, width, height) {
    if (this.#images.length === 0) return;
    const seen = { levels: [], ready: 0, loading: 0, crowded: 0, tiles: 0, problems: new Map() };
    const wanted = [];
    for (const { pixels, dx = 0, dy = 0 } of this.#images) {
      const view = { x: this.#view.x - dx, y: this.#view.y - dy, scale: this.#view.scale };
      const part = pixels.draw(context, view, width, height, this.#ground.shade);
      wanted.push(...part.wanted);
      seen.levels.push(part.level);
      for (const key of ["ready", "loading", "crowded"]) seen[key] += part[key];
      seen.tiles = Math.max(seen.tiles, part.tiles);
      for (const [text, count] of part.problems) seen.problems.set(text, (seen.problems.get(text) ?? 0) + count);
    }
    wanted.sort((a, b) => a.far - b.far);
    this.#blocks.want(wanted, this.#view.scale === this.#scaleOfGround ? 0 : AFTER_ZOOM);
    this.#scaleOfGround = this.#view.scale;
    this.element.dataset.images = seen.loading ? "loading" : seen.problems.size ? "failed" : "ready";
    this.#told.onImages(seen);
  }

  #drawBase(context, width, height) {
    if (!this.#boxes) return;
    this.#drawBoxes(context, width, height);
    this.#drawLines(context, width, height);
    this.#drawScale(context, height);
  }

  #drawBoxes(context, width, height) {
    const pictured = this.#images.length > 0;
    const labelled = [];
    for (const [style, { fill, alpha = 0.28, hollow }] of this.#styles.entries()) {
      const shade = this.#base.shade(fill);
      for (let index = 0; index < this.#boxes.count; index += 1) {
        if (this.#styleOf[index] !== style) continue;
        const [left, top, wide, high] = this.#rectangle(index);
        if (left > width || top > height || left + wide < 0 || top + high < 0) continue;
        if (wide > 90 && high > 24) labelled.push([index, left, top, wide]);
        if (!this.#names.outlines) continue;
        context.fillStyle = shade;
        if (!hollow) {
          context.globalAlpha = pictured ? alpha / 2 : alpha;
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
      }
    }
    context.globalAlpha = 1;
    if (this.#names.ids) this.#drawIds(context, labelled, pictured);
  }

  #drawIds(context, labelled, pictured) {
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "top";
    for (const [index, left, top, wide] of labelled) {
      const id = this.#boxes.tileIds[index];
      context.save();
      context.beginPath();
      context.rect(left, top, wide - 4, 22);
      context.clip();
      if (pictured) {
        context.fillStyle = this.#base.shade("--surface");
        context.globalAlpha = 0.7;
        context.fillRect(left + 2, top + 2, context.measureText(id).width + 8, 18);
        context.globalAlpha = 1;
      }
      context.fillStyle = this.#base.shade("--text");
      context.fillText(id, left + 6, top + 6);
      context.restore();
    }
  }

  #drawLines(context, width, height) {
    if (this.#lines.length === 0) return;
    const { minX, minY, maxX, maxY } = this.#boxes;
    const [originX, originY] = this.#screen(0, 0);
    const { scale } = this.#view;
    const left = minX.map((low, index) => ((low + maxX[index]) / 2) * scale + originX);
    const top = minY.map((low, index) => ((low + maxY[index]) / 2) * scale + originY);
    context.lineCap = "round";
    for (const { colour, width: wide = 1.5, dash = [], pairs } of this.#lines) {
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
        this.#stroke(context, this.#base.shade, colour, wide);
      }
    }
    context.setLineDash([]);
  }

  #drawScale(context, height) {
    const unit = this.#nm ?? 1;
    const length = roundBelow((140 * unit) / this.#view.scale);
    const wide = (length * this.#view.scale) / unit;
    const text = this.#nm ? ofLength(length) : `${number(length)} px`;
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = this.#base.shade("--surface");
    context.globalAlpha = 0.85;
    context.fillRect(8, height - 34, Math.max(wide, context.measureText(text).width) + 16, 28);
    context.globalAlpha = 1;
    context.fillStyle = this.#base.shade("--text");
    context.textBaseline = "bottom";
    context.fillText(text, 16, height - 16);
    context.fillRect(16, height - 13, wide, 2);
  }

  #drawTop(context) {
    if (!this.#boxes) return;
    for (const [index, name, wide] of /** @type {[number, string, number][]} */ ([
      [this.#pointed, "--text", 2],
      [this.#chosen, "--accent", 3],
    ])) {
      if (index < 0) continue;
      const [left, top, w, h] = this.#rectangle(index);
      context.beginPath();
      context.rect(left, top, Math.max(2, w), Math.max(2, h));
      for (const partner of this.#told.mark(index)) {
        context.moveTo(...this.#screen(...this.#boxes.centre(index)));
        context.lineTo(...this.#screen(...this.#boxes.centre(partner)));
      }
      this.#stroke(context, this.#top.shade, name, wide);
    }
  }

  /** Draw a path; over pixels, which are as light as some lines and as dark as others, with a border. */
  #stroke(context, shade, colour, wide) {
    if (this.#images.length > 0) {
      context.strokeStyle = shade("--surface");
      context.lineWidth = wide + 2;
      context.stroke();
    }
    context.strokeStyle = shade(colour);
    context.lineWidth = wide;
    context.stroke();
  }

  #point(left, top) {
    if (!this.#boxes) return;
    const [x, y] = this.#world(left, top);
    const index = this.#boxes.at(x, y);
    if (index !== this.#pointed) {
      this.#pointed = index;
      this.#top.redraw();
    }
    this.#told.onPoint(index, x, y);
  }

  #key(event) {
    if (!this.#boxes || event.ctrlKey || event.altKey || event.metaKey) return;
    const [dx, dy] =
      { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    const layer = { PageUp: -1, PageDown: 1 }[event.key];
    if (dx !== undefined && event.shiftKey === (this.#told.arrows === "tiles")) this.pan(-60 * dx, -60 * dy);
    else if (dx !== undefined) this.#step(dx, dy);
    else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "0") this.fit();
    else if (event.key === "Escape" && this.#chosen >= 0) this.choose(-1);
    else if (layer !== undefined && this.#told.onLayer) this.#told.onLayer(layer);
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
