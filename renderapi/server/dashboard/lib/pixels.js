/** The pixels of a layer: which blocks of which level show a view, and how they are painted. */

import { layerPath } from "./api.js";
import { number, plural, problemText } from "./page.js";

/** Pixels of a block in either direction. */
export const BLOCK = 512;
/** Tiles that a block may show before it is left to the reader whether the server shall read them all. */
export const MOST_TILES = 256;

// however large the screen, so that the blocks in sight fit into memory
const MOST_IN_SIGHT = 96;
// a block may be magnified by 2 ** 0.25 before a finer level is asked for, with four times the pixels
const MAGNIFIED = 0.25;
// from here on single pixels are shown as squares
const SQUARES = 3;
const MARGIN = BLOCK / 4;
const FINER = 3;
// More than any block has: the page has counted the tiles, and outlines would pass for pixels.
const NO_LIMIT = 1_000_000;

/**
 * One layer as an image.
 *
 * Blocks of level n have `BLOCK` by `BLOCK` pixels, each as wide as 2^n pixels of the stack, and begin at multiples of
 * their width, so that every view and every reader asks for the same ones. At level 0 they come as PNG, because there
 * single pixels are looked at; at others as JPEG, which is smaller and quicker to make.
 */
export class Pixels {
  #counts = new Map();
  #blocks;
  #boxes;
  #segments;
  #query;
  #changing;
  #mostTiles;
  #grid;
  #highest;
  #source;

  /**
   * @param {import("./blocks.js").Blocks} blocks where images are kept
   * @param {Object} chosen the stack
   * @param {number} z
   * @param {import("./boxes.js").Boxes} boxes of the tiles of the layer
   * @param {Object} options `query` for the server (channels, minIntensity, ...), `changing` for a stack that is being
   *     loaded, `mostTiles` in a block, `grid` to show the blocks
   */
  constructor(blocks, chosen, z, boxes, { query = {}, changing = false, mostTiles = MOST_TILES, grid = false } = {}) {
    this.#blocks = blocks;
    this.#boxes = boxes;
    this.#segments = layerPath(chosen, z);
    this.#query = { ...query, maxTileSpecsToRender: NO_LIMIT };
    this.#changing = changing;
    this.#mostTiles = mostTiles;
    this.#grid = grid;
    this.#source = JSON.stringify([this.#segments, this.#query]);
    const { minX, minY, maxX, maxY } = boxes.bounds;
    this.#highest = Math.max(0, Math.ceil(Math.log2(Math.max(maxX - minX, maxY - minY, 1) / BLOCK)));
  }

