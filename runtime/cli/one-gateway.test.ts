import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { gatewayFolder, type RunningGateway } from '../gateway/running.ts';
import { commandLine, deskFolder, run } from './fixtures/command.ts';
import { shell } from './fixtures/shell.ts';
import { workingFolder } from '../config/working-folder.ts';

/** A config, and the command in its folder; a gateway of it ends with the test. */
async function desk(config: object = {}) {
  const made = await deskFolder(config);
  const command = shell(made.folder);
  const call = (args: string) => command(args, { env: made.env });
  onTestFinished(async () => {
    await call('gateway stop');
  });
  const record = (file: string = made.file): string => join(gatewayFolder(file, made.env), 'running.json');
  const read = async (): Promise<RunningGateway> =>
    JSON.parse(await readFile(record(), 'utf8')) as RunningGateway;
  const foreground = () => run([...commandLine, 'gateway', 'run'], { cwd: made.folder, env: made.env });
  return { ...made, call, record, read, foreground };
}

type Desk = Awaited<ReturnType<typeof desk>>;

/** A gateway that was killed, with what it left. */
async function killed(made: Desk): Promise<RunningGateway> {
  const { child, ended, wrote } = made.foreground();
  await wrote('the gateway serves');
  const left = await made.read();
  child.kill('SIGKILL');
  await ended;
  return left;
}

async function assertNoneRuns({ call, file }: Desk): Promise<void> {
  expect(await call('gateway status')).toMatchObject({ code: 1, out: `No gateway of ${file} is running.\n` });
  expect(await call('gateway stop')).toMatchObject({ code: 0, out: 'Gateway not-running.\n' });
  expect(await call('agents list')).toMatchObject({ code: 1, err: expect.stringContaining('gateway start') });
}

test('what a killed gateway left is believed by nobody, whosever its process number is by then', async () => {
  const made = await desk();
  const left = await killed(made);
  await assertNoneRuns(made);
  const stranger = run([process.execPath, '-e', 'setInterval(() => {}, 1e9)']);
  for (const pid of [process.pid, stranger.child.pid, 1]) {
    await writeFile(made.record(), JSON.stringify({ ...left, pid }));
    await assertNoneRuns(made);
  }
  expect(stranger.child.exitCode).toBe(null);
  expect(await made.call('gateway start')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Gateway started: /) as string,
  });
  expect(await made.read()).not.toMatchObject({ token: left.token });
  expect(await made.call('gateway restart')).toMatchObject({ out: expect.stringContaining('Restarted') });
  expect(await made.call('gateway stop')).toMatchObject({ code: 0, out: 'Gateway stopped.\n' });
});

test('a gateway whose number was taken from it by the record is stopped all the same, and no stranger', async () => {
  const made = await desk();
  const { ended, wrote } = made.foreground();
  await wrote('the gateway serves');
  const stranger = run([process.execPath, '-e', 'setInterval(() => {}, 1e9)']);
  await writeFile(made.record(), JSON.stringify({ ...(await made.read()), pid: stranger.child.pid }));
  expect(await made.call('gateway stop')).toMatchObject({ code: 0, out: 'Gateway stopped.\n' });
  expect(await ended).toMatchObject({ code: 0 });
  expect(stranger.child.exitCode).toBe(null);
});

test('what a version without a lock left is believed when its address answers to its token', async () => {
  const made = await desk();
  const { wrote } = made.foreground();
  await wrote('the gateway serves');
  const { lock, ...old } = await made.read();
  expect(lock).toBeDefined();
  const other = createServer((_request, response) => void response.end('{"pid":1}')).listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await writeFile(made.record(), JSON.stringify({ ...old, url: `http://127.0.0.1:${port}` }));
  await assertNoneIsSeen(made);
  await writeFile(made.record(), JSON.stringify(old));
  expect(await made.call('gateway start')).toMatchObject({ out: expect.stringContaining('already-running') });
  expect(await made.call('gateway stop')).toMatchObject({ code: 0, out: 'Gateway stopped.\n' });
});

