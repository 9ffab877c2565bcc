import { onTestFinished, describe, expect, test, vi } from 'vitest';
import { createRuntime, defineCapability, type Grant, type Runtime } from 'holdfast';
import { createMemoryProvider } from '../../providers/memory.ts';
import type { SecretProvider, SecretRef } from '../../providers/provider.ts';

const sign = defineCapability('sign', (secret) => secret.versionId);
const grant = (ref: Grant['ref'], required?: true): Grant => ({
  ref,
  mode: 'capability',
  capabilities: ['sign'],
  ...(required && { required }),
});

function setUp(
  secrets: Record<string, Grant>,
  provider = createMemoryProvider(),
  wrap?: Partial<SecretProvider>,
) {
  const warnings: string[] = [];
  const logger = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, message: string) => void warnings.push(message),
  };
  const module = new URL('../fixtures/signer.ts', import.meta.url);
  const start = async (): Promise<Runtime> => {
    const runtime = await createRuntime(
      {
        externalSecrets: { provider: 'memory' },
        agents: {
          signer: { type: 'thread-bound', threadId: 'signing', maxThreads: 1, module, secrets },
        },
      },
      { capabilities: [sign], providers: [{ ...provider, ...wrap }], logger },
    );
    onTestFinished(() => runtime.stop());
    return runtime;
  };
  return { provider, warnings, start };
}

describe('the secrets that a config grants', () => {
  test('are there when the runtime has started, if they are required', async () => {
    const { provider, start } = setUp({ key: grant('k', true), other: grant('l', true) });
    for (const id of ['k', 'l']) provider.set(id, 'value');
    const runtime = await start();
    expect(runtime.status().secrets).toMatchObject([
      { id: 'k', state: 'fresh', holders: 0 },
      { id: 'l', state: 'fresh', holders: 0 },
    ]);
  });

  test('fail the start when required ones cannot be had, in one error that names them all', async () => {
    const { provider, start } = setUp({
      fine: grant('k', true),
      missing: grant('no-such', true),
      field: grant('k#nothing', true),
      optional: grant('neither'),
    });
    provider.set('k', '{"a":"value-of-a"}');
    const error = await start().then(
      () => expect.unreachable('it started'),
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ code: 'SECRET_NOT_FOUND' });
    const { message } = error as Error;
    expect(message).toMatch(/agent "signer": The secret "missing".* `ref` is "no-such"/);
    expect(message).toMatch(/agent "signer": The secret "field".* `ref` is "k#nothing"/);
    expect(message).not.toMatch(/"fine"|"optional"|value-of-a/);
    expect(provider.closed).toBe(true);
  });

  test.each([
    ['denied', 'SECRET_DENIED'],
    ['transient', 'SECRET_UNAVAILABLE'],
  ] as const)('fail the start with the code of the cause: %s is %s', async (failure, code) => {
    const { provider, start } = setUp({ key: grant('k', true) });
    const failing = provider.fail(failure);
    await expect(start()).rejects.toMatchObject({ code });
    expect(failing.fired).toBe(1);
  });

  test('that are not required are fetched meanwhile; a provider that hangs delays no start', async () => {
    const { provider, start } = setUp({ key: grant('k') });
    provider.set('k', 'value');
    const hung = provider.hang();
    const runtime = await start();
    expect(runtime.status().secrets).toMatchObject([{ state: 'fetching' }]);
    hung.release();
    await vi.waitFor(() => expect(runtime.status().secrets).toMatchObject([{ state: 'fresh' }]));
    expect(provider.log).toEqual(['fetch k']);
  });

  test('that are not required and cannot be had are one warning', async () => {
    const { warnings, start } = setUp({ one: grant('a'), two: grant('b') });
    await start();
    await vi.waitFor(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toMatch(
      /are not available for now:\n- agent "signer".*"one".*\n- agent "signer".*"two"/,
    );
  });

  test('are told to their provider before anything is fetched', async () => {
    const order: string[] = [];
    const told: (readonly SecretRef[])[] = [];
    const provider = createMemoryProvider();
    provider.set('k', 'value');
    const { start } = setUp({ key: grant('k', true), other: grant('k#x') }, provider, {
      prepare: (refs) => {
        order.push('prepare');
        told.push(refs);
      },
      fetch: (...call) => {
        order.push('fetch');
        return provider.fetch(...call);
      },
    });
    await start();
    expect(order).toEqual(['prepare', 'fetch']);
    expect(told[0]?.map(({ provider, id }) => [provider, id])).toEqual([
      ['default', 'k'],
      ['default', 'k'],
    ]);
  });

  test('without any no provider is called', async () => {
    const { provider, start } = setUp({});
    const runtime = await start();
    expect([provider.log, runtime.status().secrets, runtime.status().secretProviders]).toEqual([[], [], []]);
  });
});

describe('refreshSecret', () => {
  test('looks at a secret now, by its id and the alias of its provider', async () => {
    const { provider, start } = setUp({ key: grant('k', true) });
    provider.set('k', 'value', 'v1');
    const runtime = await start();
    provider.set('k', 'another', 'v2');
    await runtime.refreshSecret('k');
    expect(runtime.status().secrets).toMatchObject([{ versionId: 'v2', epoch: 2 }]);
    await expect(runtime.refreshSecret('k', { provider: 'vault' })).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
    });
  });

  test('rejects with what the provider says, and after the end', async () => {
    const { provider, start } = setUp({ key: grant('k', true) });
    provider.set('k', 'value');
    const runtime = await start();
    const denied = provider.fail('denied');
    await expect(runtime.refreshSecret('k')).rejects.toMatchObject({ code: 'SECRET_DENIED' });
    expect(denied.fired).toBeGreaterThan(0);
    await runtime.stop();
    await expect(runtime.refreshSecret('k')).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
  });
});
