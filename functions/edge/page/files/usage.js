/**
 * Usage as it is asked for and told: kinds as columns, groups as rows, series in one answer or in
 * parts.
 */

import { html, useState } from './vendor/standalone.module.js';
import { pathOf } from './api.js';
import { count, day } from './format.js';
import {
  Answered,
  CsvButton,
  EmptyState,
  Figure,
  LineChart,
  Panel,
  RankedBars,
  current,
  useAnswer,
  useAsked,
  useExplained,
  ExplainLater,
} from './parts.js';
import {
  addressOf,
  addressOfView,
  comparedAsked,
  comparisonOf,
  granularityOf,
  kindsUsed,
  needsParts,
  partsOf,
  whenAsked,
} from './question.js';

const MOST_PRODUCTS = 100;
/** So many parts of a series are asked for at once. */
const AT_ONCE = 3;
/** A list of names in a query has so many characters at most. */
const LONGEST_LIST = 4096;

export const ACTIVE_USERS = Object.freeze({
  name: 'active_users',
  label: 'Active users',
  unit: 'count',
  decimals: 0,
  definition: 'Users who had any usage in the period. Each counts once, however much it was.',
});
export const ACTIVE_DAYS = Object.freeze({
  name: 'active_days',
  label: 'Days active',
  unit: 'count',
  decimals: 0,
  definition: 'Days with any usage in the period.',
});

/**
 * @typedef {{name: string, label: string, unit: string, decimals?: number, definition: string,
 *   parts?: string[]}} Column
 */

/**
 * Everything that is measured of a kind, as figures with their definitions.
 * @param {any} kind
 * @returns {Column[]}
 */
export function columnsOf(kind) {
  const measures = kind.measures.map((/** @type {any} */ each) => ({
    ...each,
    label: each.label || each.name,
    definition: measured(each),
  }));
  const ratios = kind.ratios.map((/** @type {any} */ each) => ratioColumn(each, measures));
  return [...measures, ...ratios, ACTIVE_USERS, ACTIVE_DAYS];
}

/** @param {any} measure */
function measured({ aggregate, unit }) {
  if (aggregate === 'count')
    return 'How many times it was done in the period: each event counts one.';
  const units = {
    ms: 'Time',
    seconds: 'Time',
    bytes: 'Bytes',
    characters: 'Characters',
    lines: 'Lines',
    tokens: 'Tokens',
    credits: 'Credits',
  };
  const what = /** @type {Record<string, string>} */ (units)[unit] ?? 'What was';
  return `${what} used in the period: the sum of what all events said.`;
}

/**
 * @param {any} ratio
 * @param {any[]} measures
 * @returns {Column}
 */
function ratioColumn(ratio, measures) {
  const labelOf = (/** @type {string} */ name) =>
    measures.find((each) => each.name === name)?.label ??
    [ACTIVE_USERS, ACTIVE_DAYS].find((each) => each.name === name)?.label ??
    name;
  const divisors = ratio.per.split('+');
  const of = measures.find((each) => each.name === ratio.of);
  const isSameUnit = divisors.some(
    (/** @type {string} */ name) => measures.find((each) => each.name === name)?.unit === of?.unit,
  );
  const names = divisors.map(labelOf).join(' and ');
  return {
    name: ratio.name,
    label: ratio.label || ratio.name,
    unit: isSameUnit ? 'count' : (of?.unit ?? 'count'),
    definition: `${labelOf(ratio.of)} divided by ${names}, each summed over the period.`,
    parts: [...new Set([ratio.of, ...divisors])],
  };
}

/**
 * @param {any} me
 * @param {string} name
 */
export const kindOf = (me, name) => me.kinds.find((/** @type {any} */ kind) => kind.name === name);

/**
 * All products, as a query names them; of very many only the first.
 * @param {any} me
 */
export const productsAsked = (me) => productsOf(me, kindsUsed(me));

/**
 * The products of some kinds, as a query names them.
 * @param {any} me
 * @param {string[]} kinds
 */
function productsOf(me, kinds) {
  const ids = me.products
    .filter((/** @type {any} */ product) => kinds.includes(product.kind))
    .map((/** @type {any} */ product) => product.id);
  if (ids.length <= MOST_PRODUCTS) return { kind: kinds.join(',') };
  const asked = ids.slice(0, MOST_PRODUCTS);
  while (asked.join(',').length > LONGEST_LIST) asked.pop();
  return { product: asked.join(',') };
}

