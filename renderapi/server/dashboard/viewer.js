/** The images of a layer: pan, zoom, other layers, channels, intensities. */

import { read, stackPath } from "./lib/api.js";
import { Boxes } from "./lib/boxes.js";
import { channelChoice } from "./lib/channels.js";
import { showText, tellImages } from "./lib/images.js";
import { describeTile, noTile, readTiles, tellPlace } from "./lib/layer.js";
import { layerTools } from "./lib/layers.js";
import { TileMap } from "./lib/map.js";
import { byId, el, header, number, pageAddress, plural, query, say, sayError, showInAddress } from "./lib/page.js";
import { missing, picker } from "./lib/picker.js";
import { MOST_TILES, Pixels } from "./lib/pixels.js";
import { ofLength, pixelSize } from "./lib/resolution.js";
import { nearest } from "./lib/surface.js";

const KEYS = ["renderStackOwner", "renderStackProject", "renderStack"];
const VIEW = ["x", "y", "scale"];
// what the server is asked with
const DRAWN = ["channels", "minIntensity", "maxIntensity"];
const SHOWN = ["outlines", "ids", "blocks"];
const LIMIT = "maxTileSpecsToRender";
const ALL_TILES = 1_000_000;
// milliseconds for which a control rests before images are asked for, or the address says so
const REST = 200;
const status = byId("status");

let chosen = {};
let stack = null;
let zs = [];
let z = 0;
let layers = null;
let boxes = null;
let state = {};
let loading = new AbortController();
let told = null;

const pointed = el("output", { class: "pointed" }, "Point at the image to see where you are.");
const panel = el("aside", { class: "panel", "aria-label": "Chosen tile", "aria-live": "polite" });
const tools = el("div", { class: "panel controls" });
const images = el("output", { class: "quiet" });
const trouble = el("div");
const tileLayer = el("a", {}, "Matches of this layer");
const map = new TileMap("Images of the layer", {
  arrows: "view",
  onPoint: tellPoint,
  onChoose: showTile,
  onView: rested(writeView),
  onImages: tellBlocks,
  onLayer: (by) => layers.step(by),
});

/** Make a function that runs when it was not called again for a while. */
function rested(work) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, REST);
  };
}

function tellPoint(index, x, y) {
  const [, ...below] = boxes.allAt(x, y).map((other) => boxes.tileIds[other]);
  const more = below.length ? `; below it ${below.slice(0, 4).join(", ")}${below.length > 4 ? " …" : ""}` : "";
  const nm = pixelSize(stack.currentVersion);
  const place = nm ? ` (${ofLength(x * nm[0])}, ${ofLength(y * nm[1])})` : "";
  pointed.textContent = tellPlace(boxes, index, x, y) + more + place;
}

function showTile(index) {
  if (index < 0) {
    panel.replaceChildren(noTile());
    return;
  }
  tellPoint(index, ...boxes.centre(index));
  // matches are shown elsewhere
  panel.replaceChildren(...describeTile({ ...chosen, matchCollection: undefined }, boxes, index, [], { pictured: true }));
}

/** Say what became of the blocks, but not sixty times in a second. */
function tellBlocks(seen) {
  showText(images, tellImages(seen, false));
  const kinds = JSON.stringify([[...seen.problems.keys()], seen.crowded > 0 && seen.tiles]);
  if (kinds === told) return;
  told = kinds;
  if (seen.problems.size > 0) {
    const again = el("button", { type: "button", onclick: () => map.blocks.forgetProblems() }, "Try again");
    say(trouble, "error", "Some blocks could not be drawn.", ...seen.problems.keys(), again);
  } else if (seen.crowded > 0) {
    const all = el("button", { type: "button", onclick: () => set({ [LIMIT]: ALL_TILES }) }, "Draw them all the same");
    say(
      trouble,
      "info",
      `Blocks of more than ${plural(state[LIMIT], "tile")} show where the tiles are, not their pixels.`,
      `The server would have to read up to ${plural(seen.tiles, "image")} for one of them. ` +
        "Come nearer, or have them drawn; that can take long.",
      all,
    );
  } else say(trouble);
}

/** Take what the address says; what it does not say is as at first. */
function readState() {
  const given = query();
  const amount = (key) => (Number.isNaN(Number(given[key] ?? NaN)) ? undefined : Number(given[key]));
  state = {
    channels: given.channels ?? "",
    minIntensity: amount("minIntensity"),
    maxIntensity: amount("maxIntensity"),
    [LIMIT]: amount(LIMIT) ?? MOST_TILES,
  };
  for (const key of SHOWN) state[key] = given[key] === "true";
  const [x, y, scale] = VIEW.map(amount);
  if (x !== undefined && y !== undefined && scale > 0) map.look({ x, y, scale });
  else map.fit();
  z = amount("z") ?? zs[0];
}

/** Change how the layer is shown, and say so in the address. */
function set(changes) {
  Object.assign(state, changes);
  const text = (value) => (value === undefined || value === false ? "" : String(value));
  const told = Object.fromEntries(Object.entries(state).map(([key, value]) => [key, text(value)]));
  showInAddress({ ...told, [LIMIT]: state[LIMIT] === MOST_TILES ? "" : told[LIMIT] });
  showPixels();
}

function writeView() {
  if (!boxes) return;
  const { x, y, scale, fitted } = map.view;
  // a millionth of a pixel says nothing any more
  const rounded = { x: Number(x.toFixed(2)), y: Number(y.toFixed(2)), scale: Number(scale.toPrecision(6)) };
  showInAddress(fitted ? { x: "", y: "", scale: "" } : rounded);
}

