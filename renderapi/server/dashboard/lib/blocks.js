/** Images in blocks: fetched a few at a time, kept up to a bound, given up when nobody wants them any more. */

import { readImage } from "./api.js";

/** Keeps blocks under keys; whoever draws says what is wanted, and is told when something has arrived. */
export class Blocks {
  #onChange;
  #most;
  #atOnce;
  #kept = new Map();
  #loading = new Map();
  #wanted = [];
  #timer = 0;

  /**
   * @param {() => void} onChange is called when a block has arrived, or could not be had
   * @param {Object} bounds `most` blocks are kept (one of 512 x 512 pixels takes a mebibyte), `atOnce` are asked for:
   *     fewer than the connections that a browser opens to a server, so that something else can pass
   */
  constructor(onChange, { most = 192, atOnce = 4 } = {}) {
    this.#onChange = onChange;
    this.#most = most;
    this.#atOnce = atOnce;
  }

  /** Give `{image}` or `{problem}` of a block, undefined while there is neither. */
  get(key) {
    const found = this.#kept.get(key);
    if (found) {
      // the last in order is the one that was used last
      this.#kept.delete(key);
      this.#kept.set(key, found);
    }
    return found;
  }

  /**
   * Say which blocks are wanted now, the most urgent first; requests for others are aborted.
   *
   * @param {Array} wanted `{key, segments, query, changing}`
   * @param {number} pause milliseconds before new requests are sent; a new call with a pause begins it again
   */
  want(wanted, pause = 0) {
    this.#wanted = wanted;
    const keys = new Set(wanted.map(({ key }) => key));
    for (const [key, request] of this.#loading) if (!keys.has(key)) request.abort();
    if (pause > 0) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        this.#send();
      }, pause);
    } else if (this.#timer === 0) this.#send();
  }

  /** Forget what could not be had, so that it is asked for again. */
  forgetProblems() {
    for (const [key, { problem }] of this.#kept) if (problem) this.#kept.delete(key);
    this.#onChange();
  }

  #send() {
    for (const block of this.#wanted) {
      if (this.#loading.size >= this.#atOnce) return;
      if (!this.#kept.has(block.key) && !this.#loading.has(block.key)) this.#load(block);
    }
  }

  async #load({ key, segments, query, changing }) {
    const request = new AbortController();
    this.#loading.set(key, request);
    try {
      this.#keep(key, { image: await readImage(segments, { query, changing, signal: request.signal }) });
    } catch (problem) {
      if (!request.signal.aborted) this.#keep(key, { problem });
    }
    this.#loading.delete(key);
    if (this.#timer === 0) this.#send();
    if (!request.signal.aborted) this.#onChange();
  }

  #keep(key, found) {
    this.#kept.set(key, found);
    const wanted = new Set(this.#wanted.map((block) => block.key));
    for (const [old, { image }] of this.#kept) {
      if (this.#kept.size <= this.#most) return;
      if (wanted.has(old)) continue;
      this.#kept.delete(old);
      image?.close();
    }
  }
}
