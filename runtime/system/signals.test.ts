import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const program = fileURLToPath(new URL('../fixtures/under-load.ts', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
  /** Resolves with the code, or the signal, that it ended with. */
  readonly ended: Promise<number | string | null>;
}

async function underLoad(...args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, ['-C', 'holdfast-source', '--no-warnings', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  const ended = new Promise<number | string | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  await new Promise<void>((resolve) => {
    createInterface(child.stdout as NodeJS.ReadableStream).on('line', (line) => {
      lines.push(line);
      resolve();
    });
  });
  return { child, lines, ended };
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s under full load: exit code 0, and nothing unaccounted',
  async (signal) => {
    const { child, lines, ended } = await underLoad();
    child.kill(signal);
    expect(await ended).toBe(0);
    const { sent, handled, letters } = JSON.parse(lines.at(-1) as string) as Record<string, number>;
    expect(handled).toBeGreaterThan(0);
    expect((handled as number) + (letters as number)).toBe(sent);
  },
);

test('a second signal ends the process at once', async () => {
  const { child, ended } = await underLoad();
  child.kill('SIGTERM');
  child.kill('SIGINT');
  expect([0, 130, 143]).toContain(await ended);
});

test('a thread that does not end has the process killed, as Node would wait for it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-signals-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const { child, ended } = await underLoad(pipe);
  child.kill('SIGTERM');
  expect(await ended).toBe('SIGKILL');
});
