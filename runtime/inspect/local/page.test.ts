import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createRuntime, type AgentRef } from 'holdfast';
import { HoldfastError } from '../../base/errors.ts';
import { fixture, start } from '../../fixtures/start.ts';
import type { InspectionEvent } from '../../wire/inspection.ts';
import { violations } from './fixtures/axe.ts';
import { hasBrowser, launch, openPage } from './fixtures/browser.ts';
import { crowd } from './fixtures/crowd.ts';

let browser: Awaited<ReturnType<typeof launch>>;
/** The desk of all tests that end nothing of it. */
let kept: Awaited<ReturnType<typeof startDesk>>;
beforeAll(async () => {
  if (hasBrowser) [browser, kept] = await Promise.all([launch(), startDesk()]);
});
afterAll(async () => {
  if (hasBrowser) await Promise.all([browser.close(), kept.stop()]);
});

async function open(link: string, options: Parameters<typeof openPage>[1] = {}) {
  const { page, problems } = await openPage(browser, options);
  onTestFinished(() => page.context().close());
  await page.goto(link);
  return { page, problems };
}

async function startDesk() {
  const threads = (threadId: string, maxThreads: number) => ({ threadId, maxThreads });
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const runtime = await createRuntime(
    {
      agents: {
        data: fixture('inspected', threads('feeds', 1)),
        trader: fixture('inspected', threads('trading-pool', 2)),
        risk: fixture('inspected', threads('risk', 1)),
        // Its thread starts with the first instance.
        orders: fixture('accepting', threads('orders', 1)),
      },
    },
    { inspect: { allowSend: true }, logger },
  );
  await runtime.spawn('trader', { id: 'two' });
  return runtime;
}

/** As at the beginning; what a test says of its instances is said of new ones. */
async function desk() {
  const runtime = kept;
  const anew = async (agent: 'data' | 'trader' | 'risk', id: string): Promise<AgentRef> => {
    await runtime.get(`${agent}/${id}`)?.stop();
    return runtime.spawn(agent, { id });
  };
  const [data, trader] = await Promise.all([
    anew('data', 'btc'),
    anew('trader', 'one'),
    anew('risk', 'desk'),
    runtime.get('data/eth')?.stop(),
    runtime.get('orders/a')?.stop(),
  ]);
  return { runtime, data, trader, link: runtime.inspector?.link() ?? '' };
}

const patience = { timeout: 60_000 };
const row = (page: Page, name: string) => page.getByRole('treeitem').filter({ hasText: name });
const active = (page: Page): Promise<unknown> =>
  page.evaluate(`[...document.querySelectorAll('.chart-state.active')].map((state) => state.dataset.state)`);

/** On a busy machine an event may be left out, and only the state that it led to be shown: it is sent until it is drawn. */
async function toldUntilDrawn(page: Page, trader: AgentRef): Promise<void> {
  const drawn = (): Promise<string | null> => {
    trader.send({ type: 'tell', to: 'risk/desk', value: 1 });
    return page.locator('#sequence').textContent();
  };
  await expect.poll(drawn, patience).toContain('told');
}

/** The browser itself tells of each event that was refused. */
const withoutRefusals = (problems: readonly string[]): string[] =>
  problems.filter((problem) => !problem.includes('422'));

const manyTypes = (count: number): [string, object][] =>
  Array.from({ length: count }, (_, n) => [`type ${n}`, {}]);

