/** Who has a seat, and who does not use it. */

import { html, useEffect, useState } from '../vendor/standalone.module.js';
import { pathOf } from '../api.js';
import { NOTHING, ago, count, day, instant } from '../format.js';
import {
  Answered,
  CsvButton,
  EmptyState,
  Figure,
  Meter,
  Panel,
  View,
  stateOf,
  useAnswer,
} from '../parts.js';
import { addressOfView, limitOf, mayReadAll, zoneOf } from '../question.js';

/**
 * @typedef {{api: import('../api.js').Api, me: any, question: import('../question.js').Question,
 *   navigate: (changes: Record<string, string | undefined>) => void}} Props
 */

const PAGE = 50;
const PAUSE_MS = 300;
const DEFAULT_DAYS = '30';
const DAYS = ['7', '14', '30', '60', '90', '180', '365'];
const STATUSES = [
  {
    name: 'active',
    label: 'Active',
    title: (/** @type {string} */ days) => `Used something in the last ${days} days.`,
  },
  {
    name: 'inactive',
    label: 'Inactive',
    title: (/** @type {string} */ days) =>
      `Used something once, and nothing in the last ${days} days.`,
  },
  {
    name: 'never_used',
    label: 'Never used',
    title: () => 'Has a seat and has never used anything.',
  },
  { name: 'invited', label: 'Invited', title: () => 'Has not accepted the invitation yet.' },
];
const LABELS = /** @type {Record<string, string>} */ ({
  ...Object.fromEntries(STATUSES.map(({ name, label }) => [name, label])),
  deactivated: 'Deactivated',
});
const COLUMNS = [
  { label: 'User', sort: 'username' },
  { label: 'Team' },
  { label: 'Status' },
  { label: 'Last active', sort: 'last_active' },
  { label: 'Active days', isNumber: true },
  { label: 'Since', sort: 'created_at' },
];

/**
 * What is asked of the API, without a page.
 * @param {any} question
 * @param {any} me
 */
const asked = (question, me) => ({
  team: question.team,
  department: question.department,
  ...limitOf(me),
  product: question.product,
  status: question.status,
  q: question.q,
  inactive_days: question.inactive_days ?? DEFAULT_DAYS,
  sort: question.sort,
  order: question.order,
});

/** @param {Props} props */
export default function Seats({ api, me, question, navigate }) {
  const query = asked(question, me);
  const base = pathOf('/v1/seats', { ...query, limit: PAGE });
  const [trail, setTrail] = useState({ base, cursors: /** @type {string[]} */ ([]) });
  const cursors = trail.base === base ? trail.cursors : [];
  const answer = useAnswer(
    api,
    pathOf('/v1/seats', { ...query, limit: PAGE, cursor: cursors.at(-1) }),
  );
  const turn = (/** @type {string[]} */ to) => setTrail({ base, cursors: to });
  return html`
    <${View}
      name="seats"
      state=${stateOf(answer, (data) => !data.total_count)}
      title="Seats"
      subtitle="Who has a seat, and who does not use it."
      actions=${html`<${SeatControls} me=${me} question=${question} navigate=${navigate} />`}
    >
      <${Answered} answer=${answer}>
        ${(/** @type {any} */ data) => html`
          <${Counts} seats=${data.seats} question=${question} navigate=${navigate} />
          ${isUnused(data.seats) && html`<${NobodyUsed} me=${me} question=${question} />`}
          <${Panel}
            title="Who has a seat"
            isLoading=${answer.isLoading}
            actions=${html`<${CsvButton} api=${api} paths=${[pathOf('/v1/seats', query)]} name="Seats" />`}
          >
            ${
              data.total_count
                ? html`
                  <${SeatTable} seats=${data.data} me=${me} question=${question} navigate=${navigate} />
                  <${Pages} data=${data} cursors=${cursors} onTurn=${turn} isLoading=${answer.isLoading} />
                `
                : html`<${Nobody} question=${question} navigate=${navigate} />`
            }
          <//>
        `}
      <//>
      ${
        answer.error &&
        cursors.length > 0 &&
        html`
          <p>
            <button type="button" class="button" onClick=${() => turn([])}>
              Go to the first page
            </button>
          </p>
        `
      }
    <//>
  `;
}

/**
 * @param {{label: string, value: string, onChange: (value: string) => void, choices: {name: string,
 *   label: string}[], all?: string}} props
 */
