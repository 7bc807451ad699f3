/** One user: what they used, how much, and when. */

import { html } from '../vendor/standalone.module.js';
import { Controls } from '../controls.js';
import { ago, instant } from '../format.js';
import {
  Answered,
  BehindNotice,
  EmptyState,
  Figure,
  Loading,
  PeriodShown,
  View,
  stateOf,
} from '../parts.js';
import { addressOfView, comparisonOf, limitOf, zoneOf } from '../question.js';
import {
  ACTIVE_USERS,
  LeftOutNotice,
  ProductFigures,
  columnsOf,
  kindOf,
  narrower,
  useFigures,
} from '../usage.js';
import { subjectAsked, useProducts, useSeats } from './subject.js';

/** @param {{api: import('../api.js').Api, me: any, question: any, navigate: any}} props */
export default function User({ api, me, question, navigate }) {
  const who = subjectAsked(question, me, 'user');
  const whole = useProducts(api, me, question, who);
  const seat = useSeats(api, who).data?.data[0];
  /** @type {any[]} */
  const used = whole.data ? productsUsed(whole.data, me) : [];
  const product = used.find(({ id }) => id === question.product) ?? used[0];
  const kind = product && kindOf(me, product.kind);
  const columns = kind ? columnsOf(kind).filter(({ name }) => name !== ACTIVE_USERS.name) : [];
  const chosen = columns.find(({ name }) => name === question.measure) ?? columns[0];
  const figures = useFigures(api, question, product?.id, columns, who);
  const state = me.products.length ? stateOf(whole, () => !used.length) : 'empty';
  const home = addressOfView(question, ...homeOf(me));
  return html`
    <${View}
      name="user"
      state=${state}
      title=${html`<bdi>${nameOf(question.id, me, seat)}</bdi>`}
      subtitle=${html`
        <${Who} seat=${seat} me=${me} question=${question} />
        ${whole.data && html`<${PeriodShown} answer=${whole.data} />`}
      `}
      actions=${html`<${Controls} me=${me} question=${question} navigate=${navigate} filters=${[]} />`}
    >
      <${Answered} answer=${whole} narrower=${narrower(question)} home=${home}>
        ${(/** @type {any} */ data) => html`
          <${BehindNotice} answer=${data} />
          <${LeftOutNotice} me=${me} />
          ${
            used.length
              ? html`<${ProductsUsed} ...${{ me, question, navigate, used, product }} />`
              : html`
                <${EmptyState} title="No usage in this period">
                  Choose a longer period, or look at when it was last used above.
                <//>
              `
          }
        `}
      <//>
      ${
        chosen &&
        html`
          <h2 class="section">
            <a href=${addressOfView(question, 'product', product.id)}>
              <bdi>${product.name}</bdi>
            </a>
          </h2>
          <${ProductFigures}
            ...${{
              api,
              me,
              question,
              navigate,
              product,
              kind,
              who,
              columns,
              chosen,
              whole: figures,
            }}
          />
        `
      }
      ${!whole.data && !whole.error && me.products.length > 0 && html`<${Loading} />`}
    <//>
  `;
}

/**
 * What the user used; one product is chosen, and its figures are below.
 * @param {any} props
 */
function ProductsUsed({ me, question, navigate, used, product }) {
  return html`
    <div class="figures" role="group" aria-label="Products used">
      ${used.map(
        (/** @type {any} */ each) => html`
          <${Used}
            key=${each.id}
            each=${each}
            me=${me}
            question=${question}
            isSelected=${each.id === product?.id}
            onSelect=${() => navigate({ product: each.id, measure: undefined })}
          />
        `,
      )}
    </div>
  `;
}

/**
 * @param {any} me
 * @returns {[string, string?]}
 */
function homeOf(me) {
  const { team, user } = limitOf(me);
  return user ? ['user', user] : team ? ['team', team] : ['overview'];
}

/**
 * The products of which anything was used, now or before, most active first as answered.
 * @param {any} data
 * @param {any} me
 */
function productsUsed(data, me) {
  return data.groups
    .map((/** @type {any} */ group) => ({
      ...me.products.find((/** @type {any} */ each) => each.id === group.product.id),
      totals: group.totals,
    }))
    .filter(
      (/** @type {any} */ each) =>
        each.id && (each.totals.active_users.value || each.totals.active_users.compare_value),
    );
}

/**
 * @param {string} id
 * @param {any} me
 * @param {any} seat
 */
const nameOf = (id, me, seat) =>
  seat?.user.username ?? (me.caller.user?.id === id ? me.caller.user.username : 'User');

/** @param {any} props */
function Who({ seat, me, question }) {
  if (!seat) return null;
  const zone = zoneOf(question, me);
  const { team, departments } = seat.user;
  const name = team && html`<bdi>${team.name}</bdi>`;
  const address = team && addressOfView(question, 'team', team.id);
  const last = seat.last_active.at;
  return html`
    <span class="who">
      ${team && (limitOf(me).user ? html`${name}, ` : html`<a href=${address}>${name}</a>, `)}
      ${departments.map(
        (/** @type {any} */ each) => html`<bdi key=${each.id}>${each.name}</bdi>, `,
      )}
      ${seat.state},${' '}
      ${last ? html`<span title=${instant(last, zone)}>last active ${ago(last)}</span>` : 'never active'}
    </span>
    <br />
  `;
}

/**
 * A product that was used, by the first of its measures.
 * @param {any} props
 */
function Used({ each, me, question, isSelected, onSelect }) {
  const [column] = columnsOf(kindOf(me, each.kind));
  const { value, compare_value: before, change_pct: pct } = each.totals[column.name];
  const isCompared = comparisonOf(question) !== 'none';
  return html`
    <${Figure}
      label=${each.name}
      value=${value}
      column=${column}
      note=${column.label}
      pct=${isCompared ? pct : null}
      before=${isCompared ? before : null}
      isSelected=${isSelected}
      onSelect=${onSelect}
    />
  `;
}
