/** The choice of channels: one of them, or a mixture with weights. */

import { el } from "./page.js";

const MIXTURE = "mixture";

/** Give the weights of a text as the server takes it, `name` or `name__weight__name__weight`. */
function weightsOf(text, names) {
  const weights = new Map(names.map((name) => [name, 0]));
  if (names.includes(text)) weights.set(text, 1);
  else {
    const parts = text.split("__");
    for (let at = 0; at + 1 < parts.length; at += 2) {
      if (weights.has(parts[at])) weights.set(parts[at], Number(parts[at + 1]) || 0);
    }
  }
  return weights;
}

/** Write weights as the server takes them: their sum may not be above 1. */
function textOf(weights) {
  const used = [...weights].filter(([, weight]) => weight > 0);
  if (used.length === 0) return "";
  if (used.length === 1) return used[0][0];
  const sum = Math.max(1, used.reduce((all, [, weight]) => all + weight, 0));
  // rounded down, so that they do not come to more than 1 after all
  return used.map(([name, weight]) => `${name}__${Math.floor((weight / sum) * 1000) / 1000}`).join("__");
}

/**
 * Make the choice.
 *
 * @param {string[]} names
 * @param {string} text what is chosen, as in the query of the server; "" leaves it to the server
 * @param {(text) => void} onChange
 */
export function channelChoice(names, text, onChange) {
  const weights = weightsOf(text, names);
  const mixed = [...weights.values()].filter((weight) => weight > 0).length > 1;
  const select = el(
    "select",
    {},
    el("option", { value: "" }, "as the stack says"),
    ...names.map((name, index) => el("option", { value: index }, name)),
    names.length > 1 ? el("option", { value: MIXTURE }, "a mixture …") : null,
  );
  select.value = mixed ? MIXTURE : text === "" ? "" : String(names.indexOf(text));
  const mixture = el(
    "fieldset",
    { hidden: !mixed },
    el("legend", {}, "Weights of the channels"),
    ...names.map((name) => {
      const weight = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: weights.get(name) });
      weight.addEventListener("input", () => {
        weights.set(name, Number(weight.value));
        onChange(textOf(weights));
      });
      return el("label", {}, el("span", {}, name), weight);
    }),
  );
  select.addEventListener("change", () => {
    mixture.hidden = select.value !== MIXTURE;
    if (select.value === MIXTURE) {
      for (const [index, weight] of mixture.querySelectorAll("input").entries()) {
        weight.value = 1;
        weights.set(names[index], 1);
      }
      onChange(textOf(weights));
    } else onChange(select.value === "" ? "" : names[Number(select.value)]);
  });
  return [el("label", {}, el("span", {}, "Channel"), select), mixture];
}
