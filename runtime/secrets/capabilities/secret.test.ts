import { deepStrictEqual } from 'node:assert';
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import { MessageChannel } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { openSecret } from './secret.ts';

const canary = 'CANARY-secret-7c1e';
const open = () => openSecret('key', 'v1', Buffer.from(canary));

function printed(print: (to: Console) => void): string {
  const out = new PassThrough();
  print(new Console(out, out));
  return String(out.read());
}

function comparison(secret: unknown): string {
  try {
    deepStrictEqual(secret, { label: 'key' });
    return '';
  } catch (error) {
    return String(error);
  }
}

describe('a secret', () => {
  test('lends its bytes for as long as the function runs, also when that is asynchronous', async () => {
    const { secret } = open();
    const gate = Promise.withResolvers<void>();
    let lent: Buffer | undefined;
    const using = secret.use(async (value) => {
      lent = value;
      await gate.promise;
      return value.toString().length;
    });
    expect(lent?.toString()).toBe(canary);
    gate.resolve();
    expect(await using).toBe(canary.length);
    expect(lent).toEqual(Buffer.alloc(canary.length));
  });

  test('overwrites what it lent when the function throws, too', async () => {
    const { secret } = open();
    let lent: Buffer | undefined;
    const failing = secret.use((value) => {
      lent = value;
      throw new RangeError('no');
    });
    await expect(failing).rejects.toThrow(RangeError);
    expect(lent).toEqual(Buffer.alloc(canary.length));
  });

  test('survives a function that overwrites or returns what it was lent', async () => {
    const { secret } = open();
    await secret.use((value) => value.fill(1));
    expect(await secret.use((value) => value)).toEqual(Buffer.alloc(canary.length));
    expect(await secret.use((value) => value.toString())).toBe(canary);
  });

  test('leaves a use that is running its bytes when it is closed, and none to the next', async () => {
    const bytes = Buffer.from(canary);
    const opened = openSecret('key', 'v1', bytes);
    const { secret } = opened;
    const gate = Promise.withResolvers<void>();
    const using = secret.use(async (value) => {
      await gate.promise;
      return value.toString() === canary;
    });
    opened.close();
    opened.close();
    gate.resolve();
    expect(await using).toBe(true);
    expect(bytes).toEqual(Buffer.alloc(canary.length));
    await expect(secret.use(String)).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
  });

  test.each([
    ['a string', (secret: unknown) => String(secret)],
    ['a template', (secret: unknown) => `of ${secret as string}`],
    ['JSON', (secret: unknown) => JSON.stringify({ secret })],
    ['inspect', (secret: unknown) => inspect({ secret }, { depth: 9, showHidden: true })],
    [
      'inspect without its own word',
      (secret: unknown) => inspect(secret, { customInspect: false, showHidden: true, depth: 9 }),
    ],
    ['a format', (secret: unknown) => format('%s %o %O %j', secret, secret, secret, secret)],
    ['a spread', (secret: unknown) => inspect({ ...(secret as object) })],
    [
      'what a console prints',
      (secret: unknown) => printed((to) => to.log('of', secret, { secret }, [secret])),
    ],
    ['a table', (secret: unknown) => printed((to) => to.table([{ secret }]))],
    ['a listing', (secret: unknown) => printed((to) => to.dir(secret, { showHidden: true, depth: 9 }))],
    ['inspect with getters', (secret: unknown) => inspect(secret, { getters: true, showProxy: true })],
    ['its properties', (secret: unknown) => inspect(Object.getOwnPropertyDescriptors(secret as object))],
    [
      'its prototype',
      (secret: unknown) => `key ${inspect(Object.getPrototypeOf(secret), { showHidden: true })}`,
    ],
    ['all keys', (secret: unknown) => `key ${inspect(Reflect.ownKeys(secret as object))}`],
    ['the cause of an error', (secret: unknown) => inspect(new Error('x', { cause: secret }))],
    ['a failed comparison', (secret: unknown) => comparison(secret)],
    ['bytes that V8 writes', (secret: unknown) => serialize({ secret }).toString('latin1')],
    ['its entries', (secret: unknown) => inspect(Object.entries(secret as object))],
  ])('shows its label and not its value as %s', (_, show) => {
    const { secret } = open();
    expect(show(secret)).toContain('key');
    expect(show(secret)).not.toContain(canary);
    expect(show(secret)).not.toContain(Buffer.from(canary).toString('hex').slice(0, 12));
  });

  test('cannot be cloned or posted', () => {
    const { secret } = open();
    const { port1, port2 } = new MessageChannel();
    const refused = expect.objectContaining({ name: 'DataCloneError' });
    expect(() => structuredClone(secret)).toThrow(refused);
    expect(() => port1.postMessage({ deep: [secret] })).toThrow(refused);
    port1.close();
    port2.close();
  });
});
