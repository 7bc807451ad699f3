/** The page around the views: signing in, the address, navigation, theme. */

import {
  html,
  render,
  useCallback,
  useEffect,
  useErrorBoundary,
  useMemo,
  useRef,
  useState,
} from './vendor/standalone.module.js';
import { Api } from './api.js';
import {
  IS_EMBEDDED,
  TokenNeeded,
  tellHeight,
  tokenHasWorked,
  useTokensOfOuterPage,
} from './embed.js';
import { EmptyState, ErrorState, Loading, View, stateOf, useAnswer } from './parts.js';
import { addressOf, addressOfView, limitOf, questionOf } from './question.js';
import { Search } from './search.js';
import { FIRST_TOKEN, OTHER_TOKEN, WHO, keepToken, takeSentToken } from './session.js';
import { ThemeSwitch, startTheme } from './theme.js';
import { Overview } from './views/overview.js';

const MOST_LISTED = 20;
const ICON = new URL('icon.svg', import.meta.url).href;

/**
 * Views that are loaded when they are first opened.
 * @type {Record<string, () => Promise<any>>}
 */
const LATER = {
  product: () => import('./views/product.js'),
  team: () => import('./views/team.js'),
  user: () => import('./views/user.js'),
  seats: () => import('./views/seats.js'),
  data: () => import('./views/data.js'),
};
const NAMES = {
  overview: 'Overview',
  product: 'Product',
  team: 'Team',
  user: 'User',
  seats: 'Seats',
  data: 'Data',
};

/**
 * The question in the address, and how to change it; a token that is put there is taken out.
 * @param {(token: string) => void} enter
 */
function useQuestion(enter) {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => {
      const token = takeSentToken();
      if (token) enter(token);
      setHash(location.hash);
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, [enter]);
  const question = useMemo(() => questionOf(hash), [hash]);
  const navigate = useCallback((/** @type {Record<string, string | undefined>} */ changes) => {
    location.hash = addressOf({ ...questionOf(location.hash), ...changes });
  }, []);
  return { question, navigate };
}

function App() {
  const [token, setToken] = useState(FIRST_TOKEN);
  const [other, setOther] = useState(OTHER_TOKEN);
  const [reason, setReason] = useState('');
  const leave = useCallback((/** @type {string} */ why) => {
    keepToken(null);
    setReason(why);
    setToken(null);
  }, []);
  const api = useMemo(
    () =>
      token &&
      new Api(token, () => leave('This key is not accepted: it may have expired or been revoked.')),
    [token, leave],
  );
  const enter = useCallback((/** @type {string} */ key) => {
    keepToken(key);
    setReason('');
    setOther(null);
    setToken(key);
  }, []);
  const receive = useCallback(
    (/** @type {string} */ sent) =>
      !token || IS_EMBEDDED ? enter(sent) : setOther(sent === token ? null : sent),
    [token, enter],
  );
  const { question, navigate } = useQuestion(receive);
  useTokensOfOuterPage(enter);
  useEffect(() => {
    if (other && !token) enter(other);
  }, [other, token, enter]);
  if (!api && IS_EMBEDDED) return html`<${TokenNeeded} reason=${reason} />`;
  if (!api) return html`<${SignIn} reason=${reason} onEnter=${enter} />`;
  if (other)
    return html`
      <${OtherKey}
        api=${api}
        token=${other}
        onStay=${() => setOther(null)}
        onSwitch=${() => enter(other)}
      />
    `;
  return html`
    <${SignedIn}
      key=${token}
      api=${api}
      question=${question}
      navigate=${navigate}
      onLeave=${() => leave('')}
    />
  `;
}

/** @param {{reason: string, onEnter: (key: string) => void}} props */
function SignIn({ reason, onEnter }) {
  const [key, setKey] = useState('');
  const enter = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (key.trim()) onEnter(key.trim());
  };
  useEffect(() => {
    document.title = 'Sign in · Odometer';
  }, []);
  return html`
    <main id="main" class="sign-in" data-view="sign-in" data-state=${reason ? 'error' : 'ready'}>
      <form onSubmit=${enter}>
        <img src=${ICON} alt="" width="44" height="44" />
        <h1>Odometer</h1>
        <p class="muted">Who used what, how much, and when.</p>
        ${reason && html`<p class="notice" role="alert">${reason}</p>`}
        <label class="field">
          <span>Access key</span>
          <input
            type="password"
            name="key"
            autocomplete="off"
            spellcheck="false"
            required
            placeholder="odo_…"
            value=${key}
            onInput=${(/** @type {any} */ event) => setKey(event.currentTarget.value)}
            autofocus
          />
        </label>
        <button class="button primary" type="submit">Sign in</button>
        <p class="muted small">
          A key with the scope <code>usage:read</code>
          . It stays in this tab and is forgotten when you close it.
        </p>
      </form>
      <${ThemeSwitch} />
    </main>
  `;
}

