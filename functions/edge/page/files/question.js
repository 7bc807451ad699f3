/**
 * What is asked: it stands in the address, so that a view can be shared, and becomes the query of a
 * request.
 */

/**
 * @typedef {Record<string, string>} Question `view` and `id`, and what was chosen, as the API names
 *   it: `period` or `from` and `to`, `granularity`, …
 */

export const VIEWS = ['overview', 'product', 'team', 'user', 'seats', 'data'];
const WITH_ID = new Set(['product', 'team', 'user']);
/** What stays as it is when another view is opened; all else is of one view. */
const KEPT = [
  'period',
  'from',
  'to',
  'granularity',
  'compare',
  'timezone',
  'team',
  'department',
  'user_type',
];
const DEFAULT_PERIOD = '28d';
const DEFAULT_COMPARISON = 'previous_period';
const DAY_MS = 86_400_000;
/**
 * Blocks that begin in another zone than a kind counts its days in are answered for so long at
 * once.
 */
const LONGEST_IN_OTHER_ZONES = 92;
const MOST_PARTS = 16;
/**
 * How many days or months of a series are asked for at once, where days of several calendars meet.
 */
const PARTS = {
  day: { days: 91 },
  week: { days: 84 },
  month: { months: 2 },
  quarter: { months: 3 },
  year: { months: 12 },
};

/** Periods by their names in the API, and about how many days they have. */
export const PERIODS = Object.freeze([
  { name: 'today', label: 'Today', days: 1 },
  { name: 'yesterday', label: 'Yesterday', days: 1 },
  { name: '7d', label: 'Last 7 days', days: 7 },
  { name: '28d', label: 'Last 28 days', days: 28 },
  { name: '90d', label: 'Last 90 days', days: 90 },
  { name: '12mo', label: 'Last 12 months', days: 365 },
  { name: 'mtd', label: 'This month', days: 31 },
  { name: 'last_month', label: 'Last month', days: 31 },
  { name: 'qtd', label: 'This quarter', days: 92 },
  { name: 'last_quarter', label: 'Last quarter', days: 92 },
  { name: 'ytd', label: 'This year', days: 365 },
  { name: 'last_year', label: 'Last year', days: 366 },
]);

/** Granularities, and how many days a period may have at least and at most to be cut so. */
export const GRANULARITIES = Object.freeze([
  { name: 'hour', label: 'Hours', least: 0, most: 7 },
  { name: 'day', label: 'Days', least: 2, most: 400 },
  { name: 'week', label: 'Weeks', least: 14, most: 732 },
  { name: 'month', label: 'Months', least: 59, most: 732 },
  { name: 'quarter', label: 'Quarters', least: 180, most: 732 },
]);

/**
 * The question of an address such as `#/product/chat?period=28d`.
 * @param {string} hash
 * @returns {Question}
 */
export function questionOf(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [view, id = ''] = path.split('/', 2);
  const chosen = Object.fromEntries([...new URLSearchParams(query)].filter(([, value]) => value));
  if (!VIEWS.includes(view)) return { ...chosen, view: 'overview' };
  return { ...chosen, view, ...(WITH_ID.has(view) ? { id: decoded(id) } : {}) };
}

/**
 * A part of an address as it was meant.
 * @param {string} text
 */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The address of a question.
 * @param {Record<string, string | undefined>} question
 */
export function addressOf({ view = 'overview', id, ...chosen }) {
  const said = Object.entries(chosen).filter(([, value]) => value !== undefined && value !== '');
  const query = new URLSearchParams(/** @type {[string, string][]} */ (said)).toString();
  return `#/${view}${id ? `/${encodeURIComponent(id)}` : ''}${query ? `?${query}` : ''}`;
}

/**
 * The address of another view of the same period and filters.
 * @param {Question} question
 * @param {string} view
 * @param {string} [id]
 */
export function addressOfView(question, view, id, more = {}) {
  const kept = Object.fromEntries(KEPT.map((name) => [name, question[name]]));
  if (view === 'team') delete kept.team;
  if (view === 'user') for (const name of ['team', 'department', 'user_type']) delete kept[name];
  return addressOf({ ...kept, ...more, view, id });
}

/**
 * About how many days are asked about.
 * @param {Question} question
 */
export function daysOf(question) {
  if (question.from && question.to)
    return Math.round((Date.parse(question.to) - Date.parse(question.from)) / DAY_MS);
  return PERIODS.find((period) => period.name === periodOf(question))?.days ?? 28;
}

