/** The overview: what to look at, and where. */

import { ownerPath, read } from "./lib/api.js";
import { byId, el, header, number, PAGES, pageAddress, say, sayError, showInAddress, when } from "./lib/page.js";
import { picker } from "./lib/picker.js";
import { table } from "./lib/table.js";

const KEYS = ["renderStackOwner", "renderStackProject", "renderStack", "matchOwner", "matchCollection"];
const SHOWS = {
  "stacks.html": ["The stacks of a project: state, layers, tiles; delete them.", ["renderStackOwner", "renderStackProject"]],
  "stack-details.html": [
    "Tile counts and bounds by z, as charts.",
    ["renderStackOwner", "renderStackProject", "renderStack"],
  ],
  "viewer.html": [
    "The images of a layer, from far away and pixel by pixel.",
    ["renderStackOwner", "renderStackProject", "renderStack"],
  ],
  "tile-layer.html": [
    "Where the tiles of a layer are, and which are connected by matches.",
    ["renderStackOwner", "renderStackProject", "renderStack"],
  ],
  "point-match-explorer.html": ["Which layers are connected by point matches, and how well.", KEYS],
};
const NAMES = {
  renderStackOwner: "owner",
  renderStackProject: "project",
  renderStack: "stack",
  matchOwner: "match owner",
  matchCollection: "match collection",
};

let listed = {};
let latest = null;

function showPages(chosen) {
  header(chosen);
  byId("pages").replaceChildren(
    ...PAGES.filter(([page]) => page in SHOWS).map(([page, name]) => {
      const [what, needs] = SHOWS[page];
      const open = needs.filter((key) => !chosen[key]).map((key) => NAMES[key]);
      return el(
        "a",
        { class: "card", href: pageAddress(page, chosen) },
        el("strong", {}, name),
        el("span", {}, what),
        open.length ? el("em", {}, `Still to choose: ${open.join(", ")}.`) : null,
      );
    }),
  );
}

/** Sum up the stacks of an owner by project. */
function byProject(stacks) {
  const projects = new Map();
  for (const { stackId, stats, lastModifiedTimestamp } of stacks) {
    const sum = projects.get(stackId.project) ?? { project: stackId.project, stacks: 0, tiles: 0 };
    sum.stacks += 1;
    sum.tiles += stats?.tileCount ?? 0;
    if (!(sum.modified > lastModifiedTimestamp)) sum.modified = lastModifiedTimestamp;
    projects.set(stackId.project, sum);
  }
  return [...projects.values()];
}

function section(place, title, made, note = null) {
  place.replaceChildren(el("h2", {}, title), ...(made ? [made.element] : [el("p", { class: "quiet" }, note)]));
}

async function showProjects(owner, chosen) {
  const place = byId("projects");
  if (!owner) return place.replaceChildren();
  const projects = byProject(await read([...ownerPath(owner), "stacks"]));
  if (latest !== chosen) return;
  const columns = [
    {
      label: "Project",
      heading: true,
      value: (row) => row.project,
      cell: (row) =>
        el(
          "a",
          { href: pageAddress("stacks.html", { renderStackOwner: owner, renderStackProject: row.project }) },
          row.project,
        ),
    },
    { label: "Stacks", numeric: true, value: (row) => row.stacks, cell: (row) => number(row.stacks) },
    {
      label: "Tiles in complete stacks",
      numeric: true,
      value: (row) => row.tiles,
      cell: (row) => number(row.tiles),
    },
    { label: "Last modified", value: (row) => row.modified, cell: (row) => when(row.modified) },
  ];
  const made = projects.length ? table(`Projects of ${owner}`, columns, projects) : null;
  section(place, `Projects of ${owner}`, made, "This owner has no project.");
}

async function showCollections(owner, chosen) {
  const place = byId("collections");
  if (!owner) return place.replaceChildren();
  const collections = await read([...ownerPath(owner), "matchCollections"]);
  if (latest !== chosen) return;
  const columns = [
    {
      label: "Collection",
      heading: true,
      value: (row) => row.collectionId.name,
      cell: (row) =>
        el(
          "a",
          {
            href: pageAddress("point-match-explorer.html", {
              ...chosen,
              matchOwner: owner,
              matchCollection: row.collectionId.name,
            }),
          },
          row.collectionId.name,
        ),
    },
    { label: "Tile pairs", numeric: true, value: (row) => row.pairCount, cell: (row) => number(row.pairCount) },
  ];
  const made = collections.length ? table(`Match collections of ${owner}`, columns, collections) : null;
  section(place, `Match collections of ${owner}`, made, "This owner has no match collection.");
}

async function show(chosen) {
  showPages(chosen);
  latest = chosen;
  try {
    if (chosen.renderStackOwner !== listed.owner) await showProjects(chosen.renderStackOwner, chosen);
    if (chosen.matchOwner !== listed.matchOwner) await showCollections(chosen.matchOwner, chosen);
    if (latest === chosen) listed = { owner: chosen.renderStackOwner, matchOwner: chosen.matchOwner };
  } catch (problem) {
    sayError(byId("status"), "The lists could not be read.", problem);
  }
}

async function showServer() {
  const version = await read(["versionInfo"]);
  const words = Object.entries(version ?? {}).map(([name, value]) => `${name} ${value}`);
  byId("server").replaceChildren(
    el("p", { class: "quiet" }, `Server: ${words.join(", ") || "it does not tell its version"}. `,
      el("a", { href: "../swagger.json" }, "Description of its REST interface")),
  );
}

showPages({});
try {
  const { chosen, empty } = await picker(byId("picker"), KEYS, {
    onChange(changed) {
      showInAddress(changed);
      show(changed);
    },
  });
  if (empty === "renderStackOwner") {
    say(
      byId("status"),
      "info",
      "This server holds no stack yet.",
      "Make one with renderapi.stack.create_stack and fill it with renderapi.client.import_tilespecs, or stop this " +
        "server and try one that has something in it: renderapi demo --serve",
    );
  }
  await show(chosen);
  await showServer();
} catch (problem) {
  sayError(byId("status"), "The overview could not be made.", problem);
}
