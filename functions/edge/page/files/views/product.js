/** One product: its measures over time, what they are made of, and who uses it most. */

import { html } from '../vendor/standalone.module.js';
import { Controls } from '../controls.js';
import { BehindNotice, ErrorState, PeriodShown, View, stateOf } from '../parts.js';
import { addressOfView, isFiltered, limitOf, mayReadAll, whoAsked } from '../question.js';
import {
  ACTIVE_DAYS,
  ACTIVE_USERS,
  ProductFigures,
  RankedUsage,
  columnsOf,
  kindOf,
  useFigures,
} from '../usage.js';
import { ApiError } from '../api.js';

/** @param {{api: import('../api.js').Api, me: any, question: any, navigate: any}} props */
export default function Product({ api, me, question, navigate }) {
  const product = me.products.find((/** @type {any} */ each) => each.id === question.id);
  const kind = product && kindOf(me, product.kind);
  const who = whoAsked(question, me);
  const columns = kind ? ordered(columnsOf(kind), who) : [];
  const chosen = columns.find((column) => column.name === question.measure) ?? columns[0];
  const whole = useFigures(api, question, kind && product.id, columns, who);
  if (!kind) return html`<${Unknown} question=${question} />`;
  const ranked = {
    api,
    me,
    question,
    navigate,
    query: { product: product.id, ...who },
    isLater: !whole.data,
  };
  const state = stateOf(whole, (data) =>
    columns.every(({ name }) => !data.totals[name].value && !data.totals[name].compare_value),
  );
  const label = kind.label || kind.name;
  return html`
    <${View}
      name="product"
      state=${state}
      title=${html`<bdi>${product.name}</bdi>`}
      subtitle=${html`
        ${label}
        ${whole.data && html` · <${PeriodShown} answer=${whole.data} />`}
      `}
      actions=${html`<${Controls} me=${me} question=${question} navigate=${navigate} />`}
    >
      ${whole.data && html`<${BehindNotice} answer=${whole.data} />`}
      ${
        state === 'empty' &&
        html`
          <p class="notice" role="status">
            Nobody used it in this period. Choose a longer one, or${' '}
            <a href=${addressOfView(question, 'data')}>see what has arrived</a>.
          </p>
        `
      }
      <${ProductFigures}
        ...${{ api, me, question, navigate, product, kind, who, columns, chosen, whole }}
      />
      ${!whole.error && html`<${Rankings} ...${{ me, question, kind, columns, chosen, ranked }} />`}
    <//>
  `;
}

/**
 * Who used the product, and for what.
 * @param {any} props `ranked` is what all rankings have
 */
function Rankings({ me, question, kind, columns, chosen, ranked }) {
  return html`
    <div class="columns">
      ${
        !isFiltered(question, me) &&
        kind.breakdowns.map(
          (/** @type {string} */ name) => html`
            <${RankedUsage}
              key=${name}
              ...${ranked}
              title=${titled(name)}
              by=${name}
              column=${forValues(chosen, columns)}
              definition=${`What events said of ${name}.`}
            />
          `,
        )
      }
      ${
        mayReadAll(me) &&
        !question.team &&
        html`
          <${RankedUsage} key="team" ...${ranked} title="Teams" by="team" column=${chosen} />
        `
      }
      ${
        mayReadAll(me) &&
        !question.department &&
        html`
          <${RankedUsage}
            key="department"
            ...${ranked}
            title="Departments"
            by="department"
            column=${chosen}
            definition=${`${chosen.definition} A user of two departments counts in both.`}
          />
        `
      }
      ${
        !limitOf(me).user &&
        html`
          <${RankedUsage}
            key="user"
            ...${ranked}
            title="Users"
            by="user"
            column=${chosen.name === ACTIVE_USERS.name ? ACTIVE_DAYS : chosen}
            hasSearch
          />
        `
      }
    </div>
  `;
}

/**
 * How many users there were comes first; of one user it says nothing.
 * @param {any[]} columns
 * @param {any} who
 */
function ordered(columns, who) {
  const [users, others] = [
    columns.filter(({ name }) => name === ACTIVE_USERS.name),
    columns.filter(({ name }) => name !== ACTIVE_USERS.name),
  ];
  return who.user ? others : [...users, ...others];
}

/**
 * Values of breakdowns have no users, so a measure stands for them.
 * @param {any} chosen
 * @param {any[]} columns
 */
function forValues(chosen, columns) {
  const isCounted = (/** @type {string} */ name) =>
    name === ACTIVE_USERS.name || name === ACTIVE_DAYS.name;
  const hasNone = isCounted(chosen.name) || chosen.parts?.some(isCounted);
  return hasNone
    ? (columns.find(({ name, parts }) => !isCounted(name) && !parts) ?? chosen)
    : chosen;
}

/** @param {string} name */
const titled = (name) => `By ${name.replaceAll('_', ' ')}`;

/** @param {{question: any}} props */
function Unknown({ question }) {
  return html`
    <${View} name="product" state="error" title="Product">
      <${ErrorState} error=${new ApiError(404, {})} home=${addressOfView(question, 'overview')} />
    <//>
  `;
}
