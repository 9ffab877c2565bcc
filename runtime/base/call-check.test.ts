import { expect, test } from 'vitest';
import type { RuntimeOptions } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

const agents = { counter: fixture('counter') };
const canary = 'canary-4c1f-never-to-be-seen';

test('a call says all that is wrong with what it was handed, and never the value', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('counter', { id: 'a' });
  const wait = { timeoutMs: Number(process.env['NOT_SET']), signal: new AbortController() as never };

  const error = (await ref.ask({ type: 'read' }, wait).catch((error: unknown) => error)) as Error;

  expect(error).toMatchObject({ name: 'HoldfastError', code: 'OPTION_INVALID' });
  expect(error.message).toBe(
    'ref.ask(): timeoutMs has to be a number of milliseconds, or Infinity, not NaN; ' +
      'signal has to be an AbortSignal, not an AbortController (give its .signal)',
  );
  await expect(ref.deliver({ type: 'inc' }, { timeoutMs: canary as never })).rejects.toThrow(/not a string$/);
  expect(() => runtime.on(canary as 'warning', canary as never)).toThrow(
    /^runtime\.on\(\): type has to be one of 'dead-letter', .*, not a string; listener has to be a function, not a string$/,
  );
});

test('a call that is refused has sent nothing', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('counter', { id: 'a' });
  const signal = {} as AbortSignal;
  await expect(ref.ask({ type: 'inc' }, { signal })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  await expect(ref.deliver({ type: 'inc' }, { signal })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  await ref.deliver({ type: 'inc' });
  expect(runtime.status().instances[0]?.handled).toBe(1);
});

test('the options of a runtime are checked before anything of it is made, all at once', async () => {
  const logger = { warn() {}, info() {}, debug() {} } as never;
  const options = { logger, store: new Map(), providers: {}, signals: 'yes', inspect: 'remote' };
  await expect(start({ agents }, options as unknown as RuntimeOptions)).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringMatching(
      /^createRuntime\(\): providers .*, not an object; logger .*not a function: error.*; store .*, not a Map .*load, save.*; inspect .*'local'.*; signals has to be true or false/,
    ),
  });
});

test.each([Infinity, 2 ** 31, 2 ** 53])(
  'a timeoutMs of %d sets no limit that is reached',
  async (timeoutMs) => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('counter', { id: 'a' });
    await ref.deliver({ type: 'inc' }, { timeoutMs });
    expect(runtime.status().instances[0]?.handled).toBe(1);
  },
);

test.each([0, -1, -Infinity])('a timeoutMs of %d is over at once', async (timeoutMs) => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('counter', { id: 'a' });
  await expect(ref.deliver({ type: 'inc' }, { timeoutMs })).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
});
