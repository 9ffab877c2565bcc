import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createScrubber } from '../../secrets/scrub/scrubber.ts';
import type { InstanceStatus, RuntimeStatus } from '../../telling/status.ts';
import type { KnownActor } from '../inspection-hub.ts';
import { parseQuery } from './search-query.ts';
import { mostFound, Search } from './search.ts';

interface Given {
  readonly value?: unknown;
  readonly tags?: readonly string[];
  readonly context?: unknown;
  readonly status?: Partial<InstanceStatus>;
  /** No thread has it. */
  readonly isGone?: true;
}

function rig(given: Readonly<Record<string, Given>>, secrets: readonly string[] = []) {
  const scrubber = createScrubber(systemClock);
  for (const [n, secret] of secrets.entries()) scrubber.learn(`key ${n}`, 'v1', Buffer.from(secret));
  const actors = Object.entries(given).filter(([, { isGone }]) => isGone !== true);
  const known = actors.map(([id, { value, tags, context }]): KnownActor => ({
    id,
    name: id,
    parentId: undefined,
    isInstance: true,
    definition: undefined,
    state: { status: 'active', value, context, ...(tags && { tags }) } as never,
    since: 0,
  }));
  const instances = Object.entries(given).map(([address, { status }]) => ({
    address,
    state: status?.state ?? 'running',
    mailbox: status?.mailbox ?? 0,
    capacity: 10,
    quarantine: status?.quarantine,
  }));
  let [now, step] = [0, 0];
  const search = new Search({
    hub: { actors: () => known.values() as never, scrub: (value) => scrubber.scrub(value) },
    clock: { now: () => (now += step) },
    status: () => ({ instances }) as unknown as RuntimeStatus,
  });
  const never = new AbortController().signal;
  const ids = async (typed: string): Promise<readonly string[] | string> => {
    const found = await search.find(typed, never);
    return 'problem' in found ? found.problem : found.ids;
  };
  return { search, ids, never, slow: (ms: number) => (step = ms) };
}

const fleet = {
  'support/ann': {
    value: { thinking: 'tool' },
    tags: ['busy'],
    context: {
      customer: 'acme',
      name: 'acme ltd',
      items: ['tea', 'rye'],
      order: { total: 120, paid: false },
    },
  },
  'support/bob': {
    value: 'idle',
    context: { customer: 'other', order: { total: 7 } },
    status: { mailbox: 10 },
  },
  'orders/ann': { value: { tool: 'x', other: { thinking: 'y' } } },
  'orders/gone': { isGone: true, status: { state: 'quarantined', quarantine: {} as never } },
} satisfies Readonly<Record<string, Given>>;

test.each([
  ['a part of an address', 'ANN', ['support/ann', 'orders/ann']],
  ['two parts of it', 'ann support', ['support/ann']],
  ['a state, and one that it is in', 'state:thinking.tool', ['support/ann']],
  ['the last key of a state, in any region', 'state:tool', ['support/ann', 'orders/ann']],
  ['no part of a key', 'state:thin', []],
  ['a tag', 'tag:busy', ['support/ann']],
  ['not a tag', 'support -tag:busy', ['support/bob']],
  ['a value in the context', 'context.customer = acme', ['support/ann']],
  ['the same without room', 'context.customer=acme', ['support/ann']],
  ['another value than that', 'context.customer != acme', ['support/bob']],
  ['a value of several words', 'context.name = "acme ltd"', ['support/ann']],
  ['a part of a value', 'context.name ~ LTD', ['support/ann']],
  ['one of a list', 'context.items = rye', ['support/ann']],
  ['a place in a list', 'context.items.0 = tea', ['support/ann']],
  ['a value further down', 'context.order.paid = false', ['support/ann']],
  ['a larger number', 'context.order.total > 7', ['support/ann']],
  ['a number that is at most so large', 'context.order.total <= 7', ['support/bob']],
  ['a field, whatever it is', 'context.items', ['support/ann']],
  ['only what is its own', 'context.constructor', []],
  ['what is wrong', 'is:quarantined', ['orders/gone']],
  ['what has failed', 'is:failed', ['orders/gone']],
  ['a full mailbox', 'is:full', ['support/bob']],
  ['all of it', 'support state:idle is:waiting context.customer = other', ['support/bob']],
  ['nothing', '  ', ['support/ann', 'support/bob', 'orders/ann', 'orders/gone']],
])('a search finds %s', async (_what, typed, wanted) => {
  expect(await rig(fleet).ids(typed)).toEqual(wanted);
});

