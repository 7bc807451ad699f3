/** This view is not here yet. */

import { html } from '../vendor/standalone.module.js';
import { EmptyState, View } from '../parts.js';

export default function Later() {
  return html`<${View} name="seats" state="empty" title="seats"><${EmptyState} title="This view is not here yet" /><//>`;
}