/** @param {Question} question */
export const periodOf = (question) => question.period ?? DEFAULT_PERIOD;

/** @param {Question} question */
export const hasOwnDates = (question) => Boolean(question.from && question.to);

/**
 * How fine a series is: what was chosen, or what suits the length of the period.
 * @param {Question} question
 */
export function granularityOf(question) {
  if (question.granularity) return question.granularity;
  const days = daysOf(question);
  if (days <= 1) return 'hour';
  return days <= 92 ? 'day' : days <= 200 ? 'week' : 'month';
}

/**
 * What it is compared with; `none` for nothing.
 * @param {Question} question
 */
export const comparisonOf = (question) => question.compare ?? DEFAULT_COMPARISON;

/**
 * The period of a question, as the API takes it.
 * @param {Question} question
 */
export function whenAsked(question) {
  const own = hasOwnDates(question);
  return {
    ...(own ? { from: question.from, to: question.to } : { period: periodOf(question) }),
    timezone: question.timezone,
  };
}

/**
 * What it is compared with, as the API takes it.
 * @param {Question} question
 */
export function comparedAsked(question) {
  const compare = comparisonOf(question);
  return { compare: compare === 'none' ? undefined : compare };
}

/**
 * Whose usage is asked about: the filters, and what the caller is limited to.
 * @param {Question} question
 * @param {any} me
 */
export function whoAsked(question, me) {
  const filters = {
    team: question.team,
    department: question.department,
    user_type: question.user_type,
  };
  return { ...filters, ...limitOf(me) };
}

/**
 * The team or user that a caller may ask about, where it is not everybody.
 * @param {any} me
 */
export function limitOf(me) {
  const { team, user } = me.caller.subject;
  return user ? { user } : team ? { team } : {};
}

/**
 * Whether anything is filtered by users.
 * @param {Question} question
 * @param {any} me
 */
export const isFiltered = (question, me) => Object.values(whoAsked(question, me)).some(Boolean);

/**
 * Whether a caller may ask about everybody.
 * @param {any} me
 */
export const mayReadAll = (me) => Boolean(me.caller.subject.organization);

/**
 * Whether `GET /v1/explain` answers a caller, which tokens, team leads and members do not open.
 * @param {any} me
 */
export const mayExplain = (me) => me.caller.type === 'key' && mayReadAll(me);

/**
 * The kinds that have products, by name.
 * @param {any} me
 */
export const kindsUsed = (me) => [
  ...new Set(me.products.map((/** @type {any} */ product) => product.kind)),
];

/**
 * The zone whose days are shown.
 * @param {Question} question
 * @param {any} me
 */
export const zoneOf = (question, me) => question.timezone ?? me.organization.timezone;

/**
 * Whether a series has to be asked for in parts, because some kind counts its days in another zone.
 * @param {Question} question
 * @param {any} me
 * @param {string[]} kinds
 */
export function needsParts(question, me, kinds) {
  if (daysOf(question) <= LONGEST_IN_OTHER_ZONES) return false;
  const zone = zoneOf(question, me);
  return me.kinds.some(
    (/** @type {any} */ kind) =>
      kinds.includes(kind.name) &&
      (kind.days === 'utc' ? 'UTC' : me.organization.timezone) !== zone,
  );
}

/**
 * A period in parts that begin with blocks.
 * @param {string} from
 * @param {string} to
 * @param {string} granularity
 * @returns {[string, string][]}
 */
export function partsOf(from, to, granularity) {
  const step = PARTS[/** @type {keyof typeof PARTS} */ (granularity)];
  if (!step) return [[from, to]];
  const edges = [from];
  let edge = new Date(`${from.slice(0, 10)}T00:00:00Z`);
  if (granularity === 'week')
    edge = new Date(edge.getTime() - ((edge.getUTCDay() + 6) % 7) * DAY_MS);
  if ('months' in step)
    edge.setUTCMonth(
      edge.getUTCMonth() - (edge.getUTCMonth() % (granularity === 'month' ? 1 : step.months)),
      1,
    );
  while (edges.length < MOST_PARTS) {
    if ('months' in step) edge.setUTCMonth(edge.getUTCMonth() + step.months);
    else edge = new Date(edge.getTime() + step.days * DAY_MS);
    const next = edge.toISOString().slice(0, 10);
    if (next >= to.slice(0, 10)) break;
    edges.push(next);
  }
  return edges.map((start, at) => [start, edges[at + 1] ?? to]);
}
