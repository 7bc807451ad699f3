/**
 * <odometer-chart>: one figure over time, in any page whose origin an embed token lists.    <script
 * type="module" src="https://…/page/chart-element.js"></script>   <odometer-chart token="oet_…"
 * product="chat" measure="active_users" period="90d" granularity="week"></odometer-chart>  It
 * brings everything with it and asks GET v1/usage and GET v1/me of the deployment that it was
 * loaded from, or of `src`. Events: `odometer-ready` with the answer, `odometer-error`, and
 * `odometer-token-needed` when a new `token` is to be set.
 */

const HOME = import.meta.url.replace(/page\/(v-[0-9a-f]+\/)?chart-element\.js(\?.*)?$/, '');
const SVG = 'http://www.w3.org/2000/svg';
const NARROWEST = 260;
const HEIGHT = 240;
const LEFT = 56;
const RIGHT = 12;
const BOTTOM = 26;
const TOP = 8;
const NAME_WIDTH = 90;
const MOST_LINES = 6;
const RETRIED = new Set([429, 503]);
const MOST_TRIES = 3;
const LONGEST_WAIT_S = 5;
const BEFORE_END_MS = 60_000;
const SHORTEST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const NOTHING = '–';
const OFFSET = /(Z|[+-]\d\d:\d\d)$/;
const ATTRIBUTES = [
  'src',
  'token',
  'product',
  'kind',
  'measure',
  'period',
  'granularity',
  'group-by',
  'timezone',
  'label',
  'theme',
  'expires-at',
];

const STYLE = `
:host { display: block; font: 14px/1.45 system-ui, sans-serif; color: light-dark(#1a1f24, #e9ecee);
  --line: light-dark(#e3e3dd, #2d3338); --muted: light-dark(#58616a, #a3adb6);
  --ring: light-dark(#0b6e66, #4ec9ba);
  --c0: var(--odometer-accent, light-dark(#0b6e66, #4ec9ba));
  --c1: light-dark(#a4510a, #f0a35e); --c2: light-dark(#5b4bb5, #a99cf0);
  --c3: light-dark(#a02c5a, #ee8db4); --c4: light-dark(#3d6d18, #a4cf74);
  --c5: light-dark(#2463a8, #82b6ec); }
:host([hidden]) { display: none; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([theme]) { padding: 12px; border-radius: 8px; background: light-dark(#ffffff, #191d20); }
figure { margin: 0; display: grid; gap: 6px; min-width: 0; }
figcaption { font-weight: 600; overflow-wrap: anywhere; }
figcaption span { font-weight: 400; color: var(--muted); }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--muted); font-size: 12px; }
.grid { stroke: var(--line); }
path { fill: none; stroke-width: 2; stroke-linejoin: round; }
.c0 { stroke: var(--c0); }
.c1 { stroke: var(--c1); stroke-dasharray: 7 3; }
.c2 { stroke: var(--c2); stroke-dasharray: 2 3; }
.c3 { stroke: var(--c3); stroke-dasharray: 10 3 2 3; }
.c4 { stroke: var(--c4); stroke-dasharray: 4 4; }
.c5 { stroke: var(--c5); stroke-dasharray: 1 4; }
circle { fill: currentColor; }
ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 16px; }
li { display: flex; gap: 6px; align-items: center; min-width: 0; overflow-wrap: anywhere; }
li svg { width: 24px; height: 8px; flex: none; }
details { color: var(--muted); }
summary { cursor: pointer; width: max-content; }
summary:focus-visible, .table:focus-visible { outline: 2px solid var(--ring); outline-offset: 2px; }
.table { max-height: 300px; overflow: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 8px; text-align: start; font-weight: 400; border-bottom: 1px solid var(--line); }
td { text-align: end; }
.state { padding: 24px 12px; text-align: center; color: var(--muted); }
.state b { display: block; color: light-dark(#1a1f24, #e9ecee); font-weight: 600; }`;

/** @typedef {{name: string, values: (number | null)[]}} Line */
/**
 * @typedef {{title: string, total: string, unit: string, lines: Line[], more: number,
 *   blocks: {from: string, to: string, partial?: boolean}[], zone: string,
 *   granularity: string}} Drawing
 */

