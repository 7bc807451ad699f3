// What the types allow and refuse: `tsc` reads this, nobody runs it.
import { Odometer } from '../index.js';

const odometer = new Odometer({ url: 'https://usage.example.com', key: 'odo_…' });

export async function allowed(): Promise<[number, string, string]> {
  const usage = await odometer.usage({ kind: 'document', period: '28d', group_by: 'team' });
  const team = await odometer.get('/api/v1/team/{teamId}', { path: { teamId: 'platform' } });
  for await (const seat of odometer.eachSeat({ status: 'inactive' })) return [usage.total_groups, seat.user.username, team.name];
  throw new Error();
}

export async function refused(): Promise<void> {
  // @ts-expect-error an unknown parameter
  await odometer.usage({ colour: 'blue' });
  // @ts-expect-error a status that no seat has
  await odometer.seats({ status: 'asleep' });
  // @ts-expect-error an event without an id
  await odometer.sendEvents([{ source: 'ci', subject: 'ada', time: '2026-02-28T17:42:00Z', data: { product: 'automation' } }]);
  // @ts-expect-error a path whose name is not given
  await odometer.get('/api/v1/team/{teamId}', {});
  // @ts-expect-error a path that nothing answers
  await odometer.get('/v1/nothing', {});
}
