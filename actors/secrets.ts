import { setup, type ActorRefFrom } from 'xstate';
import {
  secretEntryMachine,
  type SecretEntryContext,
  type SecretEntryFetched,
  type SecretEntrySpec,
  type SecretNews,
} from './secret-entry.ts';

export type SecretEntryRef = ActorRefFrom<typeof secretEntryMachine>;

export interface SecretsContext {
  /** The entries by key. Born at the first grant or need, and kept: a config declares finitely many. */
  readonly entries: Readonly<Record<string, SecretEntryRef>>;
  /** By instance address: the keys it holds grants for, once for each grant. */
  readonly grants: Readonly<Record<string, readonly string[]>>;
}

export type SecretsEvent =
  /** Somebody waits for this secret. */
  | { type: 'secret.need'; readonly entry: SecretEntrySpec }
  /** Fetch this secret now, also when it is fresh or its failure is held. */
  | { type: 'secret.refresh'; readonly entry: SecretEntrySpec }
  /** An instance lives and may use these; replaces what it was granted before. */
  | { type: 'grant.open'; readonly address: string; readonly entries: readonly SecretEntrySpec[] }
  /** The instance is gone. Unknown addresses are ignored. */
  | { type: 'grant.close'; readonly address: string }
  /** Ends the actor and its entries. */
  | { type: 'secrets.stop' }
  | SecretEntryFetched;

export type SecretsEmitted =
  /** What those who are granted the secret are to hear; of a version, when the vault holds it. */
  | { type: 'news'; readonly key: string; readonly news: SecretNews }
  /** An entry broke and was put back cold; who waits for it must be told. */
  | { type: 'entry.lost'; readonly key: string };

const parts = setup({
  types: {
    context: {} as SecretsContext,
    events: {} as SecretsEvent,
    emitted: {} as SecretsEmitted,
  },
  actors: { entry: secretEntryMachine },
  guards: {
    changed: ({ event }) => event.type === 'entry.fetched' && event.change !== undefined,
  },
});

/** Makes the entries that are not there yet. */
const ensureEntries = parts.assign(({ context, event, spawn }) => {
  const wanted = 'entry' in event ? [event.entry] : 'entries' in event ? event.entries : [];
  const entries = { ...context.entries };
  for (const spec of wanted) entries[spec.key] ??= spawn('entry', { id: spec.key, input: spec });
  return { entries };
});

const passOn = parts.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'secret.need' && event.type !== 'secret.refresh') return;
  const entry = context.entries[event.entry.key];
  if (entry !== undefined) enqueue.sendTo(entry, { type: event.type });
});

/** Opens before it closes: a restarted instance must not leave its secrets unheld for a moment. */
const changeGrants = parts.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'grant.open' && event.type !== 'grant.close') return;
  const { [event.address]: before = [], ...others } = context.grants;
  const after = event.type === 'grant.open' ? event.entries.map((spec) => spec.key) : [];
  for (const key of after) tell(key, 'grant.opened');
  for (const key of before) tell(key, 'grant.closed');
  enqueue.assign({ grants: after.length > 0 ? { ...others, [event.address]: after } : others });

  function tell(key: string, type: 'grant.opened' | 'grant.closed'): void {
    const entry = context.entries[key];
    if (entry !== undefined) enqueue.sendTo(entry, { type });
  }
});

const emitNews = parts.enqueueActions(({ event, enqueue }) => {
  if (event.type !== 'entry.fetched' || event.change === undefined) return;
  const { key, epoch, versionId, previousVersionId, change: cause } = event;
  const before = previousVersionId === undefined ? {} : { previousVersionId };
  enqueue.emit({ type: 'news', key, news: { type: 'rotated', epoch, versionId, ...before, cause } });
});

/** An entry that threw starts again, cold, with its epoch; one broken secret must not end the others. */
const replaceBroken = parts.enqueueActions(({ context, event, enqueue }) => {
  const key = (event as { actorId?: string }).actorId ?? '';
  const broken = context.entries[key];
  if (broken === undefined) return;
  const last: SecretEntryContext = broken.getSnapshot().context;
  const { provider, id, stage, ttlMs, epoch, versionId, seen } = last;
  const holders = Object.values(context.grants)
    .flat()
    .filter((held) => held === key).length;
  enqueue.stopChild(broken);
  enqueue.assign(({ spawn }) => ({
    entries: {
      ...context.entries,
      [key]: spawn('entry', {
        id: key,
        input: { key, provider, id, stage, ttlMs, holders, known: { epoch, versionId, seen } },
      }),
    },
  }));
  enqueue.emit({ type: 'entry.lost', key });
});

/**
 * The secrets actor: one entry for each secret that somebody is granted or needs, and who holds grants for
 * which. It knows versions and addresses, never a value; who may do what is the broker's business.
 */
export const secretsMachine = parts.createMachine({
  id: 'secrets',
  context: { entries: {}, grants: {} },
  initial: 'running',
  states: {
    running: {
      on: {
        'secret.need': { actions: [ensureEntries, passOn] },
        'secret.refresh': { actions: [ensureEntries, passOn] },
        'grant.open': { actions: [ensureEntries, changeGrants] },
        'grant.close': { actions: changeGrants },
        'entry.fetched': { guard: 'changed', actions: emitNews },
        'xstate.error.actor.*': { actions: replaceBroken },
        'secrets.stop': 'stopped',
      },
    },
    stopped: { type: 'final' },
  },
});
