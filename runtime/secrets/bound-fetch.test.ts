import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { AgentRef, AuditRecord, Grant } from 'holdfast';
import type { Outcome } from '../fixtures/bound-user.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { startService, type Answer } from './fixtures/echo-service.ts';
import { createMemoryProvider } from './fixtures/memory-provider.ts';

const canary = 'CANARY-41f0-key-of-a-model';

async function setUp(answer: Answer, grant: Partial<Grant> = {}) {
  const service = await startService(answer);
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const audited: AuditRecord[] = [];
  const key = {
    ref: 'prod/key',
    mode: 'inject',
    hosts: [service.origin],
    methods: ['POST'],
    ...grant,
  } as Grant;
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory' },
      agents: { user: fixture('bound-user', { secrets: { key } }) },
    },
    { providers: [provider], audit: (record: AuditRecord) => void audited.push(record) },
  );
  return { service, provider, audited, runtime, user: await runtime.spawn('user', { id: 'a' }) };
}

type Told = { readonly type: string; readonly text?: string } & Outcome;
const next = (ref: AgentRef, type: string): Promise<Told> =>
  nextEvent<Told>((listener) => ref.on(type, listener as never));

describe('a fetch that is bound to a grant', () => {
  test('streams: each token of a service is with the agent before the service sends the next', async () => {
    let response: ServerResponse | undefined;
    const { service, user, audited } = await setUp((_, opened) => {
      response = opened.writeHead(200, { 'content-type': 'text/event-stream', 'x-echo': `Bearer ${canary}` });
      response.flushHeaders();
    });
    const [head, over] = [next(user, 'head'), next(user, 'over')];
    user.send({
      type: 'go',
      url: `${service.origin}/v1/chat`,
      init: { method: 'POST', body: '{"stream":true}', headers: { authorization: 'Bearer made-up' } },
    });
    expect(await head).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/event-stream', 'x-echo': 'Bearer <redacted:secret>' },
    });
    for (const token of ['data: one\n\n', `data: ${canary}\n\n`, 'data: three\n\n']) {
      const chunk = next(user, 'chunk');
      response?.write(token);
      expect((await chunk).text).toBe(token.replace(canary, '<redacted:secret>'));
    }
    response?.end();
    expect((await over).text).toBe('data: one\n\ndata: <redacted:secret>\n\ndata: three\n\n');
    expect(service.received).toMatchObject([
      {
        method: 'POST',
        url: '/v1/chat',
        body: '{"stream":true}',
        headers: { authorization: `Bearer ${canary}` },
      },
    ]);
    const row = { label: 'key', mode: 'inject', versionId: 'v1', status: 200, outcome: 'ok' };
    await expect.poll(() => audited).toHaveLength(2);
    expect(audited).toMatchObject([
      { ...row, part: 'head' },
      { ...row, part: 'body', bytes: 49 },
    ]);
    expect(JSON.stringify(audited)).not.toContain(canary);
  });
});
