/** Is it used, by how many, and more or less than before? */

import { html } from '../vendor/standalone.module.js';
import { pathOf } from '../api.js';
import { Controls } from '../controls.js';
import { Answered, Figure, LineChart, Panel, RankedBars, View, stateOf, useAnswer } from '../parts.js';
import { addressOfView, comparedAsked, granularityOf, productsAsked, whenAsked, whoAsked } from '../question.js';

/** @param {{api: import('../api.js').Api, me: any, question: any, navigate: any}} props */
export function Overview({ api, me, question, navigate }) {
  const usage = useAnswer(api, pathOf('/v1/usage', {
    product: productsAsked(me), measure: 'active_users', group_by: 'product', granularity: granularityOf(question),
    ...whenAsked(question), ...comparedAsked(question), ...whoAsked(question, me),
  }));
  return html`<${View} name="overview" state=${stateOf(usage, (data) => !data.totals.active_users.value)} title="Overview"
      actions=${html`<${Controls} me=${me} question=${question} navigate=${navigate} />`}>
    <${Answered} answer=${usage}>${(/** @type {any} */ data) => html`
      <div class="figures"><${Figure} label="Active users" value=${data.totals.active_users.value} pct=${data.totals.active_users.change_pct} /></div>
      <div class="panels">
        <${Panel} title="Active users" wide><${LineChart} label="Active users" blocks=${data.series} granularity=${data.granularity} zone=${data.timezone}
          series=${[{ label: 'Active users', values: data.series.map((/** @type {any} */ block) => block.active_users) }]} /><//>
        <${Panel} title="Products"><${RankedBars} label="Products by active users" nameOf="Product" valueOf="Active users" rows=${data.groups.map((/** @type {any} */ group) => ({
          key: group.product.id, name: group.product.name, href: addressOfView(question, 'product', group.product.id),
          value: group.totals.active_users.value, pct: group.totals.active_users.change_pct }))} /><//>
      </div>`}<//>
  <//>`;
}

export default Overview;
