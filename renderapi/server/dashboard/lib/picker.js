/** The form that says what a page shows: owner, project, stack, match collection. */

import { ownerPath, projectPath, read } from "./api.js";
import { byId, el, plural, query, sayError } from "./page.js";

const FIELDS = {
  renderStackOwner: { label: "Owner", list: () => read(["owners"]), needs: [] },
  renderStackProject: {
    label: "Project",
    list: (chosen) => read([...ownerPath(chosen.renderStackOwner), "projects"]),
    needs: ["renderStackOwner"],
  },
  renderStack: {
    label: "Stack",
    list: async (chosen) =>
      (await read([...projectPath(chosen.renderStackOwner, chosen.renderStackProject), "stackIds"])).map(
        (id) => id.stack,
      ),
    needs: ["renderStackOwner", "renderStackProject"],
  },
  matchOwner: {
    label: "Match owner",
    list: () => read(["matchCollectionOwners"]),
    needs: [],
    like: "renderStackOwner",
    optional: true,
  },
  matchCollection: {
    label: "Match collection",
    list: async (chosen) =>
      (await read([...ownerPath(chosen.matchOwner), "matchCollections"])).map((collection) => [
        collection.collectionId.name,
        `${collection.collectionId.name} (${plural(collection.pairCount, "pair")})`,
      ]),
    needs: ["matchOwner"],
    optional: true,
  },
};

/**
 * Fill the form of a page with selects and wait until their lists are there.
 *
 * What the query does not say is taken from the properties `view.*` of the server, or chosen if there is one
 * possibility only. Without `onChange` the form is sent as a query to the page itself; the keys of `keep` stay in it
 * as they are then.
 *
 * @returns {Promise<{chosen: Object, empty: string|null}>} the values, and the first list without entries
 */
export async function picker(form, keys, { onChange = null, keep = [] } = {}) {
  const given = query();
  const defaults = (await read(["serverProperties"])).properties ?? {};
  const selects = Object.fromEntries(
    keys.map((key) => [key, el("select", { name: key, id: `pick-${key}` })]),
  );
  const counts = {};
  const values = () => {
    const chosen = { ...given };
    for (const key of keys) chosen[key] = selects[key].value || undefined;
    return chosen;
  };

  async function fill(key, wanted) {
    const field = FIELDS[key];
    const chosen = values();
    const missing = field.needs.some((need) => !chosen[need]);
    const asked = field.needs.map((need) => chosen[need]).join("/");
    const options = (missing ? [] : await field.list(chosen)).map((option) =>
      Array.isArray(option) ? option : [option, option],
    );
    // something else was chosen while the list was on its way
    if (field.needs.map((need) => values()[need]).join("/") !== asked) return;
    counts[key] = missing ? null : options.length;
    const names = options.map(([value]) => value);
    const like = field.like && names.includes(chosen[field.like]) ? chosen[field.like] : undefined;
    const value = wanted ?? like ?? (names.length === 1 && !field.optional ? names[0] : undefined);
    if (value !== undefined && !missing && !names.includes(value)) {
      options.unshift([value, `${value} (not on this server)`]);
    }
    const none = missing ? "–" : names.length ? (field.optional ? "none" : "choose …") : "there is none";
    selects[key].replaceChildren(
      el("option", { value: "" }, none),
      ...options.map(([name, text]) => el("option", { value: name }, text)),
    );
    selects[key].disabled = missing || options.length === 0;
    selects[key].value = value !== undefined && !missing ? value : "";
  }

  form.replaceChildren(
    ...keys.map((key) =>
      el("label", { for: `pick-${key}` }, el("span", {}, FIELDS[key].label), selects[key]),
    ),
  );
  if (!onChange) form.append(el("button", { type: "submit", class: "primary" }, "Show"));
  form.addEventListener("submit", (event) => onChange && event.preventDefault());
  form.addEventListener("formdata", ({ formData }) => {
    const here = query();
    for (const key of keep) if (here[key] !== undefined) formData.set(key, here[key]);
    // a field that was left empty says nothing
    for (const [key, value] of [...formData]) if (value === "") formData.delete(key);
  });
  for (const key of keys) {
    selects[key].addEventListener("change", async () => {
      try {
        for (const dependent of keys.slice(keys.indexOf(key) + 1)) {
          if (FIELDS[dependent].needs.includes(key)) await fill(dependent);
        }
        onChange?.(values());
      } catch (problem) {
        sayError(byId("status"), "The lists above could not be read.", problem);
      }
    });
  }
  for (const key of keys) await fill(key, given[key] ?? defaults[`view.${key}`]);
  return { chosen: values(), empty: keys.find((key) => counts[key] === 0) ?? null };
}

/** Give the words for what is still to be chosen, or null if nothing is. */
export function missing(chosen, keys) {
  const names = keys.filter((key) => !chosen[key]).map((key) => FIELDS[key].label.toLowerCase());
  if (names.length === 0) return null;
  const list = names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0];
  return `Choose ${/^[aeiou]/.test(list) ? "an" : "a"} ${list} above, then press Show.`;
}
