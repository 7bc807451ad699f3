/** What teams and users have in common: who they are, and what they used. */

import { pathOf } from '../api.js';
import { useAnswer } from '../parts.js';
import { comparedAsked, limitOf, whenAsked, whoAsked } from '../question.js';
import { productsAsked } from '../usage.js';

/**
 * Whose usage a view of a team or a user asks about.
 * @param {any} question
 * @param {any} me
 * @param {'team' | 'user'} by
 */
export const subjectAsked = (question, me, by) => {
  const asked = { ...whoAsked(question, me), [by]: question.id };
  return by === 'user' ? { user: question.id, team: limitOf(me).team } : asked;
};

/**
 * What they used of each product.
 * @param {import('../api.js').Api} api
 * @param {any} me
 * @param {any} question
 * @param {any} who
 * @param {string} [measure]
 */
export const useProducts = (api, me, question, who, measure) =>
  useAnswer(
    api,
    me.products.length
      ? pathOf('/v1/usage', {
          ...productsAsked(me),
          measure,
          ...whenAsked(question),
          ...comparedAsked(question),
          ...who,
          group_by: 'product',
        })
      : null,
  );

/**
 * Their seats, of which the first is told whole.
 * @param {import('../api.js').Api} api
 * @param {any} who
 */
export const useSeats = (api, { team, user, department }) =>
  useAnswer(api, pathOf('/v1/seats', { team, user, department, limit: 1 }));
