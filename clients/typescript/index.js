/** A typed client of the Odometer API for Node 18 and later and for browsers. */

/**
 * @import { Answer, Call, MeAnswer, Options, Query, Question, Readable, Receipt, Seat, SeatsAnswer,
 *   UsageAnswer, UsageEvent, UsageGroup } from './types.js'
 */

/**
 * @typedef {{path?: Record<string, unknown>, query?: Record<string, unknown>, signal?: AbortSignal}}
 *   Asked
 */

const RETRIED = new Set([429, 500, 502, 503, 504]);
const MOST_TRIES = 6;
const TIMEOUT_MS = 35_000;
const LONGEST_WAIT_MS = 30_000;
const MOST_EVENTS = 1000;
const LARGEST_BODY = 1024 * 1024;

/** What the API refused; `status` is 0 where there was no answer. */
export class OdometerError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {{code?: string, details?: unknown, requestId?: string | null, cause?: unknown}} [more]
   */
  constructor(status, message, { code = '', details = {}, requestId = null, cause } = {}) {
    super(message, { cause });
    this.name = 'OdometerError';
    this.status = status;
    /** Stable, for programs: `invalid_parameter`, `forbidden`, … */
    this.code = code;
    this.details = details;
    /** Name it when you ask for help. */
    this.requestId = requestId;
  }
}

export class Odometer {
  /** @type {string} */ #url;
  /** @type {string} */ #authorization;
  /** @type {number} */ #tries;
  /** @type {number} */ #timeout;
  /** @type {typeof fetch} */ #fetch;

  /** @param {Options} options */
  constructor({
    url,
    key,
    username,
    tries = MOST_TRIES,
    timeout = TIMEOUT_MS,
    fetch = globalThis.fetch,
  }) {
    this.#url = url.replace(/\/+$/, '');
    this.#authorization =
      username === undefined ? `Bearer ${key}` : `Basic ${base64(`${username}:${key}`)}`;
    this.#tries = tries;
    this.#timeout = timeout;
    this.#fetch = fetch.bind(globalThis);
  }

  /**
   * Any question of usage: totals, a series, groups, a comparison.
   * @param {Query<'/v1/usage'>} question
   * @param {Call} [call]
   * @returns {Promise<UsageAnswer>}
   */
  usage(question, call) {
    return this.get('/v1/usage', { query: question, ...call });
  }

  /**
   * Every group of a question, whatever the number of pages.
   * @param {Query<'/v1/usage'>} question
   * @param {Call} [call]
   * @returns {AsyncGenerator<UsageGroup, void, undefined>}
   */
  async *usageGroups(question, call) {
    for await (const page of this.pages('/v1/usage', { query: question, ...call }))
      yield* page.groups;
  }

  /**
   * Who has a seat and does not use it.
   * @param {Query<'/v1/seats'>} [question]
   * @param {Call} [call]
   * @returns {Promise<SeatsAnswer>}
   */
  seats(question, call) {
    return this.get('/v1/seats', { query: question, ...call });
  }

  /**
   * Every seat, whatever the number of pages.
   * @param {Query<'/v1/seats'>} [question]
   * @param {Call} [call]
   * @returns {AsyncGenerator<Seat, void, undefined>}
   */
  async *eachSeat(question, call) {
    for await (const page of this.pages('/v1/seats', { query: question, ...call }))
      yield* page.data;
  }

  /**
   * Who is calling, and names and units to know before asking.
   * @param {Call} [call]
   * @returns {Promise<MeAnswer>}
   */
  me(call) {
    return this.get('/v1/me', { ...call });
  }

  /**
   * Send events, in as many batches as it takes, and add up what became of them. A batch without an
   * answer is sent again with the same ids, so everything counts once.
   * @param {Iterable<UsageEvent>} events
   * @param {Call} [call]
   * @returns {Promise<Receipt>}
   */
  async sendEvents(events, { signal } = {}) {
    /** @type {Receipt} */
    const sum = { accepted: 0, duplicate: 0, rejected: 0, errors: [] };
    let sent = 0;
    for (const batch of batches(events)) {
      /** @type {Receipt} */
      const receipt = await this.request('POST', '/v1/events', {
        body: `[${batch.join(',')}]`,
        isSafe: true,
        signal,
      });
      sum.accepted += receipt.accepted;
      sum.duplicate += receipt.duplicate;
      sum.rejected += receipt.rejected;
      sum.errors.push(...receipt.errors.map((each) => ({ ...each, index: each.index + sent })));
      sent += batch.length;
    }
    return sum;
  }

