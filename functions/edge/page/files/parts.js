/** The pieces that views are made of. */

import { html, useCallback, useEffect, useId, useRef, useState } from './vendor/standalone.module.js';
import { ApiError, pathOf, save } from './api.js';
import { NOTHING, change, exactFigure, figure } from './format.js';

export { LineChart } from './charts.js';

/** @typedef {'loading' | 'ready' | 'empty' | 'error' | 'forbidden' | 'partial'} State */

/**
 * The answer of a request, or why there is none. A question that was changed takes back the one before; what it
 * was answered stays in sight until the next answer is there.
 * @param {import('./api.js').Api} api
 * @param {string | null} path such as `/v1/seats?limit=1`; null asks for nothing
 */
export function useAnswer(api, path) {
  const [asked, setAsked] = useState(0);
  const [found, setFound] = useState(/** @type {{path: string | null, data: any, error: any}} */ ({ path: null, data: null, error: null }));
  useEffect(() => {
    if (path === null) return undefined;
    const request = new AbortController();
    api.get(path, { signal: request.signal, fresh: asked > 0 }).then(
      (data) => !request.signal.aborted && setFound({ path, data, error: null }),
      (error) => !request.signal.aborted && setFound({ path, data: null, error }),
    );
    return () => request.abort();
  }, [api, path, asked]);
  const retry = useCallback(() => {
    setFound({ path: null, data: null, error: null });
    setAsked((times) => times + 1);
  }, []);
  const isCurrent = found.path === path;
  return {
    data: path === null ? null : found.data,
    error: isCurrent ? found.error : null,
    isLoading: path !== null && !isCurrent,
    retry,
  };
}

/** @typedef {ReturnType<typeof useAnswer>} Answer */

/**
 * The state of a view by the answer that it stands and falls with.
 * @param {Answer} answer @param {(data: any) => boolean} [isEmpty] @returns {State}
 */
export function stateOf(answer, isEmpty = () => false) {
  if (answer.error) return answer.error.status === 403 ? 'forbidden' : 'error';
  if (!answer.data) return 'loading';
  if (isEmpty(answer.data)) return 'empty';
  return answer.data.complete === false ? 'partial' : 'ready';
}

/**
 * A whole view: its name and its state can be read from the outside.
 * @param {{name: string, state: State, title: any, subtitle?: any, actions?: any, children?: any}} props
 */
export function View({ name, state, title, subtitle, actions, children }) {
  return html`<main id="main" tabindex="-1" data-view=${name} data-state=${state} aria-busy=${state === 'loading'}>
    <header class="view-head">
      <div class="view-title"><h1>${title}</h1>${subtitle && html`<p class="muted">${subtitle}</p>`}</div>
      ${actions}
    </header>
    ${children}
  </main>`;
}

