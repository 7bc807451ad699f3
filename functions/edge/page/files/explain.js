/** How a figure is made up: the terms that add up to it, as `GET /v1/explain` tells them. */

import { html, useState } from './vendor/standalone.module.js';
import { filled } from './api.js';
import { day, exactFigure, instant, range } from './format.js';
import { addressOfView, questionOf } from './question.js';
import { Dialog, ErrorState, Loading, useAnswer } from './parts.js';

const MOST_PAGES = 20;
/** @type {Record<string, {one: string, all: string}>} */
const TERMS = {
  reading: {
    one: 'Reading of the meter',
    all: 'Readings of the meter: a period is the later one less the earlier one',
  },
  delta: { one: 'Day', all: 'Days that no reading has yet' },
  segment: { one: 'Part of a day', all: 'Days that the period cuts, event by event' },
  late: { one: 'Counted lately', all: 'Counted lately, before it gets into the day that it is of' },
  day: { one: 'Day with usage', all: 'Days with usage' },
  user: { one: 'User', all: 'Users, each of whom counts for one' },
};

/**
 * @typedef {{template: string, measures: {name: string, label: string, unit?: string,
 *   decimals?: number}[], from: string, to: string, zone: string, title: string,
 *   definition: string, more?: Record<string, string>}} Explained `measures` are those that the
 *   figure is made of: one, or the parts of a ratio
 */

/** @param {{api: import('./api.js').Api, explained: Explained, onClose: () => void}} props */
export function Explanation({ api, explained, onClose }) {
  const { title, definition, measures, from, to, zone } = explained;
  return html`
    <${Dialog} title=${`How is ${title} made up?`} onClose=${onClose}>
      <p>${definition}</p>
      <p class="muted small">${range(from, to, zone)}, until ${instant(to, zone)}.</p>
      ${
        measures.length > 1 &&
        html`<p class="muted small">It is divided: these are the sums that it is made of.</p>`
      }
      ${measures.map(
        (measure) => html`
          <${Terms} key=${measure.name} api=${api} explained=${explained} measure=${measure} />
        `,
      )}
    <//>
  `;
}

/**
 * @param {{api: import('./api.js').Api, explained: Explained,
 *   measure: Explained['measures'][0]}} props
 */
function Terms({ api, explained, measure }) {
  const [pages, setPages] = useState(1);
  const path = filled(explained.template, {
    ...explained.more,
    measure: measure.name,
    from: explained.from,
    to: explained.to,
  });
  const first = useAnswer(api, path);
  if (first.error) return html`<${ErrorState} error=${first.error} retry=${first.retry} />`;
  if (!first.data) return html`<${Loading} height="8rem" />`;
  const { next_cursor: next } = first.data;
  return html`
    <section class="terms" aria-label=${measure.label}>
      <${Sum} answer=${first.data} measure=${measure} />
      ${
        first.data.terms.length > 0 &&
        html`
          <details>
            <summary>Every term, and where it is stored</summary>
            <table class="plain-table">
              <caption class="visually-hidden">Terms of ${measure.label}</caption>
              <thead>
                <tr>
                  <th scope="col">Term</th>
                  <th scope="col" class="number">Adds</th>
                </tr>
              </thead>
              <tbody>
                <${Rows} answer=${first.data} column=${measure} zone=${explained.zone} />
                ${
                  pages > 1 &&
                  html`
                    <${Following}
                      api=${api}
                      path=${path}
                      cursor=${next}
                      pages=${pages - 1}
                      column=${measure}
                      zone=${explained.zone}
                    />
                  `
                }
              </tbody>
            </table>
            ${
              next &&
              pages < MOST_PAGES &&
              html`
                <p class="more">
                  <button type="button" class="quiet" onClick=${() => setPages(pages + 1)}>
                    Show more terms
                  </button>
                </p>
              `
            }
          </details>
        `
      }
    </section>
  `;
}

/**
 * The terms by what they are, and what they add up to.
 * @param {{answer: any, measure: any}} props
 */
function Sum({ answer, measure }) {
  const { value, terms, next_cursor: next } = answer;
  const kinds = [...new Set(terms.map((/** @type {any} */ term) => term.term))];
  const added = (/** @type {string} */ kind) =>
    terms
      .filter((/** @type {any} */ term) => term.term === kind)
      .reduce(
        (/** @type {number} */ sum, /** @type {any} */ term) => sum + term.sign * term.value,
        0,
      );
  return html`
    <ul class="sum">
      ${kinds.map(
        (kind) => html`
          <li key=${kind}>
            <span>${TERMS[kind]?.all ?? kind}</span>
            <span>
              ${
                next && kind === 'user'
                  ? exactFigure(value, measure)
                  : exactFigure(added(kind), measure)
              }
            </span>
          </li>
        `,
      )}
      <li>
        <span>${measure.label}</span>
        <span>${exactFigure(value, measure)}</span>
      </li>
    </ul>
  `;
}

/**
 * The pages after a cursor, each of which asks for the one after it.
 * @param {any} props
 */
function Following({ api, path, cursor, pages, column, zone }) {
  const { data, error } = useAnswer(api, `${path}&cursor=${encodeURIComponent(cursor)}`);
  if (!data)
    return html`
      <tr>
        <td colspan="2" class="muted">${error ? error.message : 'Loading…'}</td>
      </tr>
    `;
  return html`
    <${Rows} answer=${data} column=${column} zone=${zone} />
    ${
      pages > 1 &&
      data.next_cursor &&
      html`
        <${Following}
          api=${api}
          path=${path}
          cursor=${data.next_cursor}
          pages=${pages - 1}
          column=${column}
          zone=${zone}
        />
      `
    }
  `;
}

/** @param {any} props */
function Rows({ answer, column, zone }) {
  return html`
    ${answer.terms.map(
      (/** @type {any} */ term, /** @type {number} */ at) => html`
        <tr key=${`${at}${term.key}`}>
          <th scope="row">
            ${nameOf(term)}
            <code>
              ${term.term === 'user' ? html`<${Who} id=${term.key} />` : html`<bdi>${term.key}</bdi>`}
            </code>
          </th>
          <td class="number">
            ${term.sign < 0 ? '−' : ''}
            ${exactFigure(term.value, column)}
          </td>
        </tr>
      `,
    )}
    ${answer.events.map(
      (/** @type {any} */ event, /** @type {number} */ at) => html`
        <tr key=${`event${at}`}>
          <th scope="row" class="muted">
            Event of ${instant(event.at, zone)}, in a part of a day
            <code>
              <bdi>${event.user ?? ''}</bdi>
            </code>
          </th>
          <td class="number muted">(${exactFigure(event.value, column)})</td>
        </tr>
      `,
    )}
  `;
}

/**
 * A user by id, whose own view has the name.
 * @param {{id: string}} props
 */
function Who({ id }) {
  return id
    ? html`<a href=${addressOfView(questionOf(location.hash), 'user', id)}>${id}</a>`
    : 'a user who was erased';
}

/**
 * What a term is, with the day that its key names.
 * @param {{term: string, key: string}} term
 */
function nameOf({ term, key }) {
  const date = key.match(/(?:^|#)(\d{4}-\d{2}-\d{2})(?:#|$)/)?.[1];
  return `${TERMS[term]?.one ?? term}${date ? `: ${day(date, 'UTC')}` : ''}`;
}
