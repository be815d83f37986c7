/** What all pages share: elements made from text, the query keys, the header, messages. */

import { NoAnswer, ServerError } from "./api.js";

/** The keys of the query by which the pages of render-ws say what they show. */
export const KEYS = [
  "renderStackOwner",
  "renderStackProject",
  "renderStack",
  "matchOwner",
  "matchCollection",
  "z",
];

export const PAGES = [
  ["index.html", "Overview"],
  ["stacks.html", "Stacks"],
  ["stack-details.html", "Stack details"],
  ["viewer.html", "Viewer"],
  ["tile-layer.html", "Tile layer"],
  ["point-match-explorer.html", "Point match explorer"],
  ["match-trial.html", "Match trial"],
];

/**
 * Make an element. Strings among the children become text, never HTML, so that names, ids and notes
 * can hold any character.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Give the keys of this page's query that have a value. */
export function query() {
  const given = {};
  for (const [key, value] of new URLSearchParams(location.search)) if (value !== "") given[key] = value;
  return given;
}

/** Make the address of a page from the keys that it may know, and some of its own. */
export function pageAddress(page, chosen, own = {}) {
  const keys = new URLSearchParams(own);
  for (const key of KEYS) {
    if (chosen[key] !== undefined && chosen[key] !== "") keys.set(key, chosen[key]);
  }
  const text = keys.toString();
  return text ? `${page}?${text}` : page;
}

/** Put keys into the address of this page, without loading it again. */
export function showInAddress(keys, { push = false } = {}) {
  const target = new URL(location.href);
  for (const [key, value] of Object.entries(keys)) {
    if (value === undefined || value === "") target.searchParams.delete(key);
    else target.searchParams.set(key, value);
  }
  if (target.href !== location.href) history[push ? "pushState" : "replaceState"](null, "", target);
}

/** Draw the header, with links that keep what is chosen. */
export function header(chosen = query()) {
  const here = location.pathname.split("/").pop() || "index.html";
  byId("top").replaceChildren(
    el("a", { class: "brand", href: pageAddress("index.html", chosen) }, "render-ws"),
    el(
      "nav",
      { "aria-label": "Pages" },
      ...PAGES.map(([page, name]) =>
        el("a", { href: pageAddress(page, chosen), "aria-current": page === here && "page" }, name),
      ),
    ),
  );
}

/** Show one message in a place, instead of what was there; without text, show none. */
export function say(place, kind, title, ...more) {
  if (!title) {
    place.replaceChildren();
    return;
  }
  place.replaceChildren(
    el(
      "div",
      { class: `message ${kind}`, role: kind === "error" ? "alert" : "status" },
      el("strong", {}, title),
      ...more.map((part) => (typeof part === "string" ? el("p", {}, part) : part)),
    ),
  );
}

/** Give the words of a problem; one that is none of the server's is told to the console, too. */
export function problemText(problem) {
  if (problem instanceof ServerError) return `The server says (status ${problem.status}): ${problem.message}`;
  if (!(problem instanceof NoAnswer)) console.error(problem);
  return problem.message;
}

/** Say what went wrong and, where it is known, what to do. */
export function sayError(place, what, problem, advice) {
  if (problem.name !== "AbortError") say(place, "error", what, problemText(problem), advice);
}

const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

/** Write a number for reading; a dash where there is none. */
export const number = (value) => (value === undefined || value === null ? "–" : numbers.format(value));

/** Write a number for the little room of an axis. */
export const short = (value) => (Math.abs(value) >= 1e5 ? compact.format(value) : numbers.format(value));

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** Make an element for a date of the server, in the time zone of the reader. */
export function when(text) {
  const date = new Date(text);
  if (text === undefined || Number.isNaN(date.getTime())) return document.createTextNode("–");
  const two = (part) => String(part).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return el("time", { datetime: text, title: text }, `${day} ${two(date.getHours())}:${two(date.getMinutes())}`);
}

export const stateBadge = (state) =>
  el("span", { class: "state", "data-state": state ?? "" }, state ?? "unknown");

/** Call a function when the colours of the page change. */
export function onColours(redraw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
