/** Matches between layers: a matrix of layers, and the tiles of any two of them. */

import { collectionPath, inBatches, layerPath, read, ServerError, stackPath } from "./lib/api.js";
import { Boxes } from "./lib/boxes.js";
import { imageChoice } from "./lib/images.js";
import {
  byStrength,
  describeTile,
  legendEntry,
  noTile,
  openPoints,
  partnersOf,
  placed,
  readPairs,
  readTiles,
  sectionsOf,
  tellNames,
  tellPlace,
} from "./lib/layer.js";
import { TileMap } from "./lib/map.js";
import { Matrix } from "./lib/matrix.js";
import { byId, el, header, number, plural, query, say, sayError, showInAddress } from "./lib/page.js";
import { missing, picker } from "./lib/picker.js";

const KEYS = ["renderStackOwner", "renderStackProject", "renderStack", "matchOwner", "matchCollection"];
const FIRST_LAYERS = 20;
const MOST_LAYERS = 200;
const status = byId("status");

let chosen = {};
let zs = [];
let changing = false;
let counting = new AbortController();
let opening = new AbortController();
let shownMap = null;

/** Count, for every two layers, tile pairs and matches. */
async function countPairs(layers, signal, tell) {
  let done = 0;
  const sections = (
    await inBatches(layers, async (z) => {
      const found = await read([...layerPath(chosen, z), "sectionData"], { signal });
      return found.map((section) => [section.sectionId, z]);
    })
  ).flat();
  const layerOf = new Map();
  for (const [section, z] of sections) if (!layerOf.has(section)) layerOf.set(section, layers.indexOf(z));
  const size = layers.length;
  const pairs = new Float64Array(size * size);
  const matches = new Float64Array(size * size);
  await inBatches([...layerOf.keys()], async (section) => {
    const path = [...collectionPath(chosen), "pGroup", section, "matches"];
    for (const pair of await read(path, { query: { excludeMatchDetails: "true" }, signal })) {
      const [p, q] = [layerOf.get(pair.pGroupId), layerOf.get(pair.qGroupId)];
      if (p === undefined || q === undefined) continue;
      const cell = Math.min(p, q) * size + Math.max(p, q);
      pairs[cell] += 1;
      matches[cell] += pair.matchCount ?? 0;
    }
    done += 1;
    tell(done, layerOf.size);
  });
  return { pairs, matches, sections: [...layerOf.keys()], severalLayers: sections.length > layerOf.size };
}

function rangeForm(low, high) {
  const field = (name, label, value) =>
    el("label", {}, el("span", {}, label), el("input", { type: "number", step: "any", name, value, required: true }));
  const form = el(
    "form",
    { class: "toolbar" },
    field("minZ", "z from", low),
    field("maxZ", "to", high),
    el("button", { type: "submit" }, "Count matches"),
    el("span", { class: "quiet" }, `The stack has ${plural(zs.length, "layer")}, z ${number(zs[0])} to ${number(zs.at(-1))}.`),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form);
    showInAddress({ minZ: data.get("minZ"), maxZ: data.get("maxZ"), pZ: "", qZ: "" }, { push: true });
    showMatrix();
  });
  return form;
}

/** Give the layers that the query asks for: a range, or those about z, or the first. */
function wantedLayers() {
  const { minZ, maxZ, z } = query();
  if (minZ !== undefined || maxZ !== undefined) {
    const [low, high] = [Number(minZ ?? -Infinity), Number(maxZ ?? Infinity)];
    return zs.filter((value) => value >= low && value <= high);
  }
  const at = z === undefined ? 0 : zs.findIndex((value) => value >= Number(z));
  const start = Math.max(0, Math.min(at < 0 ? zs.length : at - FIRST_LAYERS / 2, zs.length - FIRST_LAYERS));
  return zs.slice(z === undefined ? 0 : start, (z === undefined ? 0 : start) + FIRST_LAYERS);
}

