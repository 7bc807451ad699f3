/** What the client does whatever the deployment: `fetch` is one that answers as it is told. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Odometer, OdometerError } from '../index.js';

/** A client whose requests are answered one after the other, and what it asked. */
function answeredBy(...answers) {
  const asked = [];
  const fetch = async (url, how) => {
    asked.push({ url, ...how });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    const [status, body, headers = {}] = answer;
    return new Response(status === 204 ? null : JSON.stringify(body), { status, headers });
  };
  return {
    asked,
    odometer: new Odometer({ url: 'https://usage.example.com/Prod/', key: 'odo_key', fetch }),
  };
}

const RECEIPT = { accepted: 1, duplicate: 0, rejected: 0, errors: [] };
const event = (id) => ({
  id,
  source: 'test',
  subject: 'ada',
  time: '2026-02-28T17:42:00Z',
  data: { product: 'automation', tests: 1 },
});

test('a question is one request, with what was said and nothing else', async () => {
  const { asked, odometer } = answeredBy([200, { total_groups: 3 }]);
  assert.equal(
    (await odometer.usage({ kind: 'document', period: '28d', team: undefined, q: 'a&b' }))
      .total_groups,
    3,
  );
  assert.equal(
    asked[0].url,
    'https://usage.example.com/Prod/v1/usage?kind=document&period=28d&q=a%26b',
  );
  assert.equal(asked[0].headers.Authorization, 'Bearer odo_key');
  assert.equal(asked[0].redirect, 'error');
});

test('names in a path are escaped', async () => {
  const { asked, odometer } = answeredBy([200, {}]);
  await odometer.get('/api/v1/team/{teamId}', { path: { teamId: '../license?' } });
  assert.equal(asked[0].url, 'https://usage.example.com/Prod/api/v1/team/..%2Flicense%3F');
  assert.throws(() => odometer.get('/api/v1/team/{teamId}', { path: { teamId: '..' } }), TypeError);
});

test('Basic credentials are those of the key, in UTF-8', async () => {
  const asked = [];
  const fetch = async (url, how) => {
    asked.push(how);
    return new Response('{}');
  };
  await new Odometer({ url: 'https://x.example.com', key: 'k', username: 'zoë', fetch }).me();
  assert.equal(asked[0].headers.Authorization, `Basic ${Buffer.from('zoë:k').toString('base64')}`);
});

test('a busy service is asked again, after Retry-After at least, with the same body', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { asked, odometer } = answeredBy([503, {}, { 'Retry-After': '2' }], [202, RECEIPT]);
  const receipt = odometer.sendEvents([event('run-1')]);
  await turns();
  context.mock.timers.tick(1999);
  await turns();
  assert.equal(asked.length, 1);
  context.mock.timers.tick(1);
  assert.deepEqual(await receipt, RECEIPT);
  assert.equal(asked[0].body, asked[1].body);
});

/** Let everything go on that does not wait for the clock. */
async function turns() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('what is not safe to repeat is sent once, and other refusals are final', async () => {
  const twice = answeredBy(
    [503, { error: { code: 'unavailable', message: 'Temporarily unavailable' } }],
    [200, {}],
  );
  await assert.rejects(twice.odometer.request('POST', '/v1/keys', { body: {} }), {
    status: 503,
    code: 'unavailable',
  });
  assert.equal(twice.asked.length, 1);
  const wrong = answeredBy([
    400,
    { error: { code: 'invalid_parameter', message: 'limit: too many', details: { limit: '9' } } },
    { 'X-Request-Id': 'r-1' },
  ]);
  const error = await wrong.odometer.seats({ limit: 9 }).catch((caught) => caught);
  assert.ok(error instanceof OdometerError);
  assert.deepEqual(
    [error.status, error.code, error.message, error.details, error.requestId],
    [400, 'invalid_parameter', 'limit: too many', { limit: '9' }, 'r-1'],
  );
});

