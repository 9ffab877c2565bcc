import { randomUUID } from 'node:crypto';
import type { SecretAnswer, SecretEntrySpec, SecretNews } from '../../actors/secret-entry.ts';
import type { InjectRules, ResolvedGrant } from '../config/resolve.ts';
import { Ending } from '../base/ending.ts';
import { HoldfastError } from '../base/errors.ts';
import type { SeenSecret, SeenSecrets } from '../base/seen-secret.ts';
import type { Audit } from './audit.ts';
import { builtinCapabilities } from './capabilities/builtin-capabilities.ts';
import { createSecretsCache, secretsStopped, type SecretsCacheOptions } from './values/cache.ts';
import { systemClock } from '../base/clock.ts';
import type { Capability } from './capabilities/capability.ts';
import { runCapability } from './capabilities/capability-call.ts';
import { Deadlines } from './deadlines.ts';
import { fetchDeclared, type DeclaredGrants } from './declared-secrets.ts';
import { fetchHostKeys, type HostKeyRefs, type HostKeys, type SecretRef } from './host-keys.ts';
import { fetchHostUrl } from './host-url.ts';
import { isGranted, liveGrants, notGranted, grantedValue, type AskedUse, type LiveGrant } from './grants.ts';
import type { GrantedValue } from './capabilities/granted-value.ts';
import type { FetchAnswer } from './capabilities/fetch-answer.ts';
import { createInjector } from './capabilities/inject.ts';
import type { OpenAnswer } from './capabilities/open-answer.ts';
import type { RouteOptions } from './capabilities/route.ts';
import type { ProviderCalls } from './values/provider-pool.ts';
import { createRotationNotices } from './rotation-notices.ts';
import type { Scrubber } from './scrub/scrubber.ts';
import type { SecretEvent } from './secret-event.ts';
import { handleOf, labelOf, type SecretHandle } from './secret-handle.ts';
import type { SecretProviderStatus, SecretStatus } from './values/secret-status.ts';
import { useSecret, type Caller, type SecretUse } from './secret-use.ts';
import { untilAborted } from '../base/until-aborted.ts';
import type { SecretsActorRef } from './values/secrets-logic.ts';

/** A change of version as the host sees it, once for each secret. */
export type SecretRotation = Omit<SecretEvent, 'type' | 'v' | 'id' | 'handle' | 'label'> & {
  readonly provider: string;
  readonly id: string;
};

export interface SecretsBrokerOptions extends SecretsCacheOptions {
  readonly capabilities?: readonly Capability[];
  /** For tests: the lookup of hosts, and certificates that are trusted besides the system's. */
  readonly inject?: Omit<RouteOptions, 'now'>;
  /** Receives every use and every refused one. Default: not recorded. */
  readonly audit?: Pick<Audit, 'record'> | undefined;
  readonly scrubber?: Pick<Scrubber, 'learn' | 'cover' | 'hold' | 'knows' | 'contains'> | undefined;
  /** Called at each change of version, when the cache holds it. */
  readonly onRotated?: (rotation: SecretRotation) => void;
  /** Called for a problem that nobody else is told of, placeholders included. Default: a process warning. */
  readonly onWarning?: (message: string) => void;
}

