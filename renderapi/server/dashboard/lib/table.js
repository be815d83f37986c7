/** A table whose columns sort, and which becomes a list of cards on a narrow screen. */

import { el } from "./page.js";

const words = new Intl.Collator("en", { numeric: true });

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return words.compare(String(a), String(b));
}

/** Compare what may be absent; what is absent comes last in both directions. */
function ordered(a, b, direction) {
  const gone = (value) => value === undefined || value === null;
  if (gone(a) || gone(b)) return gone(a) - gone(b);
  return direction * compare(a, b);
}

/**
 * Make a table.
 *
 * @param {string} caption what it lists
 * @param {Array} columns `{label, value, cell, numeric, heading}`; `value(row)` is sorted by, `cell(row)` shown
 *     (default: the value); a column without `value` does not sort
 * @param {Array} rows
 */
export function table(caption, columns, rows) {
  const body = el("tbody");
  const lines = rows.map((row) => ({ row, line: tableRow(columns, row) }));
  const sortable = columns.filter((column) => column.value);
  const headings = new Map();
  let sorted = null;
  let direction = 1;

  function sortBy(column, way) {
    direction = way ?? (sorted === column ? -direction : 1);
    sorted = column;
    const key = (entry) => column.value(entry.row);
    lines.sort((a, b) => ordered(key(a), key(b), direction));
    body.append(...lines.map(({ line }) => line));
    for (const [other, heading] of headings) {
      if (other === column) heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
    select.value = String(sortable.indexOf(column));
  }

  const select = el(
    "select",
    { onchange: () => select.value !== "" && sortBy(sortable[Number(select.value)], direction) },
    el("option", { value: "" }, "as the server has them"),
    ...sortable.map((column, index) => el("option", { value: index }, column.label)),
  );
  const turn = el("button", { type: "button", onclick: () => sorted && sortBy(sorted) }, "Reverse");
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
  body.append(...lines.map(({ line }) => line));
  return {
    element: el(
      "div",
      { class: "table" },
      el("div", { class: "sorting" }, el("label", {}, el("span", {}, "Sort by"), select), turn),
      el("table", {}, el("caption", { class: "hidden" }, caption), el("thead", {}, head), body),
    ),
    /** Show only rows for which a function holds. */
    filter(holds) {
      let shown = 0;
      for (const { row, line } of lines) {
        line.hidden = !holds(row);
        shown += !line.hidden;
      }
      return shown;
    },
    remove(row) {
      const index = lines.findIndex((entry) => entry.row === row);
      lines.splice(index, 1)[0].line.remove();
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