/**
 * Which products are left out, where there are more than one question may ask about.
 * @param {{me: any}} props
 */
export function LeftOutNotice({ me }) {
  const asked = productsAsked(me).product?.split(',').length;
  if (!asked) return null;
  const all = `${me.more_products ? 'more than ' : ''}${count(me.products.length)}`;
  return html`
    <p class="notice">These are the figures of the first ${count(asked)} of ${all} products.</p>
  `;
}

/**
 * The kinds that count days in one calendar: of the two, the one whose products are used by more,
 * and before that is known the one of more products.
 * @param {any} me
 * @param {any} whole the answer by product, or null
 */
export function kindsOfOneCalendar(me, whole) {
  const used = kindsUsed(me)
    .map((name) => kindOf(me, name))
    .filter(Boolean);
  const users = Object.fromEntries(
    (whole?.groups ?? []).map((/** @type {any} */ group) => [
      group.product.id,
      group.totals.active_users.value,
    ]),
  );
  const weight = (/** @type {any[]} */ kinds) => {
    const products = me.products.filter((/** @type {any} */ each) =>
      kinds.some((kind) => kind.name === each.kind),
    );
    const most = Math.max(0, ...products.map((/** @type {any} */ each) => users[each.id] ?? 0));
    return [most, products.length];
  };
  const [utc, local] = ['utc', 'local'].map((days) => used.filter((kind) => kind.days === days));
  const [[usersOfUtc, productsOfUtc], [usersOfLocal, productsOfLocal]] = [utc, local].map(weight);
  const isUtc = usersOfUtc - usersOfLocal || productsOfUtc - productsOfLocal;
  return isUtc >= 0 ? utc : local;
}

/**
 * The products that days active are asked of: those of one calendar.
 * @param {any} me
 * @param {any} whole the answer by product, or null
 */
export const daysAsked = (me, whole) =>
  productsOf(
    me,
    kindsOfOneCalendar(me, whole).map((kind) => kind.name),
  );

/**
 * Groups as rows of ranked bars.
 * @param {any[]} groups
 * @param {string} by
 * @param {Column} column
 * @param {any} question
 */
export function rowsOf(groups, by, column, question) {
  return groups.map((group) => {
    const who = group[by];
    const { value, compare_value: before, change_pct: pct } = group.totals[column.name];
    const id = who?.id ?? who ?? '';
    return {
      key: `${id}`,
      name: nameOf(who, by),
      href: who?.id ? hrefOf(by, who.id, question) : undefined,
      value,
      ...(comparisonOf(question) === 'none' ? {} : { before, pct }),
    };
  });
}

/**
 * @param {any} who
 * @param {string} by
 */
function nameOf(who, by) {
  if (who === null || who === undefined)
    return by === 'team' ? 'Without a team' : by === 'department' ? 'Without a department' : 'None';
  return typeof who === 'string' ? who : (who.name ?? who.username ?? who.id);
}

/**
 * @param {string} by
 * @param {string} id
 * @param {any} question
 */
function hrefOf(by, id, question) {
  if (by === 'department') return addressOf({ ...question, department: id });
  return ['product', 'team', 'user'].includes(by) ? addressOfView(question, by, id) : undefined;
}

/**
 * What to ask instead of a question that was too much.
 * @param {any} question
 */
export const narrower = (question) => [
  {
    label: 'Show the last 28 days',
    href: addressOf({
      ...question,
      period: '28d',
      from: undefined,
      to: undefined,
      granularity: undefined,
    }),
  },
  ...(granularityOf(question) === 'month'
    ? []
    : [{ label: 'Show months', href: addressOf({ ...question, granularity: 'month' }) }]),
  ...(question.timezone
    ? [
        {
          label: 'Show days of the organization',
          href: addressOf({ ...question, timezone: undefined }),
        },
      ]
    : []),
];

/**
 * The paths of a series: one, or several where days of several calendars meet in a long period.
 * @param {any} me
 * @param {string[]} kinds
 * @param {any} question
 * @param {import('./api.js').Query} query
 * @param {any} whole the answer without a series
 * @returns {string[] | null} null as long as `whole` is needed and not there
 */
