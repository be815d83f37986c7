/** Lengths in nm, where the maker of a stack said how large its pixels are. */

import { number } from "./page.js";

const UNITS = /** @type {[number, string][]} */ ([
  [1e6, "mm"],
  [1e3, "µm"],
]);

/**
 * Give width and height of a pixel in nm; undefined where they are not known. render-python writes 1 for all sides where
 * nothing was said.
 *
 * @param {Object} [version] what is said of the stack
 * @returns {[number, number] | undefined}
 */
export function pixelSize(version = {}) {
  const sizes = [version.stackResolutionX, version.stackResolutionY, version.stackResolutionZ];
  const known = sizes.every((size) => size > 0) && sizes.some((size) => size !== 1);
  return known ? [sizes[0], sizes[1]] : undefined;
}

/** Write a length in nm, in the unit in which it is short. */
export function ofLength(nm) {
  const [factor, name] = UNITS.find(([most]) => Math.abs(nm) >= most) ?? [1, "nm"];
  return `${number(nm / factor)} ${name}`;
}