/**
 * Whoever is signed in and opens a link with another key is asked first: the link may be sent by
 * somebody who wants them to look at, or type into, what is not theirs.
 * @param {{api: Api, token: string, onStay: () => void, onSwitch: () => void}} props
 */
function OtherKey({ api, token, onStay, onSwitch }) {
  const mine = useAnswer(api, WHO);
  const theirs = useAnswer(
    useMemo(() => new Api(token), [token]),
    WHO,
  );
  useEffect(() => {
    document.title = 'Another key · Odometer';
  }, []);
  const state = mine.isLoading || theirs.isLoading ? 'loading' : theirs.error ? 'error' : 'ready';
  return html`
    <main
      id="main"
      class="sign-in"
      data-view="other-key"
      data-state=${state}
      aria-busy=${state === 'loading'}
    >
      <div class="sign-in-box">
        <h1>This link has another key</h1>
        <p>You are signed in as <${Caller} answer=${mine} />.</p>
        ${
          theirs.error
            ? html`<p class="notice" role="alert">The key of the link is not accepted here.</p>`
            : html`
              <p>The link would sign you in as <${Caller} answer=${theirs} />.</p>
              <p class="muted small">Switch only if you know who made the link.</p>
            `
        }
        <button type="button" class="button primary" onClick=${onStay}>Stay signed in</button>
        ${
          !theirs.error &&
          html`
            <button type="button" class="button" onClick=${onSwitch}>
              Switch to the key of the link
            </button>
          `
        }
      </div>
    </main>
  `;
}

/** @param {{answer: import('./parts.js').Answer}} props */
function Caller({ answer }) {
  if (!answer.data) return answer.error ? 'somebody whose key may not read usage' : '…';
  const { caller, organization } = answer.data;
  return html`
    <strong>
      <bdi>${caller.user?.username ?? 'a page of elsewhere'}</bdi>
    </strong>
    ${' '}of <bdi>${organization.name}</bdi>
  `;
}

/** @param {{api: Api, question: any, navigate: any, onLeave: () => void}} props */
function SignedIn({ api, question, navigate, onLeave }) {
  const answer = useAnswer(api, WHO);
  const me = answer.data;
  const shown = me ? reachable(question, me) : question;
  useEffect(() => {
    if (me) tokenHasWorked();
  }, [me]);
  useEffect(() => {
    document.title = titleOf(shown, me);
  }, [shown.view, shown.id, me]);
  if (!me) return html`<${Unknown} view=${question.view} answer=${answer} onLeave=${onLeave} />`;
  return html`
    ${!IS_EMBEDDED && html`<${Navigation} api=${api} me=${me} question=${shown} onLeave=${onLeave} />`}
    <${Shown} api=${api} me=${me} question=${shown} navigate=${navigate} />
  `;
}

/**
 * As long as it is not known who is calling, or why they may not.
 * @param {{view: string, answer: import('./parts.js').Answer, onLeave: () => void}} props
 */
function Unknown({ view, answer, onLeave }) {
  const isForbidden = answer.error?.status === 403;
  const another =
    !IS_EMBEDDED &&
    html`
      <p class="state-actions">
        <button type="button" class="button" onClick=${onLeave}>Use another key</button>
      </p>
    `;
  return html`
    <${View} name=${view} state=${stateOf(answer)} title="Odometer">
      ${
        isForbidden
          ? html`
            <${EmptyState} title="This key may not read usage" action=${another}>
              It needs the scope usage:read.
            <//>
          `
          : answer.error
            ? html`
              <${ErrorState} error=${answer.error} retry=${answer.retry} />
              ${another}
            `
            : html`<${Loading} height="60vh" />`
      }
    <//>
  `;
}

/**
 * Whoever may read only a team or a user is led there.
 * @param {any} question
 * @param {any} me
 */
function reachable(question, me) {
  const { team, user } = limitOf(me);
  if (question.view !== 'overview' || !(team || user)) return question;
  return { ...question, view: team ? 'team' : 'user', id: team ?? user };
}

/**
 * @param {any} question
 * @param {any} me
 */
