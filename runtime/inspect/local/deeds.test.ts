import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { AgentRef } from 'holdfast';
import { fixture, start } from '../../fixtures/start.ts';
import { violations } from './fixtures/axe.ts';
import { hasBrowser, launch, openPage } from './fixtures/browser.ts';

const canary = 'CANARY_deeds_58c1f0aa';
const patience = { timeout: 30_000 };

async function desk(allowSend: boolean) {
  vi.stubEnv('DEED_CANARY', canary);
  onTestFinished(() => void vi.unstubAllEnvs());
  const lines: object[] = [];
  const logger = { debug() {}, info: (fields: object) => void lines.push(fields), warn() {}, error() {} };
  const runtime = await start(
    {
      externalSecrets: { provider: 'env' },
      threads: { pool: { startTimeoutMs: 60_000 } },
      agents: {
        crashing: fixture('blabbing', {
          secrets: { key: { ref: 'DEED_CANARY', mode: 'reveal', unsafe: true } },
          supervision: { intensity: { restarts: 0, withinMs: 60_000 } },
        }),
        counter: fixture('counter'),
      },
    },
    { inspect: { allowSend }, logger },
  );
  const link = runtime.inspector?.link() ?? '';
  const done = (): object[] => lines.filter((fields) => 'deed' in fields);
  return { runtime, link, done };
}

async function knowing(runtime: Awaited<ReturnType<typeof desk>>['runtime'], id: string): Promise<AgentRef> {
  const ref: AgentRef = await runtime.spawn('crashing', { id });
  for (let known: unknown = false; known !== true;) known = await ref.ask({ type: 'knows' });
  return ref;
}