export function seriesPaths(me, kinds, question, query, whole) {
  const granularity = granularityOf(question);
  if (!needsParts(question, me, kinds)) return [pathOf('/v1/usage', { ...query, granularity })];
  return (
    whole && pathsOfParts(query, whole, partsOf(whole.from, whole.to, granularity), granularity)
  );
}

/**
 * The paths of the series of the period before, in as many parts as its length asks for.
 * @param {any} me
 * @param {string[]} kinds
 * @param {any} question
 * @param {import('./api.js').Query} query
 * @param {any} whole the answer without a series
 */
export function pathsBefore(me, kinds, question, query, whole) {
  if (!whole?.compare_from || comparisonOf(question) === 'none') return null;
  const granularity = granularityOf(question);
  const { compare_from: from, compare_to: to } = whole;
  const isOne = !needsParts(question, me, kinds);
  const parts = isOne
    ? /** @type {[string, string][]} */ ([[from, to]])
    : partsOf(from, to, granularity);
  return pathsOfParts(query, whole, parts, granularity);
}

/**
 * @param {import('./api.js').Query} query
 * @param {any} whole
 * @param {[string, string][]} parts
 * @param {string} granularity
 */
function pathsOfParts({ period: _, ...query }, whole, parts, granularity) {
  return parts.map(([from, to]) =>
    pathOf('/v1/usage', { ...query, granularity, from, to, timezone: whole.timezone }),
  );
}

/**
 * What is answered to each of some paths, a few at a time.
 * @param {string[]} paths
 * @param {(path: string) => Promise<any>} ask
 */
async function inTurn(paths, ask) {
  /** @type {any[]} */
  const answers = [];
  const left = [...paths.entries()];
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) answers[next[0]] = await ask(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return answers;
}

/**
 * The blocks at some paths, which follow each other.
 * @param {import('./api.js').Api} api
 * @param {string[] | null} paths
 */
export function useSeries(api, paths) {
  return useAsked(paths && paths.join(' '), async (how) => {
    const answers = await inTurn(/** @type {string[]} */ (paths), (path) => api.get(path, how));
    return {
      ...answers[0],
      to: answers[answers.length - 1].to,
      series: answers.flatMap((answer) => answer.series),
    };
  });
}

/**
 * A measure over time, with the period that it is compared with behind it.
 * @param {{api: import('./api.js').Api, me: any, kinds: string[], question: any,
 *   query: import('./api.js').Query, column: Column, whole: any, title: string,
 *   height?: number}} props `whole` is the answer without a series, or null
 */
export function UsageChart({
  api,
  me,
  kinds,
  question,
  query,
  column,
  whole,
  title,
  height = heightOfChart(),
}) {
  const asked = { ...query, ...whenAsked(question), measure: column.name, compare: undefined };
  const paths = seriesPaths(me, kinds, question, asked, whole);
  const series = useSeries(api, paths);
  const before = useSeries(api, pathsBefore(me, kinds, question, asked, whole));
  const isWaiting = series.isLoading && Boolean(series.data);
  return html`
    <div class=${`chart-box${isWaiting ? ' waiting' : ''}`} aria-busy=${isWaiting}>
      <${Answered} answer=${series} height=${`${height + 36}px`} narrower=${narrower(question)}>
        ${(/** @type {any} */ data) => html`
          <${LineChart}
            label=${title}
            file=${fileOf(title, data)}
            height=${height}
            blocks=${data.series}
            granularity=${data.granularity}
            zone=${data.timezone}
            column=${column}
            series=${[
              { label: column.label, values: valuesOf(data, column) },
              ...beforeOf(before.data, data, column),
            ]}
            actions=${html`
              <${CsvButton} api=${api} paths=${paths} name=${title} file=${fileOf(title, data)} />
            `}
          />
        `}
      <//>
    </div>
  `;
}

/** Higher in a wide window. */
const heightOfChart = () => (innerWidth > 1800 ? 380 : 260);

/**
 * A file of a period.
 * @param {string} title
 * @param {{from: string, to: string}} period
 */
const fileOf = (title, { from, to }) => `${title} ${from.slice(0, 10)} ${to.slice(0, 10)}`;

/**
 * @param {any} data
 * @param {Column} column
 */
const valuesOf = (data, column) =>
  data.series.map((/** @type {any} */ block) => block[column.name] ?? null);

