/** One team: how many of it use what, and who. */

import { html } from '../vendor/standalone.module.js';
import { Controls } from '../controls.js';
import { count } from '../format.js';
import {
  Answered,
  BehindNotice,
  Figure,
  Panel,
  PeriodShown,
  View,
  ExplainLater,
  current,
  stateOf,
  useExplained,
} from '../parts.js';
import { addressOfView, comparisonOf, kindsUsed, limitOf } from '../question.js';
import {
  ACTIVE_DAYS,
  ACTIVE_USERS,
  ActiveUsersFigure,
  LeftOutNotice,
  RankedUsage,
  UsageChart,
  daysAsked,
  kindsOfOneCalendar,
  narrower,
  productsAsked,
  productsUsed,
} from '../usage.js';
import { subjectAsked, useProducts, useSeats } from './subject.js';

/** @param {{api: import('../api.js').Api, me: any, question: any, navigate: any}} props */
export default function Team({ api, me, question, navigate }) {
  const who = subjectAsked(question, me, 'team');
  const whole = useProducts(api, me, question, who, ACTIVE_USERS.name);
  const seats = useSeats(api, who);
  const [explained, explain] = useExplained(me, whole.data);
  const name = nameOf(question.id, me, seats.data);
  const state = me.products.length
    ? stateOf(
        whole,
        (data) => !data.totals.active_users.value && !data.totals.active_users.compare_value,
      )
    : 'empty';
  const home = addressOfView(
    question,
    .../** @type {[string, string?]} */ (
      limitOf(me).team ? ['team', limitOf(me).team] : ['overview']
    ),
  );
  return html`
    <${View}
      name="team"
      state=${state}
      title=${html`<bdi>${name}</bdi>`}
      subtitle=${html`
        Team
        ${whole.data && html` · <${PeriodShown} answer=${whole.data} />`}
      `}
      actions=${html`
        <${Controls}
          me=${me}
          question=${question}
          navigate=${navigate}
          filters=${['department', 'user_type']}
        />
      `}
    >
      <${Answered} answer=${whole} height="8rem" narrower=${narrower(question)} home=${home}>
        ${(/** @type {any} */ data) => html`
          <${Figures}
            question=${question}
            data=${data}
            seats=${seats.data?.seats}
            onExplain=${explain && (() => explain([ACTIVE_USERS], ACTIVE_USERS))}
          />
          <${BehindNotice} answer=${data} />
          <${LeftOutNotice} me=${me} />
        `}
      <//>
      ${
        !whole.error &&
        html`<${Breakdown} ...${{ api, me, question, navigate, who, whole, name }} />`
      }
      <${ExplainLater} api=${api} explained=${explained} onClose=${() => explain?.(null)} />
    <//>
  `;
}

/**
 * What the team used over time, and who used it.
 * @param {any} props
 */
function Breakdown({ api, me, question, navigate, who, whole, name }) {
  const labels = kindsOfOneCalendar(me, whole.data)
    .map((kind) => kind.label || kind.name)
    .join(', ');
  return html`
    <div class="panels">
      <${Panel} title="Active users over time" wide definition=${ACTIVE_USERS.definition}>
        <${UsageChart}
          api=${api}
          me=${me}
          kinds=${kindsUsed(me)}
          question=${question}
          query=${{ ...productsAsked(me), ...who }}
          column=${ACTIVE_USERS}
          whole=${current(whole)}
          title=${`${name}: active users`}
        />
      <//>
    </div>
    <div class="columns">
      <${RankedUsage}
        ...${{ api, me, question }}
        title="Products"
        by="product"
        column=${ACTIVE_USERS}
        query=${{ ...productsAsked(me), ...who }}
        first=${12}
      />
      <${RankedUsage}
        ...${{ api, me, question, navigate }}
        title="Members"
        by="user"
        column=${ACTIVE_DAYS}
        hasSearch
        isLater=${!whole.data}
        query=${{ ...daysAsked(me, whole.data), ...who }}
        definition=${`Days on which each had any usage of: ${labels}.`}
      />
    </div>
  `;
}

/**
 * @param {string} id
 * @param {any} me
 * @param {any} seats
 */
function nameOf(id, me, seats) {
  const found = me.teams.find((/** @type {any} */ team) => team.id === id)?.name;
  return (
    found ??
    seats?.data.find((/** @type {any} */ seat) => seat.user.team?.id === id)?.user.team.name ??
    'Team'
  );
}

/** @param {any} props */
function Figures({ question, data, seats, onExplain }) {
  const isCompared = comparisonOf(question) !== 'none';
  return html`
    <div class="figures">
      <${ActiveUsersFigure} ...${{ data, isCompared, onExplain }} />
      <${Figure}
        label="Registered users"
        value=${seats?.assigned}
        note=${seats && `${count(seats.active)} used anything in the last 30 days`}
        definition="Users who are in the team now and have a seat."
      />
      <${Figure}
        label="Products in use"
        value=${productsUsed(data)}
        definition="Products that anybody in the team used in the period."
      />
    </div>
  `;
}
