/** What has arrived, from where, and how fresh it is; and how to send the first event. */

import { html, useEffect, useRef, useState } from '../vendor/standalone.module.js';
import { BASE_URL } from '../api.js';
import { NOTHING, ago, count, instant } from '../format.js';
import {
  Answered,
  CsvButton,
  Figure,
  Forbidden,
  Panel,
  View,
  stateOf,
  useAnswer,
} from '../parts.js';
import { mayExplain, zoneOf } from '../question.js';

const COVERAGE = '/v1/coverage';
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 30_000;
const SLOWER = 1.5;
const MOST_TRIES = 40;
const QUIET_MS = 24 * 3_600_000;
const MOST_SOURCES = 50;
const MANY_UNSETTLED = 'Many of them make reports slower, and none less exact.';
/** What stands in single quotes of a shell as it is. */
const HARMLESS = /^[\w.@+/:-]{1,128}$/;

/**
 * @param {{api: import('../api.js').Api, me: any,
 *   question: import('../question.js').Question}} props
 */
export default function Data({ api, me, question }) {
  if (!mayExplain(me))
    return html`
      <${View} name="data" state="forbidden" title="Data">
        <${Forbidden}>Only an Admin or a Manager of the organization may read what has arrived.<//>
      <//>
    `;
  return html`<${Arrived} api=${api} me=${me} zone=${zoneOf(question, me)} />`;
}

/** @param {{api: import('../api.js').Api, me: any, zone: string}} props */
function Arrived({ api, me, zone }) {
  const answer = useAnswer(api, COVERAGE);
  const [newest, setNewest] = useState(/** @type {any} */ (null));
  const data = newest ?? answer.data;
  const state = stateOf(
    { ...answer, data },
    (found) => !found.products.some((/** @type {any} */ each) => each.events),
  );
  return html`
    <${View}
      name="data"
      state=${state}
      title="Data"
      subtitle=${`What has arrived, from where, and how fresh it is. Odometer ${me.release}.`}
    >
      <${Answered} answer=${{ ...answer, data }}>
        ${(/** @type {any} */ found) => html`
          <${Freshness} found=${found} zone=${zone} />
          <${FirstEvent} api=${api} me=${me} found=${found} onNews=${setNewest} />
          <${Panel}
            title="What has arrived"
            definition="Every event that was accepted since the beginning, settled or not."
            wide
            actions=${html`<${CsvButton} api=${api} paths=${[COVERAGE]} name="Coverage" />`}
          >
            <${Products} found=${found} me=${me} zone=${zone} />
          <//>
        `}
      <//>
    <//>
  `;
}

/** @param {{found: any, zone: string}} props */
function Freshness({ found, zone }) {
  const events = found.products.reduce(
    (/** @type {number} */ sum, /** @type {any} */ each) => sum + each.events,
    0,
  );
  const sources = new Set(
    found.products.flatMap((/** @type {any} */ each) =>
      each.sources.map((/** @type {any} */ { source }) => source),
    ),
  );
  return html`
    <div class="figures">
      <div class="figure" role="group" aria-label="Counted up to">
        <div class="figure-name">Counted up to</div>
        <div class="figure-value">
          <span>
            <time datetime=${found.through}>${ago(found.through)}</time>
          </span>
        </div>
        <div class="figure-note muted">${instant(found.through, zone)}</div>
      </div>
      <${Figure}
        label="Events"
        value=${events}
        definition="All events of all products since the beginning."
      />
      <${Figure}
        label="Sources"
        value=${sources.size}
        definition="Where events come from, as their source says."
      />
      <${Figure}
        label="Not settled yet"
        value=${found.unsettled_events}
        definition=${`Events that reports count and that are not settled yet. ${MANY_UNSETTLED}`}
      />
    </div>
  `;
}