/** A titled part of a view. @param {{title: any, definition?: any, actions?: any, wide?: boolean, children?: any, isLoading?: boolean}} props */
export function Panel({ title, definition, actions, wide = false, isLoading = false, children }) {
  const id = useId();
  return html`<section class=${`panel${wide ? ' wide' : ''}${isLoading ? ' waiting' : ''}`} aria-labelledby=${id} aria-busy=${isLoading}>
    <header class="panel-head">
      <h2 id=${id}>${title}</h2>
      ${definition && html`<${Definition} of=${title}>${definition}<//>`}
      ${actions && html`<div class="panel-actions">${actions}</div>`}
    </header>
    ${children}
  </section>`;
}

/**
 * A question mark that says what a figure means: on hover, on focus and on click; Escape closes it.
 * @param {{of: string, children?: any}} props
 */
export function Definition({ of, children }) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  return html`<span class="definition" onMouseEnter=${() => setOpen(true)} onMouseLeave=${() => setOpen(false)}>
    <button type="button" class="definition-mark" aria-label=${`What is ${of}?`} aria-describedby=${id} aria-expanded=${isOpen}
      onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} onClick=${() => setOpen(true)}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && setOpen(false)}>?</button>
    <span role="tooltip" id=${id} class=${`definition-text${isOpen ? ' open' : ''}`}>${children}</span>
  </span>`;
}

/** How a figure has changed, with an arrow beside the colour. @param {{pct: number | null | undefined, before?: number | null, column?: import('./format.js').Column}} props */
export function Change({ pct, before, column }) {
  if (pct === null || pct === undefined) return before === 0 ? html`<span class="change new" title="There was none before">new</span>` : null;
  const direction = pct > 0 ? 'up' : pct < 0 ? 'down' : 'same';
  const arrow = { up: '↑', down: '↓', same: '→' }[direction];
  const title = before === undefined || before === null ? undefined : `${exactFigure(before, column)} before`;
  return html`<span class=${`change ${direction}`} title=${title}><span aria-hidden="true">${arrow}</span> ${change(pct)}</span>`;
}

/**
 * A figure with its name, its change and what it means. With `onSelect` it is a button that shows it in the chart.
 * @param {{label: string, value: number | null | undefined, column?: import('./format.js').Column, pct?: number | null,
 *   before?: number | null, definition?: any, note?: any, isSelected?: boolean, onSelect?: () => void, onExplain?: () => void}} props
 */
export function Figure({ label, value, column, pct, before, definition, note, isSelected = false, onSelect, onExplain }) {
  const name = html`<bdi>${label}</bdi>`;
  return html`<div class=${`figure${isSelected ? ' selected' : ''}`} role="group" aria-label=${label}>
    <div class="figure-name">
      ${onSelect ? html`<button type="button" class="figure-select" aria-pressed=${isSelected} onClick=${onSelect}>${name}</button>` : name}
      ${definition && html`<${Definition} of=${label}>${definition}<//>`}
    </div>
    <div class="figure-value" title=${exactFigure(value, column)}>${figure(value, column)}</div>
    <div class="figure-note"><${Change} pct=${pct} before=${before} column=${column} />${note && html`<span class="muted">${note}</span>`}
      ${onExplain && html`<button type="button" class="quiet explain" aria-label=${`How is ${label} made up?`} onClick=${onExplain}>How is it made up?</button>`}
    </div>
  </div>`;
}

/**
 * @typedef {{key: string, name: string, href?: string, value: number | null, before?: number | null, pct?: number | null}} RankedRow
 * @param {{label: string, rows: RankedRow[], nameOf: string, valueOf: string, column?: import('./format.js').Column,
 *   total?: number, onMore?: () => void, selected?: string}} props `total` is how many rows there are elsewhere
 */
export function RankedBars({ label, rows, nameOf, valueOf, column, total = rows.length, onMore }) {
  const most = Math.max(0, ...rows.map((row) => row.value ?? 0));
  const hasChange = rows.some((row) => row.pct !== undefined);
  return html`<div class="ranked">
    <table aria-label=${label}>
      <thead><tr><th scope="col">${nameOf}</th><th scope="col" class="number">${valueOf}</th>
        ${hasChange && html`<th scope="col" class="number change-column">Change</th>`}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.key}>
        <th scope="row"><span class="bar" style=${{ width: `${most ? (100 * Math.max(0, row.value ?? 0)) / most : 0}%` }}></span>
          ${row.href ? html`<a href=${row.href} title=${row.name}><bdi>${row.name}</bdi></a>` : html`<span class="bar-name" title=${row.name}><bdi>${row.name}</bdi></span>`}</th>
        <td class="number" title=${exactFigure(row.value, column)}>${figure(row.value, column)}</td>
        ${hasChange && html`<td class="number change-column"><${Change} pct=${row.pct} before=${row.before} column=${column} /></td>`}
      </tr>`)}</tbody>
    </table>
    ${total > rows.length && html`<p class="more">
      ${onMore ? html`<button type="button" class="quiet" onClick=${onMore}>Show more of ${total}</button>` : html`<span class="muted">${rows.length} of ${total}</span>`}
    </p>`}
  </div>`;
}

/** Nothing to show, and what to do about it. @param {{title: string, children?: any, action?: any}} props */
export function EmptyState({ title, children, action }) {
  return html`<div class="state empty" role="status"><h3>${title}</h3>${children && html`<p>${children}</p>`}${action}</div>`;
}

/** Whatever has no answer yet, in the shape of what is to come. @param {{height?: string, label?: string}} props */
export function Loading({ height = '12rem', label = 'Loading' }) {
  return html`<div class="skeleton" role="status" style=${{ minHeight: height }}><span class="visually-hidden">${label}…</span></div>`;
}

