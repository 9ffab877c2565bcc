import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { forwardOutput } from './thread-output.ts';

const asItIs = (text: string): string => text;

/** Takes nothing before it is told to. */
function slow() {
  let taken = 0;
  let go: (() => void) | undefined;
  let isOpen = false;
  const to = new Writable({
    write(chunk: Buffer, _encoding, done) {
      taken += chunk.length;
      if (isOpen) done();
      else go = done;
    },
  });
  const open = (): void => {
    isOpen = true;
    go?.();
  };
  return { to, open, taken: () => taken };
}

const piece = Buffer.alloc(100_000, 'x');

test('what a slow reader does not take is left in the thread, and comes when it reads again', async () => {
  const { to, open, taken } = slow();
  const from = new PassThrough();
  forwardOutput(from, { to, scrubText: asItIs });
  let written = 0;
  for (let isTaken = true; isTaken && written < 1000; written += 1) {
    isTaken = from.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(written).toBeLessThan(20);
  expect(to.writableLength).toBeLessThan(2_000_000);
  open();
  for (; written < 100; written += 1) if (!from.write(piece)) await once(from, 'drain');
  from.end();
  await once(from, 'end');
  to.end();
  await once(to, 'finish');
  expect(taken()).toBe(100 * piece.length);
});

test('many threads wait for one reader with one listener', async () => {
  const { to, open, taken } = slow();
  const threads = Array.from({ length: 40 }, () => new PassThrough());
  for (const from of threads) forwardOutput(from, { to, scrubText: asItIs });
  for (const from of threads) from.write(piece);
  await expect.poll(() => threads.filter((from) => from.isPaused()).length).toBeGreaterThan(20);
  expect(to.listenerCount('drain')).toBe(1);
  open();
  await expect.poll(taken).toBe(40 * piece.length);
  expect(to.listenerCount('drain')).toBe(0);
  expect(threads.every((from) => !from.isPaused())).toBe(true);
});

test('nobody waits for a reader that is gone', async () => {
  const { to } = slow();
  const from = new PassThrough();
  forwardOutput(from, { to, scrubText: asItIs });
  from.write(Buffer.alloc(2_000_000, 'x'));
  await expect.poll(() => from.isPaused()).toBe(true);
  to.destroy();
  await expect.poll(() => from.isPaused()).toBe(false);
});

test('who takes lines gets each one whole, scrubbed, however it was cut', async () => {
  const lines: string[] = [];
  const from = new PassThrough();
  const scrubText = (text: string): string => text.replaceAll('key', '***');
  forwardOutput(from, { to: slow().to, scrubText, print: (line) => lines.push(line) });
  const bytes = Buffer.from(`a ké\ny\r\nthe key ü\n\n${'x'.repeat(70_000)}\nlast`);
  for (let at = 0; at < bytes.length; at += 7) from.write(bytes.subarray(at, at + 7));
  from.end();
  await once(from, 'end');
  expect(lines.slice(0, 4)).toEqual(['a ké', 'y', 'the *** ü', '']);
  expect(lines.at(-1)).toBe('last');
  // A line without an end is not waited for.
  expect(lines[4]).toHaveLength(65_536);
  expect(lines.slice(4, -1).join('')).toBe('x'.repeat(70_000));
});

const program = fileURLToPath(new URL('../fixtures/printing-run.ts', import.meta.url));

function run(turns: number): ChildProcess {
  const options = { execArgv: ['-C', 'holdfast-source'], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] as never };
  const child = fork(program, [String(turns), '5000'], options);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('an agent that prints without end fills no memory of a host whose output nobody reads', async () => {
  const [told] = (await once(run(10), 'message')) as [{ waiting: number }];
  // Of fifty megabytes.
  expect(told.waiting).toBeLessThan(2_000_000);
});

test('and what waited in the thread comes out when somebody reads at last', async () => {
  const child = run(3);
  const [told] = (await once(child, 'message')) as [{ waiting: number }];
  expect(told.waiting).toBeLessThan(2_000_000);
  let lines = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 0x0a) lines += 1;
  });
  await expect.poll(() => lines, { timeout: 60_000 }).toBe(15_000);
  child.send('stop');
  await once(child, 'close');
  expect(lines).toBe(15_000);
});
