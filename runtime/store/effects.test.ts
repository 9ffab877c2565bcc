import { describe, expect, it, onTestFinished } from 'vitest';
import type { AuditRecord } from 'holdfast';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
import { close, startModern } from '../mcp/fixtures/http-servers.ts';
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

  it('amendment 4: a tool, a secretFetch and a boundFetch reach their service when the state is committed that began them, and not before', async () => {
    const service = await startModern();
    onTestFinished(() => close(service));
    service.before = ({ url }, response) => url !== '/mcp' && response.end('ok') === response;
    const provider = createMemoryProvider();
    provider.set('prod/key', 'v1', 'CANARY-30fd-of-effects');
    const mcp = { docs: { url: service.url, tools: { allow: ['*'] } } };
    const secrets = { key: { ref: 'prod/key', mode: 'inject', hosts: [service.origin] } } as const;
    const gate = gatedStore();
    const runtime = await start(
      {
        externalSecrets: { provider: 'memory' },
        agents: {
          durable: fixture('adding', { mcp }),
          fetching: fixture('secret-user', { secrets }),
          bound: fixture('bound-user', { secrets }),
          fresh: fixture('adding', { mcp, threadId: 'other', supervision: { state: 'fresh' } }),
        },
      },
      { providers: [provider], store: gate.store },
    );
    const [durable, fetching, bound, fresh] = await Promise.all([
      runtime.spawn('durable', { id: 'a' }),
      runtime.spawn('fetching', { id: 'a' }),
      runtime.spawn('bound', { id: 'a' }),
      runtime.spawn('fresh', { id: 'a' }),
    ]);
    // What connects does so before it is counted who calls.
    await Promise.all([durable.ask({ type: 'add' }), fresh.ask({ type: 'add' })]);
    const ways: Record<string, () => Promise<unknown>> = {
      mcpTool: () => durable.ask({ type: 'add' }),
      secretFetch: () => fetching.ask({ type: 'fetch', request: { url: service.origin } }),
      boundFetch: () => bound.deliver({ type: 'go', url: service.origin }),
    };
    for (const [way, begin] of Object.entries(ways)) {
      gate.shut();
      service.received.length = 0;
      const outcome = begin();
      const { go } = await gate.next();
      // Asked later, it waits for nobody: when it is answered, whatever went out before has reached the service.
      expect(await fresh.ask({ type: 'add' })).toEqual({ sum: 3 });
      expect({ [way]: service.received.length }).toEqual({ [way]: 1 });
      gate.open();
      go();
      await expect.poll(() => service.received.length, { message: way }).toBe(2);
      await outcome;
    }
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
