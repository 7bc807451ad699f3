/**
 * The API reference: every operation of openapi.json, found by family or search, and tried here.
 */

import { html, render, useEffect, useMemo, useRef, useState } from '../vendor/standalone.module.js';
import { BASE_URL } from '../api.js';
import { kept } from '../kept.js';
import { decoded } from '../question.js';
import { ThemeSwitch, startTheme } from '../theme.js';
import { Code, Content, Field, Words, written } from './parts.js';
import { baseOf, matches, operationsOf, resolved } from './schema.js';
import { Trial, success } from './trial.js';

const KEY = 'odometer.token';
const USERNAME = 'odometer.username';
const ERRORS_FROM = 400;

function useHash() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return decoded(hash.replace(/^#\/?/, ''));
}

function App() {
  const [document, setDocument] = useState(/** @type {any} */ (null));
  const [error, setError] = useState('');
  const load = () => {
    setError('');
    fetch(new URL('openapi.json', BASE_URL), { credentials: 'omit' })
      .then((answer) =>
        answer.ok ? answer.json() : Promise.reject(new Error(`the answer was ${answer.status}`)),
      )
      .then(setDocument, (failed) => setError(String(failed.message)));
  };
  useEffect(load, []);
  if (error)
    return html`
      <main id="main" data-view="docs" data-state="error">
        <div class="state" role="alert">
          <h1>The reference cannot be loaded</h1>
          <p>${error}</p>
          <p>
            <button class="button" onClick=${load}>Try again</button>
          </p>
        </div>
      </main>
    `;
  if (!document)
    return html`
      <main id="main" data-view="docs" data-state="loading">
        <p role="status" class="muted">Loading the reference …</p>
      </main>
    `;
  return html`<${Reference} document=${document} />`;
}

/** @param {{document: any}} props */
function Reference({ document }) {
  const operations = useMemo(() => operationsOf(document), [document]);
  const id = useHash();
  const shown = operations.find((each) => each.id === id);
  const [credentials, setCredentials] = useState(() => ({
    key: kept.get(KEY) ?? '',
    username: kept.get(USERNAME) ?? '',
    isBasic: Boolean(kept.get(USERNAME)),
  }));
  const keep = (/** @type {any} */ changes) =>
    setCredentials((was) => {
      const now = { ...was, ...changes };
      kept.set(KEY, now.key || null);
      kept.set(USERNAME, (now.isBasic && now.username) || null);
      return now;
    });
  const opened = useRef(false);
  useEffect(() => {
    globalThis.document.title = `${shown ? `${shown.method} ${shown.path}` : 'API reference'} · Odometer`;
    if (opened.current) {
      scrollTo(0, 0);
      globalThis.document.getElementById('main')?.focus();
    }
    opened.current = true;
  }, [id]);
  return html`
    <${Rail} document=${document} operations=${operations} shown=${shown} />
    <main id="main" tabindex="-1" data-view="docs" data-state="ready">
      ${
        id &&
        !shown &&
        html`<p class="notice" role="alert">There is no operation <code>${id}</code>.</p>`
      }
      ${
        shown
          ? html`
            <${Shown}
              key=${shown.id}
              operation=${shown}
              document=${document}
              credentials=${credentials}
              keep=${keep}
            />
          `
          : html`
            <${Beginning}
              document=${document}
              operations=${operations}
              credentials=${credentials}
              keep=${keep}
            />
          `
      }
    </main>
  `;
}

/** @param {{document: any, operations: import('./schema.js').Operation[], shown: any}} props */
function Rail({ document, operations, shown }) {
  const [words, setWords] = useState('');
  const found = words.trim()
    ? operations.filter((each) => matches(each, words.trim()))
    : operations;
  return html`
    <header class="rail">
      <button
        type="button"
        class="skip"
        onClick=${() => globalThis.document.getElementById('main')?.focus()}
      >
        Skip to the content
      </button>
      <p class="brand">
        <img src="page/icon.svg" alt="" width="28" height="28" />
        <a href="#/">API reference</a>
      </p>
      <${SearchField} words=${words} setWords=${setWords} />
      <p class="visually-hidden" role="status">
        ${words.trim() ? `${found.length} operations found` : ''}
      </p>
      ${found.length === 0 && html`<p class="muted small">Nothing has these words.</p>`}
      ${document.tags.map(
        (/** @type {any} */ tag) => html`
          <${Family}
            key=${tag.name}
            name=${tag.name}
            all=${operations.filter((each) => each.family === tag.name)}
            operations=${found.filter((each) => each.family === tag.name)}
            shown=${shown}
          />
        `,
      )}
      <div class="rail-foot">
        <${ThemeSwitch} />
        <a class="quiet" href="./">Usage</a>
        <a class="quiet" href="openapi.json" download>openapi.json</a>
      </div>
    </header>
  `;
}

/**
 * The search, which `/` goes to and Escape empties.
 * @param {{words: string, setWords: (words: string) => void}} props
 */
function SearchField({ words, setWords }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    const press = (/** @type {KeyboardEvent} */ event) => {
      const isTyping =
        event.target instanceof Element && event.target.closest('input, select, textarea');
      if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        field.current?.focus();
      }
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
  return html`
    <div class="search">
      <label>
        <span class="visually-hidden">Search the operations</span>
        <input
          ref=${field}
          type="search"
          placeholder="Search ( / )"
          value=${words}
          onInput=${(/** @type {any} */ event) => setWords(event.target.value)}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
            if (event.key === 'Escape') setWords('');
          }}
        />
      </label>
    </div>
  `;
}

/**
 * The operations of a family; what all its paths begin with is left out.
 * @param {{name: string, all: import('./schema.js').Operation[],
 *   operations: import('./schema.js').Operation[], shown: any}} props
 */
function Family({ name, all, operations, shown }) {
  if (!operations.length) return null;
  const base = baseOf(all);
  return html`
    <nav aria-label=${name}>
      <p class="rail-title" aria-hidden="true">${name}</p>
      <ul>
        ${operations.map(
          (each) => html`
            <li key=${each.id}>
              <a
                href=${`#/${each.id}`}
                aria-current=${each === shown ? 'page' : undefined}
                title=${each.summary}
              >
                <${Verb} method=${each.method} />${' '}
                <bdi>
                  <span class="base">${base}</span>
                  <${Path} path=${each.path.slice(base.length)} />
                </bdi>
              </a>
            </li>
          `,
        )}
      </ul>
    </nav>
  `;
}

/** @param {{method: string}} props */
function Verb({ method }) {
  return html`<span class=${`verb ${method.toLowerCase()}`}>${method}</span>`;
}

/**
 * A path, which may go on in the next line after each of its folders.
 * @param {{path: string}} props
 */
function Path({ path }) {
  const folders = path.split(/(?<=\/)/);
  return folders.map((folder, at) => (at ? html`<wbr />${folder}` : folder));
}

/** @param {{document: any, operations: any[], credentials: any, keep: any}} props */
function Beginning({ document, operations, credentials, keep }) {
  return html`
    <div class="view-title">
      <h1>${document.info.title}</h1>
      <${Words} text=${document.info.description} />
    </div>
    <${Credentials} credentials=${credentials} keep=${keep} />
    ${document.tags.map(
      (/** @type {any} */ tag) => html`
        <section key=${tag.name} class="panel">
          <h2>${tag.name}</h2>
          <${Words} text=${tag.description} />
          <ul class="operations">
            ${operations
              .filter((each) => each.family === tag.name)
              .map(
                (each) => html`
                  <li key=${each.id}>
                    <a href=${`#/${each.id}`}>
                      <${Verb} method=${each.method} /> <code><${Path} path=${each.path} /></code>
                    </a>
                    <span class="muted">${each.summary}</span>
                  </li>
                `,
              )}
          </ul>
        </section>
      `,
    )}
  `;
}

/**
 * @param {{operation: import('./schema.js').Operation, document: any, credentials: any,
 *   keep: any}} props
 */
function Shown({ operation, document, credentials, keep }) {
  const answer = success(operation);
  const errors = Object.entries(operation.responses).filter(
    ([status]) => Number(status) >= ERRORS_FROM,
  );
  return html`
    <article class="operation" aria-labelledby="operation">
      <div class="view-title">
        <p class="muted small">${operation.family}</p>
        <h1 id="operation">
          <${Verb} method=${operation.method} /> <code><${Path} path=${operation.path} /></code>
        </h1>
        <p>${operation.summary}</p>
        <${Words} text=${operation.description} />
        <p class="small muted">
          Proof: ${operation.security.map((each) => Object.keys(each)[0]).join(', ')}
        </p>
      </div>
      ${
        operation.parameters.length > 0 &&
        html`<${Parameters} parameters=${operation.parameters} document=${document} />`
      }
      ${Object.entries(operation.body ?? {}).map(
        ([type, content]) => html`
          <section key=${type} class="panel" aria-label=${`Body ${type}`}>
            <h2>Body <span class="muted">${type}</span></h2>
            <${Content}
              schema=${content.schema}
              example=${content.example}
              label=${`example of a body ${type}`}
              document=${document}
            />
          </section>
        `,
      )}
      <${Credentials} credentials=${credentials} keep=${keep} />
      <${Trial} operation=${operation} document=${document} credentials=${credentials} />
      <${Answer} answer=${answer} document=${document} />
      <section class="panel" aria-labelledby="errors">
        <h2 id="errors">Errors</h2>
        ${errors.map(
          ([status, refusal]) => html`
            <${Refusal} key=${status} status=${status} refusal=${refusal} />
          `,
        )}
      </section>
    </article>
  `;
}

/** @param {{parameters: any[], document: any}} props */
function Parameters({ parameters, document }) {
  return html`
    <section class="panel" aria-labelledby="parameters">
      <h2 id="parameters">Parameters</h2>
      <ul class="fields">
        ${parameters.map(
          (each) => html`
            <${Field}
              key=${each.name}
              name=${each.name}
              required=${each.required}
              schema=${each.schema}
              description=${each.description}
              example=${each.example}
              place=${each.in}
              document=${document}
            />
          `,
        )}
      </ul>
    </section>
  `;
}

/** @param {{answer: any, document: any}} props */
function Answer({ answer, document }) {
  const content = answer?.content?.['application/json'] ?? Object.values(answer?.content ?? {})[0];
  const headers = Object.entries(answer?.headers ?? {});
  return html`
    <section class="panel" aria-labelledby="answer">
      <h2 id="answer">Answer</h2>
      ${
        content
          ? html`
            <${Content} schema=${content.schema} label="example of an answer" document=${document} />
          `
          : html`<p>Without a body.</p>`
      }
      ${
        headers.length > 0 &&
        html`
          <details>
            <summary>Headers</summary>
            <ul class="fields">
              ${headers.map(([name, header]) => {
                const found = resolved(/** @type {any} */ (header), document);
                return html`
                  <${Field}
                    key=${name}
                    name=${name}
                    required=${false}
                    schema=${found.schema}
                    description=${found.description}
                    example=${found.example}
                    document=${document}
                  />
                `;
              })}
            </ul>
          </details>
        `
      }
    </section>
  `;
}

/** @param {{status: string, refusal: any}} props */
function Refusal({ status, refusal }) {
  const content = refusal.content?.['application/json'];
  return html`
    <details>
      <summary>${status} ${refusal.description.match(/^`(\w+)`/)?.[1] ?? ''}</summary>
      <${Words} text=${refusal.description} />
      ${content && html`<${Code} code=${written(content.example)} label=${`example of a ${status}`} />`}
    </details>
  `;
}

/** @param {{credentials: any, keep: (changes: any) => void}} props */
function Credentials({ credentials, keep }) {
  const typed = (/** @type {any} */ event) =>
    keep({ [event.target.name]: event.target.value.trim() });
  return html`
    <section class="panel" aria-labelledby="credentials">
      <h2 id="credentials">Your key</h2>
      <p class="muted small">
        It stays in this tab, is sent to this deployment only, and is forgotten when you close the tab.
      </p>
      <form class="trial" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
        <label class="field">
          <span>Scheme</span>
          <select
            value=${credentials.isBasic ? 'basic' : 'bearer'}
            onChange=${(/** @type {any} */ event) =>
              keep({ isBasic: event.target.value === 'basic' })}
          >
            <option value="bearer" selected=${!credentials.isBasic}>Bearer</option>
            <option value="basic" selected=${credentials.isBasic}>Basic</option>
          </select>
        </label>
        ${
          credentials.isBasic &&
          html`
            <label class="field">
              <span>Username</span>
              <input
                name="username"
                value=${credentials.username}
                onInput=${typed}
                autocomplete="off"
                spellcheck=${false}
              />
            </label>
          `
        }
        <label class="field">
          <span>Access key</span>
          <input
            name="key"
            type="password"
            value=${credentials.key}
            onInput=${typed}
            autocomplete="off"
            spellcheck=${false}
            placeholder="odo_…"
          />
        </label>
      </form>
    </section>
  `;
}

startTheme();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById('app')));
