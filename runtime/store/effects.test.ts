import { describe, expect, it } from 'vitest';
import type { AuditRecord } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';
import { gatedStore } from '../fixtures/gated-store.ts';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';

describe('the effects of a durable agent', () => {
  it('amendment 4: a secret is used for it when the state is committed in which it asked, and not before', async () => {
    const provider = createMemoryProvider();
    provider.set('prod/key', 'v1', 'CANARY-7be1-of-effects');
    const audited: AuditRecord[] = [];
    const gate = gatedStore();
    const secrets = { key: { ref: 'prod/key', mode: 'capability', capabilities: ['sign.hmac'] } } as const;
    const runtime = await start(
      { externalSecrets: { provider: 'memory' }, agents: { user: fixture('secret-user', { secrets }) } },
      {
        providers: [provider],
        audit: (record: AuditRecord) => void audited.push(record),
        store: gate.store,
      },
    );
    const user = await runtime.spawn('user', { id: 'a' });
    gate.shut();
    const signed = user.ask({ type: 'sign', label: 'key', args: { data: 'order' } });
    const { go } = await gate.next();
    expect(audited).toEqual([]);
    gate.open();
    go();
    expect(await signed).toMatchObject({ output: expect.any(String) as string });
    expect(audited.map(({ mode, outcome }) => [mode, outcome])).toEqual([['capability', 'ok']]);
  });

  it('what awaits committed() goes on when the state is committed in which it began', async () => {
    const gate = gatedStore();
    const said: string[] = [];
    const logger = {
      debug() {},
      info: (_: unknown, message?: string) => void said.push(String(message)),
      warn() {},
      error() {},
    };
    const runtime = await start({ agents: { charging: fixture('charging') } }, { store: gate.store, logger });
    const ref = await runtime.spawn('charging', { id: 'a' });
    gate.shut();
    const done = ref.deliver({ type: 'charge' });
    const { go } = await gate.next();
    expect(said).not.toContain('charges');
    gate.open();
    go();
    await done;
    await expect.poll(() => said).toEqual(['begins', 'charges']);
  });

  it('an agent that is not durable waits for nothing', async () => {
    const said: string[] = [];
    const logger = {
      debug() {},
      info: (_: unknown, message?: string) => void said.push(String(message)),
      warn() {},
      error() {},
    };
    const runtime = await start({ agents: { charging: fixture('charging') } }, { logger });
    const ref = await runtime.spawn('charging', { id: 'a' });
    await ref.deliver({ type: 'charge' });
    await expect.poll(() => said).toEqual(['begins', 'charges']);
  });
});
