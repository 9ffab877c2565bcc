import { mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { gatewayFolder, runningGateway } from '../gateway/running.ts';
import { otherCertificate } from '../gateway/fixtures/other-certificate.ts';
import { testCertificate } from '../secrets/fixtures/test-certificate.ts';
import { shell } from './fixtures/shell.ts';

const counter = fileURLToPath(new URL('../fixtures/counter.ts', import.meta.url));

/** A project with counters, and its command; the gateway that it starts ends with the test. */
async function project(config: object = {}) {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-cli-')));
  const folder = join(home, 'desk');
  const env = { XDG_STATE_HOME: join(home, 'state'), HOLDFAST_TOKEN: '' };
  const run = shell(folder);
  onTestFinished(async () => {
    await run('gateway stop', { env });
    await rm(home, { recursive: true, force: true });
  });
  const file = join(folder, 'openclaw.json');
  const agents = { counter: { type: 'thread-bound', threadId: 'pool', maxThreads: 2, module: counter } };
  await mkdir(folder);
  await writeFile(file, JSON.stringify({ agents, gateway: { port: 0 }, ...config }));
  return { folder, file, env, run: (args: string) => run(args, { env }) };
}

test('a gateway is started, asked, restarted with its states, and stopped', async () => {
  const { run, file, env } = await project();
  expect(await run('gateway status')).toMatchObject({ code: 1, out: `No gateway of ${file} is running.\n` });
  expect(await run('agents list')).toMatchObject({
    code: 1,
    err: expect.stringContaining('holdfast gateway start'),
  });

  const started = await run('gateway start --json');
  expect(JSON.parse(started.out)).toMatchObject({
    action: 'start',
    ok: true,
    result: 'started',
    service: {
      label: 'holdfast',
      loaded: true,
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
    },
  });
  expect(await run('gateway start')).toMatchObject({
    code: 0,
    out: expect.stringContaining('already-running'),
  });

  expect(await run('agents start counter/a {"start":40}')).toMatchObject({ code: 0 });
  expect(await run('agents send counter/a inc')).toMatchObject({
    code: 0,
    out: 'counter/a has handled it.\n',
  });
  expect(await run('agents send counter/a {"type":"inc","by":1}')).toMatchObject({ code: 0 });
  const restarted = await run('gateway restart --json');
  expect(JSON.parse(restarted.out)).toMatchObject({
    action: 'restart',
    ok: true,
    result: 'restarted',
    instances: 1,
    warnings: [],
  });
  expect(await run('agents ask counter/a read')).toMatchObject({ code: 0, out: '42\n' });
  expect((await run('agents list')).out).toMatch(/counter\/a +running +pool +\d+ +0 +1 +0\/1000/);
  expect((await run('threads')).out).toMatch(/pool +1\/2 +open/);
  expect(JSON.parse((await run('agents inspect counter/a')).out)).toMatchObject({ context: { n: 42 } });
  expect(await run('agents ask counter/b read --activate')).toMatchObject({ out: '0\n' });
  expect(await run('agents stop counter/b')).toMatchObject({ code: 0 });
  expect(await run('dead-letters list')).toMatchObject({ out: 'There are no dead letters.\n' });
  expect(await run('secrets list')).toMatchObject({ out: 'No agent is granted a secret.\n' });
  expect(await run('secrets reload')).toMatchObject({ code: 0, out: 'Secrets reloaded.\n' });
  expect(await run('secrets reload none')).toMatchObject({
    code: 1,
    out: expect.stringContaining('none') as string,
  });
  expect(await run('gateway reload')).toMatchObject({ out: 'Reloaded: nothing had changed.\n' });
  expect(JSON.parse((await run('gateway status --json')).out)).toMatchObject({
    running: true,
    gateway: { restarts: 1 },
    readiness: { eventLoop: { p99Ms: expect.any(Number) as number }, closedPools: [] },
  });

  const { token } = (await runningGateway(file, env)) ?? { token: '' };
  expect((await stat(join(gatewayFolder(file, env), 'running.json'))).mode & 0o777).toBe(0o600);
  const log = await readFile(join(gatewayFolder(file, env), 'gateway.log'), 'utf8');
  expect(log).toContain('the gateway serves');
  expect(log).not.toContain(token);

  expect(await run('gateway stop')).toMatchObject({ code: 0, out: 'Gateway stopped.\n' });
  expect(await run('gateway stop')).toMatchObject({ code: 0, out: 'Gateway not-running.\n' });
});

test('a gateway that was started paused says so, and what ends that, until it is resumed', async () => {
  const { run, file, env } = await project();
  const isPaused = 'It is paused: agents handle nothing until holdfast gateway resume\n';
  const start = await run('gateway start --paused');
  expect(start).toMatchObject({ code: 0, out: expect.stringContaining(isPaused) as string });
  expect(JSON.parse((await run('gateway start --json')).out)).toMatchObject({
    result: 'already-running',
    paused: true,
    next: 'holdfast gateway resume',
  });
  expect(await run('gateway status')).toMatchObject({
    out: expect.stringContaining('paused: agents handle nothing until holdfast gateway resume') as string,
  });
  expect(JSON.parse((await run('gateway status --json')).out)).toMatchObject({
    readiness: { ready: false, paused: true, next: 'holdfast gateway resume' },
  });
  expect(await readFile(join(gatewayFolder(file, env), 'gateway.log'), 'utf8')).toContain(
    'the gateway serves, and is paused: agents handle nothing until holdfast gateway resume',
  );
  expect((await run('gateway restart')).out).toContain('It is still paused');
  expect(await run('gateway resume')).toMatchObject({ code: 0, out: 'Resumed.\n' });
  expect(await run('gateway start --paused')).toMatchObject({
    code: 0,
    out: expect.stringContaining('It is not paused: holdfast gateway stop') as string,
  });
  expect((await run('gateway start')).out).not.toContain('paused');
}, 60_000);

test('an instance that is quarantined has no thread, and begins anew with resume; what makes no sense is said with what to do', async () => {
  const supervision = { intensity: { restarts: 0, withinMs: 60_000 } };
  const agent = { type: 'thread-bound', threadId: 'pool', maxThreads: 2, module: counter, supervision };
  const { run } = await project({ agents: { counter: agent } });
  await run('gateway start');
  await run('agents start counter/a');
  await run('agents send counter/a fail');
  await expect
    .poll(async () => (await run('agents list')).out, { timeout: 60_000 })
    .toMatch(/counter\/a +quarantined +pool +- +0 /);
  expect(await run('agents ask counter/a read')).toMatchObject({
    code: 1,
    err: expect.stringContaining('then resume it with agents resume, or') as string,
  });
  expect(await run('agents resume counter/a')).toMatchObject({
    code: 0,
    out: 'counter/a runs in pool, as its incarnation 2.\n',
  });
  expect(await run('agents ask counter/a read')).toMatchObject({ out: '0\n' });
  expect(await run('agents resume counter/none')).toMatchObject({ code: 1 });

  expect(await run('agents ask counter read')).toMatchObject({
    code: 1,
    err: expect.stringContaining('<agent>/<id>'),
  });
  expect(await run('agents ask counter/none read')).toMatchObject({
    code: 1,
    err: 'there is no instance counter/none; start it with agents start, or add --activate\n',
  });
  expect(await run('agents start nobody/a')).toMatchObject({
    code: 1,
    err: expect.stringContaining('nobody'),
  });
  expect(await run('agents send counter/a {type}')).toMatchObject({
    code: 1,
    err: expect.stringContaining('not valid JSON'),
  });
  const failed = await run('agents ask counter/none read --json');
  expect(JSON.parse(failed.out)).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
  expect(await run('inspect')).toMatchObject({ code: 1, err: expect.stringContaining('"inspect": {}') });
  expect(await run('dead-letters replay none')).toMatchObject({ code: 1 });
  expect(await run('agents list --url http://127.0.0.1:1')).toMatchObject({
    code: 1,
    err: expect.stringContaining('HOLDFAST_TOKEN'),
  });
});

describe('what goes wrong is said with what to do', () => {
  test('an invalid config is told at the start, and nothing runs', async () => {
    const { run } = await project({ gateway: { port: 0, host: '0.0.0.0' } });
    const { code, err } = await run('gateway start');
    expect([code, err]).toEqual([
      78,
      expect.stringContaining('other machines would send tokens in plain text'),
    ]);
    expect(await run('gateway restart')).toMatchObject({ code: 78 });
    expect(await run('gateway run')).toMatchObject({ code: 78 });
  });

  test('options of the gateway that are not there are told by each look, with their place', async () => {
    const { run } = await project({ gateway: { port: 0, options: './none.mjs' } });
    for (const look of ['config validate', 'gateway start', 'gateway run', 'gateway restart', 'doctor']) {
      const { code, out, err } = await run(look);
      expect([look, code]).toEqual([look, look === 'doctor' ? 1 : 78]);
      expect(out + err).toMatch(/openclaw\.json:1:\d+ gateway\.options: .*none\.mjs is not there; create it/);
    }
  });

  test('options of the gateway that cannot be loaded are told by a start and by doctor, with their place', async () => {
    const { run, folder } = await project({ gateway: { port: 0, options: './throws.mjs' } });
    await writeFile(join(folder, 'throws.mjs'), `throw new Error('no database');`);
    for (const look of ['gateway start', 'doctor']) {
      const { code, out, err } = await run(look);
      expect([look, code]).toEqual([look, look === 'doctor' ? 1 : 78]);
      expect(out + err).toMatch(/openclaw\.json:1:\d+ gateway\.options: .*cannot be loaded: no database/);
    }
  });

  test('a certificate without its key is told before the start, with its place', async () => {
    const { run, folder } = await project({
      gateway: { port: 0, tls: { cert: 'cert.pem', key: 'key.pem' } },
    });
    await writeFile(join(folder, 'cert.pem'), testCertificate.cert);
    for (const look of ['config validate', 'gateway start', 'gateway run', 'gateway restart']) {
      const { code, err } = await run(look);
      expect([look, code, err]).toEqual([
        look,
        78,
        expect.stringMatching(/gateway\.tls\.key: .*key\.pem is not there/),
      ]);
    }
    await writeFile(join(folder, 'key.pem'), otherCertificate.key);
    expect(await run('gateway run')).toMatchObject({
      code: 78,
      err: expect.stringContaining('cert.pem and key.pem are not a certificate and its key') as string,
    });
    expect((await run('doctor')).out).toContain('are not a certificate and its key');
  });
});

test('a link to the inspector is given on request, works once, and is in no log', async () => {
  const { run, file, env } = await project({ inspect: {} });
  expect(await run('gateway start')).toMatchObject({ code: 0 });
  const { link } = JSON.parse((await run('inspect --json')).out) as { link: string };
  expect(await run('gateway restart')).toMatchObject({ code: 0 });
  const shown = (await run('inspect')).out;
  const [again = ''] = /http:\S+/.exec(shown) ?? [];
  for (const status of [200, 401]) expect((await fetch(again)).status).toBe(status);
  const log = await readFile(join(gatewayFolder(file, env), 'gateway.log'), 'utf8');
  expect(log).toContain(
    '"the inspector is there; runtime.inspector.link() or holdfast inspect gives a link to it"',
  );
  for (const one of [link, again]) expect(log).not.toContain(new URL(one).searchParams.get('token'));
  expect(log).not.toMatch(/token=/);
});

test('somebody else comes with a token of the config', async () => {
  const made = await project();
  const { token, config } = JSON.parse((await made.run('gateway token --name ops --json')).out) as {
    token: string;
    config: { gateway: { tokens: { ops: { sha256: string } } } };
  };
  const { run, env, file } = await project({ gateway: { port: 0, ...config.gateway } });
  await run('gateway start');
  const { url } = (await runningGateway(file, env)) ?? { url: '' };
  const elsewhere = shell('/');
  const as = { env: { HOLDFAST_TOKEN: token } };
  expect(await elsewhere(`agents list --url ${url}`, as)).toMatchObject({
    code: 0,
    out: expect.stringContaining('No instance'),
  });
  expect(await elsewhere(`threads --url ${url}`, as)).toMatchObject({
    code: 1,
    err: expect.stringContaining('does not allow admin'),
  });
});

test('a gateway with a certificate that nobody signed is reached by its owner, and nobody else in its place', async () => {
  const { folder, file, env, run } = await project({
    gateway: { port: 0, tls: { cert: 'cert.pem', key: 'key.pem' } },
  });
  await writeFile(join(folder, 'cert.pem'), testCertificate.cert);
  await writeFile(join(folder, 'key.pem'), testCertificate.key);
  expect(await run('gateway start')).toMatchObject({
    code: 0,
    out: expect.stringContaining('https://127.0.0.1:') as string,
  });
  expect(await run('agents start counter/a')).toMatchObject({ code: 0 });
  const state = join(gatewayFolder(file, env), 'running.json');
  const running = await readFile(state, 'utf8');
  await writeFile(state, running.replace(/"certificate":"..:/, '"certificate":"00:'));
  expect(await run('agents list')).toMatchObject({
    code: 1,
    err: expect.stringContaining('WRONG_CERTIFICATE') as string,
  });
  await writeFile(state, running);
});

test('a provider of one’s own, and options of the runtime, come from the options of the gateway, and doctor asks it', async () => {
  const secrets = { key: { ref: { provider: 'own', id: 'a' }, mode: 'inject', hosts: ['api.example.com'] } };
  const { run, folder } = await project({
    agents: { counter: { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module: counter, secrets } },
    secrets: { providers: { own: { provider: 'vault-of-mine' } } },
    gateway: { port: 0, options: './options.mjs' },
  });
  await writeFile(
    join(folder, 'options.mjs'),
    `setInterval(() => {}, 1e9);
export default { audit: new URL('./audit.jsonl', import.meta.url), providers: [{ name: 'vault-of-mine', capabilities: { versions: true }, classify: () => 'transient',
  describe: async () => ({ current: '1' }),
  fetch: async () => ({ versionId: '1', stages: [], bytes: Buffer.from('never-to-be-seen') }) }] };`,
  );
  for (const look of ['config validate', 'status', 'gateway start'])
    expect(await run(look)).toMatchObject({ code: 0 });
  expect(await run('doctor')).toMatchObject({
    code: 0,
    out: expect.stringContaining('a of the provider "own" can be read') as string,
  });
  expect((await stat(join(folder, 'audit.jsonl'))).mode & 0o777).toBe(0o600);
  expect(await run('agents ask counter/a read --activate')).toMatchObject({ out: '0\n' });
});

test('amendment 24: a restart with code that states in the store do not fit is refused, unless it is forced', async () => {
  const of = (name: string): object => {
    const module = fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url));
    return {
      store: { type: 'sqlite', path: './agents.db' },
      agents: { account: { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module } },
      gateway: { port: 0, reload: false },
    };
  };
  const { run, file } = await project(of('account'));
  await run('gateway start');
  expect(await run('agents start account/a')).toMatchObject({ code: 0 });
  expect(await run('agents ask account/a {"type":"deposit","amount":5}')).toMatchObject({ out: '5\n' });
  await writeFile(file, JSON.stringify(of('counter')));
  expect(await run('gateway restart')).toMatchObject({
    code: 1,
    err: expect.stringMatching(
      /1 instance of the store would be quarantined with this code.* account\/a \[.*version "1".* --force/,
    ),
  });
  expect(await run('agents ask account/a total')).toMatchObject({ out: '5\n' });
  expect(await run('gateway restart --force')).toMatchObject({ code: 0 });
  expect(await run('agents start account/a')).toMatchObject({
    code: 1,
    err: expect.stringContaining('nobody migrates version "1"'),
  });
  // Who is quarantined by now keeps nobody from a restart.
  expect(await run('gateway restart')).toMatchObject({ code: 0 });
});
