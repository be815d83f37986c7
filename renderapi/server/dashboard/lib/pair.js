/** Two tiles and the points that match between them. */

import { collectionPath, read } from "./api.js";
import { readTileImage } from "./images.js";
import { el, number, pageAddress, plural, problemText } from "./page.js";
import { surface } from "./surface.js";

/** Most pixels of a side of an image that is asked for. */
export const MOST = 1024;
const GAP = 12;
const NARROW = 600;
const COLOURS = 6;

/** Read the matching points of two tiles, those of the first tile first. */
async function readPoints(chosen, one, other, signal) {
  const tile = ({ sectionId, tileId }) => [sectionId, "id", tileId];
  const path = [...collectionPath(chosen), "group", ...tile(one), "matchesWith", ...tile(other)];
  const points = [];
  for (const { pId, matches } of await read(path, { signal })) {
    const [p, q] = pId === one.tileId ? [matches.p, matches.q] : [matches.q, matches.p];
    const at = (sides, index) => [sides[0][index], sides[1][index]];
    matches.w.forEach((w, index) => points.push({ p: at(p, index), q: at(q, index), w }));
  }
  return points;
}

/**
 * Open a dialog with the images of two tiles and their matching points.
 *
 * Points of a match are in pixels of a tile before its last transforms; the server draws a tile so for matching.
 *
 * @param {Object} chosen stack and match collection
 * @param {Object} one `{tileId, sectionId, extent}`; so the other
 */
export async function openPair(chosen, one, other) {
  const opener = document.activeElement;
  const request = new AbortController();
  const said = el("p", { role: "status" }, "Reading points and images …");
  const lines = el("input", { type: "checkbox", checked: true });
  const place = el("div", { class: "pairs" });
  const close = el("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const dialog = el(
    "dialog",
    { class: "pair", "aria-labelledby": "pair-title" },
    el("h2", { id: "pair-title" }, `${one.tileId} and ${other.tileId}`),
    said,
    place,
    el(
      "div",
      { class: "buttons" },
      el("label", { class: "check" }, lines, " Lines"),
      el("a", { href: pageAddress("match-trial.html", chosen, { pTileId: one.tileId, qTileId: other.tileId }) }, "Try other parameters"),
      close,
    ),
  );
  dialog.addEventListener("close", () => {
    request.abort();
    dialog.remove();
    if (opener instanceof HTMLElement) opener.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
  const { signal } = request;
  const told = [];
  const image = (tile) =>
    readTileImage(chosen, tile.tileId, tile.extent, MOST, { normalizeForMatching: true }, signal).catch((problem) => {
      if (!signal.aborted) told.push(`There is no image of ${tile.tileId}. ${problemText(problem)}`);
      return { image: null, scale: Math.min(1, MOST / Math.max(1, ...tile.extent)) };
    });
  try {
    const [points, left, right] = await Promise.all([readPoints(chosen, one, other, signal), image(one), image(other)]);
    if (signal.aborted) return;
    said.textContent = [`${plural(points.length, "point")}${tellWeights(points)}.`, ...told].join(" ");
    const drawn = drawPair([one, other], [left, right], points, lines);
    lines.addEventListener("change", drawn.redraw);
    place.replaceChildren(drawn.canvas);
  } catch (problem) {
    if (!signal.aborted) said.textContent = `The points could not be read. ${problemText(problem)}`;
  }
}

function tellWeights(points) {
  if (points.length === 0) return "";
  const weights = points.map(({ w }) => w).sort((a, b) => a - b);
  const [least, most] = [weights[0], weights.at(-1)];
  return least === most ? ` of weight ${number(least)}` : `, weights ${number(least)} to ${number(most)}`;
}

/**
 * Draw two images side by side, and lines between their matching points.
 *
 * @param {Object[]} tiles `{extent}` of each, in pixels at full scale
 * @param {Object[]} pictures `{image, scale}` of each; without an image the place stays black
 * @param {Object[]} points `{p, q}` of each match, in pixels at full scale
 * @param {HTMLInputElement} lines whether lines are drawn
 */
export function drawPair(tiles, pictures, points, lines) {
  const sizes = pictures.map(({ image, scale }, index) =>
    image ? [image.width, image.height] : tiles[index].extent.map((length) => length * scale),
  );
  // side by side, on a narrow screen one above the other
  const along = innerWidth < NARROW ? 1 : 0;
  const whole = [0, 1].map((axis) =>
    axis === along ? sizes[0][axis] + sizes[1][axis] : Math.max(sizes[0][axis], sizes[1][axis], 1),
  );
  const gaps = [0, 1].map((axis) => (axis === along ? GAP : 0));
  const made = surface(
    (context, width) => {
      const share = (width - gaps[0]) / whole[0];
      const corners = [[0, 0], [0, 1].map((axis) => (axis === along ? sizes[0][axis] * share + GAP : 0))];
      pictures.forEach(({ image }, side) => {
        const place = [...corners[side], ...sizes[side].map((length) => length * share)];
        context.fillStyle = "#000";
        context.fillRect(...place);
        if (image) context.drawImage(image, ...place);
      });
      const at = (side, point) => point.map((part, axis) => corners[side][axis] + part * pictures[side].scale * share);
      points.forEach(({ p, q }, index) => {
        context.strokeStyle = made.shade(`--cluster-${(index % COLOURS) + 1}`);
        context.lineWidth = 2;
        const ends = [at(0, p), at(1, q)];
        for (const end of ends) {
          context.beginPath();
          context.arc(...end, 4, 0, 2 * Math.PI);
          context.stroke();
        }
        if (!lines.checked) return;
        context.globalAlpha = 0.45;
        context.lineWidth = 1;
        context.beginPath();
        context.moveTo(...ends[0]);
        context.lineTo(...ends[1]);
        context.stroke();
        context.globalAlpha = 1;
      });
    },
    { role: "img", "aria-label": `The two tiles with ${plural(points.length, "matching point")}` },
  );
  made.canvas.style.aspectRatio = `${whole[0] + gaps[0]} / ${whole[1] + gaps[1]}`;
  return made;
}
