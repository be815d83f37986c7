/** Match trials: two tiles, the parameters that are tried on them, and the matches that were found. */

import { address, ownerPath, post, read, readImage, remove, ServerError, stackPath } from "./lib/api.js";
import { byId, el, header, number, plural, problemText, query, say, sayError, showInAddress } from "./lib/page.js";
import { drawPair, MOST } from "./lib/pair.js";
import { missing, picker } from "./lib/picker.js";

const KEYS = ["renderStackOwner", "renderStackProject", "renderStack"];
const MODELS = ["TRANSLATION", "RIGID", "SIMILARITY", "AFFINE"];
const FILTERS = ["SINGLE_SET", "CONSENSUS_SETS", "AGGREGATED_CONSENSUS_SETS", "NONE"];
const status = byId("status");
const form = /** @type {HTMLFormElement} */ (byId("trial"));

let chosen = {};
let showing = new AbortController();

// ---- the form: name, label, where it goes, and what it is at first

const numeric = (name, label, value, more = {}) => ({ name, label, value, type: "number", step: "any", min: 0, ...more });
const CANVASES = [
  { name: "pTileId", label: "Tile", type: "text", required: true },
  { name: "qTileId", label: "Other tile", type: "text", required: true },
  numeric("scale", "Scale", 0.4, { required: true }),
  { name: "filter", label: "Filter", type: "checkbox" },
  { name: "excludeMask", label: "Without masks", type: "checkbox" },
  { name: "pClipPosition", label: "Tile lies at the", options: ["", "LEFT", "RIGHT", "TOP", "BOTTOM"] },
  numeric("clipPixels", "Clip (px)", "", { step: 1, min: 1 }),
];
const SIFT = [
  numeric("minScale", "Least scale", 0.25),
  numeric("maxScale", "Greatest scale", 1),
  numeric("steps", "Steps per octave", 3, { step: 1, min: 1 }),
];
const DERIVATION = [
  { name: "matchModelType", label: "Model", options: MODELS, value: "RIGID" },
  numeric("matchMaxEpsilonFullScale", "Largest error (px at full scale)", 5, { required: true }),
  numeric("matchMinNumInliers", "Least matches", 8, { step: 1, min: 1 }),
  numeric("matchRod", "Ratio of distances", 0.92),
  numeric("matchIterations", "Iterations", 1000, { step: 1, min: 1 }),
  numeric("matchMinInlierRatio", "Least part of candidates", 0),
  numeric("matchMaxTrust", "Trust", 3),
  { name: "matchFilter", label: "Sets", options: FILTERS, value: "SINGLE_SET" },
  numeric("matchFullScaleCoverageRadius", "Radius of coverage (px)", 300),
  numeric("matchMinCoveragePercentage", "Least coverage (%)", ""),
];

function control({ options, label, value, ...attributes }) {
  const made = options
    ? el("select", { name: attributes.name }, ...options.map((option) => el("option", { value: option }, option || "any side")))
    : el("input", { ...attributes, value });
  if (options && value !== undefined) made.value = value;
  return el("label", attributes.type === "checkbox" ? { class: "check" } : {}, el("span", {}, label), made);
}

function makeForm() {
  const group = (title, fields) => el("fieldset", {}, el("legend", {}, title), ...fields.map(control));
  form.replaceChildren(
    group("Canvases", CANVASES),
    group("Features", SIFT),
    group("Matches", DERIVATION),
    el("button", { type: "submit", class: "primary" }, "Run the trial"),
  );
}

/** Fill the form: names that are not there stay as they are. */
function fill(values) {
  for (const [name, value] of Object.entries(values)) {
    const input = form.elements.namedItem(name);
    if (!(input instanceof HTMLInputElement || input instanceof HTMLSelectElement)) continue;
    if (input instanceof HTMLInputElement && input.type === "checkbox") input.checked = value === true || value === "true";
    else input.value = value ?? "";
  }
}