/** As seen by who only looks. */
async function assertNoneIsSeen({ call }: Desk): Promise<void> {
  expect(await call('agents list')).toMatchObject({ code: 1, err: expect.stringContaining('gateway start') });
}

test.for([
  '',
  '{',
  'null',
  '[]',
  '{}',
  '{"pid":"1","url":7}',
  '{"pid":1,"url":"http://127.0.0.1:1","token":"t"}',
])('a record that is none, %j, is no gateway', async (text) => {
  const made = await desk();
  await mkdir(dirname(made.record()), { recursive: true });
  await writeFile(made.record(), text);
  await assertNoneRuns(made);
});

test('of two gateways of one config that start at once one serves, and the other says that', async () => {
  const made = await desk();
  const both = [made.foreground(), made.foreground()] as const;
  const lost = await Promise.race(both.map(async (one) => ({ one, ...(await one.ended) })));
  const won = both.find((one) => one !== lost.one) ?? both[0];
  await won.wrote('the gateway serves');
  expect(lost).toMatchObject({
    code: 1,
    err: expect.stringMatching(`already running: .*pid ${won.child.pid}`) as string,
  });
  expect(await made.read()).toMatchObject({ pid: won.child.pid });
  expect(await made.foreground().ended).toMatchObject({
    code: 1,
    err: expect.stringMatching(`already running: http://127.0.0.1:\\d+, pid ${won.child.pid}`) as string,
  });
  expect(await made.call('gateway stop')).toMatchObject({ code: 0 });
  expect(await won.ended).toMatchObject({ code: 0 });
});

test('of two starts at once both end with the one gateway that runs', async () => {
  const made = await desk();
  const both = await Promise.all([made.call('gateway start --json'), made.call('gateway start --json')]);
  const told = both.map(({ out }) => JSON.parse(out) as { result: string; service: { pid: number } });
  expect(told.map(({ result }) => result).toSorted()).toEqual(['already-running', 'started']);
  expect(new Set(told.map(({ service }) => service.pid)).size).toBe(1);
});

test('what is another’s is not taken back', async () => {
  const made = await desk();
  const { child, ended, wrote } = made.foreground();
  await wrote('the gateway serves');
  const other = { ...(await made.read()), token: 'hf_of-another' };
  await writeFile(made.record(), JSON.stringify(other));
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
  expect(await made.read()).toEqual(other);
});

