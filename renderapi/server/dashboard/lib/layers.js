/** The controls by which a reader goes through the layers of a stack. */

import { el, number, plural } from "./page.js";
import { nearest } from "./surface.js";

// milliseconds for which the slider rests before a layer is opened
const REST = 150;

/**
 * Make a slider, buttons and a field for z.
 *
 * @param {Element} place
 * @param {number[]} zs sorted
 * @param {(z) => void} open
 * @returns {Object} `z` of the layer that is open, `show(z)` tells which one that is, `step(by)` opens one so far away
 */
export function layerTools(place, zs, open) {
  let z = zs[0];
  let timer = 0;
  // a z without a layer lies between two
  const target = (by) => {
    const at = nearest(zs, z);
    if (zs[at] === z) return at + by;
    if (by < 0) return zs[at] < z ? at : at - 1;
    return zs[at] > z ? at : at + 1;
  };
  const step = (by) => {
    const to = target(by);
    if (to >= 0 && to < zs.length) open(zs[to]);
  };
  const button = (text, name, by) =>
    el("button", { type: "button", "aria-label": name, title: name, onclick: () => step(by) }, text);
  const before = button("◀", "Layer before", -1);
  const after = button("▶", "Layer after", 1);
  const field = el("input", { type: "number", step: "any", id: "z" });
  const slider = el("input", { type: "range", min: 0, max: zs.length - 1, step: 1, "aria-label": "Layer" });
  const told = el("output", {});
  field.addEventListener("change", () => field.value !== "" && open(Number(field.value)));
  slider.addEventListener("input", () => {
    const wanted = zs[Number(slider.value)];
    field.value = wanted;
    slider.setAttribute("aria-valuetext", `z ${number(wanted)}`);
    clearTimeout(timer);
    timer = setTimeout(() => wanted !== z && open(wanted), REST);
  });
  const label = el("label", { for: "z" }, el("span", {}, "z"), field);
  place.replaceChildren(before, label, after, ...(zs.length > 1 ? [slider] : []), told);
  return {
    step,
    get z() {
      return z;
    },
    show(opened) {
      clearTimeout(timer);
      z = opened;
      const at = nearest(zs, z);
      field.value = z;
      slider.value = at;
      slider.setAttribute("aria-valuetext", `z ${number(z)}`);
      const focused = document.activeElement;
      before.disabled = target(-1) < 0;
      after.disabled = target(1) >= zs.length;
      // who has come to the end with one button goes on with the other
      if (focused === before && before.disabled) after.focus();
      if (focused === after && after.disabled) before.focus();
      told.textContent = zs[at] === z ? `layer ${number(at + 1)} of ${number(zs.length)}` : plural(zs.length, "layer");
    },
  };
}