/** Why there are no figures, and whether another token would help. */
class Refusal extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

class OdometerChart extends HTMLElement {
  static observedAttributes = ATTRIBUTES;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.request = new AbortController();
    this.isWaiting = false;
    this.reminder = 0;
    /** The `expires-at` that a token has been asked for: once, even if the page never renews it. */
    this.reminded = '';
    /** How long to wait before another token is asked for; it grows until one has worked. */
    this.pause = 0;
    /** @type {Drawing | null} */
    this.drawing = null;
    this.resized = new ResizeObserver(() => this.drawing && this.draw(this.drawing));
  }

  connectedCallback() {
    this.resized.observe(this);
    this.refresh();
  }

  disconnectedCallback() {
    this.request.abort();
    this.resized.disconnect();
    clearTimeout(this.reminder);
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} after
   */
  attributeChangedCallback(name, before, after) {
    if (name !== 'theme' && before !== after) this.refresh();
  }

  /** Ask and draw, once for all attributes that change together. */
  refresh() {
    if (this.isWaiting || !this.isConnected) return;
    this.isWaiting = true;
    queueMicrotask(() => {
      this.isWaiting = false;
      if (this.isConnected) this.show();
    });
  }

  async show() {
    this.request.abort();
    const { signal } = (this.request = new AbortController());
    this.remind();
    if (!this.getAttribute('token')) {
      this.say('No token yet', 'The page has to set one.');
      this.need('missing');
      return;
    }
    if (!this.root.childElementCount) this.say('Loading…', '');
    try {
      const [usage, me] = await Promise.all([
        this.ask('v1/usage', signal, this.question),
        this.ask('v1/me', signal),
      ]);
      if (signal.aborted) return;
      this.draw(drawingOf(usage, me, this));
      this.pause = 0;
      this.tell('odometer-ready', { usage });
    } catch (error) {
      if (!signal.aborted) this.refuse(error);
    }
  }

  get root() {
    return /** @type {ShadowRoot} */ (this.shadowRoot);
  }

  get measure() {
    return this.getAttribute('measure') ?? 'active_users';
  }

  get question() {
    const grouped = this.getAttribute('group-by');
    const kind = this.getAttribute('product') ? null : this.getAttribute('kind');
    const asked = {
      product: this.getAttribute('product'),
      kind,
      measure: this.measure,
      period: this.getAttribute('period') ?? '28d',
      granularity: this.getAttribute('granularity') ?? 'day',
      timezone: this.getAttribute('timezone'),
      group_by: grouped,
      limit: grouped ? String(MOST_LINES) : null,
    };
    return /** @type {[string, string][]} */ (Object.entries(asked).filter(([, value]) => value));
  }

  /**
   * What the deployment answers; it is asked again where it was too busy.
   * @param {string} path
   * @param {AbortSignal} signal
   * @param {[string, string][]} [query]
   */
  async ask(path, signal, query = []) {
    const base = new URL(this.getAttribute('src') ?? HOME, document.baseURI).href.replace(
      /\/*$/,
      '/',
    );
    const address = new URL(path, base);
    address.search = new URLSearchParams(query).toString();
    const headers = {
      Authorization: `Bearer ${this.getAttribute('token')}`,
      Accept: 'application/json',
    };
    for (let tries = 1; ; tries += 1) {
      const response = await fetch(address, {
        headers,
        signal,
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
      });
      if (response.ok) return response.json();
      if (!RETRIED.has(response.status) || tries === MOST_TRIES) throw await refusalOf(response);
      const after = Number(response.headers.get('Retry-After')) || tries;
      await new Promise((resolve) => setTimeout(resolve, Math.min(after, LONGEST_WAIT_S) * 1000));
    }
  }

  /** Ask for another token shortly before this one ends, if the page says when that is. */
  remind() {
    clearTimeout(this.reminder);
    const end = this.getAttribute('expires-at') ?? '';
    const left = Date.parse(end) - Date.now();
    if (!(left > 0) || end === this.reminded) return;
    this.reminder = setTimeout(() => {
      this.reminded = end;
      this.need('ending');
    }, reminderIn(left));
  }

  /**
   * Ask for another token: at once if the last one has worked, else after a pause.
   * @param {string} reason
   */
  need(reason) {
    clearTimeout(this.reminder);
    const ask = () => {
      this.pause = longerPause(this.pause);
      this.tell('odometer-token-needed', { reason });
    };
    if (this.pause) this.reminder = setTimeout(ask, this.pause);
    else ask();
  }

  /**
   * A browser shows no answer to a token that has ended: it is a network error to the page.
   * @param {any} error
   */
  refuse(error) {
    const status = error instanceof Refusal ? error.status : 0;
    if (status === 0 || status === 401) {
      this.say(
        'These figures cannot be loaded now',
        'They were open for a limited time, or there is no connection. Load the page again.',
      );
      this.need('ended');
    } else if (status === 403)
      this.say(
        'These figures are not open here',
        'The token is for other figures or for another page.',
      );
    else this.say('These figures cannot be shown', error instanceof Refusal ? error.message : '');
    this.tell('odometer-error', { status, message: String(error?.message ?? '') });
  }

  /**
   * @param {string} name
   * @param {any} detail
   */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /**
   * @param {string} title
   * @param {string} advice
   */
  say(title, advice) {
    this.drawing = null;
    const state = element(
      'div',
      { class: 'state', role: 'status' },
      element('b', {}, title),
      advice,
    );
    this.root.replaceChildren(state);
  }

  /** @param {Drawing} drawing */
  draw(drawing) {
    const { paddingLeft, paddingRight } = getComputedStyle(this);
    const width = Math.max(
      NARROWEST,
      Math.round(this.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight)),
    );
    if (this.drawing === drawing && this.root.querySelector('svg')?.viewBox.baseVal.width === width)
      return;
    this.drawing = drawing;
    const caption = element(
      'figcaption',
      {},
      drawing.title,
      ' ',
      element('span', {}, drawing.total),
    );
    const names = drawing.lines.map(({ name }, at) =>
      element('li', {}, sample(at), element('bdi', {}, name)),
    );
    if (drawing.more > 0) names.push(element('li', {}, `and ${drawing.more} more`));
    const legend = names.length > 1 ? [element('ul', {}, ...names)] : [];
    const isEmpty = !drawing.lines.some(({ values }) => values.some(Boolean));
    const body = isEmpty
      ? element('div', { class: 'state', role: 'status' }, 'No usage in this period')
      : plot(drawing, width);
    this.root.replaceChildren(element('figure', {}, caption, body, ...legend, table(drawing)));
  }
}