function Select({ label, value, onChange, choices, all }) {
  const isListed = !value || choices.some(({ name }) => name === value);
  return html`
    <label class="control">
      <span>${label}</span>
      <select
        value=${value}
        onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)}
      >
        ${all && html`<option value="" selected=${!value}>${all}</option>`}
        ${!isListed && html`<option value=${value} selected>${value}</option>`}
        ${choices.map(
          ({ name, label: text }) => html`
            <option key=${name} value=${name} selected=${name === value}>${text}</option>
          `,
        )}
      </select>
    </label>
  `;
}

/** @param {{id: string, name: string}[]} groups */
const named = (groups) => groups.map(({ id, name }) => ({ name: id, label: name }));

/** @param {Omit<Props, 'api'>} props */
function SeatControls({ me, question, navigate }) {
  const change = (/** @type {string} */ name) => (/** @type {string} */ value) =>
    navigate({ [name]: value || undefined });
  const days = DAYS.map((name) => ({ name, label: `${name} days` }));
  return html`
    <form
      class="controls"
      role="search"
      aria-label="Filters"
      onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}
    >
      <${SearchBox} text=${question.q ?? ''} onSearch=${change('q')} />
      <${Select}
        label="Inactive after"
        value=${question.inactive_days ?? DEFAULT_DAYS}
        choices=${days}
        onChange=${change('inactive_days')}
      />
      <${Select}
        label="Status"
        value=${question.status ?? ''}
        all="All with a seat"
        choices=${STATUSES}
        onChange=${change('status')}
      />
      <${Select}
        label="Use of"
        value=${question.product ?? ''}
        all="All products"
        choices=${named(me.products)}
        onChange=${change('product')}
      />
      ${
        mayReadAll(me) &&
        me.teams.length > 0 &&
        html`
          <${Select}
            label="Team"
            value=${question.team ?? ''}
            all="All teams"
            choices=${named(me.teams)}
            onChange=${change('team')}
          />
        `
      }
      ${
        mayReadAll(me) &&
        me.departments.length > 0 &&
        html`
          <${Select}
            label="Department"
            value=${question.department ?? ''}
            all="All departments"
            choices=${named(me.departments)}
            onChange=${change('department')}
          />
        `
      }
    </form>
  `;
}

/**
 * A text that is searched for once nobody types any more.
 * @param {{text: string, onSearch: (text: string) => void}} props
 */
