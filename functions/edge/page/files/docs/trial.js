/** Trying an operation: what is filled in is sent as it is and shown as code. */

import { html, useMemo, useState } from '../vendor/standalone.module.js';
import { BASE_URL } from '../api.js';
import { Code, written } from './parts.js';
import { present, sampleOf } from './schema.js';
import { LANGUAGES, addressOf } from './snippets.js';

const MOST_SHOWN = 100_000;
const SHOWN_HEADERS = [
  'content-type',
  'etag',
  'retry-after',
  'x-request-id',
  'x-data-through',
  'x-query-range',
  'link',
  'warning',
  'www-authenticate',
];

/**
 * @param {{operation: import('./schema.js').Operation, document: any, credentials: {key: string,
 *   username: string, isBasic: boolean}}} props
 */
export function Trial({ operation, document, credentials }) {
  const [values, setValues] = useState(() => begin(operation));
  const types = Object.keys(operation.body ?? {});
  const [type, setType] = useState(types[0] ?? '');
  const [body, setBody] = useState(() => bodyOf(operation, document, type));
  const answers = Object.keys(success(operation)?.content ?? {});
  const [accept, setAccept] = useState(answers[0] ?? '');
  const [result, setResult] = useState(/** @type {any} */ (null));
  const asked = useMemo(
    () => askedOf(operation, values, { type, body, accept, isBasic: credentials.isBasic }),
    [operation, values, type, body, accept, credentials.isBasic],
  );
  const isChange = operation.method !== 'GET';
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (
      operation.method === 'DELETE' &&
      !confirm(`${operation.summary} This cannot be undone. Send it?`)
    )
      return;
    setResult({ isWaiting: true });
    setResult(await answerTo(asked, credentials));
  };
  const input = (/** @type {any} */ event) =>
    setValues((was) => ({ ...was, [event.target.name]: event.target.value }));
  return html`
    <section class="panel" aria-labelledby="try">
      <h2 id="try">Try it</h2>
      <form class="trial" onSubmit=${send}>
        ${operation.parameters.map(
          (each) => html`
            <${Input}
              key=${each.name}
              parameter=${each}
              document=${document}
              value=${values[each.name]}
              onInput=${input}
            />
          `,
        )}
        ${
          types.length > 1 &&
          html`
            <${Choice}
              label="Content-Type"
              value=${type}
              values=${types}
              onChoose=${(/** @type {string} */ chosen) => {
                setType(chosen);
                setBody(bodyOf(operation, document, chosen));
              }}
            />
          `
        }
        ${
          types.length > 0 &&
          html`
            <label class="field wide">
              <span>Body</span>
              <textarea
                rows="8"
                spellcheck=${false}
                value=${body}
                onInput=${(/** @type {any} */ event) => setBody(event.target.value)}
              ></textarea>
            </label>
          `
        }
        ${
          answers.length > 1 &&
          html`<${Choice} label="Accept" value=${accept} values=${answers} onChoose=${setAccept} />`
        }
        <p class="wide">
          <button class="button primary" type="submit" disabled=${result?.isWaiting}>
            Send ${operation.method}
          </button>
          ${
            isChange &&
            html` <span class="muted small">This changes the organization of the key.</span>`
          }
        </p>
      </form>
      <${Result} result=${result} />
      <${CodeOf} asked=${asked} />
    </section>
  `;
}

/**
 * The same question as code, in a language to choose.
 * @param {{asked: import('./snippets.js').Asked}} props
 */
function CodeOf({ asked }) {
  const [language, setLanguage] = useState('curl');
  return html`
    <div class="languages" role="group" aria-label="Language of the code">
      ${Object.keys(LANGUAGES).map(
        (name) => html`
          <button
            key=${name}
            type="button"
            class="quiet"
            aria-pressed=${name === language}
            onClick=${() => setLanguage(name)}
          >
            ${name}
          </button>
        `,
      )}
    </div>
    <${Code} code=${LANGUAGES[language](asked)} label=${`${language} code`} />
  `;
}

/**
 * Required parameters as in their examples, all others left out.
 * @param {import('./schema.js').Operation} operation
 * @returns {Record<string, string>}
 */
function begin({ parameters }) {
  return Object.fromEntries(
    parameters.map((each) => [each.name, each.required ? String(each.example ?? '') : '']),
  );
}

/**
 * @param {import('./schema.js').Operation} operation
 * @param {any} document
 * @param {string} type
 */
function bodyOf(operation, document, type) {
  const content = operation.body?.[type];
  return content ? written(content.example ?? sampleOf(content.schema, document)) : '';
}

/** @param {import('./schema.js').Operation} operation */
export function success(operation) {
  return Object.entries(operation.responses).find(([status]) => status.startsWith('2'))?.[1];
}