/**
 * The period before, block by block, so that the last ones face each other: days before whole months
 * may begin within one. Nothing where it has another form.
 * @param {any} before
 * @param {any} data
 * @param {Column} column
 */
function beforeOf(before, data, column) {
  if (!before?.series || before.granularity !== data.granularity) return [];
  const values = valuesOf(before, column);
  const label = `From ${day(before.from, before.timezone)}`;
  const more = Math.max(0, values.length - data.series.length);
  return [
    {
      label,
      values: data.series.map(
        (/** @type {any} */ _, /** @type {number} */ at) => values[at + more] ?? null,
      ),
    },
  ];
}

/**
 * In which order the groups of a list are by their change, where that was chosen: one list of a
 * view is at a time.
 * @param {any} question
 * @param {string} by
 */
export const changeOrder = (question, by) =>
  question.sort === `${by}_change` && comparisonOf(question) !== 'none'
    ? question.order === 'asc'
      ? 'asc'
      : 'desc'
    : undefined;

/**
 * The order of a list as a query names it.
 * @param {Column} column
 * @param {string | undefined} order
 */
export const sortAsked = (column, order) => ({ sort: order && `${column.name}_change`, order });

/**
 * The address of a list in an order of its changes, or in its usual one.
 * @param {any} question
 * @param {string} by
 */
export const orderedBy = (question, by) => (/** @type {string | undefined} */ order) =>
  addressOf({
    ...question,
    sort: order && `${by}_change`,
    order: order === 'asc' ? order : undefined,
  });

const FIRST_GROUPS = 8;
const MORE_GROUPS = 100;
const NAMES_OF_GROUPS = {
  product: 'Product',
  team: 'Team',
  department: 'Department',
  user: 'User',
  user_type: 'Type',
};

/**
 * Groups in order of a figure, with a search and more of them if there are many.
 * @param {{api: import('./api.js').Api, me: any, question: any, title: string, by: string,
 *   column: Column, query: import('./api.js').Query, definition?: string, hasSearch?: boolean,
 *   navigate?: any, first?: number, isLater?: boolean}} props `isLater` as long as something above
 *   is to be answered first
 */
export function RankedUsage({
  api,
  me,
  question,
  title,
  by,
  column,
  query,
  definition = column.definition,
  hasSearch = false,
  navigate,
  first = FIRST_GROUPS,
  isLater = false,
}) {
  const [limit, setLimit] = useState(first);
  const order = changeOrder(question, by);
  const path = pathOf('/v1/usage', {
    ...query,
    ...whenAsked(question),
    ...comparedAsked(question),
    measure: column.name,
    group_by: by,
    ...sortAsked(column, order),
    limit,
    q: hasSearch ? question.q : undefined,
  });
  const answer = useAnswer(api, isLater ? null : path);
  const valueOf = column.label;
  const nameOf = NAMES_OF_GROUPS[/** @type {keyof typeof NAMES_OF_GROUPS} */ (by)] ?? 'Value';
  const more = limit < MORE_GROUPS ? () => setLimit(MORE_GROUPS) : undefined;
  const none =
    question.q && hasSearch
      ? html`<${EmptyState} title="Nobody by this name has used it" />`
      : undefined;
  return html`
    <${Panel}
      title=${title}
      definition=${definition}
      isLoading=${answer.isLoading}
      actions=${html`<${CsvButton} api=${api} paths=${[path]} name=${title} />`}
    >
      ${
        hasSearch &&
        html`
          <label class="panel-search">
            <span class="visually-hidden">Search ${title}</span>
            <input
              type="search"
              placeholder="Search by name"
              maxlength="128"
              value=${question.q ?? ''}
              onChange=${(/** @type {any} */ event) =>
                navigate({ q: event.currentTarget.value.trim() || undefined })}
            />
          </label>
        `
      }
      <${Answered}
        answer=${answer}
        narrower=${narrower(question)}
        isEmpty=${(/** @type {any} */ data) => !data.groups.length}
        empty=${none}
      >
        ${(/** @type {any} */ data) => html`
          <${RankedBars}
            label=${`${title} by ${column.label.toLowerCase()}`}
            nameOf=${nameOf}
            valueOf=${valueOf}
            column=${column}
            rows=${rowsOf(data.groups, by, column, question).map((row) => named(row, by, me))}
            total=${data.total_groups}
            onMore=${more}
            order=${order}
            orderedBy=${orderedBy(question, by)}
          />
        `}
      <//>
    <//>
  `;
}