function SearchBox({ text, onSearch }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed.trim() === text) return undefined;
    const timer = setTimeout(() => onSearch(typed.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return html`
    <label class="control">
      <span>Name or e-mail</span>
      <input
        type="search"
        value=${typed}
        maxlength="128"
        autocomplete="off"
        onInput=${(/** @type {any} */ event) => setTyped(event.currentTarget.value)}
      />
    </label>
  `;
}

/**
 * How many seats have which status; each is a filter, too.
 * @param {{seats: any, question: any, navigate: any}} props
 */
function Counts({ seats, question, navigate }) {
  const days = question.inactive_days ?? DEFAULT_DAYS;
  const { licensed, assigned } = seats;
  return html`
    <div class="figures">
      <div class="figure" role="group" aria-label="Seats">
        <div class="figure-name">Seats</div>
        <div class="figure-value">
          <span>${count(assigned)}</span>
        </div>
        <div class="figure-note">
          ${
            licensed === null
              ? html`<span class="muted">assigned</span>`
              : html`
                <${Meter} value=${assigned} of=${licensed} label="Seats assigned of those licensed" />
                <span class="muted">of ${count(licensed)} licensed</span>
              `
          }
        </div>
      </div>
      ${STATUSES.map(
        ({ name, label, title }) => html`
          <${Figure}
            key=${name}
            label=${label}
            value=${seats[name]}
            definition=${title(days)}
            note=${
              assigned && name !== 'invited'
                ? `${Math.round((100 * seats[name]) / assigned)}%`
                : undefined
            }
            isSelected=${question.status === name}
            onSelect=${() => navigate({ status: question.status === name ? undefined : name })}
          />
        `,
      )}
    </div>
  `;
}

/** @param {{seats: any[], me: any, question: any, navigate: any}} props */
function SeatTable({ seats, me, question, navigate }) {
  const zone = zoneOf(question, me);
  const products = new Map(
    me.products.map((/** @type {any} */ product) => [product.id, product.name]),
  );
  return html`
    <div class="table-scroll" tabindex="0" role="region" aria-label="Seats, table">
      <table class="plain-table">
        <caption class="visually-hidden">Seats</caption>
        <thead>
          <tr>
            ${COLUMNS.map(
              (column) => html`
                <${Heading} key=${column.label} column=${column} question=${question} navigate=${navigate} />
              `,
            )}
          </tr>
        </thead>
        <tbody>
          ${seats.map(
            (seat) => html`
              <${SeatRow} key=${seat.user.id} ...${{ seat, question, zone, products }} />
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{seat: any, question: any, zone: string, products: Map<string, string>}} props */
function SeatRow({ seat, question, zone, products }) {
  return html`
    <tr>
      <th scope="row">
        <a href=${addressOfView(question, 'user', seat.user.id)}>
          <bdi>${seat.user.username}</bdi>
        </a>
      </th>
      <td>${seat.user.team ? html`<bdi>${seat.user.team.name}</bdi>` : NOTHING}</td>
      <td>
        <span class="badge" data-status=${seat.status}>
          ${LABELS[seat.status] ?? seat.status}
        </span>
      </td>
      <td>
        ${
          seat.last_active.at
            ? html`
              <time datetime=${seat.last_active.at} title=${instant(seat.last_active.at, zone)}>
                ${ago(seat.last_active.at)}
              </time>${' '}
              <bdi class="muted small">
                ${products.get(seat.last_active.product) ?? seat.last_active.product}
              </bdi>
            `
            : NOTHING
        }
      </td>
      <td class="number">${count(seat.active_days)}</td>
      <td>
        <time datetime=${seat.seat_since}>${day(seat.seat_since, zone)}</time>
      </td>
    </tr>
  `;
}

/**
 * @param {{column: {label: string, sort?: string, isNumber?: boolean}, question: any,
 *   navigate: any}} props
 */
function Heading({ column, question, navigate }) {
  const { label, sort, isNumber } = column;
  if (!sort) return html`<th scope="col" class=${isNumber ? 'number' : undefined}>${label}</th>`;
  const isSorted = (question.sort ?? 'last_active') === sort,
    isDown = question.order === 'desc';
  const next = {
    sort: sort === 'last_active' ? undefined : sort,
    order: isSorted && !isDown ? 'desc' : undefined,
  };
  return html`
    <th scope="col" aria-sort=${isSorted ? (isDown ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="sort" onClick=${() => navigate(next)}>
        ${label}
        <span aria-hidden="true">${isSorted ? (isDown ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  `;
}

/**
 * A page that is on its way has no next one yet.
 * @param {{data: any, cursors: string[], onTurn: (cursors: string[]) => void,
 *   isLoading: boolean}} props
 */
function Pages({ data, cursors, onTurn, isLoading }) {
  const first = cursors.length * PAGE;
  return html`
    <nav class="pages" aria-label="Pages of seats">
      <span class="muted" role="status">
        ${count(first + 1)}–${count(first + data.data.length)} of ${count(data.total_count)}
      </span>
      <button
        type="button"
        class="button"
        disabled=${isLoading || !cursors.length}
        onClick=${() => onTurn(cursors.slice(0, -1))}
      >
        Previous
      </button>
      <button
        type="button"
        class="button"
        disabled=${isLoading || !data.next_cursor}
        onClick=${() => onTurn([...cursors, data.next_cursor])}
      >
        Next
      </button>
    </nav>
  `;
}

/** @param {any} seats */
const isUnused = (seats) => seats.assigned > 0 && seats.never_used === seats.assigned;

/**
 * Everybody has a seat and nobody has ever used it: perhaps nothing is sent yet.
 * @param {{me: any, question: any}} props
 */
function NobodyUsed({ me, question }) {
  const product = me.products.find((/** @type {any} */ each) => each.id === question.product);
  return html`
    <p class="notice" role="status">
      Nobody has ever used <bdi>${product?.name ?? 'any product'}</bdi>.${' '}
      ${mayReadAll(me) && html`<a href=${addressOfView(question, 'data')}>See what has arrived</a>`}
    </p>
  `;
}

/** @param {{question: any, navigate: any}} props */
function Nobody({ question, navigate }) {
  const isFiltered = ['q', 'status', 'product', 'team', 'department'].some(
    (name) => question[name],
  );
  const clear = () =>
    navigate({
      q: undefined,
      status: undefined,
      product: undefined,
      team: undefined,
      department: undefined,
    });
  if (!isFiltered)
    return html`
      <${EmptyState} title="Nobody has a seat yet">Users come with PUT /v1/directory.<//>
    `;
  return html`
    <${EmptyState}
      title="Nobody fits these filters"
      action=${html`<button type="button" class="button" onClick=${clear}>Clear filters</button>`}
    />
  `;
}