/** @param {{found: any, me: any, zone: string}} props */
function Products({ found, me, zone }) {
  const named = new Map(
    me.products.map((/** @type {any} */ product) => [product.id, product.name]),
  );
  const kinds = new Map(me.kinds.map((/** @type {any} */ kind) => [kind.name, kind.label]));
  const last = (/** @type {any} */ { last_event_at: at }) => Date.parse(at ?? '') || 0;
  const rows = [...found.products].sort((one, other) => last(other) - last(one));
  return html`
    <div class="table-scroll" tabindex="0" role="region" aria-label="Products, table">
      <table class="plain-table">
        <caption class="visually-hidden">What has arrived of each product</caption>
        <thead>
          <tr>
            <th scope="col">Product</th>
            <th scope="col">Kind</th>
            <th scope="col" class="number">Events</th>
            <th scope="col">First</th>
            <th scope="col">Last</th>
            <th scope="col" class="number">Days without</th>
            <th scope="col">Sources</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) => html`
              <tr key=${row.product}>
                <th scope="row">
                  <bdi>${named.get(row.product) ?? row.product}</bdi>
                </th>
                <td>
                  <bdi>${kinds.get(row.kind) ?? row.kind}</bdi>
                </td>
                <td class="number">${count(row.events)}</td>
                <td>
                  <${When} at=${row.first_event_at} zone=${zone} />
                </td>
                <td>
                  <${When} at=${row.last_event_at} zone=${zone} />${' '}
                  <${State} row=${row} through=${found.through} />
                </td>
                <td class="number">${row.events ? count(row.days_without) : NOTHING}</td>
                <td>
                  <${Sources} row=${row} zone=${zone} />
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{at: string | null, zone: string}} props */
const When = ({ at, zone }) =>
  at ? html`<time datetime=${at} title=${instant(at, zone)}>${ago(at)}</time>` : NOTHING;

/**
 * Whether something comes, has stopped coming, or never came.
 * @param {{row: any, through: string}} props
 */
function State({ row, through }) {
  if (!row.events) return html`<span class="badge" data-status="invited">waiting</span>`;
  const isQuiet = Date.parse(through) - Date.parse(row.last_event_at) > QUIET_MS;
  return isQuiet
    ? html`<span class="badge" data-status="inactive">quiet</span>`
    : html`<span class="badge" data-status="active">fresh</span>`;
}

/** @param {{row: any, zone: string}} props */
function Sources({ row, zone }) {
  if (!row.sources.length) return NOTHING;
  const shown = row.sources.slice(0, MOST_SOURCES);
  return html`
    <details>
      <summary>${count(row.sources.length)}</summary>
      <ul>
        ${shown.map(
          (/** @type {any} */ each) => html`
            <li key=${each.source}>
              <bdi>${each.source}</bdi>${' '}
              <span class="muted">
                ${count(each.events)}, last <${When} at=${each.last_event_at} zone=${zone} />
              </span>
            </li>
          `,
        )}
        ${
          row.sources.length > MOST_SOURCES &&
          html`<li class="muted">${count(row.sources.length - MOST_SOURCES)} more in the CSV</li>`
        }
        ${
          row.other_sources &&
          html`<li class="muted">${count(row.other_sources.events)} of other sources</li>`
        }
      </ul>
    </details>
  `;
}

/**
 * A command to send an event, which says when it has arrived.
 * @param {{api: import('../api.js').Api, me: any, found: any, onNews: (found: any) => void}} props
 */
function FirstEvent({ api, me, found, onNews }) {
  const firstWaiting = found.products.find((/** @type {any} */ each) => !each.events)?.product;
  const [product, setProduct] = useState(firstWaiting ?? found.products[0]?.product ?? '');
  const [isOpen, setOpen] = useState(
    !found.products.some((/** @type {any} */ each) => each.events),
  );
  const watched = useArrival(api, product, isOpen, eventsOf(found, product), onNews);
  return html`
    <details
      class="panel wide"
      open=${isOpen}
      onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <h2>Send an event</h2>
      </summary>
      ${
        isOpen &&
        html`
          <label class="control">
            <span>Product</span>
            <select
              value=${product}
              onChange=${(/** @type {any} */ event) => setProduct(event.currentTarget.value)}
            >
              ${me.products.map(
                (/** @type {any} */ each) => html`
                  <option key=${each.id} value=${each.id} selected=${each.id === product}>
                    ${each.name}
                  </option>
                `,
              )}
            </select>
          </label>
          <${Snippet} key=${product} text=${snippetFor(me, product)} />
          <p class="muted small">
            ODOMETER_KEY is a key with the scope <code>usage:write</code>. The reference has${' '}
            <a href="docs">every field</a>.
          </p>
          <p class="arrival" role="status" data-arrived=${watched.hasArrived}>
            ${
              watched.hasArrived
                ? '✓ Your event has arrived.'
                : watched.isWatching
                  ? 'Waiting for your event…'
                  : html`
                    Not watching any more.${' '}
                    <button type="button" class="button" onClick=${watched.again}>
                      Watch again
                    </button>
                  `
            }
          </p>
        `
      }
    </details>
  `;
}

