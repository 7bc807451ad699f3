/** The theme: that of the system, or one that was chosen and is kept. */

import { html, useState } from './vendor/standalone.module.js';
import { kept } from './kept.js';

const THEME = 'odometer.theme';
const THEMES = /** @type {const} */ ({ system: 'Auto', light: 'Light', dark: 'Dark' });

/** @param {string} theme */
function setTheme(theme) {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event('odometer-theme'));
}

/** The theme that the address says, or that was kept. */
export function startTheme() {
  const asked = new URLSearchParams(location.search).get('theme');
  const theme = asked ?? kept.get(THEME, 'localStorage');
  if (theme === 'light' || theme === 'dark') setTheme(theme);
}

export function ThemeSwitch() {
  const [theme, choose] = useState(document.documentElement.dataset.theme ?? 'system');
  const change = (/** @type {any} */ event) => {
    const chosen = event.currentTarget.value;
    kept.set(THEME, chosen === 'system' ? null : chosen, 'localStorage');
    setTheme(chosen);
    choose(chosen);
  };
  return html`
    <label class="theme">
      <span class="visually-hidden">Theme</span>
      <select value=${theme} onChange=${change}>
        ${Object.entries(THEMES).map(
          ([name, label]) => html`
            <option key=${name} value=${name} selected=${name === theme}>${label}</option>
          `,
        )}
      </select>
    </label>
  `;
}
