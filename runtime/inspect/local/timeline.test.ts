import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { violations } from './fixtures/axe.ts';
import { hasBrowser, launch, openPage } from './fixtures/browser.ts';
import { crowd } from './fixtures/crowd.ts';

let browser: Awaited<ReturnType<typeof launch>>;
beforeAll(async () => {
  if (hasBrowser) browser = await launch();
});
afterAll(async () => {
  if (hasBrowser) await browser.close();
});

const patience = { timeout: 20_000 };
const machine = {
  config: {
    id: 'order',
    initial: 'open',
    states: { open: { on: { pay: 'paid' } }, paid: { on: { send: 'sent' } }, sent: {} },
  },
  value: 'open',
};

async function open(options: Parameters<typeof openPage>[1] = {}) {
  const { inspector, turn, say } = await crowd(2, undefined, { 'orders/7': machine }, { now: () => 0 });
  const { page, problems } = await openPage(browser, options);
  onTestFinished(() => page.context().close());
  await page.goto(inspector.link());
  await page.getByRole('treeitem').filter({ hasText: 'orders/7' }).click();
  await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('orders/7');
  await expect.poll(() => page.locator('.chart').count(), patience).toBe(1);
  return { page, problems, turn, say };
}

const active = (page: Page): Promise<unknown> =>
  page.evaluate(`[...document.querySelectorAll('.chart-state.active')].map((state) => state.dataset.state)`);
const rows = (page: Page) => page.locator('#timeline [role=option]');

describe.skipIf(!hasBrowser)('the time line', () => {
  test('an earlier line is a moment: the chart and the context show it, also while more happens, until the reader goes back to now', async () => {
    const { page, problems, turn } = await open();
    turn(
      'orders/7',
      [
        { type: 'pay', by: 'Acme' },
        { value: 'paid', context: { paid: 12, card: '[secret]' } },
      ],
      [{ type: 'send' }, { value: 'sent', context: { paid: 12, card: '[secret]', at: 'noon' } }],
    );
    await expect.poll(() => active(page), patience).toEqual(['order', 'order.sent']);
    await expect
      .poll(() => rows(page).allTextContents(), patience)
      .toEqual([
        expect.stringContaining('sendpaid → sent'),
        expect.stringContaining('payopen → paid{"by":"Acme"}'),
      ]);
    await rows(page).filter({ hasText: 'pay' }).click();
    await expect.poll(() => active(page), patience).toEqual(['order', 'order.paid']);
    expect(await page.locator('#actor-state').textContent()).toBe('paid');
    const context = page.locator('#context');
    expect(JSON.parse((await context.textContent()) ?? '')).toEqual({ paid: 12, card: '[secret]' });
    const moment = page.locator('#moment');
    expect(await moment.textContent()).toContain('open → paid');
    expect(await moment.locator('.json').first().textContent()).toContain('by: "Acme"');

    turn('orders/7', [{ type: 'back' }, { value: 'open', context: { again: true } }]);
    await expect.poll(() => rows(page).count(), patience).toBe(3);
    expect(await active(page)).toEqual(['order', 'order.paid']);
    await page.keyboard.press('k');
    await expect.poll(() => active(page), patience).toEqual(['order', 'order.sent']);
    expect(await moment.locator('.change').allTextContents()).toEqual(['at+"noon"']);
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('l');
    await expect.poll(() => active(page), patience).toEqual(['order', 'order.open']);
    expect(await moment.isVisible()).toBe(false);
    await page.getByRole('slider', { name: 'Moment' }).focus();
    for (let n = 0; n < 3; n += 1) await page.keyboard.press('ArrowLeft');
    await expect.poll(() => active(page), patience).toEqual(['order', 'order.paid']);
    expect(await page.getByRole('slider').getAttribute('aria-valuetext')).toMatch(/, pay$/);

    // The address has the moment: a page that is loaded again shows it, and one that has it no more says so.
    await expect.poll(() => page.url(), patience).toMatch(/#actor=orders\/7&moment=event\+\d+$/);
    await page.reload();
    await expect.poll(() => moment.textContent(), patience).toContain('paid');
    await expect.poll(() => active(page), patience).toEqual(['order', 'order.paid']);
    await page.evaluate(`location.hash = location.hash.replace(/moment=.*/, 'moment=gone')`);
    await page.locator('#moment-gone').waitFor();
    expect(await moment.isVisible()).toBe(false);
    expect(problems).toEqual([]);
  });

  test('events are found by what they carry, and repeats are one line that opens', async () => {
    const { page, problems, turn } = await open();
    for (let n = 0; n < 5; n += 1) turn('orders/7', [{ type: 'token', text: `t${n}` }, { value: 'open' }]);
    turn('orders/7', [{ type: 'pay', by: '<img src=x onerror=alert(1)>' }, { value: 'paid' }]);
    await expect
      .poll(() => rows(page).allTextContents(), patience)
      .toEqual([expect.stringContaining('<img'), expect.stringContaining('token ▸ × 5')]);
    await page.getByText('▸ × 5').click();
    await expect.poll(() => rows(page).count(), patience).toBe(6);
    await page.keyboard.press('f');
    await page.keyboard.type('T3');
    await expect.poll(() => rows(page).count(), patience).toBe(1);
    expect(await page.locator('#timeline-count').textContent()).toBe('1 of 6 match');
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await expect.poll(() => page.locator('#moment').textContent(), patience).toContain('"t3"');
    expect(await page.locator('#timeline img, #moment img').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  test.each([1440, 700, 390])(
    'at %i px nothing of it is wider than the page, and the chosen line is in view, of thousands',
    async (width) => {
      const { page, turn } = await open({ width, colorScheme: 'dark' });
      const turns = Array.from({ length: 1500 }, (_, n) =>
        n % 2 === 0
          ? ([{ type: 'pay', n }, { value: 'paid' }] as const)
          : ([{ type: 'back', n }, { value: 'open' }] as const),
      );
      turn('orders/7', ...turns);
      await expect.poll(() => page.locator('#timeline-count').textContent(), patience).toBe('1.5k events');
      expect(await rows(page).count()).toBeLessThan(60);
      await page.locator('#timeline').focus();
      await page.keyboard.press('End');
      await expect.poll(() => page.locator('#moment').isVisible(), patience).toBe(true);
      const places = await page.evaluate<{
        page: number;
        header: number;
        list: [number, number];
        line: [number, number];
      }>(`(() => {
        const edges = (element) => { const { top, bottom } = element.getBoundingClientRect(); return [top, bottom]; };
        const chosen = document.querySelector('#timeline [aria-selected=true]');
        return { page: document.documentElement.scrollWidth, header: document.querySelector('header').clientHeight, list: edges(document.querySelector('#timeline')), line: edges(chosen) };
      })()`);
      expect(places.page).toBeLessThanOrEqual(width);
      // One or two lines, but on a phone.
      expect(places.header).toBeLessThanOrEqual(width >= 700 ? 72 : 160);
      expect(places.line[0]).toBeGreaterThanOrEqual(places.list[0] - 1);
      expect(places.line[1]).toBeLessThanOrEqual(places.list[1] + 1);
      expect(places.list[1] - places.list[0]).toBeGreaterThan(100);
    },
  );
});
