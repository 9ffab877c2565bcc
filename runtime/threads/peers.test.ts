import { describe, expect, it } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';

function talkers(maxThreads: number) {
  const agent = (name: string, threadId: string) =>
    fixture('talkers', { threadId, maxThreads, export: name });
  return start({
    agents: {
      talker: agent('default', 'talkers'),
      other: agent('default', 'others'),
      counter: agent('counter', 'others'),
    },
  });
}

describe('an agent that sends to another', () => {
  for (const [where, to] of [
    ['on another thread', 'other/b'],
    ['on its own thread', 'talker/b'],
  ] as const) {
    it(`${where} is heard, and known as the sender`, async () => {
      const runtime = await talkers(1);
      const a = await runtime.spawn('talker', { id: 'a' });
      const b = await runtime.spawn(to.split('/')[0] as 'other', { id: 'b' });

      await a.deliver({ type: 'forward', to, event: { type: 'note', text: 'hello' } });
      await a.deliver({ type: 'forward', to, event: { type: 'note', text: 'again' } });
      await expect
        .poll(() => b.ask({ type: 'heard' }))
        .toEqual([
          { event: { type: 'note', text: 'hello' }, from: 'talker/a' },
          { event: { type: 'note', text: 'again' }, from: 'talker/a' },
        ]);
    });

    it(`${where} may ask, and its own asker waits for that`, async () => {
      const runtime = await talkers(1);
      const a = await runtime.spawn('talker', { id: 'a' });
      await runtime.spawn(to.split('/')[0] as 'other', { id: 'b' });

      expect(await a.ask({ type: 'consult', to, event: { type: 'whoami' } })).toEqual({ ok: to });
    });
  }
});
