import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { violations } from './fixtures/axe.ts';
import { hasBrowser, launch, openPage } from './fixtures/browser.ts';
import { crowd } from './fixtures/crowd.ts';
import { largeMachine } from './fixtures/large-machine.ts';

let browser: Browser;
beforeAll(async () => {
  if (hasBrowser) browser = await launch();
});
afterAll(async () => {
  if (hasBrowser) await browser.close();
});

const patience = { timeout: 60_000 };

const order = {
  id: 'order',
  initial: 'new',
  on: { CANCEL: '.gone' },
  states: {
    new: {
      on: { pay: { target: 'paying', guard: 'isRich', actions: ['charge'] } },
      always: { target: 'paid', guard: 'isFree' },
    },
    paying: {
      initial: 'model',
      entry: ['startSpan'],
      invoke: {
        src: 'bank',
        onDone: 'paid',
        onError: [{ target: 'new', guard: 'retriable' }, { target: 'gone' }],
      },
      after: { 86_400_000: 'new' },
      states: {
        model: { on: { toolCall: 'tool', token: { actions: 'append' } } },
        tool: { invoke: { src: 'runTool', onDone: 'model', onError: 'backoff' } },
        backoff: { after: { RETRY: 'tool' }, on: { RESUME: 'hist' } },
        hist: { type: 'history', history: 'deep' },
      },
    },
    paid: {
      type: 'parallel',
      states: {
        mail: { initial: 'out', states: { out: { on: { SENT: 'sent' } }, sent: { type: 'final' } } },
        stock: { initial: 'held', states: { held: { on: { PICK: 'picked' } }, picked: { type: 'final' } } },
      },
      onDone: 'closed',
    },
    closed: { type: 'final' },
    gone: { type: 'final' },
  },
};

/** How far texts of the chart reach out of the boxes that they stand in, in pixels of the screen. */
const OVERHANG = `Math.max(...[...document.querySelectorAll('.chart-state, .edge-label')].flatMap((group) => {
  const box = group.querySelector(':scope > rect').getBoundingClientRect();
  return [...group.querySelectorAll('text')].map((text) => {
    const { left, right } = text.getBoundingClientRect();
    return Math.max(box.left - left, right - box.right);
  });
}))`;

/** Whether the state is in view, whole. */
const inView = (page: Page, state: string): Promise<boolean> =>
  page.evaluate(`(() => {
  const view = document.querySelector('#chart').getBoundingClientRect();
  const box = document.querySelector('[data-state="${state}"] > rect')?.getBoundingClientRect();
  return box !== undefined && box.left >= view.left && box.right <= view.right + 1 && box.top >= view.top && box.bottom <= view.bottom + 1;
})()`);

const drawn = (page: Page): Promise<string[]> =>
  page.evaluate(`[...document.querySelectorAll('.chart-state')].map(({ dataset }) => dataset.state)`);

const choose = async (page: Page, address: string): Promise<void> => {
  await page.getByRole('treeitem').filter({ hasText: address }).click();
  await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe(address);
};

