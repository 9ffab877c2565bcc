import { describe, expect, it } from 'vitest';
import type { AgentRef, DeadLetter, Runtime } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { memoryDurableStore } from './memory-durable-store.ts';

const supervision = { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } } as const;
const agents = {
  account: fixture('account', { threadId: 'accounts', supervision }),
  talker: fixture('talkers', { threadId: 'talkers', supervision }),
  listener: fixture('talkers', { threadId: 'listeners' }),
};

const restarted = (runtime: Runtime, address: string): Promise<unknown> =>
  nextEvent(
    (listener) => runtime.on('agent', listener),
    (event: { readonly address: string; readonly state: string; readonly incarnation: number }) =>
      event.address === address && event.state === 'running' && event.incarnation > 1,
  );

async function world(): Promise<{ runtime: Runtime; account: AgentRef; letters: DeadLetter[] }> {
  const runtime = (await start({ agents }, { store: memoryDurableStore() })) as unknown as Runtime;
  const letters: DeadLetter[] = [];
  runtime.on('dead-letter', (letter) => letters.push(letter));
  return { runtime, account: await runtime.spawn('account', { id: 'a' }), letters };
}

describe('a turn of a durable agent that throws', () => {
  it('amendment 7: lets nothing out, and what came before it in the same flush is told once, when it is done again', async () => {
    const { runtime, account } = await world();
    const told: unknown[] = [];
    account.on('deposited', (event) => told.push((event as { total: number }).total));
    await account.deliver({ type: 'deposit', amount: 5 });
    const again = restarted(runtime, account.address);
    const [before, failed] = await Promise.allSettled([
      account.ask({ type: 'deposit', amount: 1 }),
      account.deliver({ type: 'overdraw', amount: 100 }),
    ]);
    expect(failed).toMatchObject({ status: 'rejected', reason: { message: 'overdrawn' } });
    expect(before).toEqual({ status: 'fulfilled', value: 6 });
    await again;
    expect(await account.ask({ type: 'total' })).toBe(6);
    expect(told).toEqual([5, 6]);
  });

  it('sends nothing', async () => {
    const { runtime } = await world();
    const talker = await runtime.spawn('talker', { id: 'a' });
    const listener = await runtime.spawn('listener', { id: 'b' });
    const again = restarted(runtime, talker.address);
    await expect(talker.deliver({ type: 'flood', to: 'listener/b', last: 3, end: 'throw' })).rejects.toThrow(
      'told to fail',
    );
    await again;
    await talker.deliver({ type: 'flood', to: 'listener/b', first: 4, last: 4 });
    expect(await listener.ask({ type: 'heard' })).toMatchObject([{ event: { n: 4 } }]);
  });

  it('amendment 7: makes a letter of an event that was promised to be kept', async () => {
    const { runtime, account, letters } = await world();
    const again = restarted(runtime, account.address);
    await account.enqueue({ type: 'overdraw', amount: 100 });
    await again;
    expect(await account.ask({ type: 'total' })).toBe(0);
    expect(letters).toMatchObject([
      { address: 'account/a', reason: 'crashed', event: { type: 'overdraw', amount: 100 } },
    ]);
  });
});
