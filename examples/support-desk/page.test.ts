import { expect, onTestFinished, test } from 'vitest';
import {
  hasBrowser,
  launch,
  openPage as openInBrowser,
} from '../../runtime/inspect/local/fixtures/browser.ts';
import type { Desks, Seen } from './desks.ts';
import { openPage } from './page.ts';

/** Desks without agents: what they tell is told by the test. */
async function served() {
  const followers = new Set<(seen: Seen) => void>();
  const said: string[][] = [];
  const desks = {
    async say(...what: string[]) {
      said.push(what);
    },
    follow(listener: (seen: Seen) => void) {
      followers.add(listener);
      return () => followers.delete(listener);
    },
  } as unknown as Desks;
  const page = await openPage(desks, () => {});
  onTestFinished(() => page.close());
  const tell = (address: string, what: Seen['what'], text: string): void => {
    for (const follower of followers) follower({ at: 0, address, what, text });
  };
  return { ...page, said, tell };
}

test.skipIf(!hasBrowser)(
  'the page shows each token as it comes, and what is said on it reaches a desk',
  async () => {
    const { url, said, tell } = await served();
    tell('orders/ada', 'said', 'Where is my kettle?');
    tell('orders/ada', 'token', '<b>On');
    const browser = await launch();
    onTestFinished(() => browser.close());
    const { page, problems } = await openInBrowser(browser);
    await page.goto(url);
    const ada = page.locator('section', { hasText: 'orders/ada' });
    // What was told before it came, and what a model says is text.
    await ada.getByText('<b>On', { exact: true }).waitFor();
    tell('orders/ada', 'token', ' its way.');
    await ada.getByText('<b>On its way.', { exact: true }).waitFor();
    tell('repairs/linus', 'restarting', 'hang');
    await page.getByText('restarting: hang').waitFor();

    await ada.getByLabel('What the customer says').fill('Thank you.');
    await ada.getByRole('button').click();
    await expect.poll(() => said).toEqual([['orders', 'ada', 'Thank you.']]);
    await ada.getByLabel('What the customer says').fill('Bye.');
    await ada.getByLabel('What the customer says').press('Enter');
    await expect.poll(() => said.at(-1)).toEqual(['orders', 'ada', 'Bye.']);
    expect(problems).toEqual([]);
  },
);

test('what does not come from the page itself is refused', async () => {
  const { url, said } = await served();
  const say = (body: string, headers: Record<string, string>): Promise<number> =>
    fetch(`${url}say`, { method: 'POST', body, headers }).then(({ status }) => status);
  const right = JSON.stringify({ desk: 'orders', customer: 'ada', text: 'Hello' });
  const json = { 'content-type': 'application/json' };
  expect(await say(right, { 'content-type': 'text/plain' })).toBe(400);
  expect(await say('{"desk":"safe","customer":"ada","text":"Hello"}', json)).toBe(400);
  expect(said).toEqual([]);
  expect(await say(right, json)).toBe(202);
  expect((await fetch(`${url}other`)).status).toBe(404);
});
