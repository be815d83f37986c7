/** Requests to the REST interface of the server that these pages come from. */

const BASE = new URL("../../v1/", import.meta.url);

/** What the server refused, in its own words. */
export class ServerError extends Error {
  constructor(status, text, address) {
    super(text.trim() || `The server answered with status ${status} and without a reason.`);
    this.name = "ServerError";
    this.status = status;
    this.address = address;
  }
}

/** The server could not be reached at all. */
export class NoAnswer extends Error {
  constructor(cause) {
    super("The server did not answer. Is it still running, and can this computer reach it?", { cause });
    this.name = "NoAnswer";
  }
}

/** Make the address of an endpoint from path segments, each of which may hold any character. */
export function address(segments, query = {}) {
  const made = new URL(segments.map(encodeURIComponent).join("/"), BASE);
  for (const [key, value] of Object.entries(query)) made.searchParams.set(key, value);
  return made;
}

/**
 * What a request may be given: parameters of the query, a signal that ends it, what the browser may keep, what is
 * wanted as an answer, and a document that is sent.
 *
 * @typedef {{ query?: Object, signal?: AbortSignal, cache?: RequestCache, accept?: string, body?: Object }} Options
 */

/**
 * @param {string} method
 * @param {string[]} segments
 * @param {Options} [options]
 */
async function send(method, segments, { query, signal, cache, accept = "application/json, text/plain", body } = {}) {
  const target = address(segments, query);
  let answer;
  try {
    const sent = body && { body: JSON.stringify(body) };
    const headers = { Accept: accept, ...(sent && { "Content-Type": "application/json" }) };
    answer = await fetch(target, { method, signal, cache, headers, ...sent });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new NoAnswer(problem);
  }
  if (!answer.ok) throw new ServerError(answer.status, await answer.text(), target);
  return answer;
}

/**
 * Read a JSON document; null where the server has none (204).
 *
 * @param {string[]} segments
 * @param {Options} [options]
 */
export async function read(segments, options) {
  const answer = await send("GET", segments, options);
  return answer.status === 204 ? null : answer.json();
}

/**
 * Read an image. What the browser has kept is used only after the server was asked whether it still holds; of a stack
 * that is being loaded (`changing`) the server does not know.
 *
 * @param {string[]} segments
 * @param {Options & { changing?: boolean }} [options]
 */
export async function readImage(segments, { changing = false, ...options } = {}) {
  const accept = "image/*, text/plain";
  const answer = await send("GET", segments, { ...options, accept, cache: changing ? "reload" : "no-cache" });
  const content = await answer.blob();
  try {
    return await createImageBitmap(content, { colorSpaceConversion: "none" });
  } catch {
    options.signal?.throwIfAborted();
    throw new ServerError(answer.status, "The answer is no image that this browser can show.", answer.url);
  }
}

/** Send a document, and give the one that is answered. */
export async function post(segments, body) {
  return (await send("POST", segments, { body })).json();
}

export async function remove(segments) {
  await send("DELETE", segments);
}

/** Run a function over items, a few at a time, and give the results in the order of the items. */
export async function inBatches(items, work, atOnce = 6) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

export const ownerPath = (owner) => ["owner", owner];
export const projectPath = (owner, project) => ["owner", owner, "project", project];
export const stackPath = (chosen) => [
  ...projectPath(chosen.renderStackOwner, chosen.renderStackProject),
  "stack",
  chosen.renderStack,
];
export const layerPath = (chosen, z) => [...stackPath(chosen), "z", String(z)];
export const collectionPath = (chosen) => [
  "owner",
  chosen.matchOwner,
  "matchCollection",
  chosen.matchCollection,
];
