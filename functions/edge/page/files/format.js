/** Numbers, durations and dates, written as the reader's browser writes them. */

/** @typedef {{name: string, label?: string, unit?: string, decimals?: number}} Column */

export const NOTHING = '–';
const WHOLE = new Intl.NumberFormat();
const SHORT = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const TWO_DIGITS = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
const THREE_DIGITS = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const CHANGE = new Intl.NumberFormat(undefined, {
  style: 'percent',
  maximumFractionDigits: 1,
  signDisplay: 'exceptZero',
});
const WHOLE_CHANGE = new Intl.NumberFormat(undefined, {
  style: 'percent',
  maximumFractionDigits: 0,
  signDisplay: 'exceptZero',
});
const PERCENT = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0 });
const LONGEST_IN_FULL = 1_000_000;
const BYTES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const MANY_HOURS_MS = 100 * HOUR_MS;

/**
 * A whole number in full: 12,345.
 * @param {number} value
 */
export const count = (value) => WHOLE.format(value);

/**
 * A share of 1 as whole percent.
 * @param {number} share
 */
export const percent = (share) => PERCENT.format(share);

/**
 * A figure in the unit of its measure, short enough for a tile or an axis.
 * @param {number | null | undefined} value
 * @param {Column} [column]
 */
export function figure(value, column) {
  if (value === null || value === undefined) return NOTHING;
  const unit = column?.unit ?? 'count';
  if (unit === 'ms') return duration(value);
  if (unit === 'seconds') return duration(value * SECOND_MS);
  if (unit === 'bytes') return bytes(value);
  if (Math.abs(value) >= LONGEST_IN_FULL) return SHORT.format(value);
  return withDecimals(value, column?.decimals);
}

/**
 * A figure as exactly as it was answered, for tables.
 * @param {number | null | undefined} value
 * @param {Column} [column]
 */
export function exactFigure(value, column) {
  if (value === null || value === undefined) return NOTHING;
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: column?.decimals ?? 4 }).format(
    value,
  );
}

/**
 * A tick of an axis, as short as possible.
 * @param {number} value
 * @param {Column} [column]
 */
export function tick(value, column) {
  const unit = column?.unit ?? 'count';
  if (unit === 'ms' || unit === 'seconds' || unit === 'bytes') return figure(value, column);
  return (Math.abs(value) < 1 ? TWO_DIGITS : SHORT).format(value);
}

/**
 * @param {number} value
 * @param {number} [decimals]
 */
function withDecimals(value, decimals) {
  if (decimals === undefined)
    return Number.isInteger(value) ? WHOLE.format(value) : THREE_DIGITS.format(value);
  if (decimals > 2 && Math.abs(value) < 1) return TWO_DIGITS.format(value);
  const places = Math.min(decimals, 2);
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: places }).format(value);
}

/**
 * `1 h 20 min`, `12 min`, `3.2 s`.
 * @param {number} ms
 */
export function duration(ms) {
  const size = Math.abs(ms);
  if (size >= LONGEST_IN_FULL * HOUR_MS) return `${SHORT.format(ms / HOUR_MS)} h`;
  if (size >= MANY_HOURS_MS) return `${WHOLE.format(Math.round(ms / HOUR_MS))} h`;
  if (size >= HOUR_MS) return inTwo(ms, HOUR_MS, 'h', MINUTE_MS, 'min');
  if (size >= 10 * MINUTE_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  if (size >= MINUTE_MS) return inTwo(ms, MINUTE_MS, 'min', SECOND_MS, 's');
  return size >= SECOND_MS
    ? `${THREE_DIGITS.format(ms / SECOND_MS)} s`
    : `${THREE_DIGITS.format(ms)} ms`;
}

/**
 * @param {number} ms
 * @param {number} large
 * @param {string} first
 * @param {number} small
 * @param {string} second
 */
function inTwo(ms, large, first, small, second) {
  const rounded = Math.round(ms / small) * small;
  const whole = Math.trunc(rounded / large);
  const rest = Math.abs(Math.round((rounded % large) / small));
  return rest ? `${whole} ${first} ${rest} ${second}` : `${whole} ${first}`;
}

/** @param {number} value */
function bytes(value) {
  const place = Math.min(
    BYTES.length - 1,
    Math.max(0, Math.floor(Math.log10(Math.abs(value) || 1) / 3)),
  );
  return `${THREE_DIGITS.format(value / 1000 ** place)} ${BYTES[place]}`;
}

/**
 * A change in percent with its sign: +20.5%, +133%.
 * @param {number} percentage
 */
export const change = (percentage) =>
  (Math.abs(percentage) < 100 ? CHANGE : WHOLE_CHANGE).format(percentage / 100);

/**
 * @param {string} zone
 * @param {Intl.DateTimeFormatOptions} options
 */
function dates(zone, options) {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone: zone, ...options });
  } catch {
    return new Intl.DateTimeFormat(undefined, { timeZone: 'UTC', ...options });
  }
}

