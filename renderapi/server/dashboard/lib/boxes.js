/** Boxes of tiles: arrays over tiles, found by place. */

/** Keep the bounds of tiles as arrays, in the order in which they are painted (by tile id). */
export class Boxes {
  /** @type {Float64Array} */ minX;
  /** @type {Float64Array} */ minY;
  /** @type {Float64Array} */ maxX;
  /** @type {Float64Array} */ maxY;

  constructor(bounds) {
    const sorted = [...bounds].sort((a, b) => (a.tileId < b.tileId ? -1 : a.tileId > b.tileId ? 1 : 0));
    const column = (key) => Float64Array.from(sorted, (tile) => tile[key]);
    this.count = sorted.length;
    this.tileIds = sorted.map((tile) => tile.tileId);
    this.sectionIds = sorted.map((tile) => tile.sectionId);
    this.zs = sorted.map((tile) => tile.z);
    [this.minX, this.minY, this.maxX, this.maxY] = ["minX", "minY", "maxX", "maxY"].map(column);
    this.#index();
  }

  centre(index) {
    return [(this.minX[index] + this.maxX[index]) / 2, (this.minY[index] + this.maxY[index]) / 2];
  }

  /** Give the tile that is painted over all others at a place, or -1. */
  at(x, y) {
    return this.allAt(x, y)[0] ?? -1;
  }

  /** Give all tiles at a place, the one that is painted over the others first. */
  allAt(x, y) {
    return [...this.#cell(x, y)]
      .filter((i) => x >= this.minX[i] && x <= this.maxX[i] && y >= this.minY[i] && y <= this.maxY[i])
      .sort((a, b) => b - a);
  }

  /** Give the tiles that touch an area, in the order in which they are painted. */
  within(minX, minY, maxX, maxY) {
    const found = [];
    const [left, right] = [minX, maxX].map((x) => this.#clamp((x - this.bounds.minX) / this.cellX, this.columns));
    const [top, bottom] = [minY, maxY].map((y) => this.#clamp((y - this.bounds.minY) / this.cellY, this.rows));
    for (let row = top; row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) {
        const cell = row * this.columns + column;
        for (const i of this.members.subarray(this.starts[cell], this.starts[cell + 1])) {
          const across = this.minX[i] <= maxX && this.maxX[i] >= minX;
          if (across && this.minY[i] <= maxY && this.maxY[i] >= minY) found.push(i);
        }
      }
    }
    // a tile is in every cell that it touches
    return [...new Set(found)].sort((a, b) => a - b);
  }

  #clamp(place, count) {
    return Math.max(0, Math.min(count - 1, Math.floor(place)));
  }

  /** Give the tile nearest to another in a direction (-1, 0 or 1 per axis), or the tile itself. */
  neighbour(from, dx, dy) {
    const [x, y] = this.centre(from);
    let best = from;
    let least = Infinity;
    for (let index = 0; index < this.count; index += 1) {
      const [ox, oy] = this.centre(index);
      const along = (ox - x) * dx + (oy - y) * dy;
      const aside = Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx);
      if (along <= 0 || aside > along) continue;
      const far = along + 2 * aside;
      if (far < least) [best, least] = [index, far];
    }
    return best;
  }

  /** Give pairs of tiles that share more than a part of the smaller one's area. */
  overlapping(part = 0.02) {
    const pairs = [];
    const seen = new Set();
    const area = (index) => (this.maxX[index] - this.minX[index]) * (this.maxY[index] - this.minY[index]);
    for (let cell = 0; cell + 1 < this.starts.length; cell += 1) {
      const members = this.members.subarray(this.starts[cell], this.starts[cell + 1]);
      for (let i = 0; i < members.length; i += 1) {
        for (let j = i + 1; j < members.length; j += 1) {
          const [a, b] = [members[i], members[j]];
          const wide = Math.min(this.maxX[a], this.maxX[b]) - Math.max(this.minX[a], this.minX[b]);
          const high = Math.min(this.maxY[a], this.maxY[b]) - Math.max(this.minY[a], this.minY[b]);
          if (wide <= 0 || high <= 0 || wide * high <= part * Math.min(area(a), area(b))) continue;
          // tiles that share more than one cell meet again
          const key = a * this.count + b;
          if (!seen.has(key)) {
            seen.add(key);
            pairs.push([a, b]);
          }
        }
      }
    }
    return pairs;
  }

