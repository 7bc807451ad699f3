/** Pieces of the reference: text, fields, code. */

import { html, useState } from '../vendor/standalone.module.js';
import { fieldsOf, limitsOf, sampleOf, typeOf } from './schema.js';

const COPIED_MS = 2000;
const INLINE = /(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|<https?:[^>]+>)/;

/**
 * Descriptions as they are written in the document: paragraphs, `code`, **strong**, *emphasis*.
 * @param {{text: string}} props
 */
export function Words({ text }) {
  return html`
    ${text
      .split(/\n{2,}/)
      .map((part, index) => html`<p key=${index}>${part.split(INLINE).map(inline)}</p>`)}
  `;
}

/** @param {string} part */
function inline(part) {
  if (part.startsWith('`')) return html`<code>${part.slice(1, -1)}</code>`;
  if (part.startsWith('**')) return html`<strong>${part.slice(2, -2)}</strong>`;
  return part.length > 2 && part.startsWith('*') && part.endsWith('*')
    ? html`<em>${part.slice(1, -1)}</em>`
    : part;
}

/** @param {{code: string, label: string}} props */
export function Code({ code, label }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code);
    } catch {
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return html`
    <div class="code">
      <pre tabindex="0" role="region" aria-label=${label}>
        <code>${code}</code>
      </pre>
      <button type="button" class="quiet" onClick=${copy}>
        ${isCopied ? 'Copied' : 'Copy'}
        <span class="visually-hidden"> ${label}</span>
      </button>
    </div>
  `;
}

/** @param {any} value */
export function written(value) {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

/**
 * One parameter or field, with its own fields behind it.
 * @param {{name: string, required: boolean, schema: any, description: string, example?: any,
 *   place?: string, document: any}} props
 */
export function Field({ name, required, schema, description, example, place, document }) {
  const limits = limitsOf(schema, document);
  const nested = fieldsOf(schema, document);
  const [isOpen, setOpen] = useState(false);
  return html`
    <li>
      <p class="field-head">
        <code class="field-name">${name}</code>${' '}
        <span class="muted">
          ${typeOf(schema, document)}
          ${place ? `, in the ${place}` : ''}
        </span>
        ${required && html` <span class="needed">required</span>`}
        ${schema.deprecated && html` <span class="needed">deprecated</span>`}
      </p>
      <${Words} text=${description} />
      ${limits.length > 0 && html`<p class="small muted">${limits.join('; ')}</p>`}
      ${
        example !== undefined &&
        example !== '' &&
        html`
          <p class="small muted">
            Example: <code>${typeof example === 'string' ? example : JSON.stringify(example)}</code>
          </p>
        `
      }
      ${
        nested.length > 0 &&
        html`
          <details onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}>
            <summary>Fields of <code>${name}</code></summary>
            ${isOpen && html`<${Fields} fields=${nested} document=${document} />`}
          </details>
        `
      }
    </li>
  `;
}

/** @param {{fields: any[], document: any}} props */
export function Fields({ fields, document }) {
  return html`
    <ul class="fields">
      ${fields.map((each) => html`<${Field} key=${each.name} ...${each} document=${document} />`)}
    </ul>
  `;
}

/**
 * A body, of the request or of an answer: its fields, and an example.
 * @param {{schema: any, example?: any, label: string, document: any}} props
 */
export function Content({ schema, example, label, document }) {
  const fields = fieldsOf(schema, document);
  return html`
    <div class="content">
      ${
        fields.length > 0
          ? html`<${Fields} fields=${fields} document=${document} />`
          : html`<${Words} text=${schema.description ?? ''} />`
      }
      ${
        (fields.length > 0 || example !== undefined) &&
        html`<${Code} code=${written(example ?? sampleOf(schema, document))} label=${label} />`
      }
    </div>
  `;
}