async function showMatrix() {
  counting.abort();
  counting = new AbortController();
  const { signal } = counting;
  const all = wantedLayers();
  const layers = all.slice(0, MOST_LAYERS);
  const place = byId("matrix");
  shownMap?.close();
  byId("view").replaceChildren();
  const { minZ = zs[0], maxZ = zs.at(-1) } = query();
  if (layers.length === 0) {
    place.replaceChildren();
    byId("range").replaceChildren(rangeForm(minZ, maxZ));
    say(status, "info", "The stack has no layers in this range of z.", "Widen the range below.");
    return;
  }
  place.replaceChildren();
  byId("range").replaceChildren(rangeForm(layers[0], layers.at(-1)));
  const bar = el("progress", { max: layers.length, value: 0, "aria-label": "Sections read" });
  say(status, "info", `Counting the matches of ${plural(layers.length, "layer")} …`, bar);
  let counted;
  try {
    counted = await countPairs(layers, signal, (done, of) => {
      bar.max = of;
      bar.value = done;
    });
  } catch (problem) {
    const unknown = problem instanceof ServerError && problem.status === 404;
    sayError(
      status,
      "The matches could not be counted.",
      problem,
      unknown ? "Choose a collection that exists in the lists above." : undefined,
    );
    return;
  }
  if (signal.aborted) return;
  say(status);
  if (!counted.pairs.some((count) => count > 0)) {
    say(
      status,
      "info",
      `The collection ${chosen.matchCollection} has no matches of these layers.`,
      await tellNames(chosen, counted.sections),
      "Try another range of z or another collection.",
    );
    return;
  }
  const notes = [];
  if (all.length > layers.length) notes.push(`Only the first ${number(MOST_LAYERS)} of ${number(all.length)} layers are shown.`);
  if (counted.severalLayers) notes.push("Some sections are in several layers; they count for the lowest of them.");
  const { pZ, qZ } = query();
  const matrix = new Matrix(layers, counted.pairs, counted.matches, {
    at: [pZ, qZ].map((z) => Math.max(0, layers.indexOf(Number(z ?? layers[0])))),
    open: (p, q) => openLayers(p, q, { push: true }),
  });
  place.append(matrix.element, ...notes.map((note) => el("p", { class: "quiet" }, note)));
  if (pZ !== undefined && qZ !== undefined) await openLayers(Number(pZ), Number(qZ), { push: false });
  else byId("view").replaceChildren(el("p", { class: "quiet" }, "Choose a square to see the tiles of its two layers."));
}

/** Say how far the second layer is moved to be beside the first, or below if they are wide. */
function beside(tiles, others) {
  const { minX, minY, maxX, maxY } = new Boxes([...tiles, ...others]).bounds;
  const [wide, high] = [(maxX - minX) * 1.06, (maxY - minY) * 1.06];
  return wide < high ? [wide, 0] : [0, high];
}

function moved(tiles, dx, dy) {
  return tiles.map((tile) => ({
    ...tile,
    minX: tile.minX + dx,
    maxX: tile.maxX + dx,
    minY: tile.minY + dy,
    maxY: tile.maxY + dy,
  }));
}

async function openLayers(pZ, qZ, { push }) {
  opening.abort();
  opening = new AbortController();
  const { signal } = opening;
  const view = byId("view");
  shownMap?.close();
  showInAddress({ pZ: String(pZ), qZ: String(qZ) }, { push });
  view.replaceChildren(el("p", { class: "quiet", role: "status" }, `Reading layers ${number(pZ)} and ${number(qZ)} …`));
  try {
    const same = pZ === qZ;
    const tiles = await readTiles(chosen, pZ, signal);
    const others = same ? [] : await readTiles(chosen, qZ, signal);
    const sections = sectionsOf(tiles);
    const found = await readPairs(chosen, sections, same ? sections : sectionsOf(others), signal);
    showPair(pZ, qZ, tiles, others, found);
  } catch (problem) {
    sayError(view, "The two layers could not be read.", problem);
  }
}