/**
 * When to ask for another token: a minute before the end, or halfway there if that is nearer.
 * @param {number} left
 */
export const reminderIn = (left) =>
  Math.min(Math.max(left - Math.min(BEFORE_END_MS, left / 2), SHORTEST_PAUSE_MS), LONGEST_TIMER_MS);

/**
 * The pause after one of so many milliseconds.
 * @param {number} pause
 */
export const longerPause = (pause) =>
  Math.min(Math.max(2 * pause, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);

/**
 * What a refusal says.
 * @param {Response} response
 */
async function refusalOf(response) {
  const body = await response.json().catch(() => null);
  return new Refusal(
    String(body?.error?.message ?? `The answer was ${response.status}`),
    response.status,
  );
}

/**
 * What is drawn of an answer.
 * @param {any} usage
 * @param {any} me
 * @param {OdometerChart} chart
 * @returns {Drawing}
 */
function drawingOf(usage, me, chart) {
  const { measure } = chart;
  const described = measureOf(
    kindsAsked(me, chart.getAttribute('product'), chart.getAttribute('kind')),
    measure,
  );
  const grouped = chart.getAttribute('group-by');
  const groups = grouped
    ? usage.groups.slice(0, MOST_LINES)
    : [{ name: described.label, series: usage.series }];
  const blocks = usage.series ?? [];
  const total = usage.totals[measure]?.value ?? null;
  return {
    title: chart.getAttribute('label') ?? described.label,
    total: figure(total, described.unit),
    unit: described.unit,
    lines: groups.map((/** @type {any} */ group) => ({
      name: nameOf(group, grouped),
      values: (group.series ?? []).map((/** @type {any} */ block) => block[measure] ?? null),
    })),
    more: grouped ? usage.total_groups - groups.length : 0,
    blocks,
    zone: usage.timezone,
    granularity: usage.granularity,
  };
}

/**
 * @param {any} group
 * @param {string | null} by
 */
function nameOf(group, by) {
  if (!by) return group.name;
  const of = group[by];
  return of === null || of === undefined ? 'none' : (of.name ?? of.username ?? String(of));
}

/**
 * The kinds that are asked about; all of them, where nothing says which.
 * @param {any} me
 * @param {string | null} product
 * @param {string | null} kind
 * @returns {any[]}
 */
export function kindsAsked(me, product, kind) {
  const ids = listed(product);
  const names = ids.length
    ? me.products.filter((/** @type {any} */ { id }) => ids.includes(id)).map(kindOfProduct)
    : listed(kind);
  const found = me.kinds.filter((/** @type {any} */ { name }) => names.includes(name));
  return found.length ? found : me.kinds;
}

/** @param {any} product */
const kindOfProduct = ({ kind }) => kind;

/**
 * What stands between commas.
 * @param {string | null} text
 */
const listed = (text) => (text ?? '').split(',').filter(Boolean);

/**
 * The label and the unit of a measure or a ratio.
 * @param {any[]} kinds
 * @param {string} name
 */
export function measureOf(kinds, name) {
  const fixed = /** @type {Record<string, string>} */ ({
    active_users: 'Active users',
    active_days: 'Active days',
  })[name];
  const parts = kinds.flatMap(({ measures, ratios }) => [
    ...measures,
    ...ratios.map((/** @type {any} */ ratio) => ({ ...ratio, unit: unitOf(ratio, measures) })),
  ]);
  const found = parts.find((part) => part.name === name);
  return { label: String(fixed ?? found?.label ?? name), unit: String(found?.unit ?? 'count') };
}

/**
 * A ratio has the unit of what is divided, unless it is divided by the same unit.
 * @param {{of: string, per: string}} ratio
 * @param {{name: string, unit: string}[]} measures
 */
function unitOf(ratio, measures) {
  const unit = (/** @type {string} */ name) => measures.find((each) => each.name === name)?.unit;
  const divided = unit(ratio.of);
  return ratio.per.split('+').some((name) => unit(name) === divided) ? 'count' : divided;
}

/**
 * @param {Drawing} drawing
 * @param {number} width
 */
function plot({ title, total, unit, lines, blocks, zone, granularity }, width) {
  const most = Math.max(...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const step = stepFor(most);
  const top = Math.ceil(most / step) * step;
  const x = (/** @type {number} */ at) =>
    LEFT + (at * (width - LEFT - RIGHT)) / Math.max(1, blocks.length - 1);
  const y = (/** @type {number} */ value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const drawn = svgElement('svg', {
    viewBox: `0 0 ${width} ${HEIGHT}`,
    role: 'img',
    'aria-label': `${title}: ${total}. The table has every figure.`,
  });
  for (let value = 0; value <= top + step / 2; value += step) {
    drawn.append(
      svgElement('line', {
        class: 'grid',
        x1: LEFT,
        x2: width - RIGHT,
        y1: y(value),
        y2: y(value),
      }),
      svgElement(
        'text',
        { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' },
        figure(value, unit),
      ),
    );
  }
  const every = Math.max(1, Math.ceil((blocks.length * NAME_WIDTH) / (width - LEFT - RIGHT)));
  blocks.forEach(
    (block, at) =>
      at % every === 0 &&
      drawn.append(
        svgElement(
          'text',
          {
            x: x(at),
            y: HEIGHT - 6,
            'text-anchor': at === 0 ? 'start' : at === blocks.length - 1 ? 'end' : 'middle',
          },
          nameOfBlock(block, granularity, zone, true),
        ),
      ),
  );
  lines.forEach(({ values }, at) =>
    drawn.append(svgElement('path', { class: `c${at}`, d: pathOf(values, x, y) })),
  );
  if (blocks.length === 1)
    lines.forEach(({ values }) =>
      drawn.append(svgElement('circle', { cx: x(0), cy: y(values[0] ?? 0), r: 4 })),
    );
  return drawn;
}

/**
 * A line that is broken where there is no figure.
 * @param {(number | null)[]} values
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 */
function pathOf(values, x, y) {
  let isDown = false;
  return values
    .map((value, at) => {
      if (value === null) isDown = false;
      else {
        const letter = isDown ? 'L' : 'M';
        isDown = true;
        return `${letter}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      }
      return '';
    })
    .join('');
}

/**
 * 1, 2 or 5 times a power of ten, about a fourth of the largest value.
 * @param {number} most
 */
function stepFor(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step * 4 >= most) ?? most;
}

/** @param {Drawing} drawing */
function table({ title, unit, lines, blocks, zone, granularity }) {
  const head = element(
    'tr',
    {},
    element('th', { scope: 'col' }, 'When'),
    ...lines.map(({ name }) => element('th', { scope: 'col' }, element('bdi', {}, name))),
  );
  const rows = blocks.map((block, at) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, nameOfBlock(block, granularity, zone, false)),
      ...lines.map(({ values }) => element('td', {}, figure(values[at] ?? null, unit))),
    ),
  );
  const box = element(
    'div',
    { class: 'table', tabindex: '0', role: 'region', 'aria-label': `${title}, table` },
    element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows)),
  );
  return element('details', {}, element('summary', {}, 'Table'), box);
}

/**
 * What a block is called. Not every browser knows a zone that is an offset, so that there the time
 * of the clock is taken as it is written.
 * @param {{from: string, to: string, partial?: boolean}} block
 * @param {string} granularity
 * @param {string} zone
 * @param {boolean} isShort
 */
export function nameOfBlock({ from, partial }, granularity, zone, isShort) {
  const isOffset = /^[+-]/.test(zone);
  /** @type {Intl.DateTimeFormatOptions} */
  const parts =
    granularity === 'hour'
      ? { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' }
      : ['month', 'quarter', 'year'].includes(granularity)
        ? { month: 'short', year: 'numeric' }
        : { month: 'short', day: 'numeric', ...(isShort ? {} : { year: 'numeric' }) };
  const text = new Intl.DateTimeFormat(undefined, {
    timeZone: isOffset ? 'UTC' : zone,
    ...parts,
  }).format(new Date(isOffset ? from.replace(OFFSET, 'Z') : from));
  return partial && !isShort ? `${text} (not all counted yet)` : text;
}

/**
 * A figure, short, in the unit of its measure.
 * @param {number | null} value
 * @param {string} unit
 */
function figure(value, unit) {
  if (value === null) return NOTHING;
  const ms = unit === 'ms' ? value : unit === 'seconds' ? value * 1000 : null;
  if (ms !== null)
    return ms >= 3_600_000
      ? `${short(ms / 3_600_000)} h`
      : ms >= 60_000
        ? `${short(ms / 60_000)} min`
        : `${short(ms / 1000)} s`;
  return short(value);
}

/** @param {number} value */
export const short = (value) =>
  new Intl.NumberFormat(undefined, {
    notation: Math.abs(value) >= 100_000 ? 'compact' : 'standard',
    ...(Math.abs(value) < 1
      ? { maximumSignificantDigits: 2 }
      : { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 1 }),
  }).format(value);

/**
 * The line of a legend.
 * @param {number} at
 */
const sample = (at) => {
  const drawn = svgElement('svg', { viewBox: '0 0 24 8', 'aria-hidden': 'true' });
  drawn.append(svgElement('path', { class: `c${at}`, d: 'M0 4H24' }));
  return drawn;
};

/**
 * An element whose children are texts as they are, never markup.
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {...string} children
 */
function svgElement(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

if (!customElements.get('odometer-chart')) customElements.define('odometer-chart', OdometerChart);
