/** What the pages about layers share: reading tiles and pairs, lines by strength, words about a tile. */

import { address, collectionPath, inBatches, layerPath, read, stackPath } from "./api.js";
import { tileImage } from "./images.js";
import { el, number, plural } from "./page.js";
import { openPair } from "./pair.js";

/** Read the bounds of the tiles of a layer; a tile without bounds cannot be drawn. */
export async function readTiles(chosen, z, signal) {
  const tiles = await read([...layerPath(chosen, z), "tileBounds"], { signal });
  return tiles.filter((tile) => [tile.minX, tile.minY, tile.maxX, tile.maxY].every(Number.isFinite));
}

export const sectionsOf = (tiles) => [...new Set(tiles.map((tile) => tile.sectionId))].filter((id) => id !== undefined);

/** Read, without the points, the pairs of sections with sections; the same list twice is one layer. */
export async function readPairs(chosen, sections, others, signal) {
  const asked = [];
  for (const [i, one] of sections.entries()) {
    for (const other of sections === others ? others.slice(i) : others) asked.push([one, other]);
  }
  const lists = await inBatches(asked, ([one, other]) => {
    const which = one === other ? ["matchesWithinGroup"] : ["matchesWith", other];
    const path = [...collectionPath(chosen), "group", one, ...which];
    return read(path, { query: { excludeMatchDetails: "true" }, signal });
  });
  return lists.flat();
}

/** Say why sections may have no matches: how they are called, and how the groups of the collection are. */
export async function tellNames(chosen, sections) {
  const groups = await read([...collectionPath(chosen), "groupIds"]);
  const some = (names) => [...names.slice(0, 3), ...(names.length > 3 ? [`and ${number(names.length - 3)} more`] : [])].join(", ") || "none";
  return (
    "Matches are found by section id, which must be their group id. " +
    `Section ids here: ${some(sections)}. Group ids of the collection: ${some(groups)}.`
  );
}

/** Give pairs as `[a, b, matchCount]` of the places of their tiles; pairs with other tiles are left out. */
export function placed(pairs, tileIds) {
  const places = new Map(tileIds.map((tileId, index) => [tileId, index]));
  const found = [];
  for (const { pId, qId, matchCount } of pairs) {
    const [a, b] = [places.get(pId), places.get(qId)];
    if (a !== undefined && b !== undefined) found.push([a, b, matchCount ?? 0]);
  }
  return found;
}

/** Sort pairs into few, some and many matches, a third of them each. */
export function byStrength(pairs) {
  const counts = pairs.map((pair) => pair[2]).sort((a, b) => a - b);
  if (counts.length === 0) return [];
  const third = counts[Math.floor((counts.length - 1) / 3)];
  const twoThirds = counts[Math.floor(((counts.length - 1) * 2) / 3)];
  const limits = [...new Set([third, twoThirds, counts.at(-1)])];
  const looks = [
    { colour: "--few", width: 1 },
    { colour: "--some", width: 1.6 },
    { colour: "--many", width: 2.4 },
  ].slice(3 - limits.length);
  const kinds = limits.map((most, index) => {
    const least = index === 0 ? counts[0] : counts.find((count) => count > limits[index - 1]);
    const range = least === most ? plural(most, "match", "matches") : `${number(least)} to ${number(most)} matches`;
    return { ...looks[index], text: range, pairs: [] };
  });
  for (const pair of pairs) kinds[limits.findIndex((most) => pair[2] <= most)].pairs.push(pair);
  return kinds;
}

/** Say what is at a place. */
export function tellPlace(boxes, index, x, y) {
  const place = `x ${number(Math.round(x))}, y ${number(Math.round(y))}`;
  if (index < 0) return `${place}: no tile`;
  const section = boxes.sectionIds[index];
  return `${place}: tile ${boxes.tileIds[index]}${section === undefined ? "" : `, section ${section}`}`;
}

/** Fill the place for a tile while none is chosen. */
export const noTile = () => el("p", { class: "quiet" }, "Choose a tile to see where it is and what it is connected with.");

/**
 * Describe a tile: where it is, and which tiles it has matches with.
 *
 * `onPartner(other)` is called for one of these, `onPoints(other)` when the points that match are to be seen;
 * `pictured` adds the image of the tile.
 *
 * @param {Object} chosen
 * @param {import("./boxes.js").Boxes} boxes
 * @param {number} index
 * @param {number[][]} partners
 * @param {{ onPartner?: (other: number) => void, onPoints?: (other: number) => void, pictured: boolean }} told
 */
export function describeTile(chosen, boxes, index, partners, { onPartner, onPoints, pictured }) {
  const tileId = boxes.tileIds[index];
  const [wide, high] = [boxes.maxX[index] - boxes.minX[index], boxes.maxY[index] - boxes.minY[index]];
  const path = [...stackPath(chosen), "tile", tileId];
  const shown = partners.slice(0, 40);
  return [
    el("h2", {}, `Tile ${tileId}`),
    pictured ? tileImage(chosen, tileId, [wide, high]) : null,
    el(
      "dl",
      { class: "facts" },
      ...[
        ["Section", boxes.sectionIds[index] ?? "–"],
        ["z", number(boxes.zs[index])],
        ["Upper left (px)", `${number(boxes.minX[index])}, ${number(boxes.minY[index])}`],
        ["Box (px)", `${number(wide)} × ${number(high)}`],
      ].map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    ),
    el(
      "p",
      { class: "links" },
      el("a", { href: address(path) }, "Tile spec"),
      el("a", { href: address([...path, "render-parameters"]) }, "Render parameters"),
    ),
    chosen.matchCollection ? el("h3", {}, `Matches with ${plural(partners.length, "tile")} here`) : null,
    el(
      "ul",
      { class: "partners" },
      ...shown.map(([other, count]) =>
        el(
          "li",
          {},
          el("button", { type: "button", class: "link", onclick: () => onPartner(other) }, boxes.tileIds[other]),
          ` ${number(count)} `,
          el(
            "button",
            {
              type: "button",
              class: "link",
              "aria-label": `Points of ${boxes.tileIds[other]}`,
              onclick: () => onPoints(other),
            },
            "points",
          ),
        ),
      ),
      partners.length > shown.length ? el("li", {}, `and ${number(partners.length - shown.length)} more`) : null,
    ),
  ].filter(Boolean);
}

/** Open the images of two tiles with their matching points. */
export function openPoints(chosen, boxes, one, other) {
  const tile = (index) => ({
    tileId: boxes.tileIds[index],
    sectionId: boxes.sectionIds[index],
    extent: [boxes.maxX[index] - boxes.minX[index], boxes.maxY[index] - boxes.minY[index]],
  });
  openPair(chosen, tile(one), tile(other));
}

/** List, by tile, the tiles that it has matches with: `[other, matchCount]`, most matches first. */
export function partnersOf(pairs) {
  const found = new Map();
  const add = (one, other, count) => found.set(one, [...(found.get(one) ?? []), [other, count]]);
  for (const [a, b, count] of pairs) {
    add(a, b, count);
    if (a !== b) add(b, a, count);
  }
  return (index) => [...(found.get(index) ?? [])].sort((a, b) => b[1] - a[1]);
}

/** Make an entry of a legend. */
export function legendEntry(look, text) {
  const swatch = el("i", { class: `swatch ${look.shape ?? ""}` });
  swatch.style.borderColor = `var(${look.colour})`;
  return el("li", {}, swatch, text);
}
