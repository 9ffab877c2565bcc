import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { shell } from '../../runtime/cli/fixtures/shell.ts';

const read = (name: string) => readFile(new URL(name, import.meta.url), 'utf8');
const run = shell('/');

/** What stands behind the command's name, without files of another machine. */
const argsOf = (line: string) => line.replace(/^.*\bholdfast\b/, '').replace(/ -c \S+/, ' -c none.json');

test('the unit starts the gateway as the command does, and knows its exit code for an invalid config', async () => {
  const unit = await read('holdfast.service');
  const start = /^ExecStart=(.+)$/m.exec(unit)?.[1] ?? '';
  const { code, err } = await run(argsOf(start));
  // The command line makes sense: only the config is missing.
  expect([code, err]).toEqual([78, expect.stringContaining('none.json')]);
  expect(unit).toContain(`RestartPreventExitStatus=${code}`);
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  expect(seconds).toBeGreaterThan(30 + 15);
});

test('the image runs the gateway, and its health check asks it', async () => {
  const file = await read('Dockerfile');
  const [health, main] = Array.from(file.matchAll(/CMD (\[.+\])/g), ([, args = '']) =>
    (JSON.parse(args) as string[]).slice(1).join(' '),
  );
  expect([health, main]).toEqual(['gateway status', 'gateway run']);
  // None runs, and there is no such config.
  expect((await run(`${health} -c none.json`)).code).toBe(1);
  expect((await run(`${main} -c none.json`)).code).toBe(78);
});
