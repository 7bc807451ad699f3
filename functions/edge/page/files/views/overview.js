/** Is it used, by how many, and more or less than before? */

import { html } from '../vendor/standalone.module.js';
import { pathOf } from '../api.js';
import { Controls } from '../controls.js';
import { change, count, percent } from '../format.js';
import {
  Answered,
  BehindNotice,
  CsvButton,
  EmptyState,
  ExplainLater,
  Figure,
  Panel,
  PeriodShown,
  RankedBars,
  Shares,
  View,
  current,
  stateOf,
  useAnswer,
  useExplained,
} from '../parts.js';
import {
  addressOfView,
  comparedAsked,
  comparisonOf,
  kindsUsed,
  whenAsked,
  whoAsked,
} from '../question.js';
import {
  ACTIVE_DAYS,
  ACTIVE_USERS,
  ActiveUsersFigure,
  LeftOutNotice,
  RankedUsage,
  UsageChart,
  changeOrder,
  counted,
  daysAsked,
  kindsOfOneCalendar,
  narrower,
  orderedBy,
  productsAsked,
  productsUsed,
  rowsOf,
  sortAsked,
} from '../usage.js';

const MOST = 6;
/** From here on a change in percent says less than the difference. */
const MANY_PCT = 1000;
const SEAT_USED =
  'A registered user has a seat. It is used if they used any product in the last 30 days, today included.';

/** @param {{api: import('../api.js').Api, me: any, question: any, navigate: any}} props */
export function Overview({ api, me, question, navigate }) {
  const who = whoAsked(question, me);
  const when = { ...whenAsked(question), ...comparedAsked(question) };
  const query = { ...productsAsked(me), measure: ACTIVE_USERS.name, ...who };
  const hasProducts = me.products.length > 0;
  const order = changeOrder(question, 'product');
  const byProduct = pathOf('/v1/usage', {
    ...query,
    ...when,
    group_by: 'product',
    ...sortAsked(ACTIVE_USERS, order),
  });
  const usage = useAnswer(api, hasProducts ? byProduct : null);
  const { user_type: _, ...seated } = who;
  const seats = useAnswer(api, pathOf('/v1/seats', { ...seated, status: 'inactive', limit: 1 }));
  const [explained, explain] = useExplained(me, usage.data);
  const isEmpty = (/** @type {any} */ data) =>
    !data.totals.active_users.value && !data.totals.active_users.compare_value;
  const state = hasProducts ? stateOf(usage, isEmpty) : 'empty';
  return html`
    <${View}
      name="overview"
      state=${state}
      title="Overview"
      subtitle=${usage.data && html`<${PeriodShown} answer=${usage.data} />`}
      actions=${html`<${Controls} me=${me} question=${question} navigate=${navigate} />`}
    >
      ${!hasProducts && html`<${NothingYet} question=${question} />`}
      ${
        hasProducts &&
        html`
          <${Answered}
            answer=${usage}
            height="8rem"
            narrower=${narrower(question)}
            isEmpty=${isEmpty}
            empty=${html`<${NothingYet} question=${question} isPeriod />`}
          >
            ${(/** @type {any} */ data) => html`
              <${Headline}
                me=${me}
                question=${question}
                data=${data}
                seats=${seats.data?.seats}
                onExplain=${explain && (() => explain([ACTIVE_USERS], ACTIVE_USERS))}
              />
              <${BehindNotice} answer=${data} />
            `}
          <//>
        `
      }
      ${
        hasProducts &&
        state !== 'empty' &&
        !usage.error &&
        html`<${Breakdown} ...${{ api, me, question, who, usage, seats, query, order, byProduct }} />`
      }
      <${ExplainLater} api=${api} explained=${explained} onClose=${() => explain?.(null)} />
    <//>
  `;
}

export default Overview;

/**
 * Active users over time and by what they used, and the seats.
 * @param {any} props
 */
function Breakdown({ api, me, question, who, usage, seats, query, order, byProduct }) {
  return html`
    <div class="panels">
      <${Panel} title="Active users over time" wide definition=${ACTIVE_USERS.definition}>
        <${UsageChart}
          api=${api}
          me=${me}
          kinds=${kindsUsed(me)}
          question=${question}
          query=${query}
          column=${ACTIVE_USERS}
          whole=${current(usage)}
          title="Active users"
        />
      <//>
    </div>
    <div class="columns">
      <${Products} ...${{ api, me, question, usage, order, path: byProduct }} />
      <${Seats} question=${question} seats=${seats} />
      <${RankedUsage}
        ...${{ api, me, question }}
        title="Most active teams"
        by="team"
        column=${ACTIVE_USERS}
        query=${query}
        first=${MOST}
        isLater=${!usage.data}
      />
      <${MostActiveUsers} ...${{ api, me, question, who }} whole=${usage.data} />
    </div>
  `;
}

/**
 * The answer in one sentence, and in figures.
 * @param {any} props
 */
function Headline({ me, question, data, seats, onExplain }) {
  const { value, compare_value: before, change_pct: pct } = data.totals.active_users;
  const comparison = comparisonOf(question);
  const isCompared = comparison !== 'none' && before !== null;
  const than = comparison === 'previous_year' ? 'a year before' : 'in the period before';
  return html`
    <p class="headline">
      <strong>${counted(value, 'user')}</strong> used${' '}
      ${me.products.length === 1 ? 'it' : 'any product'} in this period
      ${isCompared && html`, <${MoreOrLess} ...${{ pct, value, before, than }} />`}
      .
    </p>
    <${Figures} ...${{ me, data, seats, isCompared, onExplain }} />
    <${LeftOutNotice} me=${me} />
  `;
}