/** Give what a group of fields says, with numbers as such; fields that are empty say nothing. */
function said(fields) {
  const data = new FormData(form);
  return Object.fromEntries(
    fields
      .map(({ name, type }) => [name, data.get(name), type])
      .filter(([, value]) => value !== null && value !== "")
      .map(([name, value, type]) => [name, type === "number" ? Number(value) : value]),
  );
}

/** Make the parameters of a trial of the form; the lesser id is p, as the server wants it. */
function parameters() {
  const { pTileId, qTileId, scale, pClipPosition, clipPixels } = said(CANVASES);
  const data = new FormData(form);
  const [filter, excludeMask] = ["filter", "excludeMask"].map((name) => data.has(name));
  const turned = qTileId < pTileId;
  const url = (tileId) =>
    address([...stackPath(chosen), "tile", tileId, "render-parameters"], { scale, filter, excludeMask }).href;
  const opposite = { LEFT: "RIGHT", RIGHT: "LEFT", TOP: "BOTTOM", BOTTOM: "TOP" };
  const position = turned ? opposite[pClipPosition] : pClipPosition;
  const clip = { ...(position && { pClipPosition: position }), ...(clipPixels && { clipPixels }) };
  return {
    featureAndMatchParameters: { siftFeatureParameters: said(SIFT), matchDerivationParameters: said(DERIVATION), ...clip },
    pRenderParametersUrl: url(turned ? qTileId : pTileId),
    qRenderParametersUrl: url(turned ? pTileId : qTileId),
  };
}

async function run() {
  const button = form.querySelector("button");
  button.disabled = true;
  say(status, "info", "Matching …");
  try {
    const trial = await post([...ownerPath(chosen.renderStackOwner), "matchTrial"], parameters());
    showInAddress({ matchTrialId: trial.id }, { push: true });
    say(status);
    await show(trial.id, trial);
  } catch (problem) {
    sayError(status, "The trial was not run.", problem);
  } finally {
    button.disabled = false;
  }
}

// ---- what was found

/** Say where the canvas of a URL is on this server, and how it is drawn. */
function canvasOf(url, look) {
  const target = new URL(url, location.href);
  const path = target.pathname.split("/").map(decodeURIComponent);
  const segments = path.slice(path.indexOf("owner"), path.lastIndexOf("render-parameters"));
  const asked = look ?? target.searchParams;
  const drawn = { normalizeForMatching: "true" };
  for (const key of ["filter", "excludeMask"]) drawn[key] = asked.get(key) ?? "true";
  for (const key of ["width", "height", "filterListName", "tileIdPattern"]) if (asked.has(key)) drawn[key] = asked.get(key);
  return { segments, name: segments.at(-1), drawn, asked };
}

async function readCanvas({ segments, drawn }, signal) {
  const { width, height } = await read([...segments, "render-parameters"], { query: drawn, signal });
  const scale = Math.min(1, MOST / Math.max(1, width, height));
  const extent = [width, height];
  try {
    return { extent, scale, image: await readImage([...segments, "jpeg-image"], { query: { ...drawn, scale }, signal }) };
  } catch (problem) {
    if (signal.aborted) throw problem;
    return { extent, scale, image: null, told: problemText(problem) };
  }
}

const pointsOf = (sets) =>
  sets.flatMap(({ p, q, w }) => w.map((weight, index) => ({ p: [p[0][index], p[1][index]], q: [q[0][index], q[1][index]], w: weight })));