/**
 * @param {any} found
 * @param {string} product
 */
const eventsOf = (found, product) =>
  found.products.find((/** @type {any} */ each) => each.product === product)?.events ?? 0;

/**
 * Ask what has arrived, less and less often, until there is more of a product than before.
 * @param {import('../api.js').Api} api
 * @param {string} product
 * @param {boolean} isOn
 * @param {number} events
 * @param {(found: any) => void} onNews
 */
function useArrival(api, product, isOn, events, onNews) {
  const [state, setState] = useState({ product, round: 0, hasArrived: false, isWatching: true });
  const before = useRef(events);
  const again = () => setState({ ...state, round: state.round + 1, isWatching: true });
  useEffect(() => {
    if (!isOn) return undefined;
    before.current = events;
    setState((now) => ({ ...now, product, hasArrived: false, isWatching: true }));
    const stop = new AbortController();
    watch(api, product, before.current, stop.signal).then((found) => {
      if (stop.signal.aborted) return;
      setState((now) => ({ ...now, hasArrived: found !== null, isWatching: false }));
      if (found) onNews(found);
    });
    return () => stop.abort();
  }, [api, product, isOn, state.round]);
  return { hasArrived: state.hasArrived, isWatching: state.isWatching, again };
}

/**
 * The coverage that has more events of a product; null where none came in so many tries.
 * @param {import('../api.js').Api} api
 * @param {string} product
 * @param {number} before
 * @param {AbortSignal} signal
 */
async function watch(api, product, before, signal) {
  let pause = FIRST_PAUSE_MS;
  for (let tries = 0; tries < MOST_TRIES && !signal.aborted; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * SLOWER, LONGEST_PAUSE_MS);
    if (document.hidden || signal.aborted) continue;
    const found = await api.get(COVERAGE, { signal, fresh: true }).catch(() => null);
    if (found && eventsOf(found, product) > before) return found;
  }
  return null;
}

/**
 * A command for a shell; names that a shell could misread are left to the reader.
 * @param {any} me
 * @param {string} product
 */
function snippetFor(me, product) {
  const kind = me.kinds.find(
    (/** @type {any} */ each) =>
      each.name === me.products.find((/** @type {any} */ one) => one.id === product)?.kind,
  );
  const measure = kind?.measures.find((/** @type {any} */ each) => each.aggregate === 'sum')?.name;
  const safe = (/** @type {string | undefined} */ text, /** @type {string} */ otherwise) =>
    text && HARMLESS.test(text) ? text : otherwise;
  const event = {
    specversion: '1.0',
    id: `try-${Date.now().toString(36)}`,
    source: 'try/page',
    type: 'usage',
    subject: safe(me.caller.user?.username, 'USERNAME'),
    time: 'NOW',
    data: { product: safe(product, 'PRODUCT'), ...(measure ? { [measure]: 1 } : {}) },
  };
  const body = JSON.stringify(event).replace('"NOW"', `"'$(date -u +%FT%TZ)'"`);
  return [
    `curl ${BASE_URL}v1/events`,
    '-H "Authorization: Bearer $ODOMETER_KEY"',
    "-H 'Content-Type: application/cloudevents+json'",
    `-d '${body}'`,
  ].join(' \\\n  ');
}

/** @param {{text: string}} props */
function Snippet({ text: given }) {
  const [text] = useState(given);
  const [said, setSaid] = useState('');
  const copy = () =>
    Promise.resolve(
      navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard')),
    ).then(
      () => setSaid('Copied.'),
      () => setSaid('Select it and copy it by hand.'),
    );
  return html`
    <div class="snippet">
      <pre tabindex="0" aria-label="Command to send an event">
        <code>${text}</code>
      </pre>
      <button type="button" class="button" onClick=${copy}>Copy</button>${' '}
      <span class="muted" role="status">${said}</span>
    </div>
  `;
}