/** @param {any} props */
function Figures({ me, data, seats, isCompared, onExplain }) {
  return html`
    <div class="figures">
      <${ActiveUsersFigure} ...${{ data, isCompared, onExplain }} />
      <${Figure}
        label="Seats used"
        value=${seats?.active}
        note=${
          seats &&
          (seats.licensed === null
            ? `of ${count(seats.assigned)} assigned`
            : `of ${count(seats.licensed)} licensed`)
        }
        definition=${SEAT_USED}
      />
      <${Figure}
        label="Seats not used"
        value=${seats && seats.inactive + seats.never_used}
        note=${seats && `${count(seats.never_used)} never used`}
        definition="Registered users who used nothing in the last 30 days, today included."
      />
      <${Figure}
        label="Products in use"
        value=${productsUsed(data)}
        note=${`of ${count(me.products.length)}`}
        definition="Products that anybody used in the period."
      />
    </div>
  `;
}

/** @param {any} props */
function MoreOrLess({ pct, value, before, than }) {
  if (before === 0) return `and nobody ${than}`;
  if (!pct) return `as many as ${than}`;
  const share = pct < MANY_PCT ? change(Math.abs(pct)).replace('+', '') : count(value - before);
  return html`
    <strong>${share} ${pct > 0 ? 'more' : 'fewer'}</strong>${' '}
    than ${than}
  `;
}

/** @param {any} props */
function Products({ api, me, question, usage, order, path }) {
  return html`
    <${Panel}
      title="Products"
      definition="Users who used each product in the period. A user of two products counts in both."
      isLoading=${usage.isLoading}
      actions=${html`<${CsvButton} api=${api} paths=${[path]} name="Products" />`}
    >
      <${Answered} answer=${usage} isEmpty=${(/** @type {any} */ data) => !data.groups.length}>
        ${(/** @type {any} */ data) => html`
          <${RankedBars}
            label="Products by active users"
            nameOf="Product"
            valueOf="Active users"
            column=${ACTIVE_USERS}
            total=${data.total_groups}
            rows=${rowsOf(data.groups.slice(0, 12), 'product', ACTIVE_USERS, question).map(
              (row) => ({ ...row, name: productName(me, row) }),
            )}
            order=${order}
            orderedBy=${orderedBy(question, 'product')}
          />
        `}
      <//>
    <//>
  `;
}

/**
 * @param {any} me
 * @param {{key: string, name: string}} row
 */
const productName = (me, row) =>
  me.products.find((/** @type {any} */ each) => each.id === row.key)?.name ?? row.name;

/** @param {any} props */
function Seats({ question, seats }) {
  return html`
    <${Panel}
      title="Seats"
      definition=${SEAT_USED}
      isLoading=${seats.isLoading}
      actions=${html`
        <a class="quiet" href=${addressOfView(question, 'seats')}>Who does not use theirs</a>
      `}
    >
      <${Answered} answer=${seats}>
        ${(/** @type {any} */ data) => html`<${SeatShares} seats=${data.seats} />`}
      <//>
    <//>
  `;
}

/** @param {any} props */
function SeatShares({ seats }) {
  const { licensed, assigned, active, inactive, never_used: never } = seats;
  if (!assigned && !licensed) return html`<${EmptyState} title="Nobody has a seat yet" />`;
  const of = licensed ?? assigned;
  const free = licensed === null ? [] : [{ name: 'Free', value: Math.max(0, licensed - assigned) }];
  return html`
    <p class="headline">
      <strong>${count(active)}</strong> of <strong>${count(of)}</strong>${' '}
      ${licensed === null ? 'assigned' : 'licensed'} seats are used
      ${of > 0 ? `, ${percent(active / of)}` : ''}.
    </p>
    <${Shares}
      label="Seats"
      parts=${[
        { name: 'Used in the last 30 days', value: active },
        { name: 'Not used in the last 30 days', value: inactive },
        { name: 'Never used', value: never },
        ...free,
      ]}
    />
  `;
}

/**
 * Days active are counted in one calendar, so only products that share one are asked about.
 * @param {any} props
 */
function MostActiveUsers({ api, me, question, who, whole }) {
  const labels = kindsOfOneCalendar(me, whole)
    .map((kind) => kind.label || kind.name)
    .join(', ');
  return html`
    <${RankedUsage}
      ...${{ api, me, question }}
      title="Most active users"
      by="user"
      column=${ACTIVE_DAYS}
      first=${MOST}
      definition=${`Days on which each user had any usage of: ${labels}.`}
      query=${{ ...daysAsked(me, whole), ...who }}
      isLater=${!whole}
    />
  `;
}

/**
 * What to do where there is no usage at all.
 * @param {any} props
 */
function NothingYet({ question, isPeriod = false }) {
  return html`
    <${EmptyState}
      title=${isPeriod ? 'No usage in this period' : 'No products yet'}
      action=${html`
        <p class="state-actions">
          ${
            isPeriod &&
            html`
              <a
                class="button"
                href=${addressOfView(
                  { ...question, period: '12mo', from: '', to: '', granularity: '' },
                  'overview',
                )}
              >
                Show the last 12 months
              </a>
            `
          }
          <a class="button" href=${addressOfView(question, 'data')}>See what has arrived</a>
        </p>
      `}
    >
      ${
        isPeriod
          ? 'Nobody used any product, now or in the period before.'
          : 'Products come with the directory of the organization, usage with events.'
      }
    <//>
  `;
}
