import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import {
  createRuntime,
  HoldfastError,
  memoryStore,
  type AgentRef,
  type InspectorAdapter,
  type Logger,
  type Runtime,
  type RuntimeEvents,
  type SecretProvider,
} from 'holdfast';
import { createMemoryProvider } from 'holdfast/testing';
import { nextEvent } from '../fixtures/start.ts';

/** How a function of the user misbehaves. */
const ways = {
  throws() {
    throw new Error('a fault of the user');
  },
  rejects: () => Promise.reject(new Error('a fault of the user')),
  'returns what throws when it is looked at': () =>
    new Proxy(
      {},
      {
        get() {
          throw new Error('a fault of the user');
        },
      },
    ),
  'returns what is of no use': () => NaN,
} satisfies Record<string, () => unknown>;

type Way = keyof typeof ways | 'is a getter that throws';

/** What misbehaves in a run, and how often each was called. */
interface Faults {
  readonly way: Way;
  readonly fired: Map<string, number>;
  /** What is looked at at the door is in order there. */
  armed: boolean;
}

/** What a run is made of, with one function replaced by the fault. */
interface Given {
  readonly logger: Logger;
  readonly adapter: Required<InspectorAdapter>;
  readonly store: ReturnType<typeof memoryStore>;
  readonly provider: SecretProvider;
  readonly listeners: Record<
    keyof RuntimeEvents | 'audit' | 'filter' | 'sign' | 'watch' | 'emitted',
    (...args: unknown[]) => unknown
  >;
  readonly observer: Record<'next' | 'error' | 'complete', () => unknown>;
}

const quiet = (): void => {};
const missed: unknown[] = [];
const miss = (error: unknown): void => void missed.push(error);

beforeEach(() => {
  missed.length = 0;
  process.on('unhandledRejection', miss).on('uncaughtException', miss);
});
afterEach(() => {
  process.off('unhandledRejection', miss).off('uncaughtException', miss);
});

function replace(owner: object, name: string, of: string, faults: Faults): void {
  const { way, fired } = faults;
  const original: unknown = owner[name as keyof object];
  const count = (): void => void fired.set(of, (fired.get(of) ?? 0) + 1);
  fired.set(of, 0);
  const misbehave = (): unknown => {
    count();
    return way === 'is a getter that throws' ? undefined : ways[way]();
  };
  Object.defineProperty(owner, name, {
    get() {
      if (way !== 'is a getter that throws') return misbehave;
      if (!faults.armed) return original;
      count();
      throw new Error('a fault of the user');
    },
  });
}

function givenWith(names: readonly string[], faults: Faults): Given {
  const listeners = Object.fromEntries(
    ['dead-letter', 'thread', 'agent', 'escalation', 'secret', 'warning', 'audit', 'watch', 'emitted'].map(
      (one) => [one, quiet],
    ),
  );
  const given = {
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    adapter: { start: quiet, send: quiet, stop: quiet },
    store: memoryStore(),
    provider: createMemoryProvider({ name: 'memory', batch: 5, push: true }),
    listeners: { ...listeners, filter: () => true, sign: () => 'signed' },
    observer: { next: quiet, error: quiet, complete: quiet },
  } as unknown as Given;
  const { set } = given.provider as ReturnType<typeof createMemoryProvider>;
  set('desk/key', 'first value of the key');
  set('desk/spare', 'first value of the other');
  for (const of of names) {
    const [part = '', name = ''] = of.split('.');
    replace(given[part as keyof Given], name, of, faults);
  }
  return given;
}

/** A step may fail where the user's own function had to do its part, and then says so in an error of the runtime. */
async function step<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    const isTold =
      error instanceof HoldfastError || /a fault of the user|the agent fails/.test(String(error));
    if (!isTold) throw error;
    return undefined;
  }
}

const agents = {
  all: {
    type: 'thread-bound' as const,
    threadId: 'all',
    maxThreads: 1,
    module: new URL('./fixtures/all-rounder.ts', import.meta.url),
    mailbox: { warnBytes: 200 },
    supervision: {
      state: 'snapshot' as const,
      intensity: { restarts: 1, withinMs: 60_000 },
      backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
    },
    secrets: {
      key: { ref: 'desk/key', mode: 'capability' as const, capabilities: ['sign'] },
      spare: { ref: 'desk/spare', mode: 'capability' as const, capabilities: ['sign'] },
    },
  },
  other: {
    type: 'thread-bound' as const,
    threadId: 'other',
    maxThreads: 1,
    module: new URL('./fixtures/all-rounder.ts', import.meta.url),
    supervision: { state: 'fresh' as const },
  },
};