describe.skipIf(!hasBrowser)('the page', () => {
  test('the page shows pools, threads and instances, and the chart of the chosen one with its active states', async () => {
    const { data, link } = await desk();
    const { page, problems } = await open(link);
    await row(page, 'data/btc').click();
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('data/btc');
    expect(await page.getByRole('treeitem').allTextContents()).toEqual(
      expect.arrayContaining([expect.stringContaining('trading-pool'), expect.stringContaining('thread 2')]),
    );
    await expect.poll(() => active(page), patience).toEqual(['inspected', 'inspected.idle']);
    expect(await page.locator('.chart').textContent()).toContain('done work');
    data.send({ type: 'go' });
    await expect.poll(() => active(page), patience).toEqual(['inspected', 'inspected.done']);
    data.send({ type: 'told', value: 'a word' });
    await expect.poll(() => page.locator('#context').textContent(), patience).toContain('"a word"');
    await expect.poll(() => page.locator('#figures').textContent(), patience).toContain('0 of 1.0k');
    // On a busy machine a line may be left out, and an event come without it.
    const timeline = page.locator('#timeline');
    const written = async (): Promise<number> => {
      data.send({ type: 'odd' });
      return timeline.locator('.moment.log', { hasText: 'this is odd {"event":"odd"}' }).count();
    };
    await expect.poll(written, patience).toBeGreaterThan(0);
    await expect
      .poll(() => timeline.locator('.waited').allTextContents(), patience)
      .toContainEqual(expect.stringMatching(/ms$/));
    expect(problems).toEqual([]);
  });

  test('the events between agents are drawn as arrows, and a thread’s figures are listed', async () => {
    const { trader, link } = await desk();
    const { page, problems } = await open(link);
    await row(page, 'risk/desk').waitFor();
    const drawn = page.locator('#sequence');
    await toldUntilDrawn(page, trader);
    await expect
      .poll(() => drawn.locator('.lane').allTextContents(), patience)
      .toEqual(
        expect.arrayContaining([expect.stringContaining('trader/one'), expect.stringContaining('risk/desk')]),
      );
    await expect
      .poll(() => page.locator('#panel-threads').textContent(), patience)
      .toContain('holdfast:trading-pool:2');
    expect(problems).toEqual([]);
  });

  test('a thread that dies is seen to end, its instance begins anew on another, and its letter can be replayed', async () => {
    const { runtime, trader, link } = await desk();
    const { page } = await open(link);
    await row(page, 'trader/one').waitFor();
    const { restarts } = runtime.status();
    trader.send({ type: 'crash' });
    await expect.poll(() => page.locator('#restarts').textContent(), patience).toBe(String(restarts + 1));
    await page.locator('.row:not(.ended)', { hasText: 'trader/one' }).waitFor();
    const gone = await runtime.spawn('risk', { id: 'gone' });
    await gone.stop();
    gone.send({ type: 'go' });
    const replay = async (): Promise<void> => {
      await page.getByRole('button', { name: 'Replay the event to risk/gone' }).click();
      await page.getByRole('button', { name: 'Replay it' }).click();
    };
    await page.keyboard.press('2');
    await replay();
    await expect.poll(() => page.locator('#said').textContent(), patience).toContain('AGENT_STOPPED');
    await runtime.spawn('risk', { id: 'gone' });
    await replay();
    await expect.poll(() => page.locator('#said').textContent(), patience).toBe('Replayed.');
    await expect
      .poll(() => page.locator('#panel-letters').textContent(), patience)
      .not.toContain('risk/gone');
  });

  test('what is wrong now is listed with its error and what to do, stays in the tree, and holds no secret', async () => {
    const canary = 'CANARY-page-93b1 "7"';
    vi.stubEnv('PAGE_CANARY', canary);
    onTestFinished(() => void vi.unstubAllEnvs());
    const runtime = await start(
      {
        externalSecrets: { provider: 'env' },
        agents: {
          crashing: fixture('blabbing', {
            secrets: { key: { ref: 'PAGE_CANARY', mode: 'reveal', unsafe: true } },
            supervision: { intensity: { restarts: 0, withinMs: 60_000 } },
          }),
          gone: fixture('counter', { supervision: { restart: 'temporary' } }),
        },
      },
      { inspect: { allowSend: true } },
    );
    const crash = async (id: string): Promise<AgentRef> => {
      const ref: AgentRef = await runtime.spawn('crashing', { id });
      for (let known: unknown = false; known !== true;) known = await ref.ask({ type: 'knows' });
      await expect(ref.ask({ type: 'throw' })).rejects.toThrow('<redacted:secret>');
      return ref;
    };
    await runtime.spawn('crashing', { id: 'well' });
    const { page, problems } = await open(runtime.inspector?.link() ?? '');
    await row(page, 'crashing/well').click();
    await expect.poll(() => page.locator('#threads-count').textContent(), patience).toBe('1');
    expect(await page.locator('#wrong, #wrong-total, header.wrong').filter({ visible: true }).count()).toBe(
      0,
    );
    expect(await page.title()).toBe('Holdfast inspector');
    // A machine without an id is called as its agent, and actions by what made them.
    await expect
      .poll(() => page.locator('.chart').textContent(), patience)
      .toMatch(/^crashing.*knows \/ reply/);

    const seen = await crash('seen');
    const list = page.locator('#wrong-list');
    await expect.poll(() => list.textContent(), patience).toContain('crashing/seen');
    expect(await list.textContent()).toContain('TypeError: threw <redacted:secret>');
    expect(await list.textContent()).toContain('incarnation 1');
    expect(await list.textContent()).toContain('holdfast agents resume crashing/seen');
    expect(await page.locator('header.wrong #wrong-count').textContent()).toBe('1');
    expect(await page.title()).toBe('(1) Holdfast inspector');
    expect(await page.locator('#wrong-said').textContent()).toBe('Wrong now, 1: quarantined crashing/seen');
    const marked = page.locator('.row.failed', { hasText: 'crashing/seen' });
    await expect.poll(() => marked.textContent(), patience).toMatch(/quarantined.*TypeError/);

    const gone = await runtime.spawn('gone', { id: 'c' });
    await row(page, 'gone/c').waitFor();
    gone.send({ type: 'fail' });
    const failed = page.locator('.row.failed', { hasText: 'gone/c' });
    await expect.poll(() => failed.textContent(), patience).toMatch(/failed.*E_RANGE: out of range/);

    // Whoever opens the page later finds it there too.
    await page.reload();
    await expect.poll(() => marked.textContent(), patience).toMatch(/quarantined.*TypeError/);
    await page.keyboard.press('w');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('crashing/seen');
    await expect.poll(() => page.locator('#problem').textContent(), patience).toContain('TypeError: threw');
    expect(await violations(page)).toEqual([]);
    const all = await page.content();
    for (const form of [canary, JSON.stringify(canary).slice(1, -1), canary.replaceAll('"', '&quot;')])
      expect(all).not.toContain(form);

    await seen.stop();
    await expect.poll(() => list.isVisible(), patience).toBe(false);
    expect(await page.locator('header.wrong').count()).toBe(0);
    expect(await page.locator('#wrong-said').textContent()).toBe('Nothing is wrong any more');
    expect(problems).toEqual([]);
  });

  test('an event that is typed reaches the instance', async () => {
    const { link } = await desk();
    const { page } = await open(link);
    await row(page, 'risk/desk').click();
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('risk/desk');
    await page.getByLabel('Event to send').fill('{"type":"told","value":"by hand"}');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#context').textContent(), patience).toContain('"by hand"');
    await page.getByLabel('Event to send').fill('{');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#send-result').textContent(), patience).toContain('JSON');
  });

  test('events that the agent accepts are offered with the fields of their schemas, and what does not fit is shown at its place', async () => {
    const { runtime, link } = await desk();
    const orders = await runtime.spawn('orders', { id: 'a' });
    const { page, problems } = await open(link);
    const field = page.getByLabel('Event to send');
    const types = page.getByLabel('Events that the agent accepts');
    await row(page, 'orders/a').click();
    await types.waitFor();
    expect(await types.locator('option').allTextContents()).toEqual([
      'Accepted events',
      'say',
      'order',
      'heard',
      'fail',
    ]);
    await types.selectOption('order');
    const event = { type: 'order', items: [{ name: '', qty: 1 }] };
    expect(JSON.parse(await field.inputValue())).toEqual(event);
    await page.getByText('JSON Schema').click();
    expect(await page.locator('#schema-text').textContent()).toContain('"minimum": 1');
    await field.fill('{"type":"order","items":[{"name":"tea","qty":0},{"name":7}]}');
    await page.keyboard.press('Enter');
    const found = page.locator('#send-issues').getByRole('button');
    await found.first().waitFor();
    expect(await found.allTextContents()).toEqual([
      'line 6, items.0.qty: too_small',
      'line 9, items.1.name: string',
      'line 8, items.1.qty: number',
    ]);
    expect(await page.locator('#send-result').textContent()).toContain('EVENT_INVALID');
    expect(await violations(page)).toEqual([]);
    await found.first().click();
    const selected = 'String(getSelection())';
    expect(await page.evaluate<string>(selected)).toBe('      "qty": 0');
    await field.fill('{"type":"order","items":[{"name":"tea","qty":2}]}');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#send-result').textContent(), patience).toBe('Handled.');
    expect(await found.count()).toBe(0);
    const heard = await orders.ask({ type: 'heard' });
    expect(heard).toEqual([{ type: 'order', items: [{ name: 'tea', qty: 2 }] }]);
    // An agent that says nothing of its events takes any, and has nothing to offer.
    await row(page, 'risk/desk').click();
    await types.waitFor({ state: 'hidden' });
    expect(withoutRefusals(problems)).toEqual([]);
  });

  test('what threads say of their events is shown as text, and only so much of it', async () => {
    const markup = '<img src="/x" onerror="document.title = 1">';
    const fields = { title: markup, properties: { a: { default: markup } }, more: 'm'.repeat(100_000) };
    const { inspector } = await crowd(1, {
      accepts: async () => ({ [markup]: fields, ...Object.fromEntries(manyTypes(5000)) }),
      async send() {
        const issues = [{ path: [markup], expected: markup }];
        throw new HoldfastError('EVENT_INVALID', markup, { issues });
      },
      replay: async () => {},
      act: async () => undefined,
    });
    const { page, problems } = await open(inspector.link());
    await row(page, 'worker/0').first().click();
    const types = page.getByLabel('Events that the agent accepts');
    await types.waitFor();
    expect(await types.locator('option').count()).toBe(201);
    await types.selectOption(markup);
    const shown = page.locator('#schema-text');
    await expect.poll(() => shown.textContent(), patience).toContain('onerror');
    expect((await shown.textContent())?.length).toBeLessThan(21_000);
    await page.getByLabel('Event to send').press('Enter');
    await expect.poll(() => page.locator('#send-issues').textContent(), patience).toContain('onerror');
    expect(await page.locator('#actor img').count()).toBe(0);
    expect(withoutRefusals(problems)).toEqual([]);
  });

  test('all of it can be done with the keyboard', async () => {
    const { link } = await desk();
    const { page, problems } = await open(link);
    await row(page, 'data/btc').waitFor();
    await page.keyboard.press('t');
    await page.keyboard.press('Home');
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('supervisor');
    for (let n = 0; n < 3; n += 1) await page.keyboard.press('ArrowDown');
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('data/btc');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toContain('thread:1');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => row(page, 'data/btc').count(), patience).toBe(0);
    await page.keyboard.press('ArrowRight');
    await row(page, 'data/btc').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('risk/');
    await expect.poll(() => row(page, 'data/btc').count(), patience).toBe(0);
    await row(page, 'risk/desk').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('3');
    await expect
      .poll(() => page.locator('.tables [aria-selected=true]').getAttribute('data-tab'), patience)
      .toBe('secrets');
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('d');
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
    expect(problems).toEqual([]);
  });

  test('a page that is loaded again goes on; its link is in no history, and another tab needs one of its own', async () => {
    const { runtime, link } = await desk();
    const { page, problems } = await open(link);
    await row(page, 'data/btc').waitFor();
    expect(new URL(page.url()).search).toBe('');
    await page.reload();
    await row(page, 'data/btc').waitFor();
    await row(page, 'risk/desk').click();
    await page.getByLabel('Event to send').fill('{"type":"told","value":"after"}');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#context').textContent(), patience).toContain('"after"');
    expect(problems).toEqual([]);
    const other = await page.context().newPage();
    await other.goto(page.url());
    await expect.poll(() => other.locator('#notice').textContent(), patience).toContain('holdfast inspect');
    expect(await row(other, 'data/btc').count()).toBe(0);
    await other.goto(runtime.inspector?.link() ?? '');
    await row(other, 'data/btc').waitFor();
    expect(await other.locator('#notice').isVisible()).toBe(false);
  });

  test('another server of this machine is sent nothing that opens the page', async () => {
    const { link } = await desk();
    const { page } = await open(link);
    await row(page, 'data/btc').waitFor();
    const got: IncomingMessage[] = [];
    const other = createServer((request, response) => {
      got.push(request);
      response.setHeader('Content-Type', 'text/html').end('<title>Other</title>');
    });
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const tab = await page.context().newPage();
    for (const host of ['127.0.0.1', 'localhost']) await tab.goto(`http://${host}:${port}/`);
    // In the tab of the page too.
    await page.goto(`http://127.0.0.1:${port}/`);
    expect(got.filter(({ url }) => url === '/').length).toBeGreaterThanOrEqual(3);
    expect(got.flatMap(({ headers }) => [headers.cookie, headers.authorization])).toEqual(
      got.flatMap(() => [undefined, undefined]),
    );
    expect(JSON.stringify(got.map(({ headers }) => headers))).not.toContain(new URL(link).host);
    expect(await page.context().cookies()).toEqual([]);
    // All that it was sent, sent by itself to the inspector.
    for (const { headers } of got) {
      const sent: OutgoingHttpHeaders = { ...headers, host: new URL(link).host };
      const answers = ['/events', '/send', '/accepts', '/replay'].map(async (path) => {
        const asked = request(new URL(path, link), {
          method: path === '/events' ? 'GET' : 'POST',
          headers: sent,
        });
        asked.end('{}');
        const [answer] = (await once(asked, 'response')) as [IncomingMessage];
        answer.destroy();
        return answer.statusCode;
      });
      for (const status of await Promise.all(answers)) expect([401, 403]).toContain(status);
    }
  });

  test('a page of another server that opens WebSockets to whatever of the inspector gets none, and ends nothing', async () => {
    const { link } = await desk();
    const { page } = await open(link);
    await row(page, 'data/btc').waitFor();
    const other = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html').end('<title>Other</title>');
    });
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const tab = await page.context().newPage();
    await tab.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    const paths = JSON.stringify(['//', '///', '/%', '/relay', '/relay?token=x', '//127.0.0.1/relay']);
    const told = await tab.evaluate<string[]>(`Promise.all(${paths}.map((path) => new Promise((resolve) => {
      const socket = new WebSocket('ws://${new URL(link).host}' + path);
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    })))`);
    expect(told).toEqual(Array.from({ length: 6 }, () => 'refused'));
    await page.reload();
    await row(page, 'data/btc').waitFor();
  });

  test('a pause holds the moment; what happens meanwhile waits, and is there when the page goes on', async () => {
    const { runtime, data, link } = await desk();
    const { page, problems } = await open(link);
    await row(page, 'data/btc').click();
    await expect.poll(() => page.locator('#actor-state').textContent(), patience).toBe('idle');
    await page.keyboard.press('p');
    await expect.poll(() => page.locator('#feed').textContent(), patience).toContain('held');
    data.send({ type: 'go' });
    await runtime.spawn('data', { id: 'eth' });
    await expect.poll(() => page.locator('#feed').textContent(), patience).toMatch(/[1-9]\d* since/);
    expect(await row(page, 'data/eth').count()).toBe(0);
    expect(await page.locator('#actor-state').textContent()).toBe('idle');
    await page.getByRole('button', { name: 'Resume' }).click();
    await row(page, 'data/eth').waitFor();
    await expect.poll(() => page.locator('#actor-state').textContent(), patience).toBe('done');
    await expect.poll(() => page.locator('#timeline').textContent(), patience).toContain('→ done');
    expect(problems).toEqual([]);
  });

  test('axe finds nothing to mend, light and dark', async () => {
    const { trader, link } = await desk();
    const { page } = await open(link);
    await row(page, 'risk/desk').waitFor();
    await toldUntilDrawn(page, trader);
    await page.locator('#panel-threads td').first().waitFor();
    expect(await violations(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await violations(page)).toEqual([]);
  });

  test('a row that is drawn anew while it is clicked is chosen', async () => {
    const { inspector } = await crowd(3);
    const { page } = await open(inspector.link());
    await row(page, 'worker/2').hover();
    await page.evaluate(`window.pressed = document.querySelector('[data-id="worker/2"]')`);
    await page.mouse.down();
    await expect.poll(() => page.evaluate('pressed.isConnected'), patience).toBe(false);
    await page.mouse.up();
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('worker/2');
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('worker/1');
    await page.evaluate(`document.querySelector('[data-id="worker/0"]').click()`);
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('worker/0');
    // Where nothing happens, a picture is asked for with each look at the clock, and not with each frame of the screen.
    const asked = await page.evaluate<number>(`new Promise((resolve) => {
      const ask = requestAnimationFrame;
      let asked = 0;
      window.requestAnimationFrame = (draw) => ask(draw, (asked += 1));
      setTimeout(() => resolve(asked), 1000);
    })`);
    expect(asked).toBeLessThan(15);
  });

  test('2,000 actors are in the tree, of which only those to be seen are drawn', async () => {
    const { inspector } = await crowd(2000);
    const { page, problems } = await open(inspector.link());
    await row(page, 'worker/0').first().waitFor();
    expect(await page.getByRole('treeitem').count()).toBeLessThan(60);
    await page.keyboard.press('t');
    // Names come in parts.
    const last = async (): Promise<string | null> => {
      await page.keyboard.press('End');
      return page.locator('#actor-name').textContent();
    };
    await expect.poll(last, patience).toBe('worker/1999');
    expect(await row(page, 'worker/1999').getAttribute('aria-posinset')).toBe('2000');
    await page.keyboard.press('/');
    await page.keyboard.type('worker/1234');
    await expect.poll(() => page.getByRole('treeitem').count(), patience).toBe(4);
    expect(problems).toEqual([]);
  });

  test("Stately's page gets all of it through the relay's frame, when it says that it listens", async () => {
    const runtime = await start({ agents: { data: fixture('inspected') } }, { inspect: 'stately' });
    await runtime.spawn('data', { id: 'btc' });
    const { page } = await openPage(browser);
    onTestFinished(() => page.context().close());
    // Stands in for stately.ai, which tests cannot reach: it says that it listens, and keeps what it is told.
    const body = `<script>
    window.told = [];
    addEventListener('message', ({ data }) => told.push(data));
    parent.postMessage({ type: '@statelyai.connected' }, '*');
  </script>`;
    await page.route('https://stately.ai/inspect', (route) =>
      route.fulfill({ contentType: 'text/html', body }),
    );
    await page.goto(runtime.inspector?.link() ?? '');
    const hosted = page.frameLocator('#inspector').locator('html');
    const told = (): Promise<InspectionEvent[]> => hosted.evaluate('window.told');
    await expect
      .poll(async () => (await told()).map(({ sessionId }) => sessionId), patience)
      .toContain('data/btc');
    (await runtime.spawn('data', { id: 'eth' })).send({ type: 'go' });
    const states = async (): Promise<unknown[]> =>
      (await told()).flatMap((event) =>
        event.type === '@xstate.snapshot' && event.sessionId === 'data/eth' ? [event.snapshot.value] : [],
      );
    await expect.poll(states, patience).toContain('done');
    const known = new Set<string>();
    for (const event of await told()) {
      if (event.type === '@xstate.actor') known.add(event.sessionId);
      expect(known).toContain(event.sessionId);
    }
    await page.reload();
    await expect
      .poll(async () => (await told()).map(({ sessionId }) => sessionId), patience)
      .toContain('data/eth');
  });
});
