/** A table whose columns sort, and which becomes a list of cards on a narrow screen. */

import { el, number } from "./page.js";

const FIRST_ROWS = 200;
const MORE_ROWS = 500;
const words = new Intl.Collator("en", { numeric: true });

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return words.compare(String(a), String(b));
}

/** Compare what may be absent; what is absent comes last in both directions. */
function ordered(a, b, direction) {
  const gone = (value) => value === undefined || value === null;
  if (gone(a) || gone(b)) return Number(gone(a)) - Number(gone(b));
  return direction * compare(a, b);
}

/**
 * Make a table. Of many rows the first are shown, so that it sorts at once however many there are.
 *
 * @param {string} caption what it lists
 * @param {Array} columns `{label, value, cell, numeric, heading}`; `value(row)` is sorted by, `cell(row)` shown
 *     (default: the value); a column without `value` does not sort
 * @param {Array} rows
 */
export function table(caption, columns, rows) {
  /** @type {{ row: any, place: number, line: Element | null }[]} */
  let entries = rows.map((row, place) => ({ row, place, line: null }));
  const sortable = columns.filter((column) => column.value);
  const headings = new Map();
  let sorted = null;
  let direction = 1;
  /** @type {(row: any) => boolean} */
  let holds = () => true;
  let room = FIRST_ROWS;
  const body = el("tbody");
  const rest = el("span");
  const more = el("button", { type: "button", onclick: showMore }, `Show ${number(MORE_ROWS)} more`);
  const remaining = el("p", { class: "more" }, more, rest);

  /** Put those rows into the table that belong there now; a row is made when it is shown first. */
  function arrange() {
    const held = entries.filter(({ row }) => holds(row));
    const shown = held.slice(0, room);
    for (const entry of shown) entry.line ??= tableRow(columns, entry.row);
    body.replaceChildren(...shown.map(({ line }) => line));
    remaining.hidden = shown.length === held.length;
    rest.textContent = `${number(shown.length)} of ${number(held.length)} are shown.`;
    return held.length;
  }

  function showMore() {
    const next = body.children.length;
    room += MORE_ROWS;
    arrange();
    body.children[next]?.querySelector("a, button")?.focus();
  }

  function sortBy(column, way = undefined) {
    direction = way ?? (sorted === column ? -direction : 1);
    sorted = column;
    const key = column ? (entry) => column.value(entry.row) : (entry) => entry.place;
    entries.sort((a, b) => ordered(key(a), key(b), direction));
    arrange();
    for (const [other, heading] of headings) {
      if (other === column) heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
    select.value = String(sortable.indexOf(column));
  }

  const select = el(
    "select",
    { onchange: () => sortBy(sortable[Number(select.value)] ?? null, 1) },
    el("option", { value: "-1" }, "as the server has them"),
    ...sortable.map((column, index) => el("option", { value: index }, column.label)),
  );
  const turn = el("button", { type: "button", onclick: () => sortBy(sorted) }, "Reverse");
  const head = el(
    "tr",
    {},
    ...columns.map((column) => {
      const heading = el("th", { scope: "col", class: column.numeric && "number" });
      if (column.value) {
        heading.append(el("button", { type: "button", onclick: () => sortBy(column) }, column.label));
        headings.set(column, heading);
      } else heading.append(column.label);
      return heading;
    }),
  );
  arrange();
  return {
    element: el(
      "div",
      { class: "table" },
      el("div", { class: "sorting" }, el("label", {}, el("span", {}, "Sort by"), select), turn),
      el("table", {}, el("caption", { class: "hidden" }, caption), el("thead", {}, head), body),
      remaining,
    ),
    /** Show only rows for which a function holds, and tell how many these are. */
    filter(wanted) {
      holds = wanted;
      return arrange();
    },
    remove(row) {
      entries = entries.filter((entry) => entry.row !== row);
      arrange();
    },
  };
}

function tableRow(columns, row) {
  return el(
    "tr",
    {},
    ...columns.map((column) => {
      const content = column.cell ? column.cell(row) : String(column.value(row) ?? "–");
      const attributes = { "data-label": column.label, class: column.numeric && "number" };
      return el(column.heading ? "th" : "td", { ...attributes, scope: column.heading && "row" }, content);
    }),
  );
}
