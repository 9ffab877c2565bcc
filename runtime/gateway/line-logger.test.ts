import { Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { consoleLogger } from '../base/logger.ts';
import { lineLogger } from './line-logger.ts';
import { writeLines, written } from './log-output.ts';

function logged(fields: object, message: string): { line: string; read: Record<string, unknown> } {
  let line = '';
  lineLogger((text) => (line += text)).info(fields, message);
  expect(line.endsWith('\n')).toBe(true);
  return { line, read: JSON.parse(line) as Record<string, unknown> };
}

// C1 steers terminals too, and the others turn what follows around.
const steering = 'a\u001b[31m\u009b2J\u007f\u202e\u2066\u2028\r\nb';

test('fields take the place of neither time, level nor message, and are not lost', () => {
  const forged = { time: 1, level: 'fatal', message: 'forged', constructor: 'x', __proto__: null, n: 2 };
  const { line, read } = logged(forged, 'the true one');
  expect(read).toMatchObject({ level: 'info', message: 'the true one', n: 2, constructor: 'x' });
  expect(read['time']).toMatch(/^\d{4}-/);
  expect(read).toMatchObject({ 'field.time': 1, 'field.level': 'fatal', 'field.message': 'forged' });
  expect(line).toMatch(/^\{"time":"[^"]+","level":"info","message":"the true one",/);
});

test('no field writes the line itself', () => {
  const { read } = logged({ toJSON: () => ({ level: 'fatal' }), n: 1 }, 'the true one');
  expect(read).toMatchObject({ level: 'info', message: 'the true one', n: 1 });
});

test('a line stays one, and steers no terminal', () => {
  const error = new Error(steering);
  const { line, read } = logged({ [steering]: steering, error }, steering);
  // oxlint-disable-next-line no-control-regex -- those are looked for
  expect(line.slice(0, -1)).not.toMatch(/[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/);
  expect(read).toMatchObject({ message: steering, [steering]: steering });
});

test('what JSON cannot have costs no line', () => {
  const cycle: Record<string, unknown> = { n: 1n };
  cycle['self'] = cycle;
  expect(logged({ cycle, level: 'x' }, 'a cycle').read).toMatchObject({ message: 'a cycle', level: 'info' });
  const bad = Object.defineProperty({}, 'bad', {
    enumerable: true,
    get: () => {
      throw new Error('no');
    },
  });
  expect(logged(bad, 'a getter').read).toMatchObject({ message: 'a getter', level: 'info' });
});

test('on the console a message is one line, and errors steer no terminal', () => {
  const lines: string[] = [];
  const told = vi.spyOn(console, 'warn').mockImplementation((...args) => void lines.push(args.join(' ')));
  consoleLogger.warn({ error: new Error(steering), text: steering }, `first\nholdfast: forged %s`);
  told.mockRestore();
  const [, text = ''] = /^%s (.*)$/s.exec(lines.join('')) ?? [];
  expect(text.split('\n')[0]).toContain('holdfast: first\\nholdfast: forged %s');
  // oxlint-disable-next-line no-control-regex -- those are looked for
  expect(text).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
});

/** Takes nothing before it is told to. */
function slow() {
  let [text, isOpen] = ['', false];
  let go: (() => void) | undefined;
  const to = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      text += chunk;
      if (isOpen) done();
      else go = done;
    },
  });
  const open = (): void => {
    isOpen = true;
    go?.();
  };
  return { to, open, text: () => text };
}

test('of a log that nobody reads 16 MiB wait; a line says how many were left out', async () => {
  const { to, open, text } = slow();
  const write = writeLines(to);
  const line = `${'x'.repeat(1024 * 1024)}\n`;
  for (let n = 0; n < 40; n += 1) write(line);
  expect(to.writableLength).toBeLessThan(18 * 1024 * 1024);
  open();
  await expect.poll(() => text()).toMatch(/"\d\d lines were left out of the log/);
  const count = text().split('\n').length - 2;
  expect(text()).toContain(`"${40 - count} lines were left out`);
});

test('what the log is written to is waited for when it is full', async () => {
  const { to, open } = slow();
  expect(written(to, 'a line')).toBeUndefined();
  let isTaken = false;
  const taken = written(to, 'x'.repeat(100_000))?.then(() => (isTaken = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect([isTaken, to.listenerCount('drain')]).toEqual([false, 1]);
  open();
  await taken;
  expect([isTaken, to.listenerCount('drain')]).toEqual([true, 0]);
  expect(written({ write: () => false }, 'no stream')).toBeUndefined();
});

test('what is shared in many layers ends, and the line is written', () => {
  let layers: unknown = { end: true };
  for (let layer = 0; layer < 40; layer++) layers = { a: layers, b: layers };
  const lines: string[] = [];
  lineLogger((line) => lines.push(line)).info({ layers, n: 1 }, 'deep');
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([{ message: 'deep', n: 1 }]);
});