/** What a key may not read, and what it may. @param {{href?: string, children?: any}} props */
export function Forbidden({ href, children }) {
  return html`<div class="state forbidden" role="alert"><h3>This key may not read this</h3>
    <p>${children ?? 'It is somebody else’s data. An Admin or a Manager of the organization may read it.'}</p>
    ${href && html`<p><a class="button" href=${href}>Show what it may read</a></p>`}</div>`;
}

/** @param {any} error */
function wordsFor(error) {
  if (!(error instanceof ApiError)) return ['Something went wrong in this page', 'Load it again. If it stays so, tell the operator.'];
  switch (error.status) {
    case 0: return ['The service cannot be reached', 'Check your connection, then try again.'];
    case 400: return ['This question cannot be answered as asked', `${error.message}.`];
    case 401: return ['The key is not accepted any more', 'Sign in again.'];
    case 404: return ['There is no such thing here', 'It may have been removed, or the address is of another organization.'];
    case 429: return ['Too many requests', 'Wait a moment, then try again.'];
    case 503: case 504: return ['The service is busy', 'Try again in a few seconds. A shorter period is answered faster.'];
    default: return ['The service failed', 'Try once more. If it stays so, tell the operator the time and this address.'];
  }
}

/**
 * Why there is no answer, and what to do next.
 * @param {{error: any, retry?: () => void, narrower?: {label: string, href: string}[], home?: string}} props
 */
export function ErrorState({ error, retry, narrower = [], home }) {
  if (error?.status === 403) return html`<${Forbidden} href=${home} />`;
  const [title, advice] = wordsFor(error);
  const isQuestion = error?.status === 400;
  return html`<div class="state error" role="alert"><h3>${title}</h3><p>${advice}</p>
    <p class="state-actions">
      ${isQuestion ? narrower.map((choice) => html`<a class="button" key=${choice.href} href=${choice.href}>${choice.label}</a>`)
        : error?.status !== 404 && retry && html`<button type="button" class="button" onClick=${retry}>Try again</button>`}
      ${error?.status === 404 && home && html`<a class="button" href=${home}>Go to the overview</a>`}
    </p></div>`;
}

/**
 * What stands in a panel: its content once it is there, or what stands for it.
 * @param {{answer: Answer, height?: string, isEmpty?: (data: any) => boolean, empty?: any, narrower?: {label: string, href: string}[], children: (data: any) => any}} props
 */
export function Answered({ answer, height, isEmpty = () => false, empty, narrower, children }) {
  if (answer.error) return html`<${ErrorState} error=${answer.error} retry=${answer.retry} narrower=${narrower} />`;
  if (!answer.data) return html`<${Loading} height=${height} />`;
  return isEmpty(answer.data) ? empty ?? html`<${EmptyState} title="No usage in this period" />` : children(answer.data);
}

/** A button that saves the CSV of the API. @param {{api: import('./api.js').Api, path: string, query?: import('./api.js').Query, name: string, label?: string}} props */
export function CsvButton({ api, path, query, name, label = name }) {
  const [state, setState] = useState('');
  const fetchAndSave = async () => {
    setState('…');
    try {
      save(await api.csv(pathOf(path, query)), `${fileName(name)}.csv`);
      setState('');
    } catch (error) {
      setState(`: ${/** @type {Error} */ (error).message}`);
    }
  };
  return html`<button type="button" class="quiet" aria-label=${`Save ${label} as CSV`} onClick=${fetchAndSave}>CSV<span role="status">${state}</span></button>`;
}

/** A name that every file system takes. @param {string} text */
export const fileName = (text) => `odometer-${text.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 80)}`;

/** A short text beside a part of a license or a goal. @param {{value: number, of: number, label: string}} props */
export function Meter({ value, of, label }) {
  const share = of > 0 ? Math.min(1, value / of) : 0;
  return html`<div class="meter" role="meter" aria-label=${label} aria-valuenow=${value} aria-valuemin="0" aria-valuemax=${of}>
    <span style=${{ width: `${share * 100}%` }}></span></div>`;
}

/** A window above the page, which Escape closes. @param {{title: string, onClose: () => void, children?: any}} props */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose}
      onClick=${(/** @type {MouseEvent} */ event) => event.target === dialog.current && dialog.current?.close()}>
    <div class="dialog-body">
      <header class="panel-head"><h2 id=${id}>${title}</h2>
        <button type="button" class="quiet close" aria-label="Close" onClick=${() => dialog.current?.close()}>✕</button></header>
      ${children}
    </div>
  </dialog>`;
}

export { NOTHING };
