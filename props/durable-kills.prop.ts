import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test, vi } from 'vitest';
import type { Files } from './agents/clerk.ts';
import { clerkOf, eventOf, hasId, recipientOf } from './durable-histories/post-plan.ts';

/** 50 in the nightly run: `HOLDFAST_RUNS=50 npx vitest run props/durable-kills.prop.ts`. */
const kills = Math.min(Number(process.env['HOLDFAST_RUNS'] ?? 3), 50);
const program = fileURLToPath(new URL('./durable-histories/office-run.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-durable-kills-'));
const CLERKS = 6;
/** Real milliseconds within which what was kept is handled. */
const HANDLED_MS = 60_000;

vi.setConfig({ testTimeout: 60_000 + 20_000 * kills });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the test knows of all processes together. */
class Known {
  next = 1;
  readonly sent = new Set<number>();
  readonly acknowledged = new Set<number>();
  /** Those that were sent again after a crash, behind others. */
  readonly again = new Set<number>();
  readonly letters: unknown[] = [];

  /** What is missing of what was acknowledged, passed on or armed; throws at what must never be. */
  judge(files: readonly Files[]): string[] {
    const missing: string[] = [];
    for (const [i, { seen, got, rang, sum }] of files.entries()) {
      const doubled = Object.entries({ seen, got, rang }).flatMap(([as, list]) =>
        list.filter((n, at) => list.indexOf(n) !== at).map((n) => `${n} of ${i} in ${as}`),
      );
      expect(doubled).toEqual([]);
      expect(sum).toBe([...seen, ...got, ...rang].reduce((a, b) => a + b, 0));
      for (const n of seen) expect([clerkOf(n, CLERKS), this.sent.has(n)]).toEqual([i, true]);
      const inOrder = seen.filter((n) => !this.again.has(n));
      expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
      const done = new Set([...seen, ...rang]);
      const to = (n: number): Set<number> => new Set(files[recipientOf(n, CLERKS)]?.got);
      for (const n of seen) {
        const { type } = eventOf(n, CLERKS);
        if (type === 'pass' && !to(n).has(n)) missing.push(`${n} passed on by ${i}`);
        if (type === 'arm' && !rang.includes(n)) missing.push(`the timer ${n} of ${i}`);
      }
      for (const n of got) expect(files[clerkOf(n, CLERKS)]?.seen).toContain(n);
      for (const n of this.acknowledged)
        if (clerkOf(n, CLERKS) === i && !done.has(n)) missing.push(`${n} of ${i}`);
    }
    return missing;
  }
}

/** Runs the office until so many events were acknowledged, and ends it with SIGKILL in the middle of its work. */
async function run(path: string, threads: number, acks: number, known: Known): Promise<void> {
  const args = [program, path, String(CLERKS), String(threads), '3'];
  const child = spawn(process.execPath, ['-C', 'holdfast-source', '--no-warnings', ...args]);
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  let [isSending, left] = [false, acks];
  let failure: Error | undefined;
  const begun = performance.now();
  for await (const line of createInterface(child.stdout)) {
    const { files, sent, acknowledged, letter, event } = JSON.parse(line) as {
      readonly files?: readonly Files[];
      readonly sent?: number;
      readonly acknowledged?: number;
      readonly letter?: string;
      readonly event?: unknown;
    };
    if (letter !== undefined) known.letters.push({ letter, event });
    if (sent !== undefined) {
      known.sent.add(sent);
      known.next = Math.max(known.next, sent + 1);
    }
    if (acknowledged !== undefined) {
      known.acknowledged.add(acknowledged);
      if (--left === 0) child.kill('SIGKILL');
    }
    if (files === undefined || isSending || failure !== undefined) continue;
    try {
      const missing = known.judge(files);
      if (missing.length > 0) {
        if (performance.now() - begun > HANDLED_MS) throw new Error(`lost: ${missing.join(', ')}`);
        continue;
      }
    } catch (error) {
      failure = error as Error;
      child.kill('SIGKILL');
      continue;
    }
    isSending = true;
    const again = [...known.sent].filter((n) => hasId(n) && !known.acknowledged.has(n));
    for (const n of again) known.again.add(n);
    child.stdin.write(`${JSON.stringify({ next: known.next, again })}\n`);
  }
  await gone;
  if (failure !== undefined) throw failure;
  expect([child.signalCode, errors]).toEqual(['SIGKILL', '']);
}

test.each([1, 4])(
  'a process with %d threads that is killed at work loses nothing that was acknowledged, and does nothing twice or by half',
  async (threads) => {
    const path = join(folder, `${threads}.db`);
    const known = new Known();
    for (let i = 0; i <= kills; i++) await run(path, threads, 40 + ((i * 7919) % 90), known);
    expect(known.letters).toEqual([]);
    expect(known.acknowledged.size).toBeGreaterThan(kills * 40);
  },
);
