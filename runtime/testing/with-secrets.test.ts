import { describe, expect, onTestFinished, test } from 'vitest';
import { defineCapability, type AgentConfig } from 'holdfast';
import { createTestRuntime } from 'holdfast/testing';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const EPOCH = Date.UTC(2026, 10, 22);

const sign = defineCapability('sign', (secret) =>
  secret.use((key) => ({ signature: String(key.length), version: secret.versionId })),
);

describe.each([
  ['in process', false],
  ['on real threads, with permissions', true],
])('secrets %s', (_where, threads) => {
  test('age with the clock: a rotation is heard of when the cache is due, and not before', async () => {
    const provider = createMemoryProvider();
    provider.set('desk/key', 'v1', 'the first');
    const signer: AgentConfig = {
      type: 'thread-bound',
      threadId: 'signing',
      maxThreads: 1,
      module: new URL('../fixtures/signer.ts', import.meta.url),
      secrets: { key: { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] } },
    };
    const runtime = await createTestRuntime(
      { externalSecrets: { provider: 'memory', cacheTTL: 300 }, agents: { signer } },
      { threads, logger, now: EPOCH, seed: 1, providers: [provider], capabilities: [sign] },
    );
    onTestFinished(() => runtime.stop());
    const ref = await runtime.spawn('signer');
    const heard: unknown[] = [];
    runtime.on('secret', ({ type, epoch }) => heard.push([type, epoch, runtime.clock.now() - EPOCH]));
    ref.send({ type: 'sign' });
    await runtime.settled();
    expect(await ref.ask({ type: 'read' })).toMatchObject({ last: { signature: '9', version: 'v1' } });

    provider.set('desk/key', 'v2', 'the second');
    await runtime.clock.advance(239_999);
    expect(heard).toEqual([]);
    await runtime.clock.advance(60_001);
    expect(heard).toEqual([['secret.rotated', 2, expect.any(Number)]]);
    const [, , after] = heard[0] as [string, number, number];
    // Chance makes a time to live up to a fifth shorter.
    expect(after).toBeGreaterThanOrEqual(240_000);
    expect(after).toBeLessThanOrEqual(300_000);
    expect(await ref.ask({ type: 'read' })).toMatchObject({
      heard: [{ type: 'secret.rotated', versionId: 'v2', at: Math.round(EPOCH + after) }],
    });
  });
});