test('a gateway that is process 1 of a container is started again after it was killed', async ({ skip }) => {
  const contained = ['unshare', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc'] as const;
  const [unshare, ...flags] = contained;
  if (spawnSync(unshare, [...flags, 'true']).status !== 0) skip('process namespaces cannot be had here');
  const made = await desk();
  const boot = () =>
    run([...contained, ...commandLine, 'gateway', 'run'], { cwd: made.folder, env: made.env });
  const first = boot();
  await first.wrote('the gateway serves');
  expect(await made.read()).toMatchObject({ pid: 1 });
  first.child.kill('SIGKILL');
  await first.ended;
  const second = boot();
  await second.wrote('the gateway serves');
  // From outside, it is found by what it holds.
  expect(await made.call('gateway status')).toMatchObject({ code: 0 });
  expect(await made.call('gateway stop')).toMatchObject({ code: 0, out: 'Gateway stopped.\n' });
  await second.ended;
});

/** Puts a link in the place of another in one step, as deployments do. */
async function leadTo(target: string, link: string): Promise<void> {
  await symlink(target, `${link}.new`);
  await rename(`${link}.new`, link);
}

test('a release that is swapped in takes over from the one before, known by the same link', async () => {
  const made = await desk();
  const { agents } = made;
  const release = async (name: string, agent: string): Promise<void> => {
    const folder = join(made.home, 'releases', name);
    await mkdir(join(folder, 'agents'), { recursive: true });
    const { type, threadId, maxThreads } = agents.counter;
    await writeFile(
      join(folder, 'openclaw.json'),
      JSON.stringify({ agents: { counter: { type, threadId, maxThreads } }, gateway: { port: 0 } }),
    );
    await writeFile(join(folder, 'agents', 'counter.ts'), agent);
  };
  const logic = (by: number): string =>
    `import { assign, setup } from ${JSON.stringify(import.meta.resolve('xstate'))};
import { reply } from ${JSON.stringify(import.meta.resolve('../worker/agent.ts'))};
export default setup({}).createMachine({ context: { n: 0 }, on: {
  inc: { actions: [assign({ n: ({ context }) => context.n + ${by} }), reply(({ context }) => context.n)] } } });`;
  await release('1', logic(1));
  await release('2', logic(10));
  const current = join(made.home, 'current');
  await leadTo('releases/1', current);
  const command = shell(current);
  const call = (args: string) => command(args, { env: made.env });
  onTestFinished(async () => {
    await call('gateway stop');
  });
  expect(await call('gateway start')).toMatchObject({ code: 0 });
  expect(await call('agents ask counter/a inc --activate')).toMatchObject({ out: '1\n' });
  await leadTo('releases/2', current);
  // By itself, or because somebody says so before that.
  expect(await call('gateway reload')).toMatchObject({ code: 0 });
  expect(await call('agents ask counter/a inc')).toMatchObject({ out: '11\n' });
  expect(await call('gateway restart')).toMatchObject({
    out: expect.stringContaining('Restarted: 1 instance'),
  });
  const status = JSON.parse((await call('gateway status --json')).out) as { gateway: { config: string } };
  expect(status.gateway.config).toBe(join(current, 'openclaw.json'));
  expect(await call('gateway stop')).toMatchObject({ out: 'Gateway stopped.\n' });
  expect(await call('gateway stop')).toMatchObject({ out: 'Gateway not-running.\n' });
}, 60_000);

test('a config that is a link is one config, with its modules beside the link, however it is named', async () => {
  const made = await desk();
  const own = join(made.home, 'own.json');
  await rename(made.file, own);
  const config = JSON.parse(await readFile(own, 'utf8')) as object;
  const { type, threadId, maxThreads, module } = made.agents.counter;
  await writeFile(own, JSON.stringify({ ...config, agents: { counter: { type, threadId, maxThreads } } }));
  await mkdir(join(made.folder, 'agents'));
  await symlink(module, join(made.folder, 'agents', 'counter.ts'));
  await symlink('../own.json', made.file);
  expect(await made.call('gateway start')).toMatchObject({ code: 0 });
  expect(await made.call('agents ask counter/a read --activate')).toMatchObject({ out: '0\n' });
  expect(await made.call('gateway start')).toMatchObject({ out: expect.stringContaining('already-running') });
  expect(await made.call('gateway stop')).toMatchObject({ out: 'Gateway stopped.\n' });
});

test('a gateway that was started by the path that a link leads to is found by the link, and the other way round', async () => {
  const made = await desk();
  const link = join(made.home, 'link.json');
  await symlink('desk/openclaw.json', link);
  const other = join(made.home, 'other.json');
  await symlink('desk/openclaw.json', other);
  const named = (file: string) => (args: string) => shell('/')(`${args} -c ${file}`, { env: made.env });
  // Another link is another config, which may have other modules beside it.
  for (const [one, another, ofOther] of [
    [made.call, named(link), 0],
    [named(link), made.call, 1],
  ] as const) {
    expect(await one('gateway start')).toMatchObject({ code: 0 });
    expect(await another('gateway start')).toMatchObject({
      out: expect.stringContaining('already-running') as string,
    });
    expect(await another('gateway status')).toMatchObject({ code: 0 });
    expect(await named(other)('gateway status')).toMatchObject({ code: ofOther });
    expect(await another('gateway stop')).toMatchObject({ out: 'Gateway stopped.\n' });
    expect(await one('gateway status')).toMatchObject({ code: 1 });
  }
});

test('the working folder is named as the shell names it, when that is the same folder', async () => {
  const { home, folder } = await deskFolder();
  const link = join(home, 'link');
  await symlink('desk', link);
  expect(workingFolder(folder, link)).toBe(link);
  for (const named of [undefined, 'link', join(home, 'none'), home, `${home}/link/../link`])
    expect(workingFolder(folder, named)).toBe(folder);
});