/** Has a runtime call everything; each step settles. */
async function day(
  { logger, adapter, store, provider, listeners, observer }: Given,
  faults: Faults,
): Promise<string[]> {
  const told: string[] = [];
  const noted = new Proxy(logger, {
    get: (target, level: keyof Logger) => {
      const log = target[level];
      return (fields: object, message: string) => {
        told.push(message);
        return (log as (...args: unknown[]) => unknown)(fields, message);
      };
    },
  });
  const capabilities = [{ name: 'sign', run: (...args: unknown[]) => listeners.sign(...args) }];
  const runtime: Runtime = await createRuntime(
    {
      externalSecrets: { provider: 'memory', cacheTTL: 1 },
      threads: { all: { isolation: 'thread' } },
      agents,
    },
    {
      logger: noted,
      store,
      providers: [provider],
      capabilities,
      audit: (...args) => listeners.audit(...args) as void,
      inspect: { adapter, filter: (...args) => listeners.filter(...args) as boolean },
    },
  );
  onTestFinished(() => runtime.stop());
  faults.armed = true;
  runtime.on('warning', ({ message }) => void told.push(message));
  for (const type of ['dead-letter', 'thread', 'agent', 'escalation', 'secret', 'warning'] as const)
    runtime.on(type, (...args) => listeners[type](...args) as void);
  const ref = await step(() => runtime.spawn('all', { id: 'a' }));
  if (ref !== undefined) await working(runtime, ref, { provider, listeners, observer });
  await runtime.refreshSecret('desk/key').catch(quiet);
  const other = await runtime.spawn('other', { id: 'b' });
  expect(await other.ask({ type: 'ping' }, { timeoutMs: 20_000 })).toBe('pong');
  await runtime.stop();
  expect(runtime.status().state).toBe('stopped');
  return told;
}

async function working(
  runtime: Runtime,
  ref: AgentRef,
  { provider, listeners, observer }: Pick<Given, 'provider' | 'listeners' | 'observer'>,
): Promise<void> {
  const { next, error, complete } = observer;
  ref.watch((...args) => listeners.watch(...args) as void);
  ref.on('*', (...args: unknown[]) => listeners.emitted(...args) as void);
  ref.subscribe({ next, error, complete } as never);
  for (const type of ['tick', 'tell', 'log']) await step(() => ref.deliver({ type, large: 'x'.repeat(200) }));
  await step(() => ref.ask({ type: 'use' }));
  ref.send({ type: 'tick', unclonable: () => {} });
  (provider as ReturnType<typeof createMemoryProvider>).set?.('desk/key', 'second value of the key');
  await step(() => runtime.refreshSecret('desk/key'));
  const quarantined = nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    ({ address, state }) => address === 'all/a' && state === 'quarantined',
    30_000,
  );
  await step(() => ref.ask({ type: 'fail' }));
  await step(() => ref.ask({ type: 'ping' }));
  await step(() => ref.ask({ type: 'fail' }));
  await quarantined;
  await step(() => ref.resume());
  expect(await ref.ask({ type: 'ping' })).toBe('pong');
  ref.subscribe({ complete } as never);
  await step(() => ref.persist());
  await step(() => ref.stop());
}

/** Those that one run may take at once: none keeps the others from being called. */
const groups: Readonly<Record<string, readonly string[]>> = {
  // By itself: that it fails is told by what others may keep from being told.
  'a logger': ['debug', 'info', 'warn', 'error'].map((level) => `logger.${level}`),
  'a filter, listeners, observers and an audit': [
    'listeners.filter',
    ...['dead-letter', 'thread', 'agent', 'escalation', 'secret', 'warning', 'audit', 'watch', 'emitted'].map(
      (name) => `listeners.${name}`,
    ),
    ...['next', 'error', 'complete'].map((name) => `observer.${name}`),
  ],
  'an inspector, a provider and a capability': [
    ...['start', 'send', 'stop'].map((name) => `adapter.${name}`),
    ...['prepare', 'watch', 'close'].map((name) => `provider.${name}`),
    'listeners.sign',
  ],
  'a store that loads': ['store.load'],
  'a store that keeps': ['store.save', 'store.delete'],
  'a provider that fetches': ['fetch', 'fetchMany', 'describe', 'classify'].map((name) => `provider.${name}`),
};

/** Called only after another failure, or read when the runtime is made. */
const seldom: Readonly<Record<Way, readonly string[]>> = {
  throws: ['logger.info', 'provider.describe', 'provider.classify'],
  rejects: ['logger.info', 'provider.describe', 'provider.classify'],
  'returns what throws when it is looked at': ['logger.info', 'provider.describe', 'provider.classify'],
  'returns what is of no use': ['logger.info', 'provider.describe', 'provider.classify'],
  'is a getter that throws': [
    'logger.info',
    'adapter.start',
    'provider.prepare',
    'provider.watch',
    'provider.fetchMany',
    'provider.describe',
    'provider.classify',
  ],
};

const everyWay = [...Object.keys(ways), 'is a getter that throws'] as Way[];

/** Functions by themselves have nobody to be got from. */
const namesOf = (group: string, way: Way): readonly string[] =>
  (groups[group] ?? []).filter(
    (name) => way !== 'is a getter that throws' || !/^(?:listeners|observer)\./.test(name),
  );

const rows = Object.keys(groups)
  .flatMap((group) => everyWay.map((way) => [group, way] as const))
  .filter(([group, way]) => namesOf(group, way).length > 0);

test.each(rows)('%s that %s harms nobody', async (group, way) => {
  const faults: Faults = { way, fired: new Map(), armed: false };
  const names = namesOf(group, way);
  const told = await day(givenWith(names, faults), faults);
  await new Promise(setImmediate);
  expect(missed).toEqual([]);
  const called = names.filter((name) => faults.fired.get(name) !== 0);
  expect(called).toEqual(expect.arrayContaining(names.filter((name) => !seldom[way].includes(name))));
  const isTold = group === 'a logger' && way !== 'returns what is of no use';
  expect(told.filter((message) => message.startsWith('the logger failed'))).toHaveLength(isTold ? 1 : 0);
});
