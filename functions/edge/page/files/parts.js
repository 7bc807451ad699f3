/** The pieces that views are made of. */

import {
  html,
  useCallback,
  useEffect,
  useId,
  useRef,
  useState,
} from './vendor/standalone.module.js';
import { ApiError, save } from './api.js';
import {
  NOTHING,
  ago,
  change,
  count,
  exactFigure,
  figure,
  fileName,
  instant,
  range,
} from './format.js';

import { mayExplain } from './question.js';

export { LineChart } from './charts.js';

/** @typedef {'loading' | 'ready' | 'empty' | 'error' | 'forbidden' | 'partial'} State */

/**
 * What a question is answered, or why it is not. A question that was changed takes back the one
 * before; what that was answered stays in sight until the next answer is there, if both have the
 * same columns and rows.
 * @param {string | null} key of the question; null asks nothing
 * @param {(how: {signal: AbortSignal, fresh: boolean}) => Promise<any>} ask
 */
export function useAsked(key, ask) {
  const [tries, setTries] = useState(0);
  const [found, setFound] = useState(
    /** @type {{key: string | null, data: any, error: any}} */ ({
      key: null,
      data: null,
      error: null,
    }),
  );
  useEffect(() => {
    if (key === null) return undefined;
    const request = new AbortController();
    const show = (/** @type {any} */ what) =>
      !request.signal.aborted && setFound({ key, data: null, error: null, ...what });
    ask({ signal: request.signal, fresh: tries > 0 }).then(
      (data) => show({ data }),
      (error) => show({ error }),
    );
    return () => request.abort();
  }, [key, tries]);
  const retry = useCallback(() => {
    setFound({ key: null, data: null, error: null });
    setTries((before) => before + 1);
  }, []);
  const isCurrent = found.key === key;
  const isKept = key !== null && found.key !== null && formOf(key) === formOf(found.key);
  return {
    data: isKept ? found.data : null,
    error: isCurrent ? found.error : null,
    isLoading: key !== null && !isCurrent,
    retry,
  };
}

/**
 * The columns and rows that a question asks for, whatever the period.
 * @param {string} key
 */
function formOf(key) {
  const [path, query] = key.split('?', 2);
  const asked = new URLSearchParams(query);
  return [path, ...['kind', 'product', 'measure', 'group_by'].map((name) => asked.get(name))].join(
    ' ',
  );
}

/**
 * The answer at a path such as `/v1/seats?limit=1`; null asks nothing.
 * @param {import('./api.js').Api} api
 * @param {string | null} path
 */
export const useAnswer = (api, path) =>
  useAsked(path, (how) => api.get(/** @type {string} */ (path), how));

/** @typedef {ReturnType<typeof useAnswer>} Answer */

/**
 * What an answer says of the present question; null while that is still being asked.
 * @param {Answer} answer
 */
export const current = (answer) => (answer.isLoading ? null : answer.data);

/**
 * The state of a view by the answer that it stands and falls with.
 * @param {Answer} answer
 * @param {(data: any) => boolean} [isEmpty]
 * @returns {State}
 */
export function stateOf(answer, isEmpty = () => false) {
  if (answer.error) return answer.error.status === 403 ? 'forbidden' : 'error';
  if (!answer.data) return 'loading';
  if (isEmpty(answer.data)) return 'empty';
  return answer.data.complete === false ? 'partial' : 'ready';
}

/**
 * A whole view: its name and its state can be read from the outside.
 * @param {{name: string, state: State, title: any, subtitle?: any, actions?: any,
 *   children?: any}} props
 */
export function View({ name, state, title, subtitle, actions, children }) {
  return html`
    <main
      id="main"
      tabindex="-1"
      data-view=${name}
      data-state=${state}
      aria-busy=${state === 'loading'}
    >
      <header class="view-head">
        <div class="view-title">
          <h1>${title}</h1>
          <p class="muted">${subtitle || NO_BREAK_SPACE}</p>
        </div>
        ${actions}
      </header>
      ${children}
    </main>
  `;
}

const LATE_MS = 15 * 60_000;
/** What keeps the place of a line that is not there yet. */
const NO_BREAK_SPACE = '\u00a0';

/**
 * Which period an answer is of, and up to when it has been counted.
 * @param {{answer: any}} props
 */
