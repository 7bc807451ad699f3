/** Search by name for products, teams and users. */

import { html, useEffect, useId, useState } from './vendor/standalone.module.js';
import { pathOf } from './api.js';
import { useAnswer } from './parts.js';
import { addressOfView, limitOf } from './question.js';

const MOST_OF_EACH = 5;
const PAUSE_MS = 200;

/** @param {string} text */
function useSettled(text) {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

/** @param {{api: import('./api.js').Api, me: any, question: any}} props */
export function Search({ api, me, question }) {
  const [text, setText] = useState('');
  const [place, setPlace] = useState(-1);
  const id = useId();
  const words = useSettled(text.trim());
  const { user } = limitOf(me);
  const path =
    words && !user
      ? pathOf('/v1/seats', {
          ...limitOf(me),
          q: words.slice(0, 128),
          limit: MOST_OF_EACH,
          sort: 'username',
        })
      : null;
  const people = useAnswer(api, path);
  const found = words ? results(me, question, words, path ? people.data : null) : [];
  const close = () => {
    setText('');
    setPlace(-1);
  };
  const open = (/** @type {{href: string}} */ result) => {
    location.hash = result.href;
    close();
  };
  const typed = (/** @type {KeyboardEvent} */ event) => {
    const step = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1 })[event.key];
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && found.length) open(found[Math.max(place, 0)]);
    else if (step && found.length) setPlace((place + step + found.length) % found.length);
    else return;
    event.preventDefault();
  };
  return html`
    <div
      class="search"
      onFocusOut=${(/** @type {any} */ event) =>
        !event.currentTarget.contains(event.relatedTarget) && close()}
    >
      <input
        type="search"
        role="combobox"
        aria-label="Search products, teams and users"
        placeholder="Search"
        autocomplete="off"
        maxlength="128"
        aria-expanded=${found.length > 0}
        aria-controls=${id}
        aria-activedescendant=${place >= 0 && found[place] ? `${id}-${place}` : undefined}
        value=${text}
        onInput=${(/** @type {any} */ event) => {
          setText(event.currentTarget.value);
          setPlace(-1);
        }}
        onKeyDown=${typed}
      />
      <${Found} id=${id} found=${found} place=${place} isHidden=${!words} open=${open} />
      ${
        words &&
        !found.length &&
        html`
          <p class="search-none muted" role="status">
            ${people.isLoading ? 'Searching…' : 'Nothing by this name.'}
          </p>
        `
      }
    </div>
  `;
}

/**
 * What was found, to be chosen from.
 * @param {{id: string, found: any[], place: number, isHidden: boolean,
 *   open: (result: any) => void}} props
 */
function Found({ id, found, place, isHidden, open }) {
  return html`
    <ul role="listbox" id=${id} aria-label="Found" hidden=${isHidden}>
      ${found.map(
        (result, at) => html`
          <li
            key=${result.href}
            id=${`${id}-${at}`}
            role="option"
            aria-selected=${at === place}
            onMouseDown=${(/** @type {Event} */ event) => {
              event.preventDefault();
              open(result);
            }}
          >
            <bdi>${result.name}</bdi>
            <span class="muted small">${result.what}</span>
          </li>
        `,
      )}
    </ul>
  `;
}

/**
 * @param {any} me
 * @param {any} question
 * @param {string} words
 * @param {any} people
 */
function results(me, question, words, people) {
  const isNamed = (/** @type {{name: string}} */ { name }) =>
    name.toLowerCase().includes(words.toLowerCase());
  const of = (/** @type {any[]} */ rows, /** @type {string} */ view, /** @type {string} */ what) =>
    rows
      .filter(isNamed)
      .slice(0, MOST_OF_EACH)
      .map(({ id, name }) => ({ name, what, href: addressOfView(question, view, id) }));
  const users = (people?.data ?? []).map((/** @type {any} */ seat) => ({
    id: seat.user.id,
    name: seat.user.username,
  }));
  return [
    ...of(me.products, 'product', 'product'),
    ...of(me.teams, 'team', 'team'),
    ...users.slice(0, MOST_OF_EACH).map((/** @type {any} */ { id, name }) => ({
      name,
      what: 'user',
      href: addressOfView(question, 'user', id),
    })),
  ];
}
