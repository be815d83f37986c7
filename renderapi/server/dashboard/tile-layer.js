/** One layer: boxes of its tiles, matches between them. */

import { read, stackPath } from "./lib/api.js";
import { Boxes, clusters } from "./lib/boxes.js";
import {
  byStrength,
  describeTile,
  legendEntry,
  noTile,
  partnersOf,
  placed,
  readPairs,
  readTiles,
  sectionsOf,
  tellNames,
  tellPlace,
} from "./lib/layer.js";
import { TileMap } from "./lib/map.js";
import { byId, el, header, number, plural, query, say, sayError, showInAddress } from "./lib/page.js";
import { missing, picker } from "./lib/picker.js";
import { nearest } from "./lib/surface.js";

const KEYS = ["renderStackOwner", "renderStackProject", "renderStack", "matchOwner", "matchCollection"];
const CLUSTER_COLOURS = 6;
const status = byId("status");

let chosen = {};
let zs = [];
let boxes = null;
let pairs = [];
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
const map = new TileMap("Tiles of the layer", {
  onPoint: (index, x, y) => (pointed.textContent = tellPlace(boxes, index, x, y)),
  onChoose: showTile,
  mark: (index) => partners(index).map(([other]) => other),
});

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
  panel.replaceChildren(...describeTile(chosen, boxes, index, partners(index), (other) => map.choose(other)));
}

/** Colour the boxes by the cluster they are connected in, and make the legend of it. */
function drawBoxes() {
  const { of, sizes } = clusters(boxes.count, pairs);
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
  showLayerTools(z);
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
    if (chosen.matchCollection && boxes.count) await loadPairs(tiles, signal);
    if (signal.aborted) return;
    drawLines();
    map.element.dataset.z = String(z);
  } catch (problem) {
    sayError(status, `Layer ${number(z)} could not be read.`, problem);
  }
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

function showLayerTools(z) {
  const index = zs.indexOf(z);
  const at = index >= 0 ? index : nearest(zs, z);
  const go = (to) => load(zs[to], { keepView: true });
  const step = (text, name, to) =>
    el(
      "button",
      { type: "button", "aria-label": name, title: name, disabled: to < 0 || to >= zs.length || to === index, onclick: () => go(to) },
      text,
    );
  const input = el("input", { type: "number", step: "any", value: z, id: "z" });
  input.addEventListener("change", () => input.value !== "" && load(Number(input.value), { keepView: true }));
  const focused = document.activeElement?.getAttribute("aria-label");
  byId("layer").replaceChildren(
    step("◀", "Layer before", index >= 0 ? at - 1 : at),
    el("label", { for: "z" }, el("span", {}, "z"), input),
    step("▶", "Layer after", index >= 0 ? at + 1 : at),
    el("output", {}, index >= 0 ? `layer ${number(index + 1)} of ${number(zs.length)}` : `${plural(zs.length, "layer")}`),
  );
  // the button that was pressed has been replaced
  if (focused) byId("layer").querySelector(`[aria-label="${CSS.escape(focused)}"]:enabled`)?.focus();
  for (const hidden of document.querySelectorAll("#picker input[name=z]")) hidden.value = z;
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
    zs = await read([...stackPath(chosen), "zValues"]);
    if (zs.length === 0) {
      say(status, "info", "This stack has no layers.", "Import tiles into it with renderapi.client.import_tilespecs.");
    } else {
      const tools = chosen.matchCollection ? [lineChoices] : [];
      const hint = chosen.matchCollection
        ? null
        : el("p", { class: "quiet" }, "Choose a match collection above to see which tiles are connected.");
      byId("tools").replaceChildren(finder, ...tools);
      byId("view").replaceChildren(
        el("div", { class: "split" }, el("div", {}, pointed, map.element, legend, ...(hint ? [hint] : [])), panel),
      );
      addEventListener("popstate", () => load(wantedZ(), { push: false, keepView: true }));
      await load(wantedZ(), { push: false });
    }
  }
} catch (problem) {
  sayError(status, "The layer could not be shown.", problem, "Choose a stack that exists in the lists above.");
}
