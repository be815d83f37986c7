/** One layer: boxes of its tiles, matches between them. */

import { read, stackPath } from "./lib/api.js";
import { Boxes, clusters } from "./lib/boxes.js";
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
import { imageChoice } from "./lib/images.js";
import { layerTools } from "./lib/layers.js";
import { byId, el, header, number, pageAddress, plural, query, say, sayError, showInAddress } from "./lib/page.js";
import { missing, picker } from "./lib/picker.js";
import { nearest } from "./lib/surface.js";

const KEYS = ["renderStackOwner", "renderStackProject", "renderStack", "matchOwner", "matchCollection"];
const CLUSTER_COLOURS = 6;
const status = byId("status");

let chosen = {};
let zs = [];
let changing = false;
let layers = null;
let boxes = null;
let pairs = [];
/** @type {(index: number) => number[][]} */
let partners = () => [];
let loading = new AbortController();

const pointed = el("output", { class: "pointed" }, "Point at a tile to see its id.");
const panel = el("aside", { class: "panel", "aria-label": "Chosen tile", "aria-live": "polite" });
const legend = el("ul", { class: "legend" });
const showLines = el("input", { type: "checkbox", checked: true, onchange: drawLines });
const showMissing = el("input", { type: "checkbox", onchange: drawLines });
const lineChoices = el(
  "div",
  { class: "toolbar" },
  el("label", { class: "check" }, showLines, "Matches"),
  el("label", { class: "check" }, showMissing, "Overlaps without matches"),
);
const search = el("input", { type: "search", placeholder: "tile id, or a part of it" });
const finder = el(
  "form",
  { class: "toolbar" },
  el("label", {}, el("span", {}, "Find a tile"), search),
  el("button", { type: "submit" }, "Find"),
);
const images = imageChoice(() => map);
const viewer = el("a", {}, "Open in the viewer");
const map = new TileMap("Tiles of the layer", {
  onPoint: (index, x, y) => (pointed.textContent = tellPlace(boxes, index, x, y)),
  onChoose: showTile,
  onImages: (seen) => images.onImages(seen),
  onLayer: (by) => layers.step(by),
  onView: () => layers && showViewer(),
  mark: (index) => partners(index).map(([other]) => other),
});

map.element.append(legend, images.told);
finder.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = search.value.trim();
  if (!boxes || !words) return;
  const exact = boxes.tileIds.indexOf(words);
  const index = exact >= 0 ? exact : boxes.tileIds.findIndex((tileId) => tileId.includes(words));
  if (index < 0) pointed.textContent = `No tile of this layer has ${words} in its id.`;
  else map.choose(index);
});

function showTile(index) {
  if (index < 0) {
    panel.replaceChildren(noTile());
    return;
  }
  const [x, y] = boxes.centre(index);
  pointed.textContent = tellPlace(boxes, index, x, y);
  const told = {
    onPartner: (other) => map.choose(other),
    onPoints: (other) => openPoints(chosen, boxes, index, other),
    pictured: images.shown,
  };
  panel.replaceChildren(...describeTile(chosen, boxes, index, partners(index), told));
}

/** Colour the boxes by the cluster they are connected in, and make the legend of it. */
function drawBoxes() {
  const { of, sizes } = clusters(boxes.count, pairs);
  /** @type {{ fill: string, hollow?: boolean }[]} */
  const styles = Array.from({ length: CLUSTER_COLOURS }, (_, index) => ({ fill: `--cluster-${index + 1}` }));
  styles.push({ fill: "--unmatched", hollow: true });
  const styleOf = Uint8Array.from(of, (cluster) => (cluster < 0 ? CLUSTER_COLOURS : cluster % CLUSTER_COLOURS));
  map.show(boxes, styles, styleOf, { keepView: true });
  const entries = sizes
    .slice(0, CLUSTER_COLOURS)
    .map((size, index) =>
      legendEntry({ colour: `--cluster-${index + 1}`, shape: "box" }, `Cluster ${index + 1}: ${plural(size, "tile")}`),
    );
  if (sizes.length > CLUSTER_COLOURS) {
    entries.push(el("li", {}, `${plural(sizes.length - CLUSTER_COLOURS, "smaller cluster")}, in the same colours again`));
  }
  const alone = of.filter((cluster) => cluster < 0).length;
  if (alone) entries.push(legendEntry({ colour: "--unmatched", shape: "box" }, `Without matches: ${plural(alone, "tile")}`));
  return entries;
}

let missingPairs = null;
let clusterEntries = [];

/** Find tiles that lie over each other and have no matches, once per layer. */
function overlapsWithoutMatches() {
  if (missingPairs) return missingPairs;
  const key = (a, b) => Math.min(a, b) * boxes.count + Math.max(a, b);
  const matched = new Set(pairs.map(([a, b]) => key(a, b)));
  missingPairs = boxes.overlapping().filter(([a, b]) => !matched.has(key(a, b)));
  return missingPairs;
}