/**
 * The request that the form stands for.
 * @param {import('./schema.js').Operation} operation
 * @param {Record<string, string>} values
 * @param {{type: string, body: string, accept: string, isBasic: boolean}} how
 * @returns {import('./snippets.js').Asked}
 */
function askedOf(operation, values, { type, body, accept, isBasic }) {
  const named = (/** @type {string} */ place) =>
    operation.parameters
      .filter((each) => each.in === place && values[each.name] !== '')
      .map((each) => /** @type {[string, string]} */ ([each.name, values[each.name]]));
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) =>
    encodeURIComponent(values[name] || `{${name}}`),
  );
  const headers = named('header');
  if (body) headers.push(['Content-Type', type]);
  if (accept && accept !== 'application/json') headers.push(['Accept', accept]);
  return {
    method: operation.method,
    url: BASE_URL.replace(/\/$/, '') + path,
    query: named('query'),
    headers,
    body,
    isBasic,
  };
}

/**
 * Send a request with the credentials of the tab.
 * @param {import('./snippets.js').Asked} asked
 * @param {{key: string, username: string, isBasic: boolean}} credentials
 */
async function answerTo(asked, { key, username, isBasic }) {
  const basic = btoa(String.fromCharCode(...new TextEncoder().encode(`${username}:${key}`)));
  const authorization = /** @type {[string, string][]} */ (
    key ? [['Authorization', isBasic ? `Basic ${basic}` : `Bearer ${key}`]] : []
  );
  const began = performance.now();
  try {
    const response = await fetch(addressOf(asked), {
      method: asked.method,
      headers: [...asked.headers, ...authorization],
      body: asked.body || undefined,
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
    });
    const text = await response.text();
    const headers = SHOWN_HEADERS.filter((name) => response.headers.has(name)).map(
      (name) => `${name}: ${response.headers.get(name)}`,
    );
    return {
      status: response.status,
      ms: Math.round(performance.now() - began),
      headers,
      text: readable(text),
    };
  } catch (error) {
    return {
      status: 0,
      ms: 0,
      headers: [],
      text: `There was no answer: ${/** @type {Error} */ (error).message}`,
    };
  }
}

/**
 * JSON in lines of its own, cut where it would be too long to show.
 * @param {string} text
 */
function readable(text) {
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    /* CSV and lines are shown as they are */
  }
  return shown.length > MOST_SHOWN
    ? `${shown.slice(0, MOST_SHOWN)}\n… ${shown.length - MOST_SHOWN} characters more`
    : shown;
}

/** @param {{result: any}} props */
function Result({ result }) {
  if (!result) return null;
  if (result.isWaiting)
    return html`<p role="status" data-answer="waiting">Waiting for the answer …</p>`;
  return html`
    <div class="result" data-answer=${result.status}>
      <p role="status">
        <strong class=${result.status >= 200 && result.status < 300 ? 'change up' : 'change down'}>
          ${result.status || 'No answer'}
        </strong>${' '}
        <span class="muted">after ${result.ms} ms</span>
      </p>
      ${
        result.headers.length > 0 &&
        html`<${Code} code=${result.headers.join('\n')} label="headers of the answer" />`
      }
      ${result.text && html`<${Code} code=${result.text} label="answer" />`}
    </div>
  `;
}

/** @param {{parameter: any, document: any, value: string, onInput: (event: any) => void}} props */
function Input({ parameter, document, value, onInput }) {
  const schema = present(parameter.schema, document);
  const choices = schema.enum ?? (schema.type === 'boolean' ? ['true', 'false'] : null);
  const label = html`
    <span>
      <code>${parameter.name}</code>
      ${parameter.required && html` <span class="needed">required</span>`}
    </span>
  `;
  if (choices) {
    return html`
      <label class="field">
        ${label}
        <select
          name=${parameter.name}
          value=${value}
          onChange=${onInput}
          required=${parameter.required}
        >
          ${!parameter.required && html`<option value="">not sent</option>`}
          ${choices.map(
            (/** @type {string} */ each) => html`
              <option key=${each} value=${each} selected=${each === value}>${each}</option>
            `,
          )}
        </select>
      </label>
    `;
  }
  return html`
    <label class="field">
      ${label}
      <input
        name=${parameter.name}
        value=${value}
        onInput=${onInput}
        required=${parameter.required}
        placeholder=${String(parameter.example ?? '')}
        spellcheck=${false}
        autocomplete="off"
      />
    </label>
  `;
}

/**
 * @param {{label: string, value: string, values: string[], onChoose: (value: string)
 *   => void}} props
 */
function Choice({ label, value, values, onChoose }) {
  return html`
    <label class="field">
      <span>${label}</span>
      <select value=${value} onChange=${(/** @type {any} */ event) => onChoose(event.target.value)}>
        ${values.map(
          (each) => html`
            <option key=${each} value=${each} selected=${each === value}>${each}</option>
          `,
        )}
      </select>
    </label>
  `;
}