/** The host's side of secrets: decides who may use which secret through which capability, and has it used. */
export interface SecretsBroker {
  /** The secrets actor, started. */
  readonly actor: SecretsActorRef;
  /**
   * An incarnation begins: its grants count and their secrets are fetched and kept up to date (not at a TTL of 0).
   * From now on only that incarnation, in its pool, may use them. An incarnation that continues is told where its
   * secrets stand, unless that is what its state has `seen`.
   * @throws {HoldfastError} `CONFIG_INVALID` for an undeclared provider alias, `RUNTIME_STOPPED`
   */
  open(
    holder: Caller & {
      /** The incarnation continues one that has stopped, here or elsewhere. */
      readonly continues?: boolean;
      /** What its state knows of its secrets, where that is kept. */
      readonly seen?: SeenSecrets | undefined;
    },
    grants: readonly ResolvedGrant[],
    notify: (event: SecretEvent) => void,
  ): void;
  /**
   * The incarnation has ended, and another one may follow: its grants end, its calls are rejected with
   * `AGENT_STOPPED`, and its secrets are kept up to date. An unknown address is ignored.
   */
  suspend(address: string): void;
  /**
   * The instance is gone: like `suspend`, and its secrets are no longer kept for it. An unknown address is ignored.
   */
  close(address: string): void;
  /**
   * Runs a capability for an instance. Rejects with `SECRET_NOT_GRANTED`, `SECRET_NOT_FOUND`, `SECRET_DENIED`,
   * `SECRET_UNAVAILABLE`, `SECRET_RATE_LIMITED`, `ASK_TIMEOUT` after 60 s, `AGENT_STOPPED`, `RUNTIME_STOPPED`, the
   * reason of the ending, or what the capability threw.
   */
  call(caller: Caller, capability: string, label: unknown, args: unknown, ending?: Ending): Promise<unknown>;
  /**
   * Sends a request with the secret in its header, as the grant allows it. When the service answers 401, the request
   * is sent once more with another version, if one comes within 5 s. Rejects with `SECRET_NOT_GRANTED`,
   * `SECRET_NOT_FOUND`, `SECRET_DENIED`, `SECRET_UNAVAILABLE`, `SECRET_RATE_LIMITED`, `MESSAGE_TOO_LARGE`,
   * `FETCH_FAILED`, `ASK_TIMEOUT` after 30 s, `AGENT_STOPPED`, `RUNTIME_STOPPED` or the reason of the ending.
   */
  fetch(caller: Caller, label: unknown, request: unknown, ending?: Ending): Promise<FetchAnswer>;
  /**
   * Sends a request like `fetch`, and resolves with its answer when that begins. The use goes on until the body is over,
   * for as long as the service and the ending let it; the body ends with the errors of `fetch`. `upload` is the body of
   * the request where it comes in parts; such a request is sent once only.
   */
  stream(
    caller: Caller,
    label: unknown,
    request: unknown,
    ending: Ending,
    upload?: AsyncIterable<Uint8Array>,
  ): Promise<OpenAnswer>;
  /** Resolves with the value itself, in memory of its own. Rejects as `fetch` does, as far as that applies. */
  reveal(caller: Caller, label: unknown): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Resolves with the handle of the secret, in its current version; calls no provider. Rejects with
   * `SECRET_NOT_GRANTED`.
   */
  handle(caller: Caller, label: unknown): Promise<SecretHandle>;
  /**
   * Fetches the secrets that the config grants: once, before any instance lives. Resolves when the required ones are
   * here.
   * @throws {HoldfastError} naming every required secret that cannot be had, with the code of the first
   */
  prefetch(agents: readonly DeclaredGrants[]): Promise<void>;
  /**
   * Fetches a secret that is in use now. Settles when it is done, or with what is known within 5 s of the last time.
   * Rejects with the codes of `call`.
   */
  refresh(provider: string, id: string): Promise<void>;
  /** Fetches keys of the host itself, and keeps them up to date. Rejects with the codes of `call`. */
  hostKeys(refs: HostKeyRefs): Promise<HostKeys>;
  /**
   * Fetches the url of a database of the host itself, for the caller to overwrite, and keeps it up to date. `isRefused`: what
   * it was before is not taken any more. Rejects with the codes of `call`.
   */
  hostUrl(ref: SecretRef, isRefused: boolean): Promise<Uint8Array>;
  status(): SecretStatus[];
  /** The providers in use. */
  providers(): SecretProviderStatus[];
  /** The number of calls to providers so far. */
  calls(): ProviderCalls;
  /** Ends all calls, overwrites all values, closes the providers. Idempotent; at most 2 s. */
  stop(): Promise<void>;
}

interface Holder extends Caller {
  readonly grants: ReadonlyMap<string, LiveGrant>;
  readonly notify: (event: SecretEvent) => void;
  readonly uses: Set<Ending>;
  /** Whether its incarnation lives. */
  live: boolean;
  /** By label: what its state knows of secrets in trouble, until it is known here where they stand. */
  unmet?: Map<string, SeenSecret>;
}

