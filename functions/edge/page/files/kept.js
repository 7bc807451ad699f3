/** What the browser keeps for the page: until the tab is closed, or for good. */

/** The storage of the tab; a page in another site's frame may have none. */
export const kept = {
  /** @param {string} name */
  get(name, storage = 'sessionStorage') {
    try {
      return window[/** @type {'sessionStorage'} */ (storage)].getItem(name);
    } catch {
      return null;
    }
  },
  /**
   * @param {string} name
   * @param {string | null} value
   */
  set(name, value, storage = 'sessionStorage') {
    try {
      const place = window[/** @type {'sessionStorage'} */ (storage)];
      if (value === null) place.removeItem(name);
      else place.setItem(name, value);
    } catch {
      /* it is kept as long as the page is */
    }
  },
};