function drawLines() {
  if (!boxes) return;
  const kinds = [];
  const entries = [...clusterEntries];
  if (chosen.matchCollection && showLines.checked) {
    for (const kind of byStrength(pairs)) {
      kinds.push(kind);
      entries.push(legendEntry({ colour: kind.colour }, `${plural(kind.pairs.length, "pair")}, ${kind.text}`));
    }
  }
  if (chosen.matchCollection && showMissing.checked) {
    const lost = overlapsWithoutMatches();
    kinds.push({ colour: "--missing", width: 2, dash: [5, 4], pairs: lost });
    entries.push(legendEntry({ colour: "--missing", shape: "dashed" }, `${plural(lost.length, "overlap")} without matches`));
  }
  map.setLines(kinds);
  legend.replaceChildren(...entries);
}

async function load(z, { push = true, keepView = false } = {}) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  showInAddress({ z: String(z) }, { push });
  header({ ...chosen, z: String(z) });
  layers.show(z);
  showViewer(z);
  say(status, "info", `Reading layer ${number(z)} …`);
  try {
    const tiles = await readTiles(chosen, z, signal);
    boxes = new Boxes(tiles);
    [pairs, missingPairs, clusterEntries] = [[], null, []];
    partners = () => [];
    panel.replaceChildren(noTile());
    pointed.textContent = "Point at a tile to see its id.";
    if (boxes.count === 0) {
      const near = zs.length ? ` The nearest layer is z ${number(zs[nearest(zs, z)])}.` : "";
      say(status, "info", `There are no tiles at z ${number(z)}.`, `Choose another layer above.${near}`);
    } else say(status);
    map.show(boxes, [{ fill: "--cluster-1" }], new Uint8Array(boxes.count), { keepView });
    images.show(boxes.count ? [{ chosen, z, boxes, changing }] : []);
    if (chosen.matchCollection && boxes.count) await loadPairs(tiles, signal);
    if (signal.aborted) return;
    drawLines();
    map.element.dataset.z = String(z);
  } catch (problem) {
    sayError(status, `Layer ${number(z)} could not be read.`, problem);
  }
}

/** Let the link to the viewer lead to what is in sight. */
function showViewer(z = layers.z) {
  const { x, y, scale, fitted } = map.view;
  viewer.href = pageAddress("viewer.html", { ...chosen, z }, fitted ? {} : { x, y, scale });
}

async function loadPairs(tiles, signal) {
  const sections = sectionsOf(tiles);
  try {
    const read = await readPairs(chosen, sections, sections, signal);
    pairs = placed(read, boxes.tileIds);
    partners = partnersOf(pairs);
    if (pairs.length > 0) clusterEntries = drawBoxes();
    else {
      say(
        status,
        "info",
        `The collection ${chosen.matchCollection} has no matches between the tiles of this layer.`,
        await tellNames(chosen, sections),
      );
    }
  } catch (problem) {
    sayError(status, "The matches could not be read; the tiles are shown without them.", problem);
  }
}

function wantedZ() {
  const z = Number(query().z);
  return query().z === undefined || Number.isNaN(z) ? zs[0] : z;
}

header();
try {
  const picked = await picker(byId("picker"), KEYS, { keep: ["z"] });
  chosen = picked.chosen;
  header(chosen);
  const open = missing(chosen, KEYS.slice(0, 3));
  if (picked.empty?.startsWith("render")) {
    say(status, "info", "There is no stack here yet.", "Make one with renderapi.stack.create_stack.");
  } else if (open) say(status, "info", open);
  else {
    const [stack, values] = await Promise.all([read(stackPath(chosen)), read([...stackPath(chosen), "zValues"])]);
    zs = values;
    changing = stack.state === "LOADING";
    if (zs.length === 0) {
      say(status, "info", "This stack has no layers.", "Import tiles into it with renderapi.client.import_tilespecs.");
    } else {
      const tools = chosen.matchCollection ? [lineChoices] : [];
      const hint = chosen.matchCollection
        ? null
        : el("p", { class: "quiet" }, "Choose a match collection above to see which tiles are connected.");
      layers = layerTools(byId("layer"), zs, (z) => load(z, { keepView: true }));
      byId("tools").replaceChildren(finder, images.element, ...tools, viewer);
      byId("view").replaceChildren(
        el("div", { class: "split" }, el("div", {}, pointed, map.element, ...(hint ? [hint] : [])), panel),
      );
      addEventListener("popstate", () => load(wantedZ(), { push: false, keepView: true }));
      await load(wantedZ(), { push: false });
    }
  }
} catch (problem) {
  sayError(status, "The layer could not be shown.", problem, "Choose a stack that exists in the lists above.");
}
