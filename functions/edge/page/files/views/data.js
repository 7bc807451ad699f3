/** This view is not here yet. */

import { html } from '../vendor/standalone.module.js';
import { EmptyState, View } from '../parts.js';

export default function Later() {
  return html`<${View} name="data" state="empty" title="data"><${EmptyState} title="This view is not here yet" /><//>`;
}
