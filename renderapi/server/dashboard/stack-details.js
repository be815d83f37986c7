/** One stack: its numbers, and charts of its layers. */

import { address, read, ServerError, stackPath } from "./lib/api.js";
import { chart } from "./lib/chart.js";
import { byId, el, header, number, pageAddress, plural, say, sayError, stateBadge, when } from "./lib/page.js";
import { missing, picker } from "./lib/picker.js";
import { table } from "./lib/table.js";

const KEYS = ["renderStackOwner", "renderStackProject", "renderStack"];
const status = byId("status");

/** Join the sections of each layer, and sort the layers. */
function layersOf(sections) {
  const layers = new Map();
  for (const section of sections) {
    const layer = layers.get(section.z);
    if (!layer) layers.set(section.z, { ...section, sectionIds: [section.sectionId] });
    else {
      layer.tileCount += section.tileCount;
      layer.sectionIds.push(section.sectionId);
      for (const key of ["minX", "minY"]) layer[key] = Math.min(layer[key], section[key]);
      for (const key of ["maxX", "maxY"]) layer[key] = Math.max(layer[key], section[key]);
    }
  }
  return [...layers.values()].sort((a, b) => a.z - b.z);
}

function showSummary(stack, chosen) {
  const { stats, currentVersion: version = {} } = stack;
  const bounds = stats?.stackBounds;
  const range = (low, high) => (low === high ? number(low) : `${number(low)} to ${number(high)}`);
  const resolution = [version.stackResolutionX, version.stackResolutionY, version.stackResolutionZ];
  const facts = [
    ["State", stateBadge(stack.state)],
    ["Layers", number(stats?.sectionCount)],
    ["Tiles", number(stats?.tileCount)],
    ["Shared transforms", number(stats?.transformCount)],
    ["z", bounds ? range(bounds.minZ, bounds.maxZ) : "–"],
    ["x (px)", bounds ? range(bounds.minX, bounds.maxX) : "–"],
    ["y (px)", bounds ? range(bounds.minY, bounds.maxY) : "–"],
    [
      "Tile boxes (px)",
      stats ? `${range(stats.minTileWidth, stats.maxTileWidth)} × ${range(stats.minTileHeight, stats.maxTileHeight)}` : "–",
    ],
    [
      "Resolution (nm/px)",
      resolution.some((value) => value !== undefined) ? resolution.map(number).join(" × ") : "–",
    ],
    ["Channels", stats?.channelNames?.length ? stats.channelNames.join(", ") : "–"],
    ["Version", number(stack.currentVersionNumber)],
    ["Last modified", when(stack.lastModifiedTimestamp)],
    ["Notes", version.versionNotes ?? "–"],
  ];
  const data = (name, ...path) => el("a", { href: address([...stackPath(chosen), ...path]) }, name);
  byId("summary").replaceChildren(
    el("h2", {}, chosen.renderStack),
    el("dl", { class: "facts" }, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    el(
      "p",
      { class: "links" },
      ...[["Viewer", "viewer.html"], ["Tile layer", "tile-layer.html"]].map(([name, page]) =>
        el("a", { href: pageAddress(page, { ...chosen, z: chosen.z ?? bounds?.minZ }) }, name),
      ),
      data("Metadata"),
      data("z values", "zValues"),
      data("Section data", "sectionData"),
      data("Merged z values", "mergedZValues"),
      data("Reordered sections", "reorderedSectionData"),
    ),
  );
}

function showCharts(layers, chosen) {
  const zs = layers.map((layer) => layer.z);
  const column = (key) => layers.map((layer) => layer[key]);
  const change = (key) => layers.map((layer, index) => (index === 0 ? null : layer[key] - layers[index - 1][key]));
  const edge = (name, values, colour, dash) => ({ name, values, colour, dash });
  const open = (index) => pageAddress("tile-layer.html", { ...chosen, z: zs[index] });
  const made = [];
  // all charts show the layer that the reader looks at in one of them
  const onCursor = (index) => made.forEach((each) => each.show(index));
  const add = (title, series, options = {}) => made.push(chart(title, zs, series, { ...options, onCursor, open }));
  add("Tiles", [edge("tiles", column("tileCount"), "--series-1")], { bars: true });
  add("x bounds (px)", [edge("min x", column("minX"), "--series-1"), edge("max x", column("maxX"), "--series-2")]);
  add("y bounds (px)", [edge("min y", column("minY"), "--series-1"), edge("max y", column("maxY"), "--series-2")]);
  if (layers.length > 1) {
    add("Change of bounds from the layer before (px)", [
      edge("min x", change("minX"), "--series-1"),
      edge("max x", change("maxX"), "--series-2"),
      edge("min y", change("minY"), "--series-3", [5, 4]),
      edge("max y", change("maxY"), "--series-4", [5, 4]),
    ]);
  }
  byId("charts").replaceChildren(...made.map((each) => each.element));
}

/** The charts in numbers; made when they are asked for. */
function showValues(layers) {
  const amount = (label, key) => ({
    label,
    numeric: true,
    value: (layer) => layer[key],
    cell: (layer) => number(layer[key]),
  });
  const columns = [
    { ...amount("z", "z"), heading: true },
    { label: "Sections", value: (layer) => layer.sectionIds.join(", ") },
    amount("Tiles", "tileCount"),
    ...["minX", "minY", "maxX", "maxY"].map((key) => amount(key, key)),
  ];
  const details = el("details", {}, el("summary", {}, `Values of ${plural(layers.length, "layer")}`));
  details.addEventListener(
    "toggle",
    () => details.append(table("Layers", columns, layers).element),
    { once: true },
  );
  byId("values").replaceChildren(details);
}

async function showLayers(stack, chosen) {
  let sections;
  try {
    sections = await read([...stackPath(chosen), "sectionData"]);
  } catch (problem) {
    if (!(problem instanceof ServerError && problem.status === 400)) throw problem;
    say(
      status,
      "info",
      "There are no charts yet: the server counts the tiles of the layers when the stack becomes COMPLETE.",
      `When everything is imported: renderapi.stack.set_stack_state("${chosen.renderStack}", "COMPLETE", render=render)`,
    );
    return;
  }
  const layers = layersOf(sections);
  if (layers.length === 0) {
    say(status, "info", "The tiles of this stack have no section id or no z, so there is nothing to chart.");
    return;
  }
  if (stack.state === "LOADING") {
    say(status, "info", "The charts show the stack as it was when it was last COMPLETE; it is LOADING now.");
  }
  showCharts(layers, chosen);
  showValues(layers);
}

header();
try {
  const { chosen, empty } = await picker(byId("picker"), KEYS, { keep: ["matchOwner", "matchCollection", "z"] });
  header(chosen);
  const open = missing(chosen, KEYS);
  if (empty) say(status, "info", "There is no stack here yet.", "Make one with renderapi.stack.create_stack.");
  else if (open) say(status, "info", open);
  else {
    document.title = `${chosen.renderStack} · render-ws`;
    const stack = await read(stackPath(chosen));
    showSummary(stack, chosen);
    await showLayers(stack, chosen);
  }
} catch (problem) {
  sayError(status, "The stack could not be read.", problem, "Choose one that exists in the lists above.");
}
