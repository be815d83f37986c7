/** Images on pages that are about something else: a choice whether to show them, and single tiles. */

import { readImage, stackPath } from "./api.js";
import { el, plural, problemText } from "./page.js";
import { Pixels } from "./pixels.js";

/** Say what has become of the blocks in sight; the words of the server are left out where they stand elsewhere. */
export function tellImages({ levels, ready, loading, crowded, tiles, problems }, words = true) {
  if (levels.length === 0) return "";
  const told = [];
  const failed = [...problems.values()].reduce((sum, count) => sum + count, 0);
  const of = ready + loading + failed;
  if (loading) told.push(`Reading ${plural(of, "block")} …`);
  else if (ready) told.push(`${plural(ready, "block")} at a scale of ${levels[0] === 0 ? "1" : `1 / ${2 ** levels[0]}`}.`);
  if (failed) told.push(`${plural(failed, "block")} could not be drawn.`, ...(words ? problems.keys() : []));
  if (crowded) {
    told.push(`${plural(crowded, "block")} with up to ${plural(tiles, "tile")} show boxes: come nearer to see pixels.`);
  }
  return told.join(" ");
}

/** Put a text into an element, which a screen reader repeats only if it is another one. */
export function showText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Make the choice whether a map shows pixels.
 *
 * It is on until the first block cannot be drawn, as on a server that may not read the images; whoever turns it on
 * again sees in every block what is wrong.
 *
 * @param {() => import("./map.js").TileMap} map
 */
export function imageChoice(map) {
  let asked = false;
  let layers = [];
  const box = el("input", { type: "checkbox", checked: true });
  const told = el("output", { class: "quiet" });
  const show = () => {
    map().showImages(box.checked ? layers : []);
    if (!box.checked) told.textContent = "";
  };
  box.addEventListener("change", () => {
    asked = true;
    if (box.checked) map().blocks.forgetProblems();
    show();
  });
  return {
    element: el("label", { class: "check" }, box, "Images"),
    told,
    get shown() {
      return box.checked;
    },
    /** Show layers, `{chosen, z, boxes, changing, dx, dy}` each. */
    show(wanted) {
      layers = wanted.map(({ chosen, z, boxes, changing, dx, dy }) => ({
        pixels: new Pixels(map().blocks, chosen, z, boxes, { changing }),
        dx,
        dy,
      }));
      show();
    },
    /** Take what the map tells about its blocks. */
    onImages(seen) {
      if (seen.problems.size && !asked) {
        box.checked = false;
        // not within the drawing that tells it
        queueMicrotask(() => {
          show();
          told.textContent = `Images are not shown. ${[...seen.problems.keys()][0]}`;
        });
      } else showText(told, tellImages(seen));
    },
  };
}

/** Read the image of a tile, no larger than so many pixels. */
export async function readTileImage(chosen, tileId, extent, most, query = {}, signal = undefined) {
  const scale = Math.min(1, most / Math.max(1, ...extent));
  const path = [...stackPath(chosen), "tile", tileId, "jpeg-image"];
  return { image: await readImage(path, { query: { ...query, scale }, signal }), scale };
}

/** Make a place for the image of a tile, which fills as soon as the server has drawn it. */
export function tileImage(chosen, tileId, extent) {
  const place = el("div", { class: "picture", role: "status" }, el("p", { class: "quiet" }, "Reading the image …"));
  readTileImage(chosen, tileId, extent, 320)
    .then(({ image }) => {
      const { width, height } = image;
      const canvas = el("canvas", { role: "img", "aria-label": `Image of tile ${tileId}`, width, height });
      canvas.getContext("2d").drawImage(image, 0, 0);
      image.close();
      place.replaceChildren(canvas);
    })
    .catch((problem) => place.replaceChildren(el("p", {}, `There is no image. ${problemText(problem)}`)));
  return place;
}
