/** Two tiles and the points that match between them. */

import { collectionPath, read } from "./api.js";
import { readTileImage } from "./images.js";
import { el, number, plural, problemText } from "./page.js";
import { surface } from "./surface.js";

const MOST = 1024;
const GAP = 12;
const COLOURS = 6;

/** Read the matching points of two tiles, those of the first tile first. */
async function readPoints(chosen, one, other, signal) {
  const tile = ({ sectionId, tileId }) => [sectionId, "id", tileId];
  const path = [...collectionPath(chosen), "group", ...tile(one), "matchesWith", ...tile(other)];
  const points = [];
  for (const { pId, matches } of await read(path, { signal })) {
    const [p, q] = pId === one.tileId ? [matches.p, matches.q] : [matches.q, matches.p];
    p[0].forEach((x, index) => points.push({ p: [x, p[1][index]], q: [q[0][index], q[1][index]], w: matches.w[index] }));
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
    el("div", { class: "buttons" }, el("label", { class: "check" }, lines, " Lines"), close),
  );
  dialog.addEventListener("close", () => {
    request.abort();
    dialog.remove();
    opener?.focus();
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
    const weights = points.map(({ w }) => w);
    const range = weights.length ? `, weights ${number(Math.min(...weights))} to ${number(Math.max(...weights))}` : "";
    said.textContent = [`${plural(points.length, "point")}${range}.`, ...told].join(" ");
    const drawn = drawPair([one, other], [left, right], points, lines);
    lines.addEventListener("change", drawn.redraw);
    place.replaceChildren(drawn.canvas);
  } catch (problem) {
    if (!signal.aborted) said.textContent = `The points could not be read. ${problemText(problem)}`;
  }
}

function drawPair(tiles, pictures, points, lines) {
  const sizes = pictures.map(({ image, scale }, index) =>
    image ? [image.width, image.height] : tiles[index].extent.map((length) => length * scale),
  );
  const [wide, high] = [sizes[0][0] + sizes[1][0], Math.max(sizes[0][1], sizes[1][1])];
  const made = surface(
    (context, width) => {
      const share = (width - GAP) / wide;
      const lefts = [0, sizes[0][0] * share + GAP];
      pictures.forEach(({ image }, side) => {
        context.fillStyle = "#000";
        context.fillRect(lefts[side], 0, sizes[side][0] * share, sizes[side][1] * share);
        if (image) context.drawImage(image, lefts[side], 0, sizes[side][0] * share, sizes[side][1] * share);
      });
      const at = (side, [x, y]) => [lefts[side] + x * pictures[side].scale * share, y * pictures[side].scale * share];
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
    { role: "img", "aria-label": `The two tiles side by side with ${plural(points.length, "matching point")}` },
  );
  made.canvas.style.aspectRatio = `${wide + GAP} / ${Math.max(1, high)}`;
  return made;
}
