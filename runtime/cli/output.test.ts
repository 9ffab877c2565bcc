import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { commandLine, deskFolder, run } from './fixtures/command.ts';
import { shell } from './fixtures/shell.ts';

const [node, ...words] = commandLine;

/** Runs the command with a reader that has gone before anything is written. */
async function withoutReader(args: readonly string[], made: { folder: string; env: Record<string, string> }) {
  const child = spawn(node, [...words, ...args], {
    cwd: made.folder,
    env: { ...process.env, ...made.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdout.destroy();
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, err };
}

test('a reader that has gone is no failure, and no matter for what the command came to', async () => {
  const made = await deskFolder();
  const env: Record<string, string> = made.env;
  for (const args of [['config', 'schema'], ['config', 'explain', 'agents'], ['status'], ['--help']])
    expect([args, await withoutReader(args, { ...made, env })]).toEqual([args, { code: 0, err: '' }]);
  await writeFile(made.file, JSON.stringify({ agents: {}, apiKey: 'hunter2-hunter2-hunter2' }));
  expect(await withoutReader(['secrets', 'audit', '--check'], { ...made, env })).toEqual({
    code: 1,
    err: '',
  });
  expect(await withoutReader(['status'], { ...made, env })).toEqual({ code: 78, err: '' });
});

test('output that cannot be written for another reason is told, and is a failure', async ({ skip }) => {
  const made = await deskFolder();
  let full: number | undefined;
  try {
    full = openSync('/dev/full', 'w');
  } catch {
    skip('there is no full device here');
  }
  const { status, stderr } = spawnSync(node, [...words, 'status'], {
    cwd: made.folder,
    stdio: ['ignore', full ?? 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^the output cannot be written: ENOSPC/)]);
});

test('a gateway whose reader has gone serves on, and stops with 0', async () => {
  const made = await deskFolder();
  const call = (args: string) => shell(made.folder)(args, { env: made.env });
  const { child, ended, wrote } = run([...commandLine, 'gateway', 'run'], {
    cwd: made.folder,
    env: made.env,
  });
  await wrote('the gateway serves');
  child.stdout?.destroy();
  child.stderr?.destroy();
  const config = { agents: made.agents, gateway: { port: 0 }, threads: { pool: { sharedMemory: true } } };
  await writeFile(made.file, JSON.stringify(config));
  expect(await call('gateway reload')).toMatchObject({ code: 0 });
  expect(await call('agents ask counter/a read --activate')).toMatchObject({ out: '0\n' });
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
  expect(await call('gateway status')).toMatchObject({ code: 1 });
});

// What sets the title, colours, clears and turns text around, as others may write it.
const steering = '\u001b]0;title\u0007\u001b[31mred\u009b2J\u007f\u202e\u2066';
// oxlint-disable-next-line no-control-regex -- those are what it is about
const controls = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

test('what others write steers no terminal, whatever the command shows of it', async () => {
  const module = (name: string): string => JSON.stringify(import.meta.resolve(name));
  const made = await deskFolder();
  const echo = { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module: './echo.mjs' };
  await writeFile(
    join(made.folder, 'echo.mjs'),
    `import { setup } from ${module('xstate')};
import { reply } from ${module('../worker/agent.ts')};
const wait = ({ event }) => { const until = Date.now() + event.ms; while (Date.now() < until); };
const fail = ({ event }) => { throw new Error('first\\n✓ second ' + event.text); };
export default setup({}).createMachine({ context: { last: ${JSON.stringify(steering)} }, on: {
  echo: { actions: reply(({ event }) => event.text) }, boom: { actions: fail }, wait: { actions: wait } } });`,
  );
  await writeFile(made.file, JSON.stringify({ agents: { echo }, gateway: { port: 0 } }));
  const command = shell(made.folder);
  const call = (args: string, isTTY = false) => command(args, { env: made.env, isTTY });
  onTestFinished(async () => {
    await call('gateway stop');
  });
  expect(await call('gateway start')).toMatchObject({ code: 0 });
  const said = (type: string, text = steering): string =>
    JSON.stringify({ type, text }).replaceAll(' ', '\\u0020');
  expect(await call(`agents start echo/a`)).toMatchObject({ code: 0 });
  // Its time is up before it is its turn, when the agent was sent the other event first.
  const tooLate = async (): Promise<string> => {
    const busy = call('agents send echo/a {"type":"wait","ms":1500}');
    await call(`agents ask echo/a ${JSON.stringify({ type: steering })} --timeout 100`);
    await busy;
    return (await call('dead-letters list')).out;
  };
  await expect.poll(tooLate).toContain(String.raw`\u001b]0;title\u0007\u001b[31mred\u009b2J`);
  const lines = [
    'agents list',
    'dead-letters list',
    'dead-letters list --json',
    `agents ask echo/a ${said('echo')}`,
    `agents ask echo/a ${said('echo')} --json`,
    `agents ask echo/a ${said('boom')}`,
    `agents ask echo/a ${said('boom')} --json`,
    'agents inspect echo/a',
    `agents ask echo/${steering} read`,
    `agents start ${steering}`,
    'threads',
    'gateway status',
    `config validate ${steering}.json`,
    `config explain ${steering}`,
    `status -c ${steering}.json`,
    `status ${steering}`,
    `secrets audit ${steering}`,
    `agents list --url ${steering}`,
    steering,
  ];
  for (const line of lines) {
    const { out, err } = await call(line);
    expect([line, out + err]).toEqual([line, expect.not.stringMatching(controls)]);
    const seen = await call(line, true);
    // oxlint-disable-next-line no-control-regex -- the colours of the command itself
    const uncoloured = (seen.out + seen.err).replaceAll(/\u001b\[\d+m/g, '');
    expect([line, uncoloured]).toEqual([line, expect.not.stringMatching(controls)]);
    expect([line, seen.out + seen.err]).toEqual([line, expect.not.stringContaining('\u001b[31mred')]);
  }
  expect(JSON.parse((await call(`agents ask echo/a ${said('echo')} --json`)).out)).toEqual({
    reply: steering,
  });
  // An error of an agent stays in its line, and a reply has its own.
  expect((await call(`agents ask echo/a ${said('boom')}`)).err).toMatch(
    /^the agent failed: first\\n✓ second .*\n$/,
  );
  expect((await call(`agents ask echo/a ${said('echo', 'a\nb\tc')}`)).out).toBe('a\nb\tc\n');
}, 180_000);

test('with --json a command line that makes no sense is a document, and nothing else', async () => {
  const { folder } = await deskFolder();
  const call = shell(folder);
  for (const [line, message] of [
    ['agents ask --json', "missing required argument 'address'"],
    ['gateway --json', "unknown option '--json'"],
    ['status --jsn --json', "unknown option '--jsn'\n(Did you mean --json?)"],
    ['statu --json', "unknown command 'statu'\n(Did you mean status?)"],
    [
      'agents ask a/b read --timeout soon --json',
      '--timeout takes whole milliseconds from 1 to 2147483647, not soon',
    ],
    [
      'agents list --url ftp://x --json',
      '--url takes an address such as https://agents.example:18789, without credentials',
    ],
  ] as const) {
    const { code, out, err } = await call(line);
    expect([line, code, err, JSON.parse(out)]).toEqual([
      line,
      2,
      '',
      { ok: false, error: { code: 'USAGE', message, retryable: false } },
    ]);
  }
});
