/** How a figure is made up: the terms that add up to it, as `GET /v1/explain` tells them. */

import { html, useState } from './vendor/standalone.module.js';
import { pathOf } from './api.js';
import { exactFigure, instant, range } from './format.js';
import { Dialog, ErrorState, Loading, useAnswer } from './parts.js';

const MOST_PAGES = 20;
const TERMS = {
  reading: { one: 'Reading', means: 'A reading of the meter. The usage of a period is the difference of two readings.' },
  delta: { one: 'Day', means: 'What was added on one day that is not part of a reading yet.' },
  segment: { one: 'Part of a day', means: 'Events of a day that the period cuts.' },
  late: { one: 'Recent', means: 'What was counted lately and is not in a reading yet.' },
  day: { one: 'Day', means: 'A day with usage.' },
  user: { one: 'User', means: 'A user who counts for one.' },
};

/**
 * @typedef {{template: string, measures: {name: string, label: string, unit?: string, decimals?: number}[], from: string, to: string,
 *   zone: string, title: string, definition: string, more?: Record<string, string>}} Explained
 *   `measures` are those that the figure is made of: one, or the parts of a ratio
 */

/** The path of a URI template of the API with its variables filled in. @param {string} template @param {Record<string, string>} variables */
export function filled(template, variables) {
  const [path, expression] = template.split('{', 2);
  const names = (expression ?? '').replace(/^[?&]|\}$/g, '').split(',');
  const [route, query = ''] = path.split('?', 2);
  const fixed = Object.fromEntries(new URLSearchParams(query));
  const said = Object.fromEntries(names.filter((name) => variables[name] !== undefined).map((name) => [name, variables[name]]));
  return pathOf(route, { ...fixed, ...said });
}

/** @param {{api: import('./api.js').Api, explained: Explained, onClose: () => void}} props */
export function Explanation({ api, explained, onClose }) {
  const { title, definition, measures, from, to, zone } = explained;
  return html`<${Dialog} title=${`How is ${title} made up?`} onClose=${onClose}>
    <p>${definition}</p>
    <p class="muted small">${range(from, to, zone)}, until ${instant(to, zone)}.</p>
    ${measures.length > 1 && html`<p class="muted small">It is divided: these are the sums that it is made of.</p>`}
    ${measures.map((measure) => html`<${Terms} key=${measure.name} api=${api} explained=${explained} measure=${measure} />`)}
  <//>`;
}

/** @param {{api: import('./api.js').Api, explained: Explained, measure: Explained['measures'][0]}} props */
function Terms({ api, explained, measure }) {
  const [pages, setPages] = useState(1);
  const path = filled(explained.template, { ...explained.more, measure: measure.name, from: explained.from, to: explained.to });
  const first = useAnswer(api, path);
  if (first.error) return html`<${ErrorState} error=${first.error} retry=${first.retry} />`;
  if (!first.data) return html`<${Loading} height="8rem" />`;
  const { value, next_cursor: next } = first.data;
  return html`<section aria-label=${measure.label}>
    <table class="plain-table"><caption class="visually-hidden">Terms of ${measure.label}</caption>
      <thead><tr><th scope="col">Term</th><th scope="col">Where it is stored</th><th scope="col" class="number">Adds</th></tr></thead>
      <tbody>
        <${Rows} answer=${first.data} column=${measure} zone=${explained.zone} />
        ${pages > 1 && html`<${Following} api=${api} path=${path} cursor=${next} pages=${pages - 1} column=${measure} zone=${explained.zone} />`}
      </tbody>
      <tfoot><tr><th scope="row">${measure.label}</th><td></td><td class="number"><strong>${exactFigure(value, measure)}</strong></td></tr></tfoot>
    </table>
    ${next && pages < MOST_PAGES && html`<p class="more"><button type="button" class="quiet" onClick=${() => setPages(pages + 1)}>Show more terms</button></p>`}
    ${value === 0 && !first.data.terms.length && html`<p class="muted">Nothing was counted.</p>`}
  </section>`;
}

/** The pages after a cursor, each of which asks for the one after it. @param {any} props */
function Following({ api, path, cursor, pages, column, zone }) {
  const { data, error } = useAnswer(api, `${path}&cursor=${encodeURIComponent(cursor)}`);
  if (!data) return html`<tr><td colspan="3" class="muted">${error ? error.message : 'Loading…'}</td></tr>`;
  return html`<${Rows} answer=${data} column=${column} zone=${zone} />
    ${pages > 1 && data.next_cursor && html`<${Following} api=${api} path=${path} cursor=${data.next_cursor} pages=${pages - 1} column=${column} zone=${zone} />`}`;
}

/** @param {any} props */
function Rows({ answer, column, zone }) {
  return html`${answer.terms.map((/** @type {any} */ term, /** @type {number} */ at) => html`<tr key=${`${at}${term.key}`}>
      <th scope="row" title=${TERMS[/** @type {keyof typeof TERMS} */ (term.term)]?.means}>${TERMS[/** @type {keyof typeof TERMS} */ (term.term)]?.one ?? term.term}</th>
      <td><code><bdi>${term.key || 'a user who was erased'}</bdi></code></td>
      <td class="number">${term.sign < 0 ? '−' : ''}${exactFigure(term.value, column)}</td></tr>`)}
    ${answer.events.map((/** @type {any} */ event, /** @type {number} */ at) => html`<tr key=${`event${at}`}>
      <th scope="row" class="muted">Event of ${instant(event.at, zone)}</th><td><code><bdi>${event.user ?? ''}</bdi></code></td>
      <td class="number muted">(${exactFigure(event.value, column)})</td></tr>`)}`;
}