function titleOf({ view, id }, me) {
  const named = (view === 'product' ? me?.products : view === 'team' ? me?.teams : [])?.find(
    (/** @type {any} */ each) => each.id === id,
  );
  const title = named?.name ?? NAMES[/** @type {keyof typeof NAMES} */ (view)];
  return `${title} · ${me?.organization.name ?? 'Odometer'}`;
}

/**
 * The view of the address; whatever it throws is said and does not blank the page.
 * @param {any} props
 */
function Shown(props) {
  const { view, id } = props.question;
  const [found, setFound] = useState(
    /** @type {{view: string, Component: any, error?: any}} */ ({
      view: 'overview',
      Component: Overview,
    }),
  );
  const [broken, resetBroken] = useErrorBoundary();
  const opened = useRef('');
  useEffect(() => {
    let isWanted = true;
    const show = (/** @type {any} */ what) =>
      isWanted && setFound({ view, Component: null, ...what });
    resetBroken();
    if (view === 'overview') show({ Component: Overview });
    else
      LATER[view]().then(
        (module) => show({ Component: module.default }),
        (error) => show({ error }),
      );
    return () => {
      isWanted = false;
    };
  }, [view]);
  useEffect(() => {
    if (found.view !== view || opened.current === `${view}/${id}`) return;
    if (opened.current) document.getElementById('main')?.focus();
    opened.current = `${view}/${id}`;
  }, [found, view, id]);
  const name = NAMES[/** @type {keyof typeof NAMES} */ (view)];
  if (broken)
    return html`
      <${View} name=${view} state="error" title=${name}>
        <${ErrorState} error=${broken} />
      <//>
    `;
  if (found.view !== view)
    return html`
      <${View} name=${view} state="loading" title=${name}>
        <${Loading} />
      <//>
    `;
  if (!found.Component)
    return html`
      <${View} name=${view} state="error" title=${name}>
        <${ErrorState} error=${found.error} />
      <//>
    `;
  return html`<${found.Component} key=${`${view}/${id}`} ...${props} />`;
}

/** @param {{api: Api, me: any, question: any, onLeave: () => void}} props */
function Navigation({ api, me, question, onLeave }) {
  const views = viewsFor(limitOf(me));
  const link = (
    /** @type {string} */ view,
    /** @type {string} */ name,
    /** @type {string | undefined} */ id,
  ) => {
    const isHere = question.view === view && (question.id ?? '') === (id ?? '');
    return html`
      <li key=${`${view}/${id}`}>
        <a
          href=${addressOfView(question, view, id)}
          aria-current=${isHere ? 'page' : undefined}
          title=${name}
        >
          <bdi>${name}</bdi>
        </a>
      </li>
    `;
  };
  const isLong = me.products.length > MOST_LISTED;
  return html`
    <header class="rail">
      <button type="button" class="skip" onClick=${() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <p class="brand">
        <img src=${ICON} alt="" width="28" height="28" />
        <bdi title=${me.organization.name}>${me.organization.name}</bdi>
      </p>
      <${Search} api=${api} me=${me} question=${question} />
      <nav aria-label="Views">
        <ul>${views.map(([view, name, id]) => link(view, name, id))}</ul>
      </nav>
      <nav aria-label="Products" class="rail-products">
        <p class="rail-title" aria-hidden="true">Products</p>
        <ul>
          ${me.products
            .slice(0, MOST_LISTED)
            .map((/** @type {any} */ product) => link('product', product.name, product.id))}
        </ul>
        ${isLong && html`<p class="muted small">${me.products.length - MOST_LISTED} more by search</p>`}
      </nav>
      <div class="rail-foot">
        ${
          me.caller.user &&
          html`
            <p class="muted small" title=${me.caller.user.username}>
              <bdi>${me.caller.user.username}</bdi>
            </p>
          `
        }
        <${ThemeSwitch} />
        <button type="button" class="quiet" onClick=${onLeave}>Sign out</button>
      </div>
    </header>
  `;
}

/**
 * The views that somebody with such limits may see, by name.
 * @param {{team?: string, user?: string}} limit
 * @returns {string[][]}
 */
function viewsFor({ team, user }) {
  if (user) return [['user', 'Your usage', user]];
  if (team)
    return [
      ['team', 'Your team', team],
      ['seats', 'Seats'],
    ];
  return [
    ['overview', 'Overview'],
    ['seats', 'Seats'],
    ['data', 'Data'],
  ];
}

startTheme();
if (IS_EMBEDDED) {
  document.documentElement.dataset.embed = '';
  tellHeight();
}
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById('app')));
