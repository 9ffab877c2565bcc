import { fromCallback, fromObservable, fromPromise, fromTransition, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import * as agents from './fixtures/agents.ts';
import { loadLogic as load } from './load-logic.ts';

const loadLogic = async (url: string, name: string): Promise<unknown> =>
  (await load(url, name, 'trader/btc')).logic;

function fixture(name: string): string {
  return new URL(`./fixtures/${name}`, import.meta.url).href;
}

const module = fixture('agents.ts');

describe('an agent’s module', () => {
  it('gives the logic that it exports under the name', async () => {
    expect(await loadLogic(module, 'log')).toBe(agents.log);
    expect(await loadLogic(module, 'worker')).toBe(agents.worker);
    expect(await loadLogic(module, 'promise')).toBe(agents.promise);
    expect(await loadLogic(module, 'default')).toBe(agents.default);
  });

  it.each([
    ['a machine', setup({}).createMachine({})],
    ['fromTransition', fromTransition((state) => state, 0)],
    ['fromPromise', fromPromise(async () => 1)],
    ['fromCallback', fromCallback(() => {})],
    ['fromObservable', fromObservable(() => ({ subscribe: () => ({ unsubscribe() {} }) }))],
  ])('may export every kind of actor logic: %s', async (_kind, logic) => {
    const url = `data:text/javascript,export const logic = globalThis.plantedLogic`;
    (globalThis as Record<string, unknown>)['plantedLogic'] = logic;

    expect(await loadLogic(`${url}//${_kind}`, 'logic')).toBe(logic);
  });

  it('is loaded once, however often it is asked for', async () => {
    for (let n = 0; n < 3; n++) await loadLogic(fixture('no-exports.mjs'), 'x').catch(() => {});

    expect((globalThis as Record<string, unknown>)['loadedNoExports']).toBe(1);
  });
});

describe('a module without that logic', () => {
  it.each([
    ['missing', 'does not exist'],
    ['toString', 'does not exist'],
    ['__proto__', 'does not exist'],
    ['plain', 'is not XState actor logic'],
    ['notLogic', 'is not XState actor logic'],
  ])('is refused with what it does export: %s', async (name, what) => {
    const error = await loadLogic(module, name).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ name: 'HoldfastError', code: 'AGENT_EXPORT_INVALID' });
    const { message } = error as Error;
    expect(message).toContain(`export "${name}" of ${module} ${what}`);
    expect(message).toContain('"log"');
    expect(message).toContain('"default"');
    expect(message).toContain('Export a machine');
  });

  it('says so when it exports nothing at all', async () => {
    await expect(loadLogic(fixture('no-exports.mjs'), 'default')).rejects.toThrow(
      'the module exports nothing',
    );
  });
});

describe('a module that cannot be loaded', () => {
  it.each([
    ['throws', 'throws-when-loaded.mjs', 'thrown while the module was loaded', { code: 'E_LOAD' }],
    ['does not exist', 'nothing-here.ts', 'nothing-here.ts', { code: 'ERR_MODULE_NOT_FOUND' }],
  ])('is named with its agent and the reason when it %s', async (_what, name, why, cause) => {
    const error = await loadLogic(fixture(name), 'x').catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ name: 'HoldfastError', code: 'AGENT_EXPORT_INVALID', cause });
    const { message } = error as Error;
    expect(message).toContain(`trader/btc: its module ${fixture(name)} cannot be loaded: `);
    expect(message).toContain(why);
  });

  it('may throw what is no error', async () => {
    await expect(loadLogic('data:text/javascript,throw null', 'x')).rejects.toMatchObject({
      message: expect.stringContaining('it threw something that is not an Error') as string,
      cause: null,
    });
  });
});