  /**
   * Any GET of the API, by its path in the documents.
   * @template {Readable} P
   * @param {P} path
   * @param {Question<P>} question
   * @returns {Promise<Answer<P>>}
   */
  get(path, question) {
    const { path: named, query, signal } = /** @type {Asked} */ (question);
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => segment(String(named?.[name])));
    return this.request('GET', filled, { query, signal });
  }

  /**
   * The pages of a list, one after the other.
   * @template {Readable} P
   * @param {P} path
   * @param {Question<P>} question
   * @returns {AsyncGenerator<Answer<P>, void, undefined>}
   */
  async *pages(path, question) {
    /** @type {Record<string, unknown> | null} */
    let next = {};
    const asked = /** @type {Record<string, unknown> | undefined} */ (question.query);
    while (next) {
      /** @type {any} */
      const page = await this.get(
        path,
        /** @type {any} */ ({ ...question, query: { ...asked, ...next } }),
      );
      yield page;
      next = after(page, next);
    }
  }

  /**
   * A request, sent again while the service is busy; what is not safe to repeat is sent once.
   * @param {string} method
   * @param {string} path
   * @param {{query?: Record<string, unknown>, body?: unknown, isSafe?: boolean,
   *   signal?: AbortSignal}} [how]
   * @returns {Promise<any>}
   */
  async request(
    method,
    path,
    {
      query = {},
      body,
      isSafe = method === 'GET' || method === 'PUT' || method === 'DELETE',
      signal,
    } = {},
  ) {
    const url = this.#url + path + queryOf(query);
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    for (let tried = 1; ; tried += 1) {
      const { answer, error, after: pause } = await this.#once(method, url, text, signal);
      if (!error) return answer;
      const isFinal =
        !isSafe || tried >= this.#tries || (error.status !== 0 && !RETRIED.has(error.status));
      if (isFinal) throw error;
      await wait(
        Math.min(
          Math.max(pause, 500 * 2 ** (tried - 1) * (0.75 + Math.random() / 2)),
          LONGEST_WAIT_MS,
        ),
        signal,
      );
    }
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {string | undefined} body
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<{answer?: any, error?: OdometerError, after: number}>}
   */
  async #once(method, url, body, signal) {
    signal?.throwIfAborted();
    const ending = new AbortController();
    const timer = setTimeout(
      () => ending.abort(new Error(`no answer within ${this.#timeout} ms`)),
      this.#timeout,
    );
    const abort = () => ending.abort(signal?.reason);
    signal?.addEventListener('abort', abort);
    try {
      const headers = {
        Accept: 'application/json',
        Authorization: this.#authorization,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      };
      const response = await this.#fetch(url, {
        method,
        headers,
        body,
        signal: ending.signal,
        redirect: 'error',
        credentials: 'omit',
      });
      const text = await response.text();
      if (response.ok) return { answer: text ? JSON.parse(text) : undefined, after: 0 };
      return {
        error: errorOf(response, text),
        after: Number(response.headers.get('Retry-After') ?? 0) * 1000 || 0,
      };
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      return { error: new OdometerError(0, 'There was no answer', { cause }), after: 0 };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

/**
 * How to ask for the page after one, in whatever way its family says it.
 * @param {any} page
 * @param {Record<string, unknown>} asked
 * @returns {Record<string, unknown> | null}
 */
function after(page, asked) {
  const cursor = page.next_cursor;
  if (cursor) return cursor === asked.cursor ? null : { cursor };
  const { page: number, totalPages } = page.data?.metadata?.pagination ?? {};
  if (number < totalPages) return { page: number + 1 };
  return page.meta?.next ?? null;
}

/**
 * Events as JSON in batches that one request takes.
 * @param {Iterable<UsageEvent>} events
 * @returns {Generator<string[], void, undefined>}
 */
function* batches(events) {
  const encoder = new TextEncoder();
  /** @type {string[]} */
  let batch = [];
  let size = 2;
  for (const event of events) {
    const text = JSON.stringify({ specversion: '1.0', type: 'usage', ...event });
    const length = encoder.encode(text).length + 1;
    if (batch.length === MOST_EVENTS || (batch.length && size + length > LARGEST_BODY)) {
      yield batch;
      batch = [];
      size = 2;
    }
    batch.push(text);
    size += length;
  }
  if (batch.length) yield batch;
}

/**
 * @param {Response} response
 * @param {string} text
 */
function errorOf(response, text) {
  /** @type {any} */
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    /* a proxy may answer in HTML */
  }
  const fault = typeof body.error === 'object' && body.error ? body.error : body;
  const code = fault.code ?? (typeof body.error === 'string' ? body.error : '');
  const message =
    typeof fault.message === 'string' ? fault.message : `The answer was ${response.status}`;
  return new OdometerError(response.status, message, {
    code,
    details: fault.details ?? {},
    requestId: response.headers.get('X-Request-Id'),
  });
}

/**
 * A name as a part of a path; those two would be another path.
 * @param {string} name
 */
function segment(name) {
  if (name === '.' || name === '..') throw new TypeError(`nothing is called ${name}`);
  return encodeURIComponent(name);
}

/** @param {Record<string, unknown>} query */
function queryOf(query) {
  const said = Object.entries(query ?? {}).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return said.length
    ? `?${new URLSearchParams(said.map(([name, value]) => [name, String(value)]))}`
    : '';
}

/** @param {string} text */
function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
