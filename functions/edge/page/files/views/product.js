import { html } from '../vendor/standalone.module.js';
import { EmptyState, View } from '../parts.js';

export default function View_() {
  return html`<${View} name="product" state="empty" title="product"><${EmptyState} title="Nothing here yet" /><//>`;
}