  /** Sort the boxes into the cells of a grid, so that a place is looked up among few of them. */
  #index() {
    const { count, minX, minY, maxX, maxY } = this;
    this.bounds = { minX: Infinity, minY: Infinity, maxX: -Infinity, maxY: -Infinity };
    let [wide, high] = [0, 0];
    for (let i = 0; i < count; i += 1) {
      this.bounds.minX = Math.min(this.bounds.minX, minX[i]);
      this.bounds.minY = Math.min(this.bounds.minY, minY[i]);
      this.bounds.maxX = Math.max(this.bounds.maxX, maxX[i]);
      this.bounds.maxY = Math.max(this.bounds.maxY, maxY[i]);
      wide += (maxX[i] - minX[i]) / count;
      high += (maxY[i] - minY[i]) / count;
    }
    const extentX = Math.max(1, this.bounds.maxX - this.bounds.minX);
    const extentY = Math.max(1, this.bounds.maxY - this.bounds.minY);
    this.cellX = Math.max(wide, extentX / 100);
    this.cellY = Math.max(high, extentY / 100);
    this.columns = count ? Math.floor(extentX / this.cellX) + 1 : 0;
    this.rows = count ? Math.floor(extentY / this.cellY) + 1 : 0;
    const column = (x) => Math.floor((x - this.bounds.minX) / this.cellX);
    const row = (y) => Math.floor((y - this.bounds.minY) / this.cellY);
    const eachCell = (visit) => {
      for (let i = 0; i < count; i += 1) {
        for (let r = row(minY[i]); r <= row(maxY[i]); r += 1) {
          for (let c = column(minX[i]); c <= column(maxX[i]); c += 1) visit(r * this.columns + c, i);
        }
      }
    };
    this.starts = new Uint32Array(this.rows * this.columns + 1);
    eachCell((cell) => (this.starts[cell + 1] += 1));
    for (let cell = 1; cell < this.starts.length; cell += 1) this.starts[cell] += this.starts[cell - 1];
    const next = this.starts.slice();
    this.members = new Uint32Array(this.starts.at(-1));
    eachCell((cell, i) => {
      this.members[next[cell]] = i;
      next[cell] += 1;
    });
  }

  #cell(x, y) {
    const column = Math.floor((x - this.bounds.minX) / this.cellX);
    const row = Math.floor((y - this.bounds.minY) / this.cellY);
    if (!(column >= 0 && column < this.columns && row >= 0 && row < this.rows)) return [];
    const cell = row * this.columns + column;
    return this.members.subarray(this.starts[cell], this.starts[cell + 1]);
  }
}

/**
 * Number the groups of tiles that pairs connect, the largest first; -1 for a tile without pairs.
 *
 * @returns {{of: Int32Array, sizes: number[]}}
 */
export function clusters(count, pairs) {
  const root = Int32Array.from({ length: count }, (_, index) => index);
  const connected = new Uint8Array(count);
  const find = (index) => {
    while (root[index] !== index) {
      root[index] = root[root[index]];
      index = root[index];
    }
    return index;
  };
  for (const [a, b] of pairs) {
    connected[a] = connected[b] = 1;
    root[find(a)] = find(b);
  }
  const sizes = new Map();
  for (let i = 0; i < count; i += 1) if (connected[i]) sizes.set(find(i), (sizes.get(find(i)) ?? 0) + 1);
  const largest = [...sizes].sort((a, b) => b[1] - a[1]);
  const rank = new Map(largest.map(([name], index) => [name, index]));
  return {
    of: Int32Array.from({ length: count }, (_, i) => (connected[i] ? rank.get(find(i)) : -1)),
    sizes: largest.map(([, size]) => size),
  };
}
