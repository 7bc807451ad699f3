/**
 * Whose key the page uses: that of the link it was opened with, or the one that the tab keeps. Who
 * is calling is asked as soon as that is known, while the rest of the page is loaded.
 */

import { askAhead } from './api.js';
import { IS_EMBEDDED, addressInQuery, isEmbedToken } from './embed.js';
import { kept } from './kept.js';
import { decoded } from './question.js';

const TOKEN = 'odometer.token';
export const WHO = '/v1/me';

/** The key or token in the fragment, which is taken out of the address at once. */
export function takeSentToken() {
  const sent = location.hash.match(/^#token=([^&]+)/)?.[1];
  if (!sent) return null;
  const token = decoded(sent);
  history.replaceState(null, '', `${location.pathname}${location.search}${addressInQuery()}`);
  if (IS_EMBEDDED) return isEmbedToken(token) ? token : null;
  return token;
}

/**
 * A page in a frame has only what is in its fragment, because whoever frames it could have it click
 * for somebody who is signed in.
 */
const keptToken = () => (IS_EMBEDDED ? null : kept.get(TOKEN));

/** @param {string | null} token */
export function keepToken(token) {
  if (!IS_EMBEDDED) kept.set(TOKEN, token);
}

const SENT = takeSentToken();
const KEPT = keptToken();
/** The token with which the page begins. */
export const FIRST_TOKEN = KEPT ?? SENT;
/** The token of a link that somebody has opened who is signed in with another one. */
export const OTHER_TOKEN = KEPT && SENT !== KEPT ? SENT : null;
if (FIRST_TOKEN) {
  keepToken(FIRST_TOKEN);
  askAhead(FIRST_TOKEN, WHO);
}
