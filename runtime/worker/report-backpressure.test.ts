import { MessageChannel } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { told } from '../mailbox/fixtures/envelopes.ts';
import { openLink, type Link } from '../wire/link.ts';
import { createProgress } from '../wire/progress.ts';
import type { ActivateRequest } from '../wire/protocol.ts';
import { nextTurn, until } from './fixtures/until.ts';
import { startThread } from './thread.ts';

it('a thread whose host does not keep up with what it emits waits, and goes on when the host has', async () => {
  const { port1, port2 } = new MessageChannel();
  const progress = createProgress();
  progress.reserve(0);
  startThread({ port: port2, progress: progress.buffer, threadId: 'pool', clockOrigin: 0 });
  const taken: (() => void)[] = [];
  let open = false;
  let emitted = 0;
  const link: Link = openLink(port1, {
    expose: {
      report(items: unknown[]) {
        emitted += items.length / 3;
        const take = (): void => link.tell([], 'heard', 1);
        if (open) take();
        else taken.push(take);
      },
    },
    told: ['report'],
  });
  try {
    const activation: ActivateRequest = {
      slot: 0,
      address: 'agent/0',
      id: '0',
      incarnation: 1,
      moduleUrl: new URL('./fixtures/agents.ts', import.meta.url).href,
      exportName: 'worker',
      mirror: 'latest',
      watched: false,
      maxIterations: 1000,
    };
    await link.call('activate', activation);
    const batches = 200;
    const handled: Promise<unknown>[] = [];
    for (let n = 0; n < batches; n++) {
      handled.push(link.call('deliver', told(0, { type: 'emit' }), n));
      await nextTurn();
    }
    await until(() => taken.length >= 32);
    for (let n = 0; n < 50; n++) await nextTurn();
    expect(taken.length).toBe(32);
    expect(progress.handled(0)).toBeLessThan(batches);

    open = true;
    for (const take of taken.splice(0)) take();
    await Promise.all(handled);
    expect(progress.handled(0)).toBe(batches);
    expect(emitted).toBe(batches);
  } finally {
    link.close(new Error('the test is over'));
  }
});
