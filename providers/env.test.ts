import { describe, expect, test } from 'vitest';
import { testSecretProvider } from '../runtime/testing/secret-provider-cases.ts';
import { createEnvProvider, envOptionProblems } from './env.ts';
import { ProviderOptionsError } from './provider.ts';

const canary = 'CANARY-env-33ab';
const signal = new AbortController().signal;
const ref = (id: string) => ({ provider: 'default', id });
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('the env provider keeps the rules of providers', () => {
  testSecretProvider({
    test,
    create() {
      const environment: Record<string, string | undefined> = {};
      return {
        provider: createEnvProvider({}, environment),
        put(id, value) {
          environment[id] = value;
        },
      };
    },
  });
});

describe('the env provider', () => {
  test('moves a variable out of the environment at its first read', async () => {
    const environment: Record<string, string | undefined> = { API_KEY: canary, OTHER: 'stays' };
    const provider = createEnvProvider({}, environment);
    expect(environment['API_KEY']).toBe(canary);
    expect(text((await provider.fetch(ref('API_KEY'), {}, signal)).bytes)).toBe(canary);
    expect(environment).toEqual({ OTHER: 'stays' });
    expect(text((await provider.fetch(ref('API_KEY'), {}, signal)).bytes)).toBe(canary);
  });

  test('moves declared variables as soon as it is made', async () => {
    const environment: Record<string, string | undefined> = { API_KEY: canary };
    const provider = createEnvProvider({ variables: ['API_KEY', 'ABSENT'] }, environment);
    expect(environment).toEqual({});
    expect(text((await provider.fetch(ref('API_KEY'), {}, signal)).bytes)).toBe(canary);
  });

  test('moves what grants name when the runtime prepares it, and is silent about what is not set', async () => {
    const environment: Record<string, string | undefined> = { API_KEY: canary, OTHER: 'stays' };
    const provider = createEnvProvider({}, environment);
    provider.prepare?.([ref('API_KEY'), ref('ABSENT')]);
    expect(environment).toEqual({ OTHER: 'stays' });
    expect(text((await provider.fetch(ref('API_KEY'), {}, signal)).bytes)).toBe(canary);
  });

  test('uses the real environment unless told otherwise', async () => {
    process.env['HOLDFAST_ENV_PROVIDER_TEST'] = canary;
    const { bytes } = await createEnvProvider().fetch(ref('HOLDFAST_ENV_PROVIDER_TEST'), {}, signal);
    expect([text(bytes), 'HOLDFAST_ENV_PROVIDER_TEST' in process.env]).toEqual([canary, false]);
  });

  test('hands out copies: the one that is overwritten is the caller’s own', async () => {
    const provider = createEnvProvider({}, { API_KEY: canary });
    (await provider.fetch(ref('API_KEY'), {}, signal)).bytes.fill(0);
    expect(text((await provider.fetch(ref('API_KEY'), {}, signal)).bytes)).toBe(canary);
  });

  test('a second provider of the same environment finds what the first has moved', async () => {
    const environment = { API_KEY: canary };
    createEnvProvider({ variables: ['API_KEY'] }, environment);
    expect(text((await createEnvProvider({}, environment).fetch(ref('API_KEY'), {}, signal)).bytes)).toBe(
      canary,
    );
  });

  test('a variable that is set to another value is the next version', async () => {
    const environment: Record<string, string | undefined> = { API_KEY: canary };
    const provider = createEnvProvider({}, environment);
    const { current: first } = await provider.describe(ref('API_KEY'), signal);
    environment['API_KEY'] = canary;
    expect((await provider.describe(ref('API_KEY'), signal)).current).toBe(first);
    environment['API_KEY'] = `${canary}-2`;
    const second = await provider.fetch(ref('API_KEY'), {}, signal);
    expect([text(second.bytes), second.versionId === first]).toEqual([`${canary}-2`, false]);
    const old = provider.fetch(ref('API_KEY'), { versionId: first }, signal);
    await expect(old).rejects.toMatchObject({ failure: 'not-found' });
  });

  test('a variable that is not set is not found', async () => {
    const provider = createEnvProvider({}, {});
    const error: unknown = await provider.fetch(ref('ABSENT'), {}, signal).catch((reason: unknown) => reason);
    expect(provider.classify(error)).toBe('not-found');
    expect(provider.classify(new Error('other'))).toBe('transient');
  });

  test.each([
    [undefined, []],
    [{}, []],
    [{ variables: ['A'] }, []],
    [[], ['expected an object']],
    ['x', ['expected an object']],
    [{ region: 'x' }, ['"region" is not an option; there is: variables']],
    [{ variables: 'A' }, ['"variables" must be an array of environment variable names, not string']],
    [{ variables: [''] }, ['"variables" must be an array of environment variable names, not array']],
  ])('options %j have the problems %j', (options, problems) => {
    expect(envOptionProblems(options)).toEqual(problems);
  });

  test('wrong options are refused with all their problems at once', () => {
    expect(() => createEnvProvider({ a: 1, b: 2 })).toThrow(ProviderOptionsError);
    expect(() => createEnvProvider({ a: 1, b: 2 })).toThrow(/"a"[^]*"b"/);
  });
});
