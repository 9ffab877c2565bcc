import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { violations } from './fixtures/axe.ts';
import { hasBrowser, launch, openPage } from './fixtures/browser.ts';
import { crowd } from './fixtures/crowd.ts';

let browser: Browser;
beforeAll(async () => {
  if (hasBrowser) browser = await launch();
});
afterAll(async () => {
  if (hasBrowser) await browser.close();
});

const patience = { timeout: 60_000 };

const support = {
  initial: 'idle',
  states: {
    idle: { on: { ASK: 'thinking' } },
    thinking: {
      initial: 'model',
      states: { model: { on: { CALL: 'tool' } }, tool: { on: { DONE: 'model' } } },
      on: { FAIL: 'failed' },
    },
    failed: { on: { RETRY: 'thinking' } },
    closed: { type: 'final' },
  },
};

/** 600 instances, of which 60 are in `thinking.tool`, 30 in `thinking.model` and one is quarantined. */
async function desk() {
  const value = (n: number): unknown =>
    n < 60 ? { thinking: 'tool' } : n < 90 ? { thinking: 'model' } : 'idle';
  const address = (n: number): string => `support/c-${String(n).padStart(3, '0')}`;
  const all = Array.from({ length: 600 }, (_, n) => [address(n), { config: support, value: value(n) }]);
  const made = await crowd(1, undefined, Object.fromEntries(all) as never);
  const error = { name: 'TypeError', message: 'no total' };
  const failures = [{ address: address(412), at: Date.now() }];
  const quarantine = { error, failures, restarts: 5, withinMs: 30_000 };
  made.figure(address(412), { state: 'quarantined', restarts: 5, mailbox: 17, quarantine } as never);
  made.figure(address(300), { mailbox: 40 });
  return made;
}

async function open(link: string, options: Parameters<typeof openPage>[1] = {}) {
  const { page, problems } = await openPage(browser, options);
  onTestFinished(() => page.context().close());
  await page.goto(link);
  await page.locator('#agents button', { hasText: 'support' }).click();
  await page.locator('[data-tally="idle"]').waitFor();
  return { page, problems };
}

const row = (page: Page, n: number) => page.locator(`#fleet-row-${n}`);
const tally = (page: Page, state: string) => page.locator(`[data-tally="${state}"]`);

/** Of each count: the pixels by which it stands out of the box of its state. */
const OVERHANG = `Math.max(...[...document.querySelectorAll('#fleet-chart [data-tally]:not([hidden])')].map((tally) => {
  const inner = tally.getBoundingClientRect();
  const boxes = [...document.querySelectorAll('#fleet-chart .chart-state > rect.box')].map((box) => box.getBoundingClientRect());
  return Math.min(...boxes.map((box) => Math.max(box.left - inner.left, inner.right - box.right, box.top - inner.top, inner.bottom - box.bottom)));
}))`;

describe.skipIf(!hasBrowser)('the fleet of an agent', () => {
  test('an agent shows how many instances are in each state on its chart, and a state the instances in it', async () => {
    const { inspector, enter } = await desk();
    const { page, problems } = await open(inspector.link());
    expect(await page.locator('#fleet-total').textContent()).toBe('600 instances on 1 thread');
    await expect.poll(() => tally(page, 'thinking').textContent(), patience).toBe('90');
    expect(await tally(page, 'thinking.tool').textContent()).toBe('60');
    expect(await tally(page, 'closed').isVisible()).toBe(false);
    expect(await page.evaluate(OVERHANG)).toBeLessThan(1);
    // What somebody has to look at comes first, with its error.
    await expect
      .poll(() => row(page, 0).textContent(), patience)
      .toMatch(/c-412quarantined.*175TypeError: no total/);

    await tally(page, 'thinking').click();
    await expect
      .poll(() => page.locator('#fleet-listed').textContent(), patience)
      .toBe('90 of 600 instances in thinking');
    await expect.poll(() => row(page, 0).textContent(), patience).toContain('thinking.tool');
    enter('support/c-000', 'closed');
    await expect.poll(() => tally(page, 'closed').textContent(), patience).toBe('1');
    await expect.poll(() => page.locator('#fleet-listed').textContent(), patience).toContain('89 of 600');

    await page.locator('#fleet-states button', { hasText: 'closed' }).click();
    await expect.poll(() => row(page, 0).textContent(), patience).toContain('c-000closed');
    await row(page, 0).click();
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('support/c-000');
    expect(await page.locator('#fleet').isVisible()).toBe(false);
    expect(problems).toEqual([]);
  });

  test('the list has rows for what is to be seen, is ordered by its headings, and is used by keys', async () => {
    const { inspector } = await desk();
    const { page, problems } = await open(inspector.link());
    await expect.poll(() => row(page, 0).textContent(), patience).toContain('c-412');
    expect(await page.locator('.fleet-row').count()).toBeLessThan(60);
    await page.getByRole('columnheader', { name: 'Mailbox' }).getByRole('button').click();
    await expect.poll(() => row(page, 0).textContent(), patience).toContain('c-300');
    expect(await page.getByRole('columnheader', { name: 'Mailbox' }).getAttribute('aria-sort')).toBe(
      'descending',
    );
    const list = page.locator('#fleet-list');
    await list.focus();
    await page.keyboard.press('End');
    await expect.poll(() => row(page, 599).textContent(), patience).toContain('c-599');
    expect(await list.getAttribute('aria-rowcount')).toBe('601');
    expect(await list.getAttribute('aria-activedescendant')).toBe('fleet-row-599');
    expect(
      await page.evaluate(`(() => {
      const [row, list] = ['fleet-row-599', 'fleet-list'].map((id) => document.getElementById(id).getBoundingClientRect());
      return row.bottom - list.bottom;
    })()`),
    ).toBeLessThan(1);
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#actor-name').textContent(), patience).toBe('support/c-300');
    expect(problems).toEqual([]);
  });

  test.each([
    [1440, 900, 'light'],
    [700, 900, 'dark'],
    [390, 844, 'light'],
  ] as const)(
    'nothing of it is cut at %d × %d, and axe finds nothing to mend, %s',
    async (width, height, colorScheme) => {
      const { inspector } = await desk();
      const { page } = await open(inspector.link(), { width, height, colorScheme });
      await tally(page, 'thinking.tool').click();
      await expect.poll(() => page.locator('#fleet-listed').textContent(), patience).toContain('60 of 600');
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      const heights = await page.evaluate<number[]>(
        `['fleet-chart', 'fleet-list'].map((id) => document.getElementById(id).clientHeight)`,
      );
      for (const height of heights) expect(height).toBeGreaterThan(120);
    },
  );
});
