import { expect, test } from 'vitest';
import type { SupervisorEvent } from '../../actors/supervisor.ts';
import type { InstanceFacts } from '../instance/instance-effects.ts';
import { lonelyAgent, settled } from '../instance/fixtures/lone-instance.ts';
import { Placements } from './placements.ts';

type Facts = { -readonly [K in keyof InstanceFacts]: InstanceFacts[K] };

function rig(): {
  told: SupervisorEvent[];
  placements: Placements;
  ask: (id: string, facts?: Partial<Facts>) => Facts;
} {
  const told: SupervisorEvent[] = [];
  const placements = new Placements(
    (event) => told.push(event),
    ({ address, agent: { threadId } }) => ({ address, threadId }),
  );
  return {
    told,
    placements,
    ask(id, facts) {
      const agent = lonelyAgent();
      const { supervision } = agent;
      const instance: Facts = {
        agent,
        id,
        address: `agent/${id}`,
        incarnation: 1,
        supervision,
        phase: 'starting',
        over: false,
        ...facts,
      };
      placements.add(instance);
      return instance;
    },
  };
}

const addresses = (told: readonly SupervisorEvent[]): unknown =>
  told.map((event) =>
    event.type === 'instance.place.all'
      ? event.wanted.map(({ address }) => address)
      : (event as { address?: string }).address,
  );

test('instances that ask for a seat in one tick are told together, those of each pool in their order', async () => {
  const { told, ask } = rig();
  for (const id of ['1', '2']) ask(id);
  ask('other', { agent: lonelyAgent({ threadId: 'other' }) });
  ask('3');
  expect(told).toEqual([]);
  await settled();
  expect(addresses(told)).toEqual([['agent/1', 'agent/2', 'agent/3'], 'agent/other']);
  ask('4');
  await settled();
  expect(told.at(-1)).toEqual({ type: 'instance.place', address: 'agent/4', threadId: 'pool' });
});

test('one that has left a thread has lost nothing', async () => {
  const { told, ask } = rig();
  ask('1', { phase: 'moving' });
  await settled();
  expect(told).toMatchObject([{ type: 'instance.place', moving: true }]);
});

test.each<Partial<Facts>>([
  { phase: 'ended' },
  { phase: 'stopping' },
  { phase: 'restarting' },
  { incarnation: 2 },
])('one that needs no seat any more gets none: %o', async (change) => {
  const { told, ask } = rig();
  ask('1');
  Object.assign(ask('2'), change);
  await settled();
  expect(addresses(told)).toEqual(['agent/1']);
});