const TYPE_NAMES = { 'account-user': 'People', 'service-user': 'Machines' };

/**
 * @param {import('./parts.js').RankedRow} row
 * @param {string} by
 * @param {any} me
 */
function named(row, by, me) {
  if (by === 'product')
    return {
      ...row,
      name: me.products.find((/** @type {any} */ each) => each.id === row.key)?.name ?? row.name,
    };
  if (by === 'user_type')
    return {
      ...row,
      name: TYPE_NAMES[/** @type {keyof typeof TYPE_NAMES} */ (row.key)] ?? row.name,
    };
  return row;
}

/** How many used anything, and how many more than before. @param {any} props */
export function ActiveUsersFigure({ data, isCompared, onExplain }) {
  const { value, compare_value: before, change_pct: pct } = data.totals.active_users;
  return html`
    <${Figure}
      label="Active users"
      value=${value}
      column=${ACTIVE_USERS}
      pct=${isCompared ? pct : null}
      before=${isCompared ? before : null}
      definition=${ACTIVE_USERS.definition}
      note=${isCompared && before > 0 ? `from ${count(before)}` : ''}
      onExplain=${onExplain}
    />
  `;
}

/** How many of the products in an answer anybody used. @param {any} data */
export function productsUsed(data) {
  return data.groups.filter((/** @type {any} */ group) => group.totals.active_users.value > 0)
    .length;
}

/**
 * All figures of a product as tiles, and the one that was chosen over time.
 * @param {{api: import('./api.js').Api, me: any, question: any, navigate: any, product: any,
 *   kind: any, who: import('./api.js').Query, columns: Column[], chosen: Column,
 *   whole: import('./parts.js').Answer}} props
 */
export function ProductFigures({
  api,
  me,
  question,
  navigate,
  product,
  kind,
  who,
  columns,
  chosen,
  whole,
}) {
  const [explained, explain] = useExplained(me, whole.data);
  const isCompared = comparisonOf(question) !== 'none';
  return html`
    <${Answered} answer=${whole} height="8rem" narrower=${narrower(question)}>
      ${(/** @type {any} */ data) => html`
        <div class="figures" role="group" aria-label="Figures">
          ${columns.map((column) => {
            const { value, compare_value: before, change_pct: pct } = data.totals[column.name];
            return html`
              <${Figure}
                key=${column.name}
                label=${column.label}
                value=${value}
                column=${column}
                definition=${column.definition}
                pct=${isCompared ? pct : null}
                before=${isCompared ? before : null}
                isSelected=${column.name === chosen.name}
                onSelect=${() => navigate({ measure: column.name })}
              />
            `;
          })}
        </div>
      `}
    <//>
    ${
      !whole.error &&
      html`
        <div class="panels">
          <${Panel}
            wide
            title=${chosen.label}
            definition=${chosen.definition}
            actions=${
              explain &&
              html`
                <button type="button" class="quiet" onClick=${() => explain(columns, chosen)}>
                  How is this figure made up?
                </button>
              `
            }
          >
            <${UsageChart}
              api=${api}
              me=${me}
              kinds=${[kind.name]}
              question=${question}
              query=${{ product: product.id, ...who }}
              column=${chosen}
              whole=${current(whole)}
              title=${`${product.name}: ${chosen.label}`}
            />
          <//>
        </div>
      `
    }
    <${ExplainLater} api=${api} explained=${explained} onClose=${() => explain?.(null)} />
  `;
}

/**
 * Every figure of a product in the period.
 * @param {import('./api.js').Api} api
 * @param {any} question
 * @param {string} product
 * @param {Column[]} columns
 * @param {import('./api.js').Query} who
 */
export const useFigures = (api, question, product, columns, who) =>
  useAnswer(
    api,
    product
      ? pathOf('/v1/usage', {
          product,
          measure: columns.map((column) => column.name).join(','),
          ...whenAsked(question),
          ...comparedAsked(question),
          ...who,
        })
      : null,
  );

/**
 * A whole number of things, for a note.
 * @param {number} number
 * @param {string} one
 * @param {string} many
 */
export const counted = (number, one, many = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : many}`;
