/** The stacks of a project. */

import { address, projectPath, read, remove, stackPath } from "./lib/api.js";
import { byId, el, header, number, pageAddress, plural, say, sayError, stateBadge, when } from "./lib/page.js";
import { missing, picker } from "./lib/picker.js";
import { table } from "./lib/table.js";

const status = byId("status");
const menu = el("div", { class: "menu", popover: "auto", "aria-label": "Views of the stack" });
let opener = null;

menu.addEventListener("toggle", (event) => opener?.setAttribute("aria-expanded", event.newState === "open"));

const keysOf = (stack) => ({
  ...chosen,
  renderStackOwner: stack.stackId.owner,
  renderStackProject: stack.stackId.project,
  renderStack: stack.stackId.stack,
});

/** Open the menu of a stack below its button; there is one menu for all rows. */
function openMenu(button, stack) {
  const keys = keysOf(stack);
  const at = stack.stats?.stackBounds?.minZ;
  const page = (name, file, more = {}) => el("a", { href: pageAddress(file, { ...keys, ...more }) }, name);
  const data = (name, ...path) =>
    el("a", { href: address([...stackPath(keys), ...path]), class: "data" }, name);
  menu.replaceChildren(
    page("Details and charts", "stack-details.html"),
    page("Viewer", "viewer.html", { z: at }),
    page("Tile layer", "tile-layer.html", { z: at }),
    page("Point match explorer", "point-match-explorer.html"),
    el("hr"),
    data("Metadata"),
    data("z values", "zValues"),
    data("Section data", "sectionData"),
    data("Mergeable z values", "mergeableZValues"),
    data("Merged z values", "mergedZValues"),
    data("Reordered sections", "reorderedSectionData"),
  );
  if (opener !== button) menu.hidePopover();
  opener = button;
  // after its button in the document, so that the Tab key goes from one into the other
  button.after(menu);
  menu.showPopover();
  const place = button.getBoundingClientRect();
  const left = Math.max(8, Math.min(place.left, innerWidth - menu.offsetWidth - 8));
  const below = place.bottom + 4;
  const fits = below + menu.offsetHeight <= innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${fits ? below : Math.max(8, place.top - menu.offsetHeight - 4)}px`;
}

/** Ask, and only then delete. */
function askToDelete(stack, gone) {
  const name = stack.stackId.stack;
  const trouble = el("div");
  const confirm = el("button", { type: "button", class: "danger" }, "Delete the stack");
  const cancel = el("button", { type: "button", onclick: () => dialog.close() }, "Keep it");
  const size = stack.stats
    ? `${plural(stack.stats.tileCount, "tile")} in ${plural(stack.stats.sectionCount, "layer")}`
    : "all of its tiles";
  const dialog = el(
    "dialog",
    { "aria-labelledby": "ask-title", "aria-describedby": "ask-what" },
    el("h2", { id: "ask-title" }, `Delete ${name}?`),
    el(
      "p",
      { id: "ask-what" },
      `The stack ${name} of ${stack.stackId.owner}, ${stack.stackId.project} goes with ${size} and its shared ` +
        "transforms. Images and point matches stay. This cannot be undone.",
    ),
    trouble,
    el("div", { class: "buttons" }, cancel, confirm),
  );
  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    try {
      await remove(stackPath(keysOf(stack)));
      dialog.close();
      gone();
    } catch (problem) {
      sayError(trouble, "The stack was not deleted.", problem);
      confirm.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  cancel.focus();
}

function showStacks(stacks) {
  const version = (stack) => stack.currentVersion ?? {};
  const amount = (label, of) => ({ label, numeric: true, value: of, cell: (stack) => number(of(stack)) });
  const columns = [
    amount("Cycle", (stack) => version(stack).cycleNumber),
    amount("Step", (stack) => version(stack).cycleStepNumber),
    {
      label: "Stack",
      heading: true,
      value: (stack) => stack.stackId.stack,
      cell: (stack) =>
        el(
          "a",
          { href: pageAddress("stack-details.html", keysOf(stack)), title: version(stack).versionNotes },
          stack.stackId.stack,
        ),
    },
    { label: "State", value: (stack) => stack.state, cell: (stack) => stateBadge(stack.state) },
    amount("First z", (stack) => stack.stats?.stackBounds?.minZ),
    amount("Last z", (stack) => stack.stats?.stackBounds?.maxZ),
    amount("Layers", (stack) => stack.stats?.sectionCount),
    amount("Tiles", (stack) => stack.stats?.tileCount),
    amount("Shared transforms", (stack) => stack.stats?.transformCount),
    {
      label: "Last modified",
      value: (stack) => stack.lastModifiedTimestamp,
      cell: (stack) => when(stack.lastModifiedTimestamp),
    },
    {
      label: "View",
      cell: (stack) => {
        const label = `Views of ${stack.stackId.stack}`;
        const button = el("button", { type: "button", "aria-label": label, "aria-expanded": "false" }, "View ▾");
        button.addEventListener("click", () => openMenu(button, stack));
        return button;
      },
    },
    {
      label: "Manage",
      cell: (stack) =>
        el(
          "button",
          {
            type: "button",
            class: "danger quiet",
            "aria-label": `Delete ${stack.stackId.stack}`,
            onclick: () => askToDelete(stack, () => deleted(stack)),
          },
          "Delete",
        ),
    },
  ];
  const made = table("Stacks", columns, stacks);
  const shown = el("output", {}, plural(stacks.length, "stack"));
  const search = el("input", { type: "search", placeholder: "part of a name or state" });
  search.addEventListener("input", filter);
  function filter() {
    const words = search.value.toLowerCase();
    const count = made.filter(({ stackId, state }) => `${stackId.stack} ${state}`.toLowerCase().includes(words));
    shown.textContent = words ? `${number(count)} of ${plural(stacks.length, "stack")}` : plural(stacks.length, "stack");
  }
  function deleted(stack) {
    made.remove(stack);
    stacks.splice(stacks.indexOf(stack), 1);
    filter();
    say(status, "done", `The stack ${stack.stackId.stack} was deleted.`);
    search.focus();
  }
  byId("stacks").replaceChildren(
    el("div", { class: "toolbar" }, el("label", {}, el("span", {}, "Find"), search), shown),
    made.element,
  );
}

header();
let chosen = {};
try {
  const keys = ["renderStackOwner", "renderStackProject"];
  const picked = await picker(byId("picker"), keys, { keep: ["renderStack", "matchOwner", "matchCollection", "z"] });
  chosen = picked.chosen;
  header(chosen);
  const open = missing(chosen, keys);
  if (picked.empty) {
    say(status, "info", "There is nothing here yet.", "Make a stack with renderapi.stack.create_stack.");
  } else if (open) {
    say(status, "info", open);
  } else {
    say(status, "info", "Reading the stacks …");
    const stacks = await read([...projectPath(chosen.renderStackOwner, chosen.renderStackProject), "stacks"]);
    say(status);
    if (stacks.length) showStacks(stacks);
    else {
      say(
        status,
        "info",
        `The project ${chosen.renderStackProject} of ${chosen.renderStackOwner} has no stacks.`,
        "Choose another one above, or make a stack with renderapi.stack.create_stack.",
      );
    }
  }
} catch (problem) {
  sayError(status, "The stacks could not be read.", problem);
}
