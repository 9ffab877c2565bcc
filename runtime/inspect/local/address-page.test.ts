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
const machine = { initial: 'idle', states: { idle: { on: { ASK: 'busy' } }, busy: {} } };

async function desk(hash = '', options: Parameters<typeof openPage>[1] = {}) {
  const all = Array.from({ length: 40 }, (_, n) => [
    `support/c${n}`,
    { config: machine, value: n < 3 ? 'busy' : 'idle' },
  ]);
  const { inspector } = await crowd(3, undefined, Object.fromEntries(all) as never);
  const { page, problems } = await openPage(browser, options);
  onTestFinished(() => page.context().close());
  await page.goto(`${inspector.link()}${hash}`);
  await page.locator('#agents button').first().waitFor();
  return { page, problems };
}

const hash = (page: Page): string => new URL(page.url()).hash;
const name = (page: Page): Promise<string | null> => page.locator('#actor-name').textContent();
const rows = (page: Page): Promise<string[]> => page.locator('.row.instance .name').allTextContents();
const width = (page: Page, id: string): Promise<number> =>
  page.evaluate(`Math.round(document.getElementById('${id}').getBoundingClientRect().width)`);

describe.skipIf(!hasBrowser)('what is looked at', () => {
  test('stands in the address without a secret: one goes back to it, forward, loads it again, and opens it by a link', async () => {
    const { page, problems } = await desk('#actor=support/c7&tab=letters');
    await expect.poll(() => name(page), patience).toBe('support/c7');
    expect(await page.getByRole('tab', { name: 'Dead letters' }).getAttribute('aria-selected')).toBe('true');
    expect(page.url()).not.toContain('token');
    await page.locator('#agents button', { hasText: 'support' }).click();
    await page.locator('[data-tally="busy"]').click();
    await expect.poll(() => hash(page), patience).toBe('#agent=support&state=busy&tab=letters');
    await page.reload();
    await expect.poll(() => page.locator('#fleet-listed').textContent(), patience).toContain('3 of 40');
    await page.locator('.fleet-row', { hasText: 'c1' }).click();
    await expect.poll(() => hash(page), patience).toBe('#actor=support/c1&tab=letters');
    await page.goBack();
    await expect.poll(() => page.locator('#fleet-listed').textContent(), patience).toContain('3 of 40');
    await page.goBack();
    await expect.poll(() => page.locator('#fleet-listed').textContent(), patience).toBe('40 instances');
    await page.goBack();
    await expect.poll(() => name(page), patience).toBe('support/c7');
    await page.goForward();
    await expect.poll(() => page.locator('#fleet').isVisible(), patience).toBe(true);
    // One that is not there is awaited, and none is shown instead.
    await page.evaluate(`location.hash = '#actor=support/none'`);
    await expect.poll(() => name(page), patience).toBe('support/none');
    expect(await page.locator('#chart').textContent()).toContain('not there now');
    // The tree is walked through by keys without an entry for each step.
    await page.evaluate(`location.hash = '#actor=support/c0'`);
    await expect.poll(() => name(page), patience).toBe('support/c0');
    await page.keyboard.press('t');
    for (let n = 0; n < 3; n += 1) await page.keyboard.press('ArrowDown');
    await expect.poll(() => hash(page), patience).toBe('#actor=support/c3');
    await page.goBack();
    await expect.poll(() => name(page), patience).toBe('support/none');
    expect(problems).toEqual([]);
  });

  test('is gone to by its name, and what may be done is done, with the keyboard alone', async () => {
    const { page, problems } = await desk('#actor=support/c7');
    await expect.poll(() => name(page), patience).toBe('support/c7');
    const dialog = page.locator('#palette');
    const found = (): Promise<string[]> => dialog.getByRole('option').allTextContents();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('c39');
    await expect.poll(found, patience).toEqual(['actorsupport/c39']);
    await page.keyboard.press('Enter');
    await expect.poll(() => name(page), patience).toBe('support/c39');
    expect(await dialog.isVisible()).toBe(false);
    // Also while something is typed elsewhere.
    await page.keyboard.press('/');
    await page.keyboard.press('Control+k');
    expect((await found())[0]).toBe('viewThreads1');
    expect(await violations(page)).toEqual([]);
    await page.keyboard.type('support');
    expect((await found())[0]).toBe('agentsupport');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#fleet-name').textContent(), patience).toBe('support');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('nothing of the kind');
    expect(await page.locator('#palette-said').textContent()).toBe('Nothing is called that.');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    expect(await dialog.isVisible()).toBe(false);
    expect(problems).toEqual([]);
  });

  test('is found by one field: by a part of its name at once, by states and more by the runtime, and what cannot be read is said', async () => {
    const { page, problems } = await desk();
    await page.keyboard.press('/');
    await page.keyboard.type('support/c39');
    await expect.poll(() => rows(page), patience).toEqual(['support/c39']);
    const field = page.getByLabel('Find actors');
    await field.fill('state:busy -support/c1');
    const said = page.locator('#filter-said');
    await expect.poll(() => said.textContent(), patience).toBe('0 found');
    await field.fill('state:busy');
    await expect.poll(() => said.textContent(), patience).toBe('3 found');
    expect(await rows(page)).toEqual(['support/c0', 'support/c1', 'support/c2']);
    expect(hash(page)).toContain('find=state%3Abusy');
    // What contexts are searched for is about people: a page that is loaded again has it, and no address.
    await field.fill('context.customer = acme');
    await expect.poll(() => said.textContent(), patience).toBe('0 found');
    expect(page.url()).not.toContain('acme');
    await page.reload();
    await expect.poll(() => field.inputValue(), patience).toBe('context.customer = acme');
    await field.fill('state:busy');
    await expect.poll(() => said.textContent(), patience).toBe('3 found');
    await page.reload();
    await expect.poll(() => said.textContent(), patience).toBe('3 found');
    await field.fill('is:odd');
    await expect.poll(() => said.textContent(), patience).toMatch(/^is: knows quarantined/);
    expect(await violations(page)).toEqual([]);
    await field.fill('');
    await expect.poll(() => rows(page).then(({ length }) => length), patience).toBeGreaterThan(5);
    expect(await said.isVisible()).toBe(false);
    expect(problems).toEqual([]);
  });

  test('has columns that are sized by mouse and keys, which the browser remembers', async () => {
    const { page } = await desk();
    const handle = page.getByRole('separator', { name: 'Width of the tree' });
    const before = await width(page, 'nav');
    const { x = 0, y = 0 } = (await handle.boundingBox()) ?? {};
    await page.mouse.move(x + 3, y + 80);
    await page.mouse.down();
    await page.mouse.move(x + 103, y + 80, { steps: 3 });
    await page.mouse.up();
    expect(await width(page, 'nav')).toBe(before + 100);
    await handle.press('ArrowLeft');
    expect(await width(page, 'nav')).toBe(before + 84);
    await expect.poll(() => handle.getAttribute('aria-valuenow'), patience).toBe(String(before + 84));
    await page.reload();
    await page.locator('#agents button').first().waitFor();
    expect(await width(page, 'nav')).toBe(before + 84);
    // No size makes the page wider than its window.
    for (let n = 0; n < 80; n += 1) await handle.press('ArrowRight');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1440);
    expect(await width(page, 'actor')).toBeGreaterThan(150);
    await handle.press('Enter');
    expect(await width(page, 'nav')).toBe(before);
  });
});
