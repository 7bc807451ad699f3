/** What is chosen above a view: period, granularity, comparison, time zone and filters. */

import { html, useEffect, useId, useRef, useState } from './vendor/standalone.module.js';
import {
  GRANULARITIES,
  PERIODS,
  comparisonOf,
  daysOf,
  granularityOf,
  hasOwnDates,
  mayReadAll,
  periodOf,
  zoneOf,
} from './question.js';

/**
 * @typedef {{me: any, question: import('./question.js').Question,
 *   navigate: (changes: Record<string, string | undefined>) => void}} Chosen
 */

const DAY_MS = 86_400_000;
const OWN_DATES = 'own';
const MARGIN_PX = 12;
const COMPARISONS = [
  { name: 'previous_period', label: 'the period before' },
  { name: 'previous_year', label: 'a year before' },
  { name: 'none', label: 'nothing' },
];
const TYPES = [
  { name: 'account-user', label: 'People' },
  { name: 'service-user', label: 'Machines' },
];

/**
 * @param {{label: string, value: string, onChange: (value: string) => void, children?: any}} props
 */
function Select({ label, value, onChange, children }) {
  const id = useId();
  return html`
    <div class="control">
      <label for=${id}>${label}</label>
      <select
        id=${id}
        value=${value}
        onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)}
      >
        ${children}
      </select>
    </div>
  `;
}

/**
 * @param {{name: string, label: string}} choice
 * @param {string} chosen
 */
const option = ({ name, label }, chosen) => html`
  <option key=${name} value=${name} selected=${name === chosen}>${label}</option>
`;

/**
 * All controls of a view.
 * @param {Chosen & {filters?: string[]}} props `filters` are those that the view has
 */
export function Controls({
  me,
  question,
  navigate,
  filters = ['team', 'department', 'user_type'],
}) {
  const days = daysOf(question);
  const granularities = GRANULARITIES.filter(
    ({ least, most, name }) => (days >= least && days <= most) || name === granularityOf(question),
  );
  const offered = mayReadAll(me) ? filters : [];
  return html`
    <form
      class="controls"
      aria-label="Period and filters"
      onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}
    >
      <${PeriodPicker} question=${question} navigate=${navigate} />
      <${Select}
        label="Interval"
        value=${granularityOf(question)}
        onChange=${(/** @type {string} */ granularity) => navigate({ granularity })}
      >
        ${granularities.map((each) => option(each, granularityOf(question)))}
      <//>
      <${Select}
        label="Compared with"
        value=${comparisonOf(question)}
        onChange=${(/** @type {string} */ compare) => navigate({ compare })}
      >
        ${COMPARISONS.map((each) => option(each, comparisonOf(question)))}
      <//>
      <${More} me=${me} question=${question} navigate=${navigate} filters=${offered} />
      <${Chosen} me=${me} question=${question} navigate=${navigate} filters=${offered} />
    </form>
  `;
}

/**
 * What is seldom changed, behind a button.
 * @param {Chosen & {filters: string[]}} props
 */