  /**
   * Paint what there is of a view.
   *
   * @param {Object} view x and y in the middle, and scale
   * @returns {Object} `level`; `wanted` blocks, each with its distance `far` from the middle; how many in sight are
   *     `ready`, `loading` or `crowded`, and the most tiles of such a one; `problems`, counts by what the server said
   */
  draw(context, view, width, height, shade) {
    const sharpness = context.getTransform().a;
    // Rounded apart, so that a block has as many pixels wherever it is, and all blocks move by the same.
    const whole = (length) => Math.round(length * sharpness);
    const screen = (value, middle, size) =>
      (whole(size / 2 - middle * view.scale) + whole(value * view.scale)) / sharpness;
    // what a block shows at a pixel is what lies at the middle of that pixel in the stack
    const edge = (place, level) => (place * BLOCK - 0.5) * 2 ** level + 0.5;
    /** @type {(block: number[]) => [number, number, number, number]} */
    const rectangle = ([level, column, row]) => {
      const left = screen(edge(column, level), view.x, width);
      const top = screen(edge(row, level), view.y, height);
      const right = screen(edge(column + 1, level), view.x, width);
      return [left, top, right - left, screen(edge(row + 1, level), view.y, height) - top];
    };
    const paint = (image, block) => {
      context.imageSmoothingEnabled = view.scale * sharpness * 2 ** block[0] < SQUARES;
      context.drawImage(image, ...rectangle(block));
    };
    const half = [width / 2 / view.scale, height / 2 / view.scale];
    const around = (margin) => ({
      minX: view.x - half[0] - margin / view.scale,
      maxX: view.x + half[0] + margin / view.scale,
      minY: view.y - half[1] - margin / view.scale,
      maxY: view.y + half[1] + margin / view.scale,
    });
    const level = this.#level(view.scale * sharpness, around(0));
    const seen = { level, wanted: [], ready: 0, loading: 0, crowded: 0, tiles: 0, problems: new Map() };
    const inSight = this.#cells(level, around(0));
    // blocks are black beside the tiles, where there may be another layer
    const { minX, minY, maxX, maxY } = this.#boxes.bounds;
    const step = 2 ** level;
    const [left, top] = [screen(minX - step, view.x, width), screen(minY - step, view.y, height)];
    const [right, bottom] = [screen(maxX + step, view.x, width), screen(maxY + step, view.y, height)];
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    for (const cell of inSight) {
      const tiles = this.#count(cell);
      if (tiles === 0) continue;
      const found = tiles > this.#mostTiles ? null : this.#blocks.get(this.#key(cell));
      context.save();
      context.beginPath();
      context.rect(...rectangle(cell));
      context.clip();
      if (found?.image) {
        seen.ready += 1;
        paint(found.image, cell);
      } else {
        this.#substitute(cell, paint, () => {
          context.fillStyle = "rgb(255 255 255 / 7%)";
          context.fillRect(...rectangle(cell));
        });
        if (found?.problem) {
          const text = problemText(found.problem);
          seen.problems.set(text, (seen.problems.get(text) ?? 0) + 1);
          context.fillStyle = shade("--danger");
          context.globalAlpha = 0.25;
          context.fillRect(...rectangle(cell));
          context.globalAlpha = 1;
          write(context, text, rectangle(cell), width, height);
        } else if (tiles > this.#mostTiles) {
          seen.crowded += 1;
          seen.tiles = Math.max(seen.tiles, tiles);
          this.#drawTiles(context, cell, screen, view, width, height, shade);
          write(context, `${plural(tiles, "tile")}: come nearer to see pixels`, rectangle(cell), width, height);
        } else seen.loading += 1;
      }
      context.restore();
      if (this.#grid) this.#drawGrid(context, cell, rectangle(cell), shade);
    }
    context.restore();
    const centre = (cell) => [cell[1], cell[2]].map((place) => edge(place + 0.5, level));
    for (const cell of this.#cells(level, around(MARGIN / sharpness))) {
      const tiles = this.#count(cell);
      if (tiles === 0 || tiles > this.#mostTiles) continue;
      const [x, y] = centre(cell);
      const visible = inSight.some(([, column, row]) => column === cell[1] && row === cell[2]);
      const far = Math.hypot(x - view.x, y - view.y) * view.scale + (visible ? 0 : 1e9);
      seen.wanted.push({ ...this.#request(cell), far });
    }
    return seen;
  }

  #level(scale, area) {
    let level = Math.max(0, Math.min(this.#highest, Math.floor(Math.log2(1 / scale) + MAGNIFIED)));
    while (this.#cells(level, area).length > MOST_IN_SIGHT) level += 1;
    return level;
  }

  /** Give those blocks of a level, as [level, column, row], that lie in an area and may have tiles. */
  #cells(level, area) {
    const size = BLOCK * 2 ** level;
    const { bounds } = this.#boxes;
    const range = (low, high) => [
      Math.floor(Math.max(area[`min${low}`], bounds[`min${low}`]) / size),
      Math.floor(Math.min(area[`max${high}`], bounds[`max${high}`]) / size),
    ];
    const [[left, right], [top, bottom]] = [range("X", "X"), range("Y", "Y")];
    const cells = [];
    for (let row = top; row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) cells.push([level, column, row]);
    }
    return cells;
  }

  #area([level, column, row]) {
    const size = BLOCK * 2 ** level;
    return [column * size, row * size, (column + 1) * size, (row + 1) * size];
  }

  #count(cell) {
    const name = cell.join();
    if (!this.#counts.has(name)) this.#counts.set(name, this.#boxes.within(...this.#area(cell)).length);
    return this.#counts.get(name);
  }

  #key(cell) {
    return `${this.#source} ${cell}`;
  }