test.each([
  ['is:odd', /^is: knows quarantined, /],
  ['state:', /^state: lacks/],
  ['context.', /^A path in the context/],
  ['context.a = ', /^context.customer = acme has/],
  ['x '.repeat(13), /at most 12 terms/],
  ['x'.repeat(401), /at most 400 characters/],
])('what cannot be read is said in a sentence: %s', (typed, problem) => {
  expect(parseQuery(typed)).toMatch(problem);
});

test('no search tells whether the value of a secret, or a part of it, was guessed', async () => {
  const canary = 'CANARY-search-51c7';
  const holder = {
    value: { at: canary },
    tags: [`tag ${canary}`, canary],
    context: {
      key: canary,
      header: `Bearer ${canary}`,
      deep: { list: [canary] },
      [canary]: 1,
      packed: Buffer.from(canary).toString('base64'),
    },
  };
  // What nobody has is found as often as what somebody has guessed.
  const { ids } = rig({ [`a/${canary}`]: holder, 'a/holder': holder }, [canary]);
  const part = canary.slice(0, 14);
  const asked = (guess: string): string[] => [
    guess,
    `a/${guess}`,
    `state:at.${guess}`,
    `state:${guess}`,
    `tag:${guess}`,
    `tag:"tag ${guess}"`,
    `context.key = ${guess}`,
    `context.key ~ ${guess}`,
    `context.key != ${guess}`,
    `context.header ~ ${guess}`,
    `context.header = "Bearer ${guess}"`,
    `context.deep ~ ${guess}`,
    `context.deep.list = ${guess}`,
    `context.deep.list.0 = ${guess}`,
    `context.${guess}`,
    `context.${guess} = 1`,
    `-context.${guess}`,
    `context.key > ${guess}`,
    `context.packed ~ ${Buffer.from(guess).toString('base64').slice(0, 12)}`,
  ];
  const answers = async (guess: string) => Promise.all(asked(guess).map((typed) => ids(typed)));
  const wrong = await answers('WRONGX-search-0000');
  expect(await answers(canary)).toEqual(wrong);
  expect(await answers(part)).toEqual(wrong);
  expect(wrong.flat().length).toBeGreaterThan(0);
  expect(JSON.stringify(await ids('a/'))).not.toContain(canary);
  // It is seen that there is something, as on the page.
  expect(await ids('context.key ~ redacted')).toHaveLength(2);
});

test('of many only the first are told, with the number of all', async () => {
  const many = Object.fromEntries(Array.from({ length: 1200 }, (_, n) => [`a/${n}`, {}]));
  const { search, never } = rig(many);
  const found = await search.find('a/', never);
  expect(found).toMatchObject({ total: 1200, isPartial: false });
  expect('ids' in found && found.ids).toHaveLength(mostFound);
});

test('a search that takes too long, or that nobody waits for, ends with what it has', async () => {
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`a/${n}`, {}]));
  const { search, never, slow } = rig(many);
  slow(500);
  const late = await search.find('a/', never);
  expect(late).toMatchObject({ isPartial: true });
  expect('total' in late && late.total).toBeGreaterThan(0);
  slow(6);
  const left = new AbortController();
  const finding = search.find('a/', left.signal);
  left.abort();
  expect(await finding).toMatchObject({ isPartial: true });
});
