import { execFile } from 'node:child_process';
import { execPath } from 'node:process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = new URL('..', import.meta.url);
/** As in `npm run soak`; a process of its own, because all threads, handles and memory of it are counted. */
const flags = ['--expose-gc', '--wasm-wrapper-tiering-budget=2147483647', '-C', 'holdfast-source'];

test('threads are killed, hung, filled and rejected under load for 3 s: all is accounted for, nothing is left', async () => {
  const { status, text } = await promisify(execFile)(
    execPath,
    // What depends on how busy the machine is, is told and not judged.
    [...flags, 'props/soak/main.ts', '--minutes', '0.05', '--untimed'],
    { cwd: root, timeout: 240_000 },
  ).then(
    ({ stdout }) => ({ status: 0, text: stdout }),
    ({ code, stdout, stderr }: { code: unknown; stdout: string; stderr: string }) => ({
      status: code,
      text: `${stdout}${stderr}`,
    }),
  );
  console.log(text);
  expect(text).toContain('nothing was wrong');
  expect(status).toBe(0);
}, 300_000);
