import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { checkCall, listener, milliseconds, type Rules } from '../base/call-check.ts';
import {
  ProviderError,
  providerFailures,
  type FetchResult,
  type ProviderFailure,
  type RotationHint,
  type SecretProvider,
  type SecretRef,
} from '../../providers/provider.ts';

/** A provider together with a way to change what it provides. */
export interface SecretProviderSubject {
  readonly provider: SecretProvider;
  /** Gives the secret with this id a value, new or changed. */
  readonly put: (id: string, value: string) => unknown;
  /** Returns the id that this provider uses for a name such as `TCK_ONE`. Default: the name. */
  readonly id?: ((name: string) => string) | undefined;
  /**
   * Makes the next fetch hang, if that is possible, and resolves when it is under way. Default: that case is left out.
   */
  readonly hang?: (() => Promise<unknown>) | undefined;
  /** Ends the subject after a case; the provider has been closed by then. */
  readonly dispose?: (() => unknown) | undefined;
}

export interface SecretProviderCases {
  /** Creates a provider without any secrets. */
  readonly create: () => SecretProviderSubject | Promise<SecretProviderSubject>;
  /** The real time in milliseconds within which calls, aborts and hints must come. Default: 10 000. */
  readonly deadlineMs?: number | undefined;
}

/** A rule that every provider must follow. */
export interface SecretProviderCase {
  readonly name: string;
  /** Rejects when the provider breaks the rule. */
  readonly run: () => Promise<void>;
}

export interface TestSecretProviderOptions extends SecretProviderCases {
  /** Declares a test: `test` or `it` of your test runner. */
  readonly test: (name: string, run: () => Promise<void>) => unknown;
}

const ofCases: Rules<SecretProviderCases> = { create: listener, deadlineMs: milliseconds };
const withTest: Rules<TestSecretProviderOptions> = { ...ofCases, test: listener };

/**
 * Declares a test for each rule of {@link SecretProvider}. A provider that passes them all meets what the runtime
 * relies on.
 *
 * @example
 * ```ts
 * import { test } from 'node:test';
 * testSecretProvider({ test, create: () => ({ provider, put: (id, value) => vault.write(id, value) }) });
 * ```
 */
export function testSecretProvider(options: TestSecretProviderOptions): void {
  const { test, ...subject } = checkCall<TestSecretProviderOptions>(
    'testSecretProvider()',
    {},
    options,
    withTest,
    ['test', 'create'],
  );
  for (const { name, run } of secretProviderCases(subject)) test(name, run);
}

/** Returns the same rules as a list, for another kind of test runner. */
export function secretProviderCases(options: SecretProviderCases): SecretProviderCase[] {
  const given = checkCall<SecretProviderCases>('secretProviderCases()', {}, options, ofCases, ['create']);
  const { create, deadlineMs = 10_000 } = given;
  return Object.entries(rules).map(([name, check]) => ({
    name,
    async run() {
      const subject = await create();
      const { provider } = subject;
      try {
        await check({ ...subject, ...callsOf(subject, deadlineMs) });
      } finally {
        await provider.close?.();
        await subject.dispose?.();
      }
    },
  }));
}

interface Calls {
  readonly put: (name: string, value: string) => unknown;
  /** As the runtime names it: with the stage that it follows by default. */
  readonly ref: (name: string) => SecretRef;
  readonly fetch: (name: string, versionId?: string, signal?: AbortSignal) => Promise<FetchResult>;
  /** The value as text. */
  readonly read: (name: string) => Promise<string>;
  readonly describe: (name: string, signal?: AbortSignal) => Promise<string>;
  readonly many: (names: readonly string[]) => Promise<Map<string, FetchResult | ProviderError>>;
  /** What the provider makes of the error that the call rejects with. */
  readonly failure: (call: Promise<unknown>) => Promise<ProviderFailure>;
  readonly within: <T>(call: Promise<T>, what: string) => Promise<T>;
}

type Check = (subject: Omit<SecretProviderSubject, 'put'> & Calls) => Promise<void>;