/** Milliseconds for one call of a capability, and so for how long it keeps its version (DEFAULTS, rotation lease). */
const capabilityDeadlineMs = 60_000;
/** Milliseconds for a request, with all its redirects and its second attempt, and for a reveal. */
const fetchDeadlineMs = 30_000;
/** Milliseconds for which an answer 401 is held back in case another version comes. */
const otherVersionMs = 5_000;
/**
 * The most uses of one instance at one time: as many as Effect lets wait in a mailbox. Each holds a value and a timer.
 */
const mostUses = 4_096;
/** Milliseconds for a use without a provider. */
const handleDeadlineMs = 1_000;

/**
 * Ties the cache and the grants of live instances together. Calls no provider before a grant is opened or fetched.
 *
 * @throws {HoldfastError} `CONFIG_INVALID`: an unknown provider or wrong options, or two capabilities of one name
 */
export function createSecretsBroker(options: SecretsBrokerOptions): SecretsBroker {
  const { clock = systemClock, onRotated, onWarning = processWarning } = options;
  const { audit, scrubber } = options;
  const capabilities = capabilitiesByName(options.capabilities ?? []);
  const cache = createSecretsCache({ ...options, onWarning });
  // Events have whole milliseconds.
  const now = (): number => Math.round(clock.now());
  const injector = createInjector({ ...options.inject, now: () => clock.now() });
  const notices = createRotationNotices(onWarning);
  const holders = new Map<string, Holder>();
  const deadlines = new Deadlines(clock);
  let stopped = false;
  cache.onNews(tellHolders);

  function tellHolders(news: SecretNews, spec: SecretEntrySpec): void {
    const at = now();
    for (const holder of holders.values()) {
      for (const live of holder.grants.values()) {
        if (live.spec.key === spec.key) tell(holder, live, news, at);
      }
    }
    const { type, ...rest } = news;
    if (type !== 'rotated') return;
    try {
      onRotated?.({ provider: spec.provider, id: spec.id, stage: spec.stage, at, ...rest });
    } catch {
      onWarning(`A listener for the rotation of a secret of the provider "${spec.provider}" threw.`);
    }
  }

  function tell(holder: Holder, { grant, spec }: LiveGrant, { type, ...news }: SecretNews, at: number): void {
    // An incarnation that follows is told where everything stands.
    if (!holder.live) return;
    const { label } = grant;
    const before = holder.unmet?.get(label);
    if (before !== undefined) holder.unmet?.delete(label);
    if (before?.trouble === type) return;
    const handle = handleOf(holder.address, label);
    const id = randomUUID();
    notices.push(
      { type: `secret.${type}`, v: 1, id, handle, label, ...news, stage: spec.stage, at },
      (event) => {
        if (holder.live) holder.notify(event);
      },
    );
  }

  /**
   * Tells an incarnation that continues where a secret stands, as soon as that is known, unless it has `seen` that; news
   * that it missed do not matter.
   */
  function greet(holder: Holder, live: LiveGrant, seen: SeenSecret | undefined): void {
    const greeting = (epoch: number, versionId: string, cause: SecretNews['cause'] = 'poll'): void => {
      const version = { epoch, versionId, cause };
      if (seen?.versionId !== versionId) tell(holder, live, { type: 'rotated', ...version }, now());
      if (seen?.trouble !== undefined && cache.known(live.spec)?.trouble === undefined)
        tell(holder, live, { type: 'recovered', ...version }, now());
    };
    const { epoch = 0, versionId, cause, trouble, graceUntil } = cache.known(live.spec) ?? {};
    const isHeld = trouble === undefined || trouble === 'stale';
    if (isHeld && epoch > 0 && versionId !== undefined) greeting(epoch, versionId, cause);
    if (trouble !== undefined && trouble !== seen?.trouble) {
      const version = versionId === undefined ? {} : { versionId };
      const until = graceUntil === undefined ? {} : { graceUntil };
      const last = Math.max(epoch, seen?.epoch ?? 0);
      tell(holder, live, { type: trouble, epoch: last, ...version, cause: cause ?? 'poll', ...until }, now());
    }
    if (epoch > 0 || trouble !== undefined) return;
    if (seen?.trouble !== undefined) (holder.unmet ??= new Map()).set(seen.label, seen);
    atFirst(live, greeting);
  }

  /** Has epochs go on from the one that a state knows. */
  function goOn({ grant, spec }: LiveGrant, seen: SeenSecrets): void {
    const { versionId, epoch = 0 } = seen.seenOf(grant.label) ?? {};
    if (versionId !== undefined) cache.seen(spec, { versionId, epoch });
  }

  /** Calls back when the fetch that holding the secret has begun brings it. */
  function atFirst({ spec }: LiveGrant, fetched: (epoch: number, versionId: string) => void): void {
    if (spec.ttlMs === 0) return;
    const first = cache.need(spec, (answer) => answer.ok && fetched(answer.epoch, answer.versionId));
    first.catch(() => {});
  }

  /** Notes with what an incarnation begins: what it finds there is no news to it. */
  function begin(live: LiveGrant, seen: SeenSecrets): void {
    const { label } = live.grant;
    const begins = (epoch: number, versionId: string | undefined): void =>
      seen.saw({ label, epoch, versionId });
    const { epoch = 0, versionId, trouble } = cache.known(live.spec) ?? {};
    if (trouble !== undefined) return;
    if (epoch > 0) begins(epoch, versionId);
    else atFirst(live, begins);
  }

  /**
   * The reason is made only for those that are told it: its stack costs more than all else of a spawn without secrets.
   */
  function endUses(holder: Holder | undefined, reasonOf: (address: string) => HoldfastError): void {
    if (holder === undefined) return;
    holder.live = false;
    if (holder.uses.size === 0) return;
    const reason = reasonOf(holder.address);
    for (const use of holder.uses) use.end(reason);
  }

  /** Runs a use of a secret, within its time and recorded, if the grant of the caller's incarnation allows it. */
  function underGrant<T>(
    caller: Caller,
    asked: AskedUse,
    how: { readonly deadlineMs: number; readonly ending?: Ending | undefined },
    run: (live: LiveGrant, use: SecretUse) => T | Promise<T>,
  ): Promise<T> {
    const holder = holders.get(caller.address);
    const { deadlineMs, ending = new Ending() } = how;
    const among = holder?.uses;
    const begin = (use: SecretUse): T | Promise<T> => {
      if (stopped) throw secretsStopped();
      const live = holder?.grants.get(asked.label);
      const allowed = isSame(holder, caller) && live !== undefined && isGranted(live, asked);
      if (!allowed || (asked.mode === 'capability' && !capabilities.has(asked.capability ?? ''))) {
        throw notGranted(asked);
      }
      if (holder !== undefined && holder.uses.size > mostUses) throw tooManyUses(caller.address);
      return run(live, use);
    };
    try {
      const used = useSecret({ caller, asked, clock, deadlines, audit, deadlineMs, ending, among }, begin);
      return used instanceof Promise ? used : Promise.resolve(used);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The value of the grant, in its current version; no promise of it where it is here. */
  function currentValue(live: LiveGrant, use: SecretUse): GrantedValue | Promise<GrantedValue> {
    use.ending.throwIfEnded();
    const take = (answer: SecretAnswer): GrantedValue => {
      use.ending.throwIfEnded();
      const held = grantedValue(live, answer, cache);
      use.versionId = held.versionId;
      return held;
    };
    const answer = cache.held(live.spec);
    if (answer !== undefined) return take(answer);
    return untilAborted(use.ending.signal, () => cache.need(live.spec, take));
  }

  /** The value in another version than the one that a service has refused. */
  async function otherValue(
    live: LiveGrant,
    use: SecretUse,
    refused: string,
    signal: AbortSignal = use.ending.signal,
  ): Promise<GrantedValue> {
    const answer = await untilAborted(signal, () => cache.rejected(live.spec, refused, signal));
    const held = grantedValue(live, answer, cache);
    use.versionId = held.versionId;
    return held;
  }

  /** The value in another version, if there is one soon. */
  async function otherValueSoon(
    live: LiveGrant,
    use: SecretUse,
    refused: string,
  ): Promise<GrantedValue | undefined> {
    const tooLate = new AbortController();
    const timer = clock.setTimeout(() => tooLate.abort(), otherVersionMs);
    try {
      return await otherValue(live, use, refused, AbortSignal.any([use.ending.signal, tooLate.signal]));
    } catch {
      use.ending.throwIfEnded();
      return undefined;
    } finally {
      clock.clearTimeout(timer);
    }
  }

  async function wiped(value: Promise<GrantedValue | undefined>): Promise<void> {
    const held = await value.catch(() => undefined);
    held?.bytes.fill(0);
  }

  /** The scrubber looks for all secrets at once, in less time than it takes to make the forms of one. */
  function mayCarry(found: unknown, key: string, versionId: string): boolean {
    return scrubber?.knows(key, versionId) !== true || scrubber.contains(found);
  }

  return {
    actor: cache.actor,
    open({ address, incarnation, pool, continues = false, seen }, grants, notify) {
      if (stopped) throw secretsStopped();
      const live = liveGrants(grants, cache);
      const holder: Holder = {
        address,
        incarnation,
        pool,
        grants: live,
        notify,
        uses: new Set(),
        live: true,
      };
      const before = holders.get(address);
      holders.set(address, holder);
      const entries = [...live.values()].map(({ spec }) => spec);
      for (const { spec, grant } of live.values()) scrubber?.cover(spec.key, grant.jsonKey);
      if (seen !== undefined) for (const grant of live.values()) goOn(grant, seen);
      if (entries.length > 0 || before !== undefined) cache.hold(address, entries);
      endUses(before, agentStopped);
      if (continues) for (const grant of live.values()) greet(holder, grant, seen?.seenOf(grant.grant.label));
      else if (seen !== undefined) for (const grant of live.values()) begin(grant, seen);
    },

    suspend(address) {
      endUses(holders.get(address), agentStopped);
    },

    close(address) {
      const holder = holders.get(address);
      if (holder === undefined) return;
      holders.delete(address);
      cache.release(address);
      endUses(holder, agentStopped);
    },

    call(caller, name, named, args, ending) {
      const label = labelOf(named, caller.address);
      const asked: AskedUse = { mode: 'capability', label, capability: name };
      return underGrant(caller, asked, { deadlineMs: capabilityDeadlineMs, ending }, (live, use) => {
        const run = (held: GrantedValue): unknown =>
          runCapability({
            capability: capabilities.get(name) as Capability,
            instance: caller.address,
            incarnation: caller.incarnation,
            label,
            held,
            another: (refused) => otherValue(live, use, refused),
            args,
            mayCarry: (found, versionId) => mayCarry(found, live.spec.key, versionId),
            ending: use.ending,
          });
        const held = currentValue(live, use);
        return held instanceof Promise ? held.then(run) : run(held);
      });
    },

    fetch(caller, named, asked, ending) {
      const label = labelOf(named, caller.address);
      const how = { deadlineMs: fetchDeadlineMs, ending };
      return underGrant(caller, { mode: 'inject', label }, how, async (live, use) => {
        const rules = live.grant.inject as InjectRules;
        const request = injector.check(asked, rules);
        use.through = `${request.method} ${request.url.host}`;
        const held = await currentValue(live, use);
        const { versionId } = held;
        let answer = await injector.send(request, rules, held, use.ending.signal);
        const other = answer.status === 401 ? await otherValueSoon(live, use, versionId) : undefined;
        if (other !== undefined) answer = await injector.send(request, rules, other, use.ending.signal);
        use.status = answer.status;
        use.bytes = answer.bytes;
        return { status: answer.status, headers: answer.headers, body: answer.body };
      });
    },

    stream(caller, named, asked, ending, upload) {
      const label = labelOf(named, caller.address);
      const opened = Promise.withResolvers<OpenAnswer>();
      const how = { deadlineMs: fetchDeadlineMs, ending };
      const used = underGrant(caller, { mode: 'inject', label }, how, async (live, use) => {
        const rules = live.grant.inject as InjectRules;
        const request = injector.checkStream(asked, rules);
        use.through = `${request.method} ${request.url.host}`;
        const held = await currentValue(live, use);
        const { versionId } = held;
        use.goesOn();
        let answer = await injector.open(request, rules, held, use.ending.signal, upload);
        if (answer.status === 401) {
          const soon = otherValueSoon(live, use, versionId);
          // A body that came in parts is gone; the next request finds the other version.
          const other = upload === undefined ? await soon : void wiped(soon);
          if (other !== undefined) {
            answer.discard();
            answer = await injector.open(request, rules, other, use.ending.signal);
          }
        }
        use.status = answer.status;
        use.begun();
        opened.resolve(answer);
        const { bytes, error } = await answer.over;
        use.bytes = bytes;
        if (error !== undefined) throw error as Error;
      });
      used.catch((error: unknown) => opened.reject(error));
      return opened.promise;
    },

    reveal(caller, named) {
      const label = labelOf(named, caller.address);
      const how = { deadlineMs: fetchDeadlineMs };
      return underGrant(caller, { mode: 'reveal', label }, how, async (live, use) => {
        const { bytes } = await currentValue(live, use);
        const value = Uint8Array.from(bytes);
        bytes.fill(0);
        return value;
      });
    },

    handle(caller, named) {
      const label = labelOf(named, caller.address);
      return underGrant(
        caller,
        { mode: 'handle', label },
        { deadlineMs: handleDeadlineMs },
        async ({ spec }, use) => {
          const { epoch, versionId } = cache.known(spec) ?? { epoch: 0 };
          use.versionId = versionId;
          const handle = handleOf(caller.address, label);
          return {
            type: 'holdfast.secret',
            handle,
            label,
            epoch,
            ...(versionId !== undefined && { versionId }),
          };
        },
      );
    },

    prefetch: (agents) => fetchDeclared(agents, cache, onWarning),
    refresh: (provider, id) => cache.refresh(provider, id),
    hostKeys: (refs) => fetchHostKeys(refs, cache, scrubber),
    hostUrl: (ref, isRefused) => fetchHostUrl(ref, isRefused, cache, scrubber),
    status: () => cache.status(),
    providers: () => cache.providers(),
    calls: () => cache.calls(),

    async stop() {
      if (stopped) return;
      stopped = true;
      for (const holder of holders.values()) endUses(holder, secretsStopped);
      holders.clear();
      notices.clear();
      await Promise.all([injector.close(), cache.stop()]);
    },
  };
}

function tooManyUses(address: string): HoldfastError {
  return new HoldfastError(
    'SECRET_RATE_LIMITED',
    `"${address}" has ${mostUses} uses of secrets running. Wait for some of them to end.`,
  );
}

/** Whether the caller is the incarnation that was granted the secret, in the pool where it was granted. */
function isSame(holder: Holder | undefined, { incarnation, pool }: Caller): boolean {
  return holder?.live === true && holder.incarnation === incarnation && holder.pool === pool;
}

function capabilitiesByName(own: readonly Capability[]): Map<string, Capability> {
  const byName = new Map<string, Capability>();
  for (const capability of builtinCapabilities) byName.set(capability.name, capability);
  for (const capability of own) {
    const { name } = capability;
    if (byName.has(name)) {
      const builtin = builtinCapabilities.some((one) => one.name === name);
      const problem = builtin
        ? `The capability "${name}" is built in`
        : `Two capabilities are named "${name}"`;
      throw new HoldfastError('CONFIG_INVALID', `${problem}. Rename ${builtin ? 'yours' : 'one of them'}.`);
    }
    byName.set(name, capability);
  }
  return byName;
}

function agentStopped(address: string): HoldfastError {
  return new HoldfastError('AGENT_STOPPED', `"${address}" has ended, and with it its use of secrets.`);
}

function processWarning(message: string): void {
  process.emitWarning(message, 'HoldfastWarning');
}