function facts(stats) {
  const of = (key) => stats[key];
  const spread = (key) => (of(key) === undefined ? undefined : `${number(of(key))} px`);
  const part = of("overlappingImagePixels") ? (100 * of("overlappingCoveragePixels")) / of("overlappingImagePixels") : undefined;
  const told = [
    ["Features", `${number(of("pFeatureCount"))} and ${number(of("qFeatureCount"))}`],
    ["Matches", of("consensusSetSizes").map((size) => number(size)).join(" + ")],
    ["Scatter in x", spread("aggregateDeltaXStandardDeviation")],
    ["Scatter in y", spread("aggregateDeltaYStandardDeviation")],
    ["Overlap", part === undefined ? undefined : `${number(of("overlappingImagePixels"))} pixels`],
    ["Coverage", part === undefined ? undefined : `${number(part)} %`],
    [
      "Time",
      `${number(of("pFeatureDerivationMilliseconds"))} + ${number(of("qFeatureDerivationMilliseconds"))} + ${number(of("matchDerivationMilliseconds"))} ms`,
    ],
  ];
  return el(
    "dl",
    { class: "facts" },
    ...told
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

/** Show a trial, which is read if it is not there yet. */
async function show(id, found = undefined) {
  showing.abort();
  showing = new AbortController();
  const { signal } = showing;
  const place = byId("result");
  place.replaceChildren();
  delete place.dataset.trial;
  const path = [...ownerPath(chosen.renderStackOwner ?? "any"), "matchTrial", id];
  let trial = found;
  try {
    trial ??= await read(path, { signal });
  } catch (problem) {
    const gone = problem instanceof ServerError && problem.status === 404;
    sayError(status, "The trial could not be read.", problem, gone ? "It may have been deleted: run it again." : undefined);
    return;
  }
  const { parameters: asked, matches, stats } = trial;
  const p = canvasOf(asked.pRenderParametersUrl);
  const q = canvasOf(asked.qRenderParametersUrl, p.asked);
  const how = asked.featureAndMatchParameters;
  fill({
    ...how.siftFeatureParameters,
    ...how.matchDerivationParameters,
    pTileId: p.name,
    qTileId: q.name,
    scale: p.asked.get("scale") ?? 1,
    filter: p.drawn.filter,
    excludeMask: p.drawn.excludeMask,
    pClipPosition: how.pClipPosition,
    clipPixels: how.clipPixels,
  });
  const points = pointsOf(matches);
  const lines = el("input", { type: "checkbox", checked: true });
  const told = el("p", { role: "status" }, "Reading the images …");
  const pair = el("div", { class: "pairs" });
  place.replaceChildren(
    el("h2", { tabindex: -1 }, `${p.name} and ${q.name}`),
    el("p", {}, points.length ? `${plural(points.length, "match", "matches")} in ${plural(matches.length, "set")}.` : "No matches were found."),
    facts(stats),
    told,
    pair,
    el(
      "div",
      { class: "toolbar" },
      el("label", { class: "check" }, lines, "Lines"),
      el("a", { href: address(path) }, "Trial as JSON"),
      el("button", { type: "button", onclick: () => forget(path) }, "Delete the trial"),
    ),
  );
  try {
    const pictures = await Promise.all([p, q].map((canvas) => readCanvas(canvas, signal)));
    if (signal.aborted) return;
    told.textContent = pictures.map(({ told: why }) => why ?? "").join(" ").trim();
    const drawn = drawPair(pictures, pictures, points, lines);
    lines.addEventListener("change", drawn.redraw);
    pair.replaceChildren(drawn.canvas);
  } catch (problem) {
    if (!signal.aborted) told.textContent = `The images could not be read. ${problemText(problem)}`;
  }
  place.dataset.trial = id;
}

async function forget(path) {
  try {
    await remove(path);
    byId("result").replaceChildren();
    showInAddress({ matchTrialId: "" }, { push: true });
    say(status, "done", "The trial was deleted.");
  } catch (problem) {
    sayError(status, "The trial was not deleted.", problem);
  }
}

header();
try {
  const picked = await picker(byId("picker"), KEYS, { keep: ["pTileId", "qTileId", "matchTrialId"] });
  chosen = picked.chosen;
  header(chosen);
  const { matchTrialId, ...given } = query();
  const open = missing(chosen, KEYS);
  if (!open) {
    makeForm();
    fill(given);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run();
    });
  } else if (picked.empty) say(status, "info", "There is no stack here yet.", "Make one with renderapi.stack.create_stack.");
  else if (!matchTrialId) say(status, "info", open);
  if (matchTrialId) await show(matchTrialId);
  addEventListener("popstate", () => {
    const id = query().matchTrialId;
    if (id) show(id);
    else byId("result").replaceChildren();
  });
} catch (problem) {
  sayError(status, "The page could not be shown.", problem, "Choose a stack in the lists above.");
}