function showPair(pZ, qZ, tiles, others, found) {
  const [dx, dy] = beside(tiles, others);
  const boxes = new Boxes([...tiles, ...moved(others, dx, dy)]);
  // where the tiles really are, for words about them
  const real = new Boxes([...tiles, ...others]);
  const pairs = placed(found, boxes.tileIds);
  const partners = partnersOf(pairs);
  const pointed = el("output", { class: "pointed" }, "Point at a tile to see its id.");
  const panel = el("aside", { class: "panel", "aria-label": "Chosen tile", "aria-live": "polite" });
  const images = imageChoice(() => map);
  const map = new TileMap(`Tiles of layers ${pZ} and ${qZ}`, {
    onPoint(index) {
      pointed.textContent = index < 0 ? "no tile" : tellTile(real, index, partners(index).length);
    },
    onChoose(index) {
      if (index >= 0) pointed.textContent = tellTile(real, index, partners(index).length);
      const told = {
        onPartner: (other) => map.choose(other),
        onPoints: (other) => openPoints(chosen, real, index, other),
        pictured: images.shown,
      };
      panel.replaceChildren(...(index < 0 ? [noTile()] : describeTile(chosen, real, index, partners(index), told)));
    },
    onImages: (seen) => images.onImages(seen),
    mark: (index) => partners(index).map(([other]) => other),
  });
  const sums = new Map();
  for (const [a, b, count] of pairs) {
    for (const index of new Set([a, b])) sums.set(index, (sums.get(index) ?? 0) + count);
  }
  // tiles are "pairs" with themselves here: the more matches, the stronger the colour
  const strengths = byStrength([...sums].map(([index, count]) => [index, index, count]));
  const fills = pZ === qZ ? ["--cluster-1"] : ["--cluster-1", "--cluster-2"];
  const styles = [];
  // tiles without matches come last, so that their outlines are over those of others
  const styleOf = new Uint8Array(boxes.count).fill(fills.length * strengths.length);
  const entries = [];
  for (const fill of fills) {
    for (const [order, { pairs: tilesOfKind }] of strengths.entries()) {
      const alpha = 0.75 * ((order + 1) / strengths.length) ** 1.4;
      for (const [index] of tilesOfKind) {
        if ((boxes.zs[index] === pZ) === (fill === "--cluster-1")) styleOf[index] = styles.length;
      }
      styles.push({ fill, alpha });
    }
    entries.push(legendEntry({ colour: fill, shape: "box" }, fill === "--cluster-1" ? `z ${number(pZ)}` : `z ${number(qZ)}`));
  }
  styles.push({ fill: "--missing", hollow: true });
  const lost = boxes.count - sums.size;
  const kinds = byStrength(pairs);
  const lines = el("input", { type: "checkbox", checked: pZ === qZ });
  const drawLines = () => map.setLines(lines.checked ? kinds : []);
  lines.addEventListener("change", drawLines);
  const title = pZ === qZ ? `Matches within layer ${number(pZ)}` : `Matches of layer ${number(pZ)} with layer ${number(qZ)}`;
  byId("view").replaceChildren(
    el("h2", { tabindex: -1 }, title),
    el(
      "div",
      { class: "split" },
      el(
        "div",
        {},
        pointed,
        map.element,
        el(
          "div",
          { class: "toolbar" },
          images.element,
          el("label", { class: "check" }, lines, `Lines of all ${plural(pairs.length, "pair")}`),
        ),
      ),
      panel,
    ),
  );
  map.element.append(
    el(
      "ul",
      { class: "legend" },
      ...entries,
      el("li", {}, "the stronger the colour, the more matches"),
      legendEntry({ colour: "--missing", shape: "box" }, `${plural(lost, "tile")} without matches here`),
    ),
    images.told,
  );
  shownMap = map;
  panel.append(noTile());
  map.show(boxes, styles, styleOf);
  const pictured = (z, [right, down], shown) => ({ chosen, z, boxes: new Boxes(shown), changing, dx: right, dy: down });
  images.show(
    [pictured(pZ, [0, 0], tiles), pictured(qZ, [dx, dy], others)].filter(({ boxes: some }) => some.count > 0),
  );
  drawLines();
  map.element.dataset.layers = `${pZ},${qZ}`;
}

function tellTile(boxes, index, partnerCount) {
  const where = tellPlace(boxes, index, ...boxes.centre(index));
  return `${where}, z ${number(boxes.zs[index])}, matches with ${plural(partnerCount, "tile")}`;
}

header();
try {
  const picked = await picker(byId("picker"), KEYS, { keep: ["z"] });
  chosen = picked.chosen;
  header(chosen);
  const open = missing(chosen, KEYS);
  if (picked.empty?.startsWith("render")) {
    say(status, "info", "There is no stack here yet.", "Make one with renderapi.stack.create_stack.");
  } else if (picked.empty) {
    say(
      status,
      "info",
      "There is no match collection here yet.",
      "Store point matches with renderapi.pointmatch.import_matches, which makes the collection, then come back.",
    );
  } else if (open) say(status, "info", open);
  else {
    const [stack, values] = await Promise.all([read(stackPath(chosen)), read([...stackPath(chosen), "zValues"])]);
    zs = values;
    changing = stack.state === "LOADING";
    if (zs.length === 0) {
      say(status, "info", "This stack has no layers.", "Import tiles into it with renderapi.client.import_tilespecs.");
    } else {
      addEventListener("popstate", showMatrix);
      await showMatrix();
    }
  }
} catch (problem) {
  sayError(status, "The matches could not be shown.", problem, "Choose a stack and a collection in the lists above.");
}
