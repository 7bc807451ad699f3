/**
 * The page inside of another one: `?embed=1`, with an embed token that the outer page brings and
 * renews.
 */

import { html, useEffect } from './vendor/standalone.module.js';
import { addressOf, questionOf } from './question.js';

const CHOSEN = new URLSearchParams(location.search);
/** What is no part of the question. */
const OF_THE_FRAME = ['embed', 'view', 'theme'];
const EMBED_TOKEN = /^oet_[\w.-]{1,4092}$/;
const NEEDED = 'odometer:token-needed';
const BROUGHT = 'odometer:token';
const HEIGHT = 'odometer:height';
const SHORTEST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** How long to wait before another token is asked for; it grows until one has worked. */
let pause = 0;

export const IS_EMBEDDED = CHOSEN.get('embed') === '1';

/**
 * Only embed tokens: a page in a frame never uses a key, so that nobody is led to click with one.
 * @param {unknown} text
 */
export const isEmbedToken = (text) => typeof text === 'string' && EMBED_TOKEN.test(text);

/** The address of the view that the query names: `?embed=1&view=team/7&period=90d`. */
export function addressInQuery() {
  const asked = [...CHOSEN].filter(([name]) => !OF_THE_FRAME.includes(name));
  return addressOf({
    ...Object.fromEntries(asked),
    ...questionOf(`#/${CHOSEN.get('view') ?? ''}`),
  });
}

/**
 * Tell the outer page something that anybody may know.
 * @param {Record<string, string | number>} message
 */
function tell(message) {
  if (window.parent !== window) window.parent.postMessage(message, '*');
}

/**
 * Take the tokens that the outer page sends.
 * @param {(token: string) => void} enter
 */
export function useTokensOfOuterPage(enter) {
  useEffect(() => {
    const take = (/** @type {MessageEvent} */ event) => {
      if (
        event.source === window.parent &&
        event.data?.type === BROUGHT &&
        isEmbedToken(event.data.token)
      )
        enter(event.data.token);
    };
    if (IS_EMBEDDED) addEventListener('message', take);
    return () => removeEventListener('message', take);
  }, [enter]);
}

/** Tell the outer page how high the view is, whenever that changes. */
export function tellHeight() {
  new ResizeObserver(() => tell({ type: HEIGHT, height: document.body.scrollHeight })).observe(
    document.body,
  );
}

/** The token opens the view: the next one may be asked for at once. */
export function tokenHasWorked() {
  pause = 0;
}

/**
 * Ask for a token: at once if the last one has worked, else after a pause.
 * @param {string} reason
 * @returns {() => void} to ask no more
 */
export function askForToken(reason) {
  const ask = () => {
    pause = Math.min(Math.max(2 * pause, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
    tell({ type: NEEDED, reason });
  };
  if (pause) {
    const timer = setTimeout(ask, pause);
    return () => clearTimeout(timer);
  }
  ask();
  return () => {};
}

/**
 * There is no token, or it has ended: the outer page can bring another one.
 * @param {{reason: string}} props
 */
export function TokenNeeded({ reason }) {
  useEffect(() => askForToken(reason ? 'ended' : 'missing'), [reason]);
  return html`
    <main id="main" data-view="sign-in" data-state=${reason ? 'error' : 'empty'}>
      <div class="state" role="alert">
        <h1>${reason ? 'This view has ended' : 'This view has no token'}</h1>
        <p>
          ${
            reason
              ? 'It was open for a limited time. Load the page around it again to continue.'
              : 'The page around it has to bring an embed token.'
          }
        </p>
      </div>
    </main>
  `;
}
