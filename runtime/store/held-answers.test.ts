import { describe, expect, it } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import { gatedStore } from '../fixtures/gated-store.ts';

const fresh = { supervision: { state: 'fresh' } } as const;
const agents = {
  account: fixture('account', { threadId: 'accounts' }),
  near: fixture('talkers', { threadId: 'accounts', ...fresh }),
  witness: fixture('talkers', { threadId: 'witnesses', ...fresh }),
  far: fixture('talkers', { threadId: 'others', ...fresh }),
};

describe('the answer of a durable agent to one that is not', () => {
  it.each(['near', 'far'] as const)(
    'amendment 17: leaves when its state is committed, and not before (%s)',
    async (agent) => {
      const gate = gatedStore();
      const runtime = await start({ agents }, { store: gate.store });
      await runtime.spawn('account', { id: 'a' });
      const talker = await runtime.spawn(agent, { id: 'b' });
      const witness = await runtime.spawn('witness', { id: 'c' });
      const event = { type: 'deposit', amount: 2 };
      // The way between the two is open from here on.
      expect(await talker.ask({ type: 'consult', to: 'account/a', event })).toEqual({ ok: 2 });
      gate.shut();
      let answered = false;
      const answer = talker.ask({ type: 'consult', to: 'account/a', event }).then((value: unknown) => {
        answered = true;
        return value;
      });
      const { go } = await gate.next();
      // Time for an answer that does not wait.
      await witness.ask({ type: 'whoami' });
      expect(answered).toBe(false);
      gate.open();
      go();
      expect(await answer).toEqual({ ok: 4 });
    },
  );
});
