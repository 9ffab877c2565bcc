import { setup, type ActorRefFrom } from 'xstate';
import { providerBreakerMachine, type BreakerChanged } from './provider-breaker.ts';
import {
  secretEntryMachine,
  type SecretEntryContext,
  type SecretEntryEvent,
  type SecretEntryNews,
  type SecretEntrySpec,
  type SecretFetchCause,
  type SecretNews,
} from './secret-entry.ts';

export type SecretEntryRef = ActorRefFrom<typeof secretEntryMachine>;
export type ProviderBreakerRef = ActorRefFrom<typeof providerBreakerMachine>;

export interface SecretsContext {
  /** The entries by key. Born at the first grant or need, and kept: a config declares finitely many. */
  readonly entries: Readonly<Record<string, SecretEntryRef>>;
  /** By the alias of the provider, born with its first entry. */
  readonly breakers: Readonly<Record<string, ProviderBreakerRef>>;
  /** By instance address: the keys it holds grants for, once for each grant. */
  readonly grants: Readonly<Record<string, readonly string[]>>;
}

export type SecretsEvent =
  /** Somebody waits for each of these. */
  | { type: 'secret.need'; readonly entries: readonly SecretEntrySpec[] }
  /** Fetch this secret now, also when it is fresh or its failure is held. */
  | {
      type: 'secret.refresh';
      readonly entry: SecretEntrySpec;
      /** Default `manual`. */
      readonly cause?: SecretFetchCause;
      /** The version that is said to be the current one now. */
      readonly versionId?: string;
    }
  /** The state of an instance knows that version of the secret by that epoch, perhaps from another process. */
  | {
      type: 'secret.seen';
      readonly entry: SecretEntrySpec;
      readonly versionId: string;
      readonly epoch: number;
    }
  /** The value of an entry had to make room for others. */
  | { type: 'value.dropped'; readonly key: string }
  /** An instance lives and may use these; replaces what it was granted before. */
  | { type: 'grant.open'; readonly address: string; readonly entries: readonly SecretEntrySpec[] }
  /** The instance is gone. Unknown addresses are ignored. */
  | { type: 'grant.close'; readonly address: string }
  /** Ends the actor and its entries. */
  | { type: 'secrets.stop' }
  | SecretEntryNews
  | BreakerChanged;

export type SecretsEmitted =
  /** What those who are granted the secret are to hear; of a version, when the vault holds it. */
  | { type: 'news'; readonly key: string; readonly news: SecretNews }
  /** A provider is given up for a time, or is back. */
  | BreakerChanged
  /** An entry broke and was put back; who waits for it must be told. */
  | { type: 'entry.lost'; readonly key: string };

const parts = setup({
  types: {
    context: {} as SecretsContext,
    events: {} as SecretsEvent,
    emitted: {} as SecretsEmitted,
  },
  actors: { entry: secretEntryMachine, breaker: providerBreakerMachine },
});

/** Makes the entries that are not there yet, and the breakers of their providers. */
const ensureEntries = parts.assign(({ context, event, spawn }) => {
  const wanted = 'entry' in event ? [event.entry] : 'entries' in event ? event.entries : [];
  if (wanted.every(({ key }) => context.entries[key] !== undefined)) return {};
  const entries = { ...context.entries };
  const breakers = { ...context.breakers };
  for (const spec of wanted) {
    const { provider } = spec;
    breakers[provider] ??= spawn('breaker', { id: `breaker:${provider}`, input: { provider } });
    entries[spec.key] ??= spawn('entry', {
      id: spec.key,
      input: event.type === 'secret.need' ? { ...spec, needed: true } : spec,
    });
  }
  return { entries, breakers };
});

/** Entries that are made for it know from the beginning that somebody waits. */
const passOnNeeds = parts.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'secret.need') return;
  for (const { key } of event.entries) {
    const entry = context.entries[key];
    if (entry !== undefined) enqueue.sendTo(entry, { type: 'secret.need' });
  }
});

const passOn = parts.enqueueActions(({ context, event, enqueue }) => {
  const told = entryEvent(event);
  if (told === undefined) return;
  const entry = context.entries[told.key];
  if (entry !== undefined) enqueue.sendTo(entry, told.event);
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
  if (event.type === 'breaker.changed') enqueue.emit(event);
  if (event.type !== 'entry.news') return;
  const { key } = event;
  for (const news of event.news) enqueue.emit({ type: 'news', key, news });
});

/** An entry that threw starts again with what it knew; one broken secret must not end the others. */
const replaceBroken = parts.enqueueActions(({ context, event, enqueue }) => {
  const key = (event as { actorId?: string }).actorId ?? '';
  const broken = context.entries[key];
  if (broken === undefined) return;
  const { provider, id, stage, role, ttlMs, maxStaleMs, ...last }: SecretEntryContext =
    broken.getSnapshot().context;
  const { epoch, versionId, past, seen, lastCause, standing } = last;
  const holders = Object.values(context.grants)
    .flat()
    .filter((held) => held === key).length;
  const attempts = Math.max(1, last.attempts);
  const known = { epoch, versionId, past, seen, lastCause, standing, attempts };
  const spec = { key, provider, id, stage, ...(role !== undefined && { role }), ttlMs, maxStaleMs };
  enqueue.stopChild(broken);
  enqueue.assign(({ spawn }) => ({
    entries: { ...context.entries, [key]: spawn('entry', { id: key, input: { ...spec, holders, known } }) },
  }));
  enqueue.emit({ type: 'entry.lost', key });
});

/**
 * The secrets actor: one entry for each secret that somebody is granted or needs, one breaker for each of their
 * providers, and who holds grants for which. It knows versions and addresses, never a value; who may do what is the
 * broker's business.
 */
export const secretsMachine = parts.createMachine({
  id: 'secrets',
  context: { entries: {}, breakers: {}, grants: {} },
  initial: 'running',
  states: {
    running: {
      on: {
        'secret.need': { actions: [passOnNeeds, ensureEntries] },
        'secret.refresh': { actions: [ensureEntries, passOn] },
        'secret.seen': { actions: [ensureEntries, passOn] },
        'value.dropped': { actions: passOn },
        'grant.open': { actions: [ensureEntries, changeGrants] },
        'grant.close': { actions: changeGrants },
        'entry.news': { actions: emitNews },
        'breaker.changed': { actions: emitNews },
        'xstate.error.actor.*': { actions: replaceBroken },
        'secrets.stop': 'stopped',
      },
    },
    stopped: { type: 'final' },
  },
});

function entryEvent(
  event: SecretsEvent,
): { readonly key: string; readonly event: SecretEntryEvent } | undefined {
  if (event.type === 'value.dropped') return { key: event.key, event: { type: event.type } };
  if (event.type !== 'secret.refresh' && event.type !== 'secret.seen') return undefined;
  const { entry, ...told } = event;
  return { key: entry.key, event: told };
}