/** As the page does it, with the session of a link. */
async function door(link: string) {
  const entered = await (await fetch(link)).text();
  const [, session = ''] = /name="session" content="([\w-]+)"/.exec(entered) ?? [];
  return async (path: string, body: object): Promise<[status: number, answer: string]> => {
    const answer = await fetch(new URL(path, link), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${session}` },
      body: JSON.stringify(body),
    });
    return [answer.status, await answer.text()];
  };
}

const thread = { threadId: 'pool', n: 1 };

test('without `allowSend` the server does none of it, whatever it is sent', async () => {
  const { runtime, link, done } = await desk(false);
  const counter = await runtime.spawn('counter', { id: 'c' });
  const post = await door(link);
  const deeds = [
    { deed: 'stop', address: 'counter/c' },
    { deed: 'resume', address: 'counter/c' },
    { deed: 'recycle', ...thread },
    { deed: 'profile', ...thread },
    { deed: 'replay-all' },
    { deed: 'refresh', provider: 'default', id: 'DEED_CANARY' },
  ];
  for (const deed of deeds) {
    const [status, answer] = await post('/deed', deed);
    expect([status, answer]).toEqual([403, expect.stringContaining('allowSend')]);
  }
  expect(runtime.status().instances).toMatchObject([{ address: 'counter/c', state: 'running' }]);
  expect(runtime.status().pools[0]).toMatchObject({ startedThreads: 1 });
  expect(counter.id).toBeDefined();
  expect(done()).toEqual([]);
});

test('with it each deed is done, and has a line in the log that says who did what; no secret is in any of it', async () => {
  const { runtime, link, done } = await desk(true);
  const post = await door(link);
  const spinning = await knowing(runtime, 'spinning');
  const crashed = await knowing(runtime, 'crashed');
  await expect(crashed.ask({ type: 'throw' })).rejects.toThrow('redacted');
  const stateOf = (address: string): string | undefined =>
    runtime.status().instances.find((one) => one.address === address)?.state;
  expect(stateOf('crashing/crashed')).toBe('quarantined');

  expect(await post('/deed', { deed: 'resume', address: 'crashing/crashed' })).toEqual([204, '']);
  expect(stateOf('crashing/crashed')).not.toBe('quarantined');
  expect(await post('/deed', { deed: 'stop', address: 'crashing/crashed' })).toEqual([204, '']);
  expect(stateOf('crashing/crashed')).toBeUndefined();
  const [gone, why] = await post('/deed', { deed: 'stop', address: 'crashing/crashed' });
  expect([gone, why]).toEqual([409, expect.stringContaining('AGENT_STOPPED')]);

  const taking = post('/deed', { deed: 'profile', ...thread, ms: 1000 });
  for (let n = 0; n < 25; n += 1) await spinning.deliver({ type: 'spin' });
  const [status, text] = await taking;
  expect(status).toBe(200);
  const { profile } = JSON.parse(text) as { profile: { nodes: object[]; samples: number[] } };
  expect(profile.nodes.length).toBeGreaterThan(3);
  expect(text).toContain('<redacted:secret>');

  const [recycled, moved] = await post('/deed', { deed: 'recycle', ...thread });
  expect([recycled, JSON.parse(moved)]).toEqual([200, expect.objectContaining({ threads: 1 })]);
  const [none, ended] = await post('/deed', { deed: 'recycle', threadId: 'pool', n: 99 });
  expect([none, ended]).toEqual([409, expect.stringContaining('no thread 99')]);

  expect(await post('/deed', { deed: 'refresh', provider: 'default', id: 'DEED_CANARY' })).toEqual([204, '']);
  crashed.send({ type: 'knows' });
  const letters = runtime.deadLetters.list().length;
  const [replayed, results] = await post('/deed', { deed: 'replay-all' });
  expect(replayed).toBe(200);
  expect(JSON.parse(results)).toMatchObject({ replayed: 0, failed: letters, why: expect.any(String) });

  const audited = done();
  expect(audited.filter((line) => (line as { deed: string }).deed !== 'replay')).toMatchObject([
    { by: 'inspector', deed: 'resume', address: 'crashing/crashed', outcome: 'ok' },
    { by: 'inspector', deed: 'stop', address: 'crashing/crashed', outcome: 'ok' },
    { by: 'inspector', deed: 'stop', address: 'crashing/crashed', outcome: 'AGENT_STOPPED' },
    { by: 'inspector', deed: 'profile', ...thread, outcome: 'ok' },
    { by: 'inspector', deed: 'recycle', ...thread, outcome: 'ok' },
    { by: 'inspector', deed: 'recycle', outcome: 'CONFIG_INVALID' },
    { by: 'inspector', deed: 'refresh', provider: 'default', id: 'DEED_CANARY', outcome: 'ok' },
    { by: 'inspector', deed: 'replay-all', outcome: 'ok' },
  ]);
  expect([text, moved, results, JSON.stringify(audited)].join('\n')).not.toContain(canary);
});

describe.skipIf(!hasBrowser)('the deeds on the page', () => {
  let browser: Awaited<ReturnType<typeof launch>>;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
  });

  test('each is asked about first, with its numbers, and leaves all as it is when the answer is no', async () => {
    const { runtime, link, done } = await desk(true);
    await runtime.spawn('counter', { id: 'c' });
    await runtime.spawn('counter', { id: 'd' });
    const { page, problems } = await openPage(browser);
    onTestFinished(() => page.context().close());
    await page.goto(link);
    await page.getByRole('treeitem').filter({ hasText: 'counter/c' }).click();
    const dialog = page.getByRole('dialog');
    await page.getByRole('button', { name: 'Stop counter/c' }).click();
    await dialog.waitFor();
    expect(await dialog.textContent()).toContain('holdfast agents stop counter/c');
    expect(await violations(page)).toEqual([]);
    // What is pressed first does nothing.
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    expect(done()).toEqual([]);
    await page.getByRole('button', { name: 'Stop counter/c' }).click();
    await dialog.getByRole('button', { name: 'Stop it' }).click();
    await expect.poll(() => runtime.status().instances.length, patience).toBe(1);
    await expect.poll(() => page.locator('#deed-said').textContent(), patience).toBe('Stopped.');

    await expect.poll(() => page.locator('#instances-count').textContent(), patience).toBe('1');
    // The list of threads comes at its own pace, and what is asked has the numbers of then.
    const [, , , instances] = await page
      .getByRole('row', { name: 'holdfast:pool:1' })
      .getByRole('cell')
      .all();
    await expect.poll(() => instances?.textContent(), patience).toBe('1');
    await page.getByRole('button', { name: 'Recycle holdfast:pool:1' }).click();
    await expect.poll(() => dialog.textContent(), patience).toContain('1 instance');
    await dialog.getByRole('button', { name: 'Recycle it' }).click();
    await expect
      .poll(() => page.locator('#said').textContent(), patience)
      .toMatch(/^Replaced; 1 instance moved/);

    // What is wrong has what may help beside it.
    const crashed = await knowing(runtime, 'x');
    await expect(crashed.ask({ type: 'throw' })).rejects.toThrow('redacted');
    const wrong = page.locator('#wrong');
    await wrong.getByRole('button', { name: 'Stop crashing/x' }).waitFor();
    expect(await violations(page)).toEqual([]);
    // On a small page nobody has to scroll sideways to them.
    await page.setViewportSize({ width: 700, height: 900 });
    const beyond = `['wrong-list', 'panel-threads'].map((id) => document.getElementById(id)).map((list) => list.scrollWidth - list.clientWidth)`;
    expect(await page.evaluate(beyond)).toEqual([0, 0]);
    await wrong.getByRole('button', { name: 'Resume crashing/x' }).click();
    await dialog.getByRole('button', { name: 'Resume it' }).click();
    await expect.poll(() => page.locator('#said').textContent(), patience).toBe('Resumed.');
    await expect.poll(() => wrong.isVisible(), patience).toBe(false);
    expect(done()).toMatchObject([{ deed: 'stop' }, { deed: 'recycle' }, { deed: 'resume' }]);
    expect(problems).toEqual([]);
  });
});