  #request(cell) {
    const [level, column, row] = cell;
    const size = BLOCK * 2 ** level;
    const box = [column * size, row * size, size, size, 2 ** -level].join();
    return {
      key: this.#key(cell),
      segments: [...this.#segments, "box", box, level === 0 ? "png-image" : "jpeg-image"],
      query: this.#query,
      changing: this.#changing,
    };
  }

  /**
   * Paint, where a block is missing, the nearest coarser one that there is, or else finer ones over a ground.
   *
   * @param {number[]} block
   * @param {(image: ImageBitmap, block: number[]) => void} paint
   * @param {() => void} ground
   */
  #substitute([level, column, row], paint, ground) {
    for (let up = 1; level + up <= this.#highest; up += 1) {
      const coarser = [level + up, Math.floor(column / 2 ** up), Math.floor(row / 2 ** up)];
      const found = this.#blocks.get(this.#key(coarser));
      if (found?.image) {
        paint(found.image, coarser);
        return;
      }
    }
    ground();
    for (let down = Math.min(level, FINER); down >= 1; down -= 1) {
      const parts = 2 ** down;
      for (let part = 0; part < parts * parts; part += 1) {
        const finer = [level - down, column * parts + (part % parts), row * parts + Math.floor(part / parts)];
        const found = this.#blocks.get(this.#key(finer));
        if (found?.image) paint(found.image, finer);
      }
    }
  }

  /** Show where the tiles are in a block that has too many of them. */
  #drawTiles(context, cell, screen, view, width, height, shade) {
    const { minX, minY, maxX, maxY } = this.#boxes;
    context.fillStyle = shade("--cluster-1");
    context.globalAlpha = 0.3;
    for (const index of this.#boxes.within(...this.#area(cell))) {
      const [left, top] = [screen(minX[index], view.x, width), screen(minY[index], view.y, height)];
      const [right, bottom] = [screen(maxX[index], view.x, width), screen(maxY[index], view.y, height)];
      context.fillRect(left, top, Math.max(1, right - left - 1), Math.max(1, bottom - top - 1));
    }
    context.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number[]} block
   * @param {number[]} place
   * @param {(name: string) => string} shade
   */
  #drawGrid(context, [level, column, row], [left, top, wide, high], shade) {
    context.strokeStyle = context.fillStyle = shade("--warn");
    context.lineWidth = 1;
    context.setLineDash([6, 4]);
    context.strokeRect(left + 0.5, top + 0.5, wide, high);
    context.setLineDash([]);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "bottom";
    if (wide > 90) context.fillText(`level ${level}: ${number(column)}, ${number(row)}`, left + 6, top + high - 4);
  }
}

/** Write words into the part of a rectangle that is in sight. */
function write(context, text, [left, top, wide, high], width, height) {
  const [x, y] = [Math.max(0, left) + 12, Math.max(0, top) + 12];
  const [room, rows] = [Math.min(width, left + wide) - x - 12, Math.floor((Math.min(height, top + high) - y) / 18)];
  if (room < 60) return;
  context.font = "13px system-ui, sans-serif";
  context.textBaseline = "top";
  const lines = [""];
  // words, and where a word is a long path also its letters
  for (const part of text.split(/(?<=\s)/).flatMap((word) => (word.length > 16 ? [...word] : [word]))) {
    if (context.measureText(lines.at(-1) + part).width > room) lines.push("");
    lines[lines.length - 1] += part;
  }
  context.fillStyle = "#fff";
  lines.slice(0, rows).forEach((line, index) => {
    const more = index === rows - 1 && rows < lines.length;
    context.fillText(more ? `${line.trimEnd()} …` : line, x, y + 18 * index);
  });
}
