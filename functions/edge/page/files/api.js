/** The public routes of the deployment that serves this page. */

const RETRIED = new Set([429, 502, 503]);
const MOST_TRIES = 3;
const LONGEST_WAIT_S = 5;
const FRESH_MS = 60_000;
const MOST_REMEMBERED = 60;

/** The address that all routes are below, whatever path the deployment is served from. */
export const BASE_URL = import.meta.url.replace(/page\/(v-[0-9a-f]+\/)?api\.js(\?.*)?$/, '');

/** Why a request was not answered as asked. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where there was no answer at all
   * @param {{code?: string, message?: string, details?: Record<string, string | null>}} said
   * @param {number | null} retryAfter in seconds
   */
  constructor(status, said, retryAfter = null) {
    super(said.message ?? (status ? `The answer was ${status}` : 'There was no answer'));
    this.name = 'ApiError';
    this.status = status;
    this.code = said.code ?? '';
    this.details = said.details ?? {};
    this.retryAfter = retryAfter;
  }
}

/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */

/**
 * A path with a query; what is empty is left out.
 * @param {string} path
 * @param {Query} [query]
 */
export function pathOf(path, query = {}) {
  const said = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  const text = new URLSearchParams(said.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/**
 * The path of a URI template of the API with its variables filled in.
 * @param {string} template
 * @param {Record<string, string>} variables
 */
export function filled(template, variables) {
  const [path, expression] = template.split('{', 2);
  const names = (expression ?? '').replace(/^[?&]|\}$/g, '').split(',');
  const [route, query = ''] = path.split('?', 2);
  const fixed = Object.fromEntries(new URLSearchParams(query));
  const said = Object.fromEntries(
    names.filter((name) => variables[name] !== undefined).map((name) => [name, variables[name]]),
  );
  return pathOf(route, { ...fixed, ...said });
}

/** What was asked before anybody waits for it, by token and path. */
const AHEAD = /** @type {Map<string, Promise<Response>>} */ (new Map());

/**
 * Ask at once what is going to be asked first: whoever asks next is given that answer.
 * @param {string} token
 * @param {string} path
 */
export function askAhead(token, path) {
  const answer = request(token, path, {});
  answer.catch(() => {}); // whoever is given it says so
  AHEAD.set(`${token} ${path}`, answer);
}

/**
 * @param {string} token
 * @param {string} path
 */
function askedAhead(token, path) {
  const answer = AHEAD.get(`${token} ${path}`);
  AHEAD.delete(`${token} ${path}`);
  return answer;
}

/**
 * @param {string} token
 * @param {string} path
 * @param {RequestInit} how
 */
function request(token, path, how) {
  const headers = { ...how.headers, Authorization: `Bearer ${token}` };
  return fetch(new URL(path.replace(/^\//, ''), BASE_URL), {
    ...how,
    headers,
    credentials: 'omit',
  });
}

/** A client of the routes with one key or embed token. */
export class Api {
  /**
   * @param {string} token
   * @param {() => void} onUnauthorized
   */
  constructor(token, onUnauthorized = () => {}) {
    this.token = token;
    this.onUnauthorized = onUnauthorized;
    /** @type {Map<string, {at: number, answer: any}>} */
    this.remembered = new Map();
  }

  /**
   * An answer that was given within the last minute, if there is one.
   * @param {string} path
   */
  known(path) {
    const found = this.remembered.get(path);
    return found && Date.now() - found.at < FRESH_MS ? found.answer : undefined;
  }

  /**
   * The JSON at a path such as `/v1/seats?limit=1`; an answer is good for a minute.
   * @param {string} path
   * @param {{signal?: AbortSignal, fresh?: boolean}} [how]
   * @returns {Promise<any>}
   */
  async get(path, { signal, fresh = false } = {}) {
    const known = fresh ? undefined : this.known(path);
    if (known !== undefined) return known;
    const answer = await (await this.send(path, { signal })).json();
    this.remember(path, answer);
    return answer;
  }

  /**
   * The same table as CSV.
   * @param {string} path
   * @param {AbortSignal} [signal]
   */
  async csv(path, signal) {
    return (await this.send(path, { signal, headers: { Accept: 'text/csv' } })).blob();
  }

  /**
   * @param {string} path
   * @param {unknown} body
   */
  async post(path, body) {
    const headers = { 'Content-Type': 'application/json' };
    return (await this.send(path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  }

  /**
   * Try again what the service was too busy for, and throw an `ApiError` for all other refusals.
   * @param {string} path
   * @param {RequestInit} how
   */
  async send(path, how) {
    for (let tries = 1; ; tries += 1) {
      const response = await this.fetch(path, how);
      if (response.ok) return response;
      const error = await errorOf(response);
      if (response.status === 401) this.onUnauthorized();
      if (!RETRIED.has(response.status) || tries === MOST_TRIES || how.method) throw error;
      await wait(Math.min(error.retryAfter ?? tries, LONGEST_WAIT_S), how.signal);
    }
  }

  /**
   * @param {string} path
   * @param {RequestInit} how
   */
  async fetch(path, how) {
    try {
      return await (askedAhead(this.token, path) ?? request(this.token, path, how));
    } catch (error) {
      if (/** @type {Error} */ (error).name === 'AbortError') throw error;
      throw new ApiError(0, { message: 'The service cannot be reached' });
    }
  }

  /**
   * @param {string} path
   * @param {any} answer
   */
  remember(path, answer) {
    this.remembered.delete(path);
    this.remembered.set(path, { at: Date.now(), answer });
    if (this.remembered.size > MOST_REMEMBERED) {
      this.remembered.delete(/** @type {string} */ (this.remembered.keys().next().value));
    }
  }

  /** Ask for everything anew. */
  forget() {
    this.remembered.clear();
  }
}

/**
 * What a refusal says; bodies that are not ours say nothing.
 * @param {Response} response
 */
async function errorOf(response) {
  const body = await response.json().catch(() => ({}));
  const after = Number(response.headers.get('Retry-After'));
  const said = body && typeof body.error === 'object' && body.error ? body.error : {};
  return new ApiError(response.status, said, after > 0 ? after : null);
}

/**
 * @param {number} seconds
 * @param {AbortSignal | null} [signal]
 */
function wait(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(new DOMException('The question was changed', 'AbortError'));
      },
      { once: true },
    );
  });
}

/**
 * Let the browser save a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