describe.skipIf(!hasBrowser)('the charts of the page', () => {
  test('a chart opens with its active states in view, follows them until the reader moves it, and again when it is fitted', async () => {
    const { inspector, enter } = await crowd(1, undefined, {
      'order/1': { config: order, value: { paying: 'tool' } },
      'order/2': { config: order, value: 'new' },
      'large/1': { config: largeMachine(), value: { g3: { s2: 's1' } } },
    });
    const { page, problems } = await openPage(browser);
    onTestFinished(() => page.context().close());
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(new URL(request.url()).pathname));
    await page.addInitScript(`{
      window.layouts = 0;
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (message) {
        if (message.cmd === 'layout') window.layouts += 1;
        return postMessage.call(this, message);
      };
    }`);
    await page.goto(inspector.link());

    await choose(page, 'order/1');
    await expect.poll(() => inView(page, 'order.paying.tool'), patience).toBe(true);
    expect(await page.locator('.chart-state.active').count()).toBe(3);
    expect(await page.evaluate(OVERHANG)).toBeLessThanOrEqual(0);
    // What may happen now stands out.
    const live = await page.locator('.edge-label.live').allTextContents();
    expect(live).toContain('done runTool');
    expect(live).not.toContain('RESUME');
    const chart = await page.locator('.chart').textContent();
    for (const text of ['[isRich]', 'always [isFree]', 'entry / startSpan', '↺ token / append', 'parallel'])
      expect(chart).toContain(text);

    enter('order/1', { paid: { mail: 'sent', stock: 'held' } });
    await expect.poll(() => inView(page, 'order.paid.mail.sent'), patience).toBe(true);
    expect(await page.locator('.clock').allTextContents()).toEqual(['']);
    await page.locator('#chart').hover();
    await page.mouse.wheel(-4000, -4000);
    await expect.poll(() => inView(page, 'order.paid.mail.sent'), patience).toBe(false);
    enter('order/1', { paid: { mail: 'sent', stock: 'picked' } });
    await page.locator('.active[data-state="order.paid.stock.picked"]').waitFor();
    expect(await inView(page, 'order.paid.stock.picked')).toBe(false);
    await page.locator('#chart').focus();
    await page.keyboard.press('0');
    await expect.poll(() => inView(page, 'order.paid.stock.picked'), patience).toBe(true);

    // The minimap is there while a part of the chart is out of view, and leads to any other.
    const minimap = page.locator('#minimap');
    expect(await minimap.isVisible()).toBe(false);
    for (let n = 0; n < 4; n += 1) await page.getByRole('button', { name: 'Larger' }).click();
    await minimap.click({ position: { x: 3, y: 40 } });
    await expect.poll(() => inView(page, 'order.paid.stock.picked'), patience).toBe(false);
    await page.getByRole('button', { name: 'Active' }).click();
    await expect.poll(() => inView(page, 'order.paid.stock.picked'), patience).toBe(true);

    await page.getByRole('button', { name: 'Copy as Mermaid' }).click();
    const copied = (): Promise<string> => page.evaluate('navigator.clipboard.readText()');
    await expect.poll(copied, patience).toContain('stateDiagram-v2');
    await page.getByRole('button', { name: 'Copy as SVG' }).click();
    await expect.poll(copied, patience).toContain('<svg');
    // It needs nothing of this page: what an image of it shows has its colours.
    const picture = await copied();
    expect(picture).not.toMatch(/var\(|tabindex|http:\/\/127/);
    const pixels = await page.evaluate<number>(`(async () => {
      const image = new Image();
      image.src = 'data:image/svg+xml,' + encodeURIComponent(await navigator.clipboard.readText());
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      return new Set(new Uint32Array(data.buffer)).size;
    })()`);
    expect(pixels).toBeGreaterThan(8);

    // Closed and opened with the keyboard; the focus stays.
    const paying = page.getByRole('button', { name: 'paying, 4 states' });
    await paying.focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => drawn(page), patience).not.toContain('order.paying.tool');
    expect(await paying.getAttribute('aria-expanded')).toBe('false');
    await page.keyboard.press(' ');
    await expect.poll(() => drawn(page), patience).toContain('order.paying.tool');

    // A delay runs from when its state was entered, if that was seen.
    enter('order/1', { paying: 'tool' });
    await expect.poll(() => page.locator('.clock').textContent(), patience).toBe(' · in 23 h');
    expect(await page.evaluate(OVERHANG)).toBeLessThanOrEqual(0);

    // The layout is the machine's: another instance needs none.
    const layouts = await page.evaluate('layouts');
    await choose(page, 'order/2');
    await page.locator('.active[data-state="order.new"]').waitFor();
    expect(await page.evaluate('layouts')).toBe(layouts);

    expect(await page.locator('.clock').allTextContents()).toEqual(['']);

    await choose(page, 'large/1');
    await expect.poll(() => inView(page, 'large.g3.s2.s1'), patience).toBe(true);
    const open = await drawn(page);
    expect(open.length).toBeLessThan(40);
    expect(open).not.toContain('large.g4.s2');
    enter('large/1', { g4: { s2: 's0' } });
    await expect.poll(() => inView(page, 'large.g4.s2.s0'), patience).toBe(true);
    for (const theme of ['light', 'dark']) {
      await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
      expect(await violations(page)).toEqual([]);
    }
    // On a phone it does not push the page aside.
    await page.setViewportSize({ width: 390, height: 800 });
    await expect.poll(() => inView(page, 'large.g4.s2.s0'), patience).toBe(true);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    // Loaded once, and nothing of it anywhere else.
    expect(requests.filter((path) => path === '/elk-worker.js')).toHaveLength(1);
    expect(problems).toEqual([]);
  });

  test('where a chart cannot be laid out its states are listed, with those that are active, and why', async () => {
    const { inspector, enter } = await crowd(1, undefined, { 'order/1': { config: order, value: 'new' } });
    const { page } = await openPage(browser);
    onTestFinished(() => page.context().close());
    await page.route('**/elk-worker.js', (route) => route.abort());
    await page.goto(inspector.link());
    await choose(page, 'order/1');
    const shown = page.locator('#chart');
    await expect.poll(() => shown.textContent(), patience).toContain('could not be laid out');
    expect(await shown.locator('.chart-names').textContent()).toMatch(/^ordernew.*tool.*gone/);
    enter('order/1', { paying: 'tool' });
    const active = shown.locator('.chart-names .active');
    await expect.poll(() => active.allTextContents(), patience).toEqual(['order', 'paying', 'tool']);
  });
});
