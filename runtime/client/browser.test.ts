import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { gateway } from '../gateway/fixtures/gateway.ts';
import { hasBrowser, launch, openPage } from '../inspect/local/fixtures/browser.ts';
import { bundled } from './fixtures/bundled.ts';

test('the client is small, and needs nothing besides', async () => {
  const { code, imports } = await bundled('index.ts');
  expect(imports).toEqual([]);
  // 14 KB when this was written.
  expect(code.length).toBeLessThan(20_000);
  const react = await bundled('react.ts', ['react']);
  expect(react.imports).toEqual(['react']);
  expect(react.code.length).toBeLessThan(5000);
});

const page = `<!doctype html><meta charset="utf-8"><title>client</title><script type="module">
  import { connect } from '/client.js';
  const { url, token } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  const agent = connect({ url, token }).agent('metronome/a');
  window.heard = { ticks: [], others: [], statuses: [] };
  window.agent = agent;
  const stream = agent.stream({ only: 'emitted', onStatus: (status) => window.heard.statuses.push(status) });
  for await (const item of stream) {
    if (item.type === 'emitted') window.heard.ticks.push(item.event.n);
    else window.heard.others.push(item.type);
  }
</script>`;

interface Heard {
  readonly ticks: number[];
  readonly others: string[];
  readonly statuses: string[];
}

describe.skipIf(!hasBrowser)('in a browser', () => {
  let browser: Awaited<ReturnType<typeof launch>>;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  /** A page of another origin than the gateway's. */
  async function origin(): Promise<string> {
    const { code } = await bundled('index.ts');
    const server = createServer((request, response) => {
      const [type, body] = request.url === '/client.js' ? ['text/javascript', code] : ['text/html', page];
      response.writeHead(200, { 'content-type': type }).end(request.url === '/favicon.ico' ? '' : body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('two pages follow one stream over restarts of the gateway, and no event is missing or comes twice', async () => {
    const from = await origin();
    const module = fileURLToPath(new URL('../fixtures/metronome.ts', import.meta.url));
    const { front, token, call } = await gateway({
      agents: { metronome: { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module } },
      gateway: { port: 0, reload: false, cors: { origins: [from] } },
    });
    await call('PUT', '/v1/agents/metronome/a');
    const open = async () => {
      const { page, problems } = await openPage(browser, {});
      onTestFinished(() => page.context().close());
      await page.goto(`${from}/#${encodeURIComponent(JSON.stringify({ url: front.url, token }))}`);
      return { heard: (): Promise<Heard> => page.evaluate('window.heard'), page, problems };
    };
    const pages = [await open(), await open()];
    const last = async ({ heard }: (typeof pages)[number]): Promise<number> =>
      (await heard()).ticks.at(-1) ?? 0;
    const goOn = async (): Promise<void> => {
      const reached = Math.max(...(await Promise.all(pages.map(last))));
      for (const one of pages)
        await expect.poll(() => last(one), { timeout: 30_000 }).toBeGreaterThan(reached + 10);
    };
    for (let n = 0; n < 2; n += 1) {
      await goOn();
      expect(await front.restart()).toMatchObject({ instances: 1, lost: [] });
    }
    await goOn();
    await pages[0]?.page.evaluate(`window.agent.send({ type: 'finish' })`);
    for (const { heard } of pages) {
      await expect.poll(async () => (await heard()).others, { timeout: 30_000 }).toEqual(['end']);
      const { ticks, statuses } = await heard();
      const first = ticks[0] ?? 0;
      expect(ticks).toEqual(ticks.map((_, n) => first + n));
      expect(statuses.filter((status) => status === 'open').length).toBe(3);
    }
  });
});
