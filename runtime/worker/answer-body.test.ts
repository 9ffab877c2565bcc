import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { AnswerBody } from './answer-body.ts';

function open() {
  const told = { taken: 0, given: 0, over: 0 };
  const body = new AnswerBody({
    taken: (bytes) => void (told.taken += bytes),
    given: () => void (told.given += 1),
    over: () => void (told.over += 1),
  });
  const add = (text: string): void => body.add(new Uint8Array(Buffer.from(text)));
  return { body, told, add };
}

const text = ({ value }: { value?: Uint8Array | undefined }): string => Buffer.from(value ?? []).toString();

describe('the body of an answer in a thread', () => {
  test('is read in the parts in which it came, and its bytes count as taken when they are read', async () => {
    const { body, told, add } = open();
    add('one');
    const reader = body.stream().getReader();
    add('two');
    expect(told.taken).toBe(0);
    expect(text(await reader.read())).toBe('one');
    expect(told.taken).toBe(3);
    expect(text(await reader.read())).toBe('two');
    const third = reader.read();
    add('three');
    expect(text(await third)).toBe('three');
    const last = reader.read();
    body.end();
    expect(await last).toEqual({ done: true, value: undefined });
    expect(told).toEqual({ taken: 11, given: 0, over: 1 });
  });

  test('is whole only when that was said: an error comes after what came before it', async () => {
    const { body, told, add } = open();
    const reader = body.stream().getReader();
    add('one');
    body.end(new Error('broken'));
    expect(text(await reader.read())).toBe('one');
    await expect(reader.read()).rejects.toThrow('broken');
    expect(told).toEqual({ taken: 3, given: 0, over: 1 });
  });

  test('that is empty, or has failed before it is read, says so', async () => {
    const [empty, failed] = [open(), open()];
    empty.body.end();
    expect(await new Response(empty.body.stream()).text()).toBe('');
    failed.body.end(undefined);
    await expect(new Response(failed.body.stream()).text()).rejects.toBeUndefined();
  });

  test('is aborted at once, with the reason, whatever had come', async () => {
    const { body, told, add } = open();
    const reader = body.stream().getReader();
    add('one');
    body.abort('the reason');
    await expect(reader.read()).rejects.toBe('the reason');
    add('two');
    body.end();
    expect(told).toEqual({ taken: 0, given: 1, over: 1 });
  });

  test('is given up by a reader that cancels, once', async () => {
    const { body, told } = open();
    await body.stream().cancel();
    body.giveUp();
    body.abort('later');
    expect(told).toEqual({ taken: 0, given: 1, over: 1 });
  });

  test('ends for a reader with memory of its own', async () => {
    const { body, add } = open();
    const reader = body.stream().getReader({ mode: 'byob' });
    add('three');
    expect(text(await reader.read(new Uint8Array(4)))).toBe('thre');
    expect(text(await reader.read(new Uint8Array(4)))).toBe('e');
    const last = reader.read(new Uint8Array(4));
    body.end();
    expect(await last).toMatchObject({ done: true });
  });
});

describe('a body that nobody can read any more', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;

  const collected = async (told: { given: number }): Promise<void> => {
    await expect
      .poll(() => {
        collect();
        return told.given;
      })
      .toBe(1);
  };

  test('is given up when it is collected, also with what has come and was not read', async () => {
    const { body, told, add } = open();
    let response: Response | undefined = new Response(body.stream());
    add('one');
    collect();
    expect([response.status, told.given]).toEqual([200, 0]);
    response = undefined;
    await collected(told);
    expect(told.over).toBe(1);
  });

  test('is kept while somebody waits for a part of it, though nothing else holds the reader', async () => {
    const { body, told, add } = open();
    const read = Promise.withResolvers<string>();
    (() => {
      const reader = body.stream().getReader();
      void reader.read().then((part) => read.resolve(text(part)));
    })();
    for (let i = 0; i < 5; i += 1) {
      collect();
      await new Promise(setImmediate);
    }
    expect(told.given).toBe(0);
    add('one');
    expect(await read.promise).toBe('one');
    await collected(told);
  });
});
