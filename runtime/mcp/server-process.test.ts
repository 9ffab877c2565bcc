import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isAlive } from './fixtures/is-alive.ts';
import { startProcess } from './server-process.ts';

const path = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));
const WAIT = { timeout: 15_000 };

test.each(['leaves', 'ends', 'stubborn'])(
  'a program that %s is gone after its end, and what it has started with it',
  async (how) => {
    const args = [path('with-child'), how];
    const program = await startProcess({ command: process.execPath, args, env: {}, cwd: '.' });
    const [chunk] = (await once(program.stdout, 'data')) as [Buffer];
    const child = Number(chunk.toString());
    expect([isAlive(program.pid), isAlive(child)]).toEqual([true, true]);
    program.end();
    program.end();
    const ended = { leaves: 'exit code 0', ends: 'exit code 0', stubborn: 'signal SIGKILL' };
    expect(await program.ended).toBe(ended[how as keyof typeof ended]);
    await expect.poll(() => [isAlive(program.pid), isAlive(child)], WAIT).toEqual([false, false]);
  },
);

test.each(['exit', 'throw'])(
  'a host that ends without a stop (%s) takes its programs with it',
  async (how) => {
    const both = await hostRun(how, 'with-child');
    await expect.poll(() => both.map(isAlive), WAIT).toEqual([false, false]);
  },
);

async function hostRun(how: string, program: string): Promise<number[]> {
  const args = [path('host-run'), how, path(program)];
  const text = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { timeout: 20_000 }, (_error, stdout) => resolve(stdout));
  });
  return text.trim().split(' ').map(Number);
}

test('a program whose host is killed sees the end of its input, and ends', async () => {
  const [program] = await hostRun('kill', 'ends-with-input');
  await expect.poll(() => isAlive(program as number), WAIT).toBe(false);
});

test('a program that is not there rejects, and so does one with an impossible name', async () => {
  const program = { args: [], env: {}, cwd: '.' };
  await expect(startProcess({ ...program, command: 'there-is-no-such-program' })).rejects.toThrow('ENOENT');
  await expect(startProcess({ ...program, command: 'no\0name' })).rejects.toThrow('null bytes');
});