export function PeriodShown({ answer }) {
  const {
    from,
    to,
    timezone: zone,
    compare_from: before,
    compare_to: beforeEnd,
    complete,
    data_through: through,
  } = answer;
  return html`
    <bdi>${range(from, to, zone)}</bdi>
    ${before && html`, compared with <bdi>${range(before, beforeEnd, zone)}</bdi>`}
    <span> · ${zone.replaceAll('_', ' ')}</span>
    ${!complete && html`<span title=${ago(through)}> · counted up to ${instant(through, zone)}</span>`}
  `;
}

/**
 * Says that counting is behind, where it is by more than a quarter of an hour.
 * @param {{answer: any}} props
 */
export function BehindNotice({ answer }) {
  const end = Math.min(Date.parse(answer.to), Date.now());
  if (answer.complete || end - Date.parse(answer.data_through) < LATE_MS) return null;
  return html`
    <p class="notice" role="status">
      Usage after ${instant(answer.data_through, answer.timezone)}${' '}
      is not all counted yet: figures may still rise.
    </p>
  `;
}

/**
 * A titled part of a view.
 * @param {{title: any, definition?: any, actions?: any, wide?: boolean, children?: any,
 *   isLoading?: boolean}} props
 */
export function Panel({ title, definition, actions, wide = false, isLoading = false, children }) {
  const id = useId();
  return html`
    <section
      class=${`panel${wide ? ' wide' : ''}${isLoading ? ' waiting' : ''}`}
      aria-labelledby=${id}
      aria-busy=${isLoading}
    >
      <header class="panel-head">
        <h2 id=${id}>${title}</h2>
        ${definition && html`<${Definition} of=${title}>${definition}<//>`}
        ${actions && html`<div class="panel-actions">${actions}</div>`}
      </header>
      ${children}
    </section>
  `;
}

/**
 * A question mark that says what a figure means: on hover, on focus and on click; Escape closes it.
 * @param {{of: string, children?: any}} props
 */
export function Definition({ of, children }) {
  const [at, setAt] = useState(/** @type {Record<string, string> | null} */ (null));
  const mark = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const id = useId();
  const open = () => setAt(placeBelow(/** @type {HTMLButtonElement} */ (mark.current)));
  const close = () => setAt(null);
  useEffect(() => {
    if (!at) return undefined;
    addEventListener('scroll', close, { capture: true, once: true });
    return () => removeEventListener('scroll', close, { capture: true });
  }, [at]);
  return html`
    <span class="definition" onMouseEnter=${open} onMouseLeave=${close}>
      <button
        type="button"
        class="definition-mark"
        ref=${mark}
        aria-label=${`What is ${of}?`}
        aria-describedby=${id}
        aria-expanded=${at !== null}
        onFocus=${open}
        onBlur=${close}
        onClick=${open}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && close()}
      >
        ?
      </button>
      <span role="tooltip" id=${id} class="definition-text" hidden=${!at} style=${at ?? {}}>
        ${children}
      </span>
    </span>
  `;
}

const TIP_PX = 300;
const MARGIN_PX = 12;

/**
 * Below an element, and within the window.
 * @param {HTMLElement} element
 */
function placeBelow(element) {
  const { left, bottom } = element.getBoundingClientRect();
  const room = Math.max(MARGIN_PX, document.documentElement.clientWidth - TIP_PX - MARGIN_PX);
  return {
    left: `${Math.min(Math.max(MARGIN_PX, left - TIP_PX / 2), room)}px`,
    top: `${bottom + 6}px`,
  };
}

/**
 * How a figure has changed, with an arrow beside the colour.
 * @param {{pct: number | null | undefined, before?: number | null,
 *   column?: import('./format.js').Column}} props
 */
export function Change({ pct, before, column }) {
  if (pct === null || pct === undefined)
    return before === 0
      ? html`<span class="change new" title="There was none before">new</span>`
      : null;
  const direction = pct > 0 ? 'up' : pct < 0 ? 'down' : 'same';
  const arrow = { up: '↑', down: '↓', same: '→' }[direction];
  const title =
    before === undefined || before === null ? undefined : `${exactFigure(before, column)} before`;
  return html`
    <span class=${`change ${direction}`} title=${title}>
      <span aria-hidden="true">${arrow}</span> ${change(pct)}
    </span>
  `;
}

/**
 * A figure with its name, its change and what it means. With `onSelect` it is a button that shows
 * it in the chart.
 * @param {{label: string, value: number | null | undefined, column?: import('./format.js').Column,
 *   pct?: number | null, before?: number | null, definition?: any, note?: any,
 *   isSelected?: boolean, onSelect?: () => void, onExplain?: () => void}} props
 */
export function Figure({
  label,
  value,
  column,
  pct,
  before,
  definition,
  note,
  isSelected = false,
  onSelect,
  onExplain,
}) {
  const name = html`<bdi>${label}</bdi>`;
  return html`
    <div class=${`figure${isSelected ? ' selected' : ''}`} role="group" aria-label=${label}>
      <div class="figure-name">
        ${
          onSelect
            ? html`
              <button type="button" class="figure-select" aria-pressed=${isSelected} onClick=${onSelect}>
                ${name}
              </button>
            `
            : name
        }
        ${definition && html`<${Definition} of=${label}>${definition}<//>`}
      </div>
      <div class="figure-value" title=${exactFigure(value, column)}>
        <span>${figure(value, column)}</span>
      </div>
      <div class="figure-note">
        <${Change} pct=${pct} before=${before} column=${column} />
        ${note && html`<span class="muted">${note}</span>`}
        ${
          onExplain &&
          html`
            <button
              type="button"
              class="quiet explain"
              aria-label=${`How is it made up? ${label}`}
              onClick=${onExplain}
            >
              How is it made up?
            </button>
          `
        }
      </div>
    </div>
  `;
}

/**
 * @typedef {{key: string, name: string, href?: string, value: number | null, before?: number
 *   | null, pct?: number | null}} RankedRow
 * @param {{label: string, rows: RankedRow[], nameOf: string, valueOf: string,
 *   column?: import('./format.js').Column, total?: number, onMore?: () => void,
 *   order?: string, orderedBy?: (order: string | undefined) => string}} props `total` is how many
 *   rows there are elsewhere, `order` that of their changes, and `orderedBy` the address of another
 */
export function RankedBars({
  label,
  rows,
  nameOf,
  valueOf,
  column,
  total = rows.length,
  onMore,
  order,
  orderedBy,
}) {
  const most = Math.max(0, ...rows.map((row) => row.value ?? 0));
  const hasChange = rows.some((row) => row.pct !== undefined);
  return html`
    <div class="ranked">
      <table aria-label=${label}>
        <thead>
          <tr>
            <th scope="col">${nameOf}</th>
            <th scope="col" class="number">
              ${
                order && orderedBy
                  ? html`<a class="sort" href=${orderedBy(undefined)}>${valueOf}</a>`
                  : valueOf
              }
            </th>
            ${hasChange && html`<${ChangeHeading} order=${order} orderedBy=${orderedBy} />`}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) => html`
              <${RankedLine} key=${row.key} ...${{ row, most, column, hasChange }} />
            `,
          )}
        </tbody>
      </table>
      ${
        total > rows.length &&
        html`
          <p class="more">
            ${
              onMore
                ? html`
                  <button type="button" class="quiet" onClick=${onMore}>
                    Show more of ${count(total)}
                  </button>
                `
                : html`<span class="muted">${count(rows.length)} of ${count(total)}</span>`
            }
          </p>
        `
      }
    </div>
  `;
}

/**
 * The heading of changes, which leads to the same list in their order: the largest first, then the
 * smallest.
 * @param {{order?: string, orderedBy?: (order: string | undefined) => string}} props
 */
function ChangeHeading({ order, orderedBy }) {
  if (!orderedBy) return html`<th scope="col" class="number change-column">Change</th>`;
  const sorted = order && (order === 'asc' ? 'ascending' : 'descending');
  return html`
    <th scope="col" class="number change-column" aria-sort=${sorted ?? 'none'}>
      <a class="sort" href=${orderedBy(order === 'desc' ? 'asc' : 'desc')}>
        Change
        <span aria-hidden="true">${order ? (order === 'asc' ? ' ↑' : ' ↓') : ''}</span>
      </a>
    </th>
  `;
}

/** @param {{row: RankedRow, most: number, column: any, hasChange: boolean}} props */
function RankedLine({ row, most, column, hasChange }) {
  const share = most ? Math.max(0, row.value ?? 0) / most : 0;
  const name = html`<bdi>${row.name}</bdi>`;
  return html`
    <tr>
      <th scope="row">
        <span class="bar" style=${{ width: `${100 * share}%` }}></span>
        ${
          row.href
            ? html`<a href=${row.href} title=${row.name}>${name}</a>`
            : html`<span class="bar-name" title=${row.name}>${name}</span>`
        }
      </th>
      <td class="number" title=${exactFigure(row.value, column)}>${figure(row.value, column)}</td>
      ${
        hasChange &&
        html`
          <td class="number change-column">
            <${Change} pct=${row.pct} before=${row.before} column=${column} />
          </td>
        `
      }
    </tr>
  `;
}

/**
 * Nothing to show, and what to do about it.
 * @param {{title: string, children?: any, action?: any}} props
 */
export function EmptyState({ title, children, action }) {
  return html`
    <div class="state empty" role="status">
      <h2 class="state-title">${title}</h2>
      ${children && html`<p>${children}</p>`}
      ${action}
    </div>
  `;
}

/**
 * Whatever has no answer yet, in the shape of what is to come.
 * @param {{height?: string, label?: string}} props
 */
export function Loading({ height = '12rem', label = 'Loading' }) {
  return html`
    <div class="skeleton" role="status" style=${{ minHeight: height }}>
      <span class="visually-hidden">${label}…</span>
    </div>
  `;
}

/**
 * What a key may not read, and what it may.
 * @param {{href?: string, children?: any}} props
 */
export function Forbidden({ href, children }) {
  return html`
    <div class="state forbidden" role="alert">
      <h2 class="state-title">This key may not read this</h2>
      <p>
        ${
          children ??
          'It is somebody else’s data. An Admin or a Manager of the organization may read it.'
        }
      </p>
      ${
        href &&
        html`
          <p>
            <a class="button" href=${href}>Show what it may read</a>
          </p>
        `
      }
    </div>
  `;
}

/** @param {any} error */
function wordsFor(error) {
  if (!(error instanceof ApiError))
    return [
      'Something went wrong in this page',
      'Load it again. If it stays so, tell the operator.',
    ];
  switch (error.status) {
    case 0:
      return ['The service cannot be reached', 'Check your connection, then try again.'];
    case 400:
      return ['This question cannot be answered as asked', `${error.message}.`];
    case 401:
      return ['The key is not accepted any more', 'Sign in again.'];
    case 404:
      return [
        'There is no such thing here',
        'It may have been removed, or the address is of another organization.',
      ];
    case 429:
      return ['Too many requests', 'Wait a moment, then try again.'];
    case 502:
    case 503:
    case 504:
      return [
        'The service is busy',
        'Try again in a few seconds. A shorter period is answered faster.',
      ];
    default:
      return [
        'The service failed',
        'Try once more. If it stays so, tell the operator the time and this address.',
      ];
  }
}

/**
 * Why there is no answer, and what to do next.
 * @param {{error: any, retry?: () => void, narrower?: {label: string, href: string}[],
 *   home?: string}} props
 */
export function ErrorState({ error, retry, narrower = [], home }) {
  if (error?.status === 403) return html`<${Forbidden} href=${home} />`;
  const [title, advice] = wordsFor(error);
  const isQuestion = error?.status === 400;
  return html`
    <div class="state error" role="alert">
      <h2 class="state-title">${title}</h2>
      <p>${advice}</p>
      <p class="state-actions">
        ${
          isQuestion
            ? narrower.map(
                (choice) => html`
                  <a class="button" key=${choice.href} href=${choice.href}>${choice.label}</a>
                `,
              )
            : error?.status !== 404 &&
              retry &&
              html`<button type="button" class="button" onClick=${retry}>Try again</button>`
        }
        ${
          error?.status === 404 &&
          home &&
          html`<a class="button" href=${home}>Go to the overview</a>`
        }
      </p>
    </div>
  `;
}

/**
 * What stands in a panel: its content once it is there, or what stands for it.
 * @param {{answer: Answer, height?: string, isEmpty?: (data: any) => boolean, empty?: any,
 *   narrower?: {label: string, href: string}[], home?: string, children: (data: any) => any}} props
 */
export function Answered({
  answer,
  height,
  isEmpty = () => false,
  empty,
  narrower,
  home,
  children,
}) {
  if (answer.error)
    return html`
      <${ErrorState} error=${answer.error} retry=${answer.retry} narrower=${narrower} home=${home} />
    `;
  if (!answer.data) return html`<${Loading} height=${height} />`;
  return isEmpty(answer.data)
    ? (empty ?? html`<${EmptyState} title="No usage in this period" />`)
    : children(answer.data);
}

/**
 * A button that saves the CSV of the API; that of several paths is one table.
 * @param {{api: import('./api.js').Api, paths: string[], name: string, file?: string}} props
 */
export function CsvButton({ api, paths, name, file = name }) {
  const [state, setState] = useState('');
  const fetchAndSave = async () => {
    setState('…');
    try {
      const tables = await Promise.all(paths.map((path) => api.csv(path)));
      save(
        new Blob(await Promise.all(tables.map(withoutRepeatedHead)), { type: 'text/csv' }),
        `${fileName(file)}.csv`,
      );
      setState('');
    } catch (error) {
      setState(`: ${/** @type {Error} */ (error).message}`);
    }
  };
  return html`
    <button type="button" class="quiet" aria-label=${`Save ${name} as CSV`} onClick=${fetchAndSave}>
      CSV<span role="status">${state}</span>
    </button>
  `;
}

/**
 * A table as it is, but for the first line of all after the first.
 * @param {Blob} table
 * @param {number} at
 */
async function withoutRepeatedHead(table, at) {
  const text = await table.text();
  return at ? text.slice(text.indexOf('\n') + 1) : text;
}

/**
 * A short text beside a part of a license or a goal.
 * @param {{value: number, of: number, label: string}} props
 */
export function Meter({ value, of, label }) {
  const share = of > 0 ? Math.min(1, value / of) : 0;
  return html`
    <div
      class="meter"
      role="meter"
      aria-label=${label}
      aria-valuenow=${value}
      aria-valuemin="0"
      aria-valuemax=${of}
    >
      <span style=${{ width: `${share * 100}%` }}></span>
    </div>
  `;
}

/**
 * Parts of a whole, beside each other and listed.
 * @param {{label: string, parts: {name: string, value: number}[]}} props
 */
export function Shares({ label, parts }) {
  return html`
    <div class="shares" aria-hidden="true">
      ${parts.map(
        ({ name, value }) => html`<span key=${name} style=${{ flexGrow: value }}></span>`,
      )}
    </div>
    <ul class="share-list" aria-label=${label}>
      ${parts.map(
        ({ name, value }) => html`
          <li key=${name}>
            <i aria-hidden="true"></i>
            ${name} <b>${count(value)}</b>
          </li>
        `,
      )}
    </ul>
  `;
}

/**
 * A window above the page, which Escape closes.
 * @param {{title: string, onClose: () => void, children?: any}} props
 */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return html`
    <dialog
      ref=${dialog}
      aria-labelledby=${id}
      onClose=${onClose}
      onClick=${(/** @type {MouseEvent} */ event) =>
        event.target === dialog.current && dialog.current?.close()}
    >
      <div class="dialog-body">
        <header class="panel-head">
          <h2 id=${id}>${title}</h2>
          <button
            type="button"
            class="quiet close"
            aria-label="Close"
            onClick=${() => dialog.current?.close()}
          >
            ✕
          </button>
        </header>
        ${children}
      </div>
    </dialog>
  `;
}

export { NOTHING };

/** @param {any} column */
const partsOf = (column) => column.parts ?? [column.name];

/**
 * What is to be explained, and how to begin; it cannot be begun by those whom `GET /v1/explain`
 * does not answer.
 * @param {any} me
 * @param {any} answer of `GET /v1/usage`
 * @returns {[any, ((columns: any[] | null, column?: any, more?: Record<string, string>) => void)
 *   | null]}
 */
export function useExplained(me, answer) {
  const [explained, set] = useState(/** @type {any} */ (null));
  if (!mayExplain(me) || !answer) return [explained, null];
  const explain = (
    /** @type {any[] | null} */ columns,
    /** @type {any} */ column,
    /** @type {Record<string, string>} */ more = {},
  ) =>
    set(
      columns && {
        template: answer.explain,
        from: answer.from,
        to: answer.to,
        zone: answer.timezone,
        title: column.label,
        definition: column.definition,
        more,
        measures: partsOf(column).map(
          (/** @type {string} */ name) =>
            columns.find((each) => each.name === name) ?? { name, label: name },
        ),
      },
    );
  return [explained, explain];
}

/**
 * The window that explains a figure, which is loaded when it is first opened.
 * @param {{api: any, explained: any, onClose: () => void}} props
 */
export function ExplainLater({ api, explained, onClose }) {
  const [Component, setComponent] = useState(/** @type {any} */ (null));
  useEffect(() => {
    if (explained) import('./explain.js').then((module) => setComponent(() => module.Explanation));
  }, [explained]);
  return (
    explained &&
    Component &&
    html`<${Component} api=${api} explained=${explained} onClose=${onClose} />`
  );
}