/**
 * A date and a time, to the minute.
 * @param {string} text
 * @param {string} zone
 */
export const instant = (text, zone) =>
  dates(zone, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(text));

/**
 * A date.
 * @param {string} text
 * @param {string} zone
 */
export const day = (text, zone) => dates(zone, { dateStyle: 'medium' }).format(new Date(text));

/**
 * How long ago something was: `5 minutes ago`.
 * @param {string} text
 * @param {number} [now]
 */
export function ago(text, now = Date.now()) {
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
  const minutes = Math.round((Date.parse(text) - now) / MINUTE_MS);
  if (Math.abs(minutes) < 60) return words.format(minutes, 'minute');
  if (Math.abs(minutes) < 48 * 60) return words.format(Math.round(minutes / 60), 'hour');
  return words.format(Math.round(minutes / 1440), 'day');
}

/**
 * The first and the last day of a period, of which `to` is the instant just after.
 * @param {string} from
 * @param {string} to
 * @param {string} zone
 */
export function range(from, to, zone) {
  return dates(zone, { dateStyle: 'medium' }).formatRange(
    new Date(from),
    new Date(Date.parse(to) - 1),
  );
}

/**
 * What a block of a series is called on an axis (short) or in a table.
 * @param {{from: string, to: string}} block
 * @param {string} granularity
 * @param {string} zone
 */
export function blockName(block, granularity, zone, short = false) {
  const from = new Date(block.from);
  switch (granularity) {
    case 'hour':
      return dates(
        zone,
        short
          ? { hour: 'numeric', minute: '2-digit' }
          : {
              weekday: 'short',
              month: 'short',
              day: 'numeric',
              hour: 'numeric',
              minute: '2-digit',
            },
      ).format(from);
    case 'day':
      return dates(
        zone,
        short
          ? { month: 'short', day: 'numeric' }
          : { weekday: 'short', year: 'numeric', month: 'short', day: 'numeric' },
      ).format(from);
    case 'week':
      return short
        ? dates(zone, { month: 'short', day: 'numeric' }).format(from)
        : range(block.from, block.to, zone);
    case 'month':
      return dates(zone, { month: short ? 'short' : 'long', year: 'numeric' }).format(from);
    case 'quarter':
      return quarter(from, zone);
    case 'year':
      return dates(zone, { year: 'numeric' }).format(from);
    default:
      return range(block.from, block.to, zone);
  }
}

/**
 * @param {Date} from
 * @param {string} zone
 */
function quarter(from, zone) {
  const parts = dates(zone, {
    year: 'numeric',
    month: 'numeric',
    calendar: 'gregory',
  }).formatToParts(from);
  const month = Number(parts.find((part) => part.type === 'month')?.value);
  return `Q${Math.ceil(month / 3)} ${parts.find((part) => part.type === 'year')?.value}`;
}

/**
 * A name that every file system takes.
 * @param {string} text
 */
export const fileName = (text) =>
  `odometer-${text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 80)}`;