test('errors of the other families are understood too', async () => {
  const metrics = answeredBy([
    401,
    {
      error: 'UNAUTHORIZED',
      message: 'Unauthorized – Invalid token.',
      status: 401,
      requestId: 'x',
      details: { errors: [] },
    },
  ]);
  await assert.rejects(metrics.odometer.get('/api/v1/license', {}), {
    code: 'UNAUTHORIZED',
    message: 'Unauthorized – Invalid token.',
  });
  const html = answeredBy([403, '<html>']);
  await assert.rejects(html.odometer.me(), { status: 403, message: 'The answer was 403' });
});

test('events go in batches of 1,000 and of one MiB, and their errors keep their places', async () => {
  const refused = { index: 1, id: 'run-1001', code: 'unknown_product', message: '' };
  const { asked, odometer } = answeredBy(
    [202, { ...RECEIPT, accepted: 1000 }],
    [202, { ...RECEIPT, rejected: 1, errors: [refused] }],
  );
  const receipt = await odometer.sendEvents(
    Array.from({ length: 1002 }, (_, index) => event(`run-${index}`)),
  );
  assert.deepEqual([receipt.accepted, receipt.rejected, receipt.errors[0].index], [1001, 1, 1001]);
  assert.deepEqual(
    asked.map((each) => JSON.parse(each.body).length),
    [1000, 2],
  );
  const large = answeredBy([202, RECEIPT], [202, RECEIPT]);
  await large.odometer.sendEvents([event('é'.repeat(300_000)), event('é'.repeat(300_000))]);
  assert.equal(large.asked.length, 2);
});

test('pages follow one another until the last one, whichever way a family has', async () => {
  const cursors = answeredBy(
    [200, { data: [1], next_cursor: 'c' }],
    [200, { data: [2], next_cursor: null }],
  );
  const found = [];
  for await (const seat of cursors.odometer.eachSeat({ limit: 1 })) found.push(seat);
  assert.deepEqual(found, [1, 2]);
  assert.match(cursors.asked[1].url, /limit=1&cursor=c$/);
  const offsets = answeredBy(
    [200, { data: [], meta: { next: { limit: 1, offset: 1 } } }],
    [200, { data: [], meta: { next: null } }],
  );
  for await (const page of offsets.odometer.pages('/api/v1/organization/teams', {}))
    assert.ok(page);
  assert.match(offsets.asked[1].url, /limit=1&offset=1$/);
  const numbers = answeredBy(
    [200, { data: { metadata: { pagination: { page: 1, totalPages: 2 } } } }],
    [200, { data: { metadata: { pagination: { page: 2, totalPages: 2 } } } }],
  );
  for await (const page of numbers.odometer.pages(
    '/insights/api/v3/public/usage-report/drilldown',
    { query: {} },
  ))
    assert.ok(page);
  assert.match(numbers.asked[1].url, /page=2$/);
  const same = answeredBy(
    [200, { data: [], next_cursor: 'c' }],
    [200, { data: [], next_cursor: 'c' }],
  );
  for await (const _ of same.odometer.pages('/v1/seats', {})) assert.ok(same.asked.length <= 2);
});

test('a signal ends a request and the wait for the next try', async () => {
  const { asked, odometer } = answeredBy([503, {}, { 'Retry-After': '20' }], [200, {}]);
  const control = new AbortController();
  const answer = odometer.me({ signal: control.signal });
  setTimeout(() => control.abort(new Error('enough')), 20);
  await assert.rejects(answer, { message: 'enough' });
  assert.equal(asked.length, 1);
  await assert.rejects(odometer.me({ signal: AbortSignal.abort(new Error('before')) }), {
    message: 'before',
  });
});

test('no answer is tried again, and says so in the end', async () => {
  const fetch = () => Promise.reject(new TypeError('fetch failed'));
  const odometer = new Odometer({ url: 'https://usage.example.com', key: 'k', tries: 1, fetch });
  await assert.rejects(odometer.me(), { name: 'OdometerError', status: 0 });
});
