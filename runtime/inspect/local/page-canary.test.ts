import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { fixture, start } from '../../fixtures/start.ts';
import { hasBrowser, launch, openPage } from './fixtures/browser.ts';

let browser: Browser;
beforeAll(async () => {
  if (hasBrowser) browser = await launch();
});
afterAll(async () => {
  if (hasBrowser) await browser.close();
});

const patience = { timeout: 60_000 };
const canary = 'CANARY-record-c40e "5" <é>';
/** As texts of it can stand in documents, storages, addresses and memory. */
const forms = [
  canary,
  JSON.stringify(canary).slice(1, -1),
  JSON.stringify(JSON.stringify(canary)).slice(3, -3),
  canary.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  canary.replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  encodeURIComponent(canary),
  new URLSearchParams({ '': canary }).toString().slice(1),
  Buffer.from(canary).toString('base64'),
  Buffer.from(canary).toString('hex'),
];

const found = (text: string): string[] => forms.filter((form) => text.includes(form));

/** Where the value was found, in which form. */
const foundIn = (places: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(places).flatMap(([where, text]) =>
    found(text).map((form): [string, string] => [where, form]),
  );

/** Keeps, before the page runs, all that the page gets from the server. */
const KEEP_FRAMES = `(() => {
  const decoder = new TextDecoder();
  window.frames_ = [];
  const { read } = ReadableStreamDefaultReader.prototype;
  ReadableStreamDefaultReader.prototype.read = async function () {
    const chunk = await read.call(this);
    if (chunk.value !== undefined) frames_.push(decoder.decode(chunk.value, { stream: true }));
    return chunk;
  };
})()`;

/** What the page shows, what it was sent, what stays in the browser, and every text in its memory. */
async function everything(
  page: Page,
): Promise<{ readonly [where in 'shown' | 'frames' | 'kept' | 'memory']: string }> {
  const shown = await page.evaluate<string>(
    `document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea, select')].map(({ value }) => value).join('\\n') + document.title`,
  );
  const frames = await page.evaluate<string>(`frames_.join('')`);
  const kept = await page.evaluate<string>(
    `JSON.stringify([location.href, history.state, document.cookie, Object.entries(localStorage), Object.entries(sessionStorage)])`,
  );
  const devtools = await page.context().newCDPSession(page);
  const chunks: string[] = [];
  devtools.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => void chunks.push(chunk));
  await devtools.send('HeapProfiler.takeHeapSnapshot');
  await devtools.detach();
  const { strings } = JSON.parse(chunks.join('')) as { strings: string[] };
  return { shown, frames, kept, memory: strings.join('\n') };
}

describe.skipIf(!hasBrowser)('the record of an actor', () => {
  test('holds no value of a secret, whatever the agent did with it: not on the page, not in its frames, not in what it keeps', async () => {
    vi.stubEnv('RECORD_CANARY', canary);
    onTestFinished(() => void vi.unstubAllEnvs());
    const runtime = await start(
      {
        externalSecrets: { provider: 'env' },
        agents: {
          blabbing: fixture('blabbing', {
            secrets: { key: { ref: 'RECORD_CANARY', mode: 'reveal', unsafe: true } },
            supervision: { intensity: { restarts: 0, withinMs: 60_000 } },
          }),
        },
      },
      { inspect: { allowSend: true } },
    );
    const ref = await runtime.spawn('blabbing', { id: 'a' });
    for (let known: unknown = false; known !== true;) known = await ref.ask({ type: 'knows' });

    const { page, problems } = await openPage(browser);
    onTestFinished(() => page.context().close());
    await page.addInitScript(KEEP_FRAMES);
    await page.goto(runtime.inspector?.link() ?? '');
    await page.getByRole('treeitem').filter({ hasText: 'blabbing/a' }).click();
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('blabbing/a');

    const timeline = page.locator('#timeline');
    // On a busy machine an event may be left out: each is sent until it is there.
    const tell = async (event: { readonly type: string; readonly [field: string]: unknown }, as: string) => {
      const shown = async (): Promise<string | null> => {
        await ref.deliver({ ...event, as });
        return timeline.textContent();
      };
      await expect.poll(shown, patience).toContain(as);
    };
    await tell(
      { type: 'keep', [canary]: { deep: [`see ${canary}`, Buffer.from(canary).toString('base64')] } },
      'kept',
    );
    await expect.poll(() => page.locator('#context').textContent(), patience).toContain('"deep"');
    await tell({ type: 'forget', by: canary }, 'forgot');
    await tell({ type: canary }, 'its type');
    await tell({ type: 'emit' }, 'emitted');
    await tell({ type: 'send.nowhere' }, 'sent nowhere');
    // It fails with an error that has the value, and so has what it invoked.
    ref.send({ type: 'invoke' });
    await expect.poll(() => page.locator('#problem').textContent(), patience).toContain('RangeError');

    // Each moment is looked at, and each place in which what it carries is shown.
    const moments: string[] = [];
    const moment = page.locator('#moment');
    const count = (await timeline.getByRole('option').count()) + 1;
    for (let n = 0; n < count; n += 1) {
      await page.keyboard.press('j');
      await expect.poll(() => moment.isVisible(), patience).toBe(true);
      moments.push((await moment.innerHTML()) + (await page.locator('#context').innerHTML()));
    }
    for (const tab of ['Dead letters', 'Secrets', 'Threads']) {
      await page.getByRole('tab', { name: tab }).click();
      await page.locator('.tables table').filter({ visible: true }).waitFor();
      moments.push(await page.content());
    }
    await page.getByLabel('Search events of the actor').fill('kept');
    const before = { ...(await everything(page)), moments: moments.join('\n') };
    expect(foundIn(before)).toEqual([]);
    // They hold what was done, so they would hold the value.
    for (const where of ['shown', 'frames', 'memory', 'moments'] as const)
      expect(before[where]).toContain('redacted:secret');
    await page.reload();
    await expect.poll(() => page.locator('#problem').textContent(), patience).toContain('RangeError');
    expect(foundIn(await everything(page))).toEqual([]);
    expect(problems).toEqual([]);
  });
});