function More({ me, question, navigate, filters }) {
  const box = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  const panel = useRef(/** @type {HTMLDivElement | null} */ (null));
  const close = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Escape' || !box.current?.open) return;
    box.current.open = false;
    box.current.querySelector('summary')?.focus();
  };
  useEffect(() => {
    const outside = (/** @type {Event} */ event) => {
      if (box.current && !box.current.contains(/** @type {Node} */ (event.target)))
        box.current.open = false;
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, []);
  const [shift, setShift] = useState(0);
  const opened = () => {
    const { left = 0, width = 0 } = panel.current?.getBoundingClientRect() ?? {};
    setShift((before) =>
      Math.min(0, document.documentElement.clientWidth - MARGIN_PX - (left - before + width)),
    );
  };
  return html`
    <details class="more-controls" ref=${box} onKeyDown=${close} onToggle=${opened}>
      <summary class="button">${filters.length ? 'Filters' : 'Time zone'}</summary>
      <div class="more-panel" ref=${panel} style=${{ marginLeft: `${shift}px` }}>
        <${Filters} me=${me} question=${question} navigate=${navigate} filters=${filters} />
        <${ZonePicker} me=${me} question=${question} navigate=${navigate} />
      </div>
    </details>
  `;
}

/**
 * The filters in use, each with a button that takes it away.
 * @param {Chosen & {filters: string[]}} props
 */
function Chosen({ me, question, navigate, filters }) {
  const choices = choicesOf(me);
  const inUse = filters
    .filter((name) => question[name])
    .map((name) => {
      const { label, of } = choices[/** @type {keyof typeof choices} */ (name)];
      return {
        name,
        text: `${label}: ${of.find((each) => each.name === question[name])?.label ?? question[name]}`,
      };
    });
  if (question.timezone) inUse.push({ name: 'timezone', text: `Time zone: ${question.timezone}` });
  return inUse.map(
    ({ name, text }) => html`
      <button
        type="button"
        class="chip"
        key=${name}
        aria-label=${`Remove ${text}`}
        onClick=${() => navigate({ [name]: undefined })}
      >
        <bdi>${text}</bdi> <span aria-hidden="true">✕</span>
      </button>
    `,
  );
}

/** @param {any} me */
const choicesOf = (me) => ({
  team: { label: 'Team', all: 'All teams', of: named(me.teams) },
  department: { label: 'Department', all: 'All departments', of: named(me.departments) },
  user_type: { label: 'Type', all: 'People and machines', of: TYPES },
});

/**
 * Presets, and dates of one's own.
 * @param {Omit<Chosen, 'me'>} props
 */
function PeriodPicker({ question, navigate }) {
  const [isOpen, setOpen] = useState(false);
  const hasDates = hasOwnDates(question);
  const chosen = hasDates || isOpen ? OWN_DATES : periodOf(question);
  const choose = (/** @type {string} */ period) => {
    setOpen(period === OWN_DATES);
    if (period !== OWN_DATES)
      navigate({ period, from: undefined, to: undefined, granularity: undefined });
  };
  return html`
    <${Select} label="Period" value=${chosen} onChange=${choose}>
      ${PERIODS.map((each) => option(each, chosen))}
      ${
        !PERIODS.some(({ name }) => name === chosen) &&
        chosen !== OWN_DATES &&
        option({ name: chosen, label: chosen }, chosen)
      }
      ${option({ name: OWN_DATES, label: 'Own dates…' }, chosen)}
    <//>
    ${
      chosen === OWN_DATES &&
      html`
        <${OwnDates} key=${`${question.from}/${question.to}`} question=${question} navigate=${navigate} />
      `
    }
  `;
}

/**
 * The first and the last day; the API's `to` is the day after the last.
 * @param {Omit<Chosen, 'me'>} props
 */
function OwnDates({ question, navigate }) {
  const today = new Date().toISOString().slice(0, 10);
  const [first, setFirst] = useState(question.from?.slice(0, 10) ?? moved(today, -27));
  const [last, setLast] = useState(question.to ? moved(question.to.slice(0, 10), -1) : today);
  const days = (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
  const fault = !(days >= 1)
    ? 'The last day is before the first.'
    : days > 732
      ? 'At most 732 days.'
      : '';
  const show = () =>
    !fault &&
    navigate({ from: first, to: moved(last, 1), period: undefined, granularity: undefined });
  const typed = (/** @type {(text: string) => void} */ set) => (/** @type {any} */ event) =>
    set(event.currentTarget.value);
  return html`
    <span class="own-dates">
      <label class="control">
        <span>From</span>
        <input type="date" value=${first} required onInput=${typed(setFirst)} />
      </label>
      <label class="control">
        <span>To</span>
        <input type="date" value=${last} required onInput=${typed(setLast)} />
      </label>
      <button type="button" class="button" disabled=${Boolean(fault)} onClick=${show}>Show</button>
      <span class="fault" role="alert">${fault}</span>
    </span>
  `;
}

/**
 * A date so many days later; the same where there is none.
 * @param {string} date
 * @param {number} days
 */
function moved(date, days) {
  const found = new Date(Date.parse(date) + days * DAY_MS);
  return Number.isNaN(found.getTime()) ? date : found.toISOString().slice(0, 10);
}

/** @param {Chosen & {filters: string[]}} props */
function Filters({ me, question, navigate, filters }) {
  const choices = choicesOf(me);
  return filters.map((name) => {
    const { label, all, of } = choices[/** @type {keyof typeof choices} */ (name)];
    const chosen = question[name] ?? '';
    if (!of.length && !chosen) return null;
    const isListed = !chosen || of.some((each) => each.name === chosen);
    return html`
      <${Select}
        key=${name}
        label=${label}
        value=${chosen}
        onChange=${(/** @type {string} */ value) => navigate({ [name]: value || undefined })}
      >
        <option value="" selected=${!chosen}>${all}</option>
        ${!isListed && option({ name: chosen, label: chosen }, chosen)}
        ${of.map((each) => option(each, chosen))}
      <//>
    `;
  });
}

/** @param {{id: string, name: string}[]} groups */
const named = (groups) => (groups ?? []).map(({ id, name }) => ({ name: id, label: name }));

/**
 * Whose days, weeks and months: the organization's, the reader's, UTC, or any other.
 * @param {Chosen} props
 */
function ZonePicker({ me, question, navigate }) {
  const [hasAll, setAll] = useState(false);
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const near = [me.organization.timezone, here, 'UTC', question.timezone].filter(Boolean);
  const zones = [...new Set([...near, ...(hasAll ? Intl.supportedValuesOf('timeZone') : [])])];
  const chosen = zoneOf(question, me);
  const choose = (/** @type {string} */ zone) => {
    if (zone === OWN_DATES) setAll(true);
    else navigate({ timezone: zone === me.organization.timezone ? undefined : zone });
  };
  return html`
    <${Select} label="Time zone" value=${chosen} onChange=${choose}>
      ${zones.map((zone) => option({ name: zone, label: zone.replaceAll('_', ' ') }, chosen))}
      ${!hasAll && html`<option value=${OWN_DATES}>All time zones…</option>`}
    <//>
  `;
}