function showPixels() {
  map.setNames({ outlines: state.outlines, ids: state.ids });
  if (!boxes?.count) {
    map.showImages([]);
    return;
  }
  const asked = DRAWN.map((key) => [key, state[key]]).filter(([, value]) => value !== undefined && value !== "");
  const options = {
    query: Object.fromEntries(asked),
    changing: stack.state === "LOADING",
    mostTiles: state[LIMIT],
    grid: state.blocks,
  };
  map.showImages([{ pixels: new Pixels(map.blocks, chosen, z, boxes, options) }]);
}

async function load(wanted, { push = true } = {}) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  z = wanted;
  showInAddress({ z: String(z) }, { push });
  header({ ...chosen, z: String(z) });
  tileLayer.href = pageAddress("tile-layer.html", { ...chosen, z });
  layers.show(z);
  try {
    const tiles = await readTiles(chosen, z, signal);
    boxes = new Boxes(tiles);
    told = null;
    say(trouble);
    images.textContent = "";
    panel.replaceChildren(noTile());
    map.show(boxes, [{ fill: "--cluster-1", hollow: true }], new Uint8Array(boxes.count), { keepView: true });
    showPixels();
    if (boxes.count === 0) {
      const near = `The nearest layer is z ${number(zs[nearest(zs, z)])}.`;
      say(status, "info", `There are no tiles at z ${number(z)}.`, near);
    } else say(status);
    map.element.dataset.z = String(z);
  } catch (problem) {
    sayError(status, `Layer ${number(z)} could not be read.`, problem);
  }
}

/** Make a slider and a field for an end of the range of intensities. */
function intensity(key, label, otherwise) {
  const changed = rested(() => set({ [key]: field.value === "" ? undefined : Number(field.value) }));
  const name = `${label} intensity`;
  const field = el("input", { type: "number", step: "any", placeholder: "tile’s", "aria-label": name, value: state[key] });
  const slider = el("input", { type: "range", min: 0, max: 255, step: 1, "aria-label": `${name}, as a slider` });
  const follow = () => {
    const value = field.value === "" ? otherwise : Number(field.value);
    slider.max = value > 255 || state.maxIntensity > 255 ? 65535 : 255;
    slider.value = value;
  };
  field.addEventListener("input", () => {
    follow();
    changed();
  });
  slider.addEventListener("input", () => {
    field.value = slider.value;
    changed();
  });
  follow();
  return el("span", { class: "intensity" }, el("span", { class: "quiet" }, label), slider, field);
}

function toggle(key, label) {
  const box = el("input", { type: "checkbox", checked: state[key] });
  box.addEventListener("change", () => set({ [key]: box.checked }));
  return el("label", { class: "check" }, box, label);
}

/** Give the names of channels: counted by the server when the stack was complete, or else those of a tile. */
async function channelNames() {
  if (stack.stats?.channelNames) return stack.stats.channelNames;
  const [first] = await readTiles(chosen, zs[0]);
  if (!first) return [];
  const tile = await read([...stackPath(chosen), "tile", first.tileId]);
  return (tile.channels ?? []).map(({ name }) => name).filter((name) => typeof name === "string");
}

function showTools(names) {
  const reset = el(
    "button",
    {
      type: "button",
      onclick: () => {
        set({ minIntensity: undefined, maxIntensity: undefined });
        showTools(names);
      },
    },
    "Range of the tiles",
  );
  tools.replaceChildren(
    el(
      "fieldset",
      {},
      el("legend", {}, "Intensity"),
      intensity("minIntensity", "Min", 0),
      intensity("maxIntensity", "Max", 255),
      reset,
    ),
    el(
      "fieldset",
      {},
      el("legend", {}, "Over the image"),
      toggle("outlines", "Tile outlines"),
      toggle("ids", "Tile ids"),
      toggle("blocks", "Blocks"),
    ),
    ...(names.length ? channelChoice(names, state.channels, (channels) => set({ channels })) : []),
    tileLayer,
  );
}

header();
try {
  const picked = await picker(byId("picker"), KEYS, {
    keep: ["matchOwner", "matchCollection", "z", ...VIEW, ...DRAWN, ...SHOWN, LIMIT],
  });
  chosen = picked.chosen;
  header(chosen);
  const open = missing(chosen, KEYS);
  if (picked.empty) say(status, "info", "There is no stack here yet.", "Make one with renderapi.stack.create_stack.");
  else if (open) say(status, "info", open);
  else {
    [stack, zs] = await Promise.all([read(stackPath(chosen)), read([...stackPath(chosen), "zValues"])]);
    if (zs.length === 0) {
      say(status, "info", "This stack has no layers.", "Import tiles into it with renderapi.client.import_tilespecs.");
    } else {
      const names = await channelNames();
      map.setPixelSize(pixelSize(stack.currentVersion)?.[0]);
      readState();
      layers = layerTools(byId("layer"), zs, load);
      showTools(names);
      map.element.append(images);
      byId("view").replaceChildren(
        el(
          "div",
          { class: "split" },
          el("div", {}, pointed, map.element, trouble),
          el("div", { class: "side" }, tools, panel),
        ),
      );
      addEventListener("popstate", () => {
        readState();
        showTools(names);
        load(z, { push: false });
      });
      await load(z, { push: false });
    }
  }
} catch (problem) {
  sayError(status, "The layer could not be shown.", problem, "Choose a stack that exists in the lists above.");
}