const never = new AbortController().signal;
const stage = 'AWSCURRENT';
const first = 'CANARY one, "quoted" \\ {grüße} 漢字';
const second = 'CANARY two';
// What a version of Secrets Manager looks like; elsewhere it is as good as any.
const noVersion = '00000000-0000-4000-8000-000000000000';

function callsOf({ provider, put, id = (name) => name }: SecretProviderSubject, deadlineMs: number): Calls {
  const ref = (name: string): SecretRef => ({ provider: 'tck', id: id(name), stage });
  const within = async <T>(call: Promise<T>, what: string): Promise<T> => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new assert.AssertionError({ message: `${what}: not within ${deadlineMs} ms` })),
      deadlineMs,
    );
    try {
      return await Promise.race([call, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
  const fetch: Calls['fetch'] = (name, versionId, signal = never) =>
    within(provider.fetch(ref(name), versionId === undefined ? { stage } : { versionId }, signal), 'fetch');
  return {
    put: (name, value) => put(id(name), value),
    ref,
    within,
    fetch,
    read: async (name) => new TextDecoder().decode((await fetch(name)).bytes),
    describe: async (name, signal = never) =>
      (await within(provider.describe(ref(name), signal), 'describe')).current,
    async many(names) {
      const refs = names.map((name) => ref(name));
      return within(provider.fetchMany?.(refs, never) ?? Promise.resolve(new Map()), 'fetchMany');
    },
    failure: async (call) => provider.classify(await rejection(call)),
  };
}

async function rejection(call: Promise<unknown>): Promise<unknown> {
  const settled = await call.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  assert.ok(settled, 'the call was to reject and did not');
  // Too late is no rejection of the provider's.
  if (settled.error instanceof assert.AssertionError) throw settled.error;
  return settled.error;
}

const rules: Record<string, Check> = {
  async 'it has a name, and what it says it can do it has a method for'({ provider }) {
    assert.ok(provider.name.length > 0);
    const { batch, push = false } = provider.capabilities;
    assert.equal(provider.fetchMany !== undefined, batch !== undefined);
    assert.ok(batch === undefined || (Number.isSafeInteger(batch) && batch > 0));
    assert.ok(!push || provider.watch !== undefined, 'push without watch');
  },
  async 'a value comes back as it was put, text as UTF-8'({ put, fetch, read }) {
    await put('TCK_ONE', first);
    assert.equal(await read('TCK_ONE'), first);
    const { bytes, stages } = await fetch('TCK_ONE');
    assert.ok(bytes instanceof Uint8Array && Array.isArray(stages));
  },
  async 'describe and fetch name the same version'({ put, fetch, describe }) {
    await put('TCK_ONE', first);
    await put('TCK_TWO', second);
    for (const name of ['TCK_ONE', 'TCK_TWO']) {
      const { versionId } = await fetch(name);
      assert.ok(versionId.length > 0);
      assert.equal(await describe(name), versionId);
    }
    await put('TCK_ONE', second);
    const looked = await describe('TCK_ONE');
    assert.equal((await fetch('TCK_ONE')).versionId, looked);
  },
  async 'a version stays the same as long as the value does'({ put, fetch, describe }) {
    await put('TCK_ONE', first);
    const { versionId } = await fetch('TCK_ONE');
    await put('TCK_TWO', second);
    for (let time = 0; time < 3; time += 1) {
      assert.equal(await describe('TCK_ONE'), versionId);
      assert.equal((await fetch('TCK_ONE')).versionId, versionId);
    }
  },
  async 'another value is another version, also when it is as long or was there before'({
    put,
    fetch,
    read,
  }) {
    const seen = new Map<string, string>();
    let last: string | undefined;
    for (const value of [first, second, 'CANARY owt', first, 'CANARY three']) {
      await put('TCK_ONE', value);
      const { versionId } = await fetch('TCK_ONE');
      assert.equal(await read('TCK_ONE'), value);
      assert.notEqual(versionId, last);
      assert.equal(seen.get(versionId) ?? value, value, 'one version came with two values');
      seen.set(versionId, value);
      last = versionId;
    }
  },
  async 'a version says nothing of its value'({ put, fetch, provider, ref }) {
    await put('TCK_ONE', first);
    await put('TCK_TWO', first);
    const { versionId } = await fetch('TCK_ONE');
    assert.ok(!versionId.includes('CANARY'));
    const described = await provider.describe(ref('TCK_ONE'), never);
    assert.ok(!inspect(described, { depth: null, showHidden: true }).includes('CANARY'));
  },
  async 'the current version can be asked for by its id'({ put, fetch, read }) {
    await put('TCK_ONE', first);
    const { versionId } = await fetch('TCK_ONE');
    const again = await fetch('TCK_ONE', versionId);
    assert.equal(again.versionId, versionId);
    assert.equal(new TextDecoder().decode(again.bytes), await read('TCK_ONE'));
  },
  async 'a version that does not exist is not found'({ put, fetch, failure }) {
    await put('TCK_ONE', first);
    assert.equal(await failure(fetch('TCK_ONE', noVersion)), 'not-found');
  },
  async 'a secret that does not exist is not found'({ put, fetch, describe, failure }) {
    await put('TCK_ONE', first);
    assert.equal(await failure(fetch('TCK_ABSENT')), 'not-found');
    assert.equal(await failure(describe('TCK_ABSENT')), 'not-found');
  },
  async 'a secret may come to be after it was asked for'({ put, fetch, read, failure }) {
    assert.equal(await failure(fetch('TCK_LATE')), 'not-found');
    await put('TCK_LATE', second);
    assert.equal(await read('TCK_LATE'), second);
  },
  async 'a call whose signal has aborted rejects'({ put, fetch, describe }) {
    await put('TCK_ONE', first);
    const signal = AbortSignal.abort(new Error('given up'));
    await rejection(fetch('TCK_ONE', undefined, signal));
    await rejection(describe('TCK_ONE', signal));
  },
  async 'an abort ends a call that hangs, and calls after it are answered'({
    put,
    fetch,
    read,
    hang,
    within,
  }) {
    await put('TCK_ONE', first);
    if (hang === undefined) return;
    const underWay = hang();
    const aborting = new AbortController();
    const hanging = rejection(fetch('TCK_ONE', undefined, aborting.signal));
    await within(Promise.race([underWay, hanging]), 'a fetch that hangs');
    aborting.abort(new Error('given up'));
    await hanging;
    assert.equal(await read('TCK_ONE'), first);
  },
  async 'the bytes belong to the caller: overwriting them changes no later answer'({ put, fetch, read }) {
    await put('TCK_ONE', first);
    (await fetch('TCK_ONE')).bytes.fill(0);
    assert.equal(await read('TCK_ONE'), first);
  },
  async 'calls at one time do not disturb each other'({ put, fetch, read }) {
    await put('TCK_ONE', first);
    await put('TCK_TWO', second);
    const names = Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? 'TCK_ONE' : 'TCK_TWO'));
    const values = await Promise.all(names.map((name) => read(name)));
    assert.deepEqual(
      values,
      names.map((name) => (name === 'TCK_ONE' ? first : second)),
    );
    const versions = await Promise.all(names.map(async (name) => (await fetch(name)).versionId));
    assert.equal(new Set(versions.filter((_, n) => n % 2 === 0)).size, 1);
  },
  async 'fetchMany answers as single fetches do, and what fails for one ref fails for that ref alone'({
    provider,
    put,
    fetch,
    many,
    ref,
  }) {
    if (provider.fetchMany === undefined) return;
    await put('TCK_ONE', first);
    await put('TCK_TWO', second);
    const found = await many(['TCK_ONE', 'TCK_ABSENT', 'TCK_TWO', 'TCK_ONE']);
    assert.equal(found.size, 3);
    for (const name of ['TCK_ONE', 'TCK_TWO']) {
      const { versionId, bytes } = await fetch(name);
      const one = found.get(ref(name).id);
      assert.ok(one !== undefined && !(one instanceof Error), `no result for ${name}`);
      assert.deepEqual([one.versionId, [...one.bytes]], [versionId, [...bytes]]);
      one.bytes.fill(0);
    }
    const absent = found.get(ref('TCK_ABSENT').id);
    assert.ok(absent instanceof ProviderError);
    assert.equal(absent.failure, 'not-found');
    assert.deepEqual(await many([]), new Map());
    const again = (await many(['TCK_ONE'])).get(ref('TCK_ONE').id) as FetchResult;
    assert.equal(new TextDecoder().decode(again.bytes), first);
  },
  async 'no error contains a value'({ provider, put, fetch, describe, ref }) {
    await put('TCK_ONE', first);
    await put('TCK_TWO', second);
    await fetch('TCK_ONE');
    const aborted = AbortSignal.abort(new Error('given up'));
    const errors = await Promise.all([
      rejection(fetch('TCK_ABSENT')),
      rejection(describe('TCK_ABSENT')),
      rejection(fetch('TCK_ONE', noVersion)),
      rejection(fetch('TCK_ONE', undefined, aborted)),
    ]);
    const many = await provider.fetchMany?.([ref('TCK_ABSENT')], never);
    const shown = inspect([errors, many], { depth: null, showHidden: true, maxStringLength: null });
    assert.ok(!shown.includes('CANARY'), 'an error shows a value');
  },
  async 'classify takes anything, throws never and says one of the known classes'({ provider }) {
    const throwing = (): never => {
      throw new Error('a getter that throws');
    };
    const strange: unknown[] = [
      undefined,
      null,
      0,
      'text',
      Symbol('s'),
      10n,
      [],
      {},
      () => {},
      new Error('any'),
      Object.create(null),
      { name: 1 },
      { name: 'toString' },
      { name: '__proto__', message: {} },
      {
        get name() {
          return throwing();
        },
      },
      new Proxy({}, { get: throwing, has: throwing, getPrototypeOf: throwing }),
      AbortSignal.abort().reason,
    ];
    for (const error of strange) assert.ok(Object.hasOwn(providerFailures, provider.classify(error)));
  },
  async 'classify knows an error that knows its class'({ provider }) {
    for (const failure of Object.keys(providerFailures) as ProviderFailure[]) {
      assert.equal(provider.classify(new ProviderError(failure, 'known')), failure);
    }
  },
  async 'prepare throws for nothing, and what it prepared can be read'({ provider, put, read, ref }) {
    await put('TCK_ONE', first);
    provider.prepare?.([ref('TCK_ONE'), ref('TCK_ABSENT')]);
    assert.equal(await read('TCK_ONE'), first);
  },
  async 'watch tells of a change and ends when its signal aborts'({ provider, put, fetch, within, ref }) {
    if (provider.capabilities.push !== true) return;
    await put('TCK_ONE', first);
    await fetch('TCK_ONE');
    const hint = Promise.withResolvers<RotationHint>();
    const ending = new AbortController();
    const watch = (emit: (hint: RotationHint) => void, signal: AbortSignal): Promise<void> =>
      provider.watch?.(emit, signal) ?? Promise.reject(new Error('push without watch'));
    const watching = watch((each) => {
      if (each.id === ref('TCK_ONE').id) hint.resolve(each);
    }, ending.signal);
    try {
      await put('TCK_ONE', second);
      const { source, versionId } = await within(hint.promise, 'a hint of the change');
      assert.ok(source.length > 0);
      if (versionId !== undefined) assert.equal((await fetch('TCK_ONE')).versionId, versionId);
    } finally {
      ending.abort();
    }
    await within(watching, 'the end of watch');
    await within(
      watch(() => {}, AbortSignal.abort()),
      'the end of a watch that has no time',
    );
  },
  async 'close may come at any time, and more than once'({ provider, put, fetch }) {
    await provider.close?.();
    await put('TCK_ONE', first);
    await fetch('TCK_ONE').catch(() => undefined);
    await provider.close?.();
    await provider.close?.();
  },
};
