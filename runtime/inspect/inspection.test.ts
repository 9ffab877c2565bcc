import { expect, onTestFinished, test, vi } from 'vitest';
import { defineCapability, type Grant, type InspectionEvent, type InspectOptions } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

type Of<T extends InspectionEvent['type']> = Extract<InspectionEvent, { type: T }>;

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 60_000 });

/** What a viewer has at the end of the events, as Stately's has it. */
function view() {
  const events: InspectionEvent[] = [];
  const of = <T extends InspectionEvent['type']>(type: T, sessionId: string): Of<T>[] =>
    events.filter((event): event is Of<T> => event.type === type && event.sessionId === sessionId);
  return {
    events,
    adapter: { send: (event: InspectionEvent) => void events.push(event) },
    actors: () => events.filter((event) => event.type === '@xstate.actor'),
    actor: (id: string) => of('@xstate.actor', id).at(-1),
    snapshots: (id: string) => of('@xstate.snapshot', id).map(({ snapshot }) => snapshot as never),
    told: (id: string) => of('@xstate.event', id).map(({ event, sourceId }) => [event.type, sourceId]),
  };
}

const agents = {
  inspected: fixture('inspected', { threadId: 'first' }),
  second: fixture('inspected', { threadId: 'second' }),
  counter: fixture('counter', { threadId: 'third', supervision: { restart: 'temporary' } }),
};

async function rig(inspect: Partial<InspectOptions> = {}, more: { config?: object; options?: object } = {}) {
  const seen = view();
  const runtime = await start(
    { agents, ...more.config },
    { inspect: { adapter: seen.adapter, ...inspect }, ...more.options },
  );
  return { runtime, ...seen };
}

test('all actors are one tree: the supervisor, pools, threads, instances and their children', async () => {
  const { runtime, actor, actors, events } = await rig();
  await runtime.spawn('inspected', { id: 'a' });
  await runtime.spawn('second', { id: 'b' });
  await runtime.spawn('counter', { id: 'c' });
  await until(() =>
    expect([actor('inspected/a/1'), actor('second/b/1'), actor('counter/c')]).not.toContain(undefined),
  );
  expect(actor('supervisor')).toMatchObject({ parentId: undefined, name: 'supervisor' });
  expect(actor('supervisor/secrets')).toMatchObject({ parentId: 'supervisor' });
  for (const [pool, address] of [
    ['first', 'inspected/a'],
    ['second', 'second/b'],
    ['third', 'counter/c'],
  ]) {
    expect(actor(`supervisor/pool:${pool}`)).toMatchObject({ parentId: 'supervisor' });
    expect(actor(`supervisor/pool:${pool}/thread:1`)).toMatchObject({ parentId: `supervisor/pool:${pool}` });
    expect(actor(String(address))).toMatchObject({
      name: address,
      parentId: `supervisor/pool:${pool}/thread:1`,
      holdfast: { threadId: pool, thread: `holdfast:${pool}:1` },
    });
  }
  const definition = JSON.parse(String(actor('inspected/a')?.definition)) as object;
  expect(definition).toMatchObject({ id: 'inspected', initial: 'idle', states: { idle: {}, working: {} } });
  expect(actor('inspected/a/1')).toMatchObject({ name: 'kid', parentId: 'inspected/a' });
  expect(JSON.parse(String(actor('inspected/a/1')?.definition))).toMatchObject({ id: 'child' });
  // What stands for an instance in the host is not shown beside it.
  expect(actors().filter(({ name }) => name === 'inspected/a')).toHaveLength(1);
  // One of each, and what comes first is whose child it is.
  const ids = actors().map(({ sessionId }) => sessionId);
  expect(new Set(ids).size).toBe(ids.length);
  const parents = actors().flatMap(({ parentId }) => parentId ?? []);
  expect(ids).toEqual(expect.arrayContaining(parents));
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  expect(new Set(events.map(({ rootId }) => rootId))).toEqual(new Set(['supervisor']));
  expect(new Set(events.map(({ _version }) => _version))).toEqual(new Set(['0.7.2']));
});

// On a busy machine some of it is left out, as it is to be.
test(
  'events come with their senders, across threads too, and each state as it was then',
  { retry: 3 },
  async () => {
    const { runtime, told, snapshots, events } = await rig();
    const ref = await runtime.spawn('inspected', { id: 'a' });
    await runtime.spawn('second', { id: 'b' });
    ref.send({ type: 'go' });
    ref.send({ type: 'tell', to: 'second/b', value: 7 });
    await until(() => expect(told('second/b')).toContainEqual(['told', 'inspected/a']));
    await until(() => expect(snapshots('inspected/a').at(-1)).toMatchObject({ value: 'done' }));
    expect(told('inspected/a')).toEqual(
      expect.arrayContaining([
        ['go', undefined],
        ['tell', undefined],
        ['xstate.done.actor.work', 'inspected/a/2'],
      ]),
    );
    expect(told('inspected/a/1')).toContainEqual(['tick', 'inspected/a']);
    const values = snapshots('inspected/a').map(({ value }) => value);
    expect(values.filter((value, n) => value !== values[n - 1])).toEqual(['idle', 'working', 'done']);
    expect(snapshots('inspected/a/1').at(-1)).toMatchObject({ status: 'active', value: 'on' });
    expect(snapshots('second/b').at(-1)).toMatchObject({ context: { seen: [7] } });
    // How long an event waited is known of instances, also of one that another agent sent.
    const waited = events.flatMap((event) =>
      event.type === '@xstate.event' && ['go', 'told'].includes(event.event.type)
        ? [event.holdfast?.waitedMs]
        : [],
    );
    expect(waited.length).toBeGreaterThanOrEqual(2);
    for (const ms of waited) expect(ms).toBeGreaterThanOrEqual(0);
    // What a turn took is known of instances.
    const took = events.flatMap((event) =>
      event.type === '@xstate.snapshot' && event.event.type === 'go' ? [event.holdfast?.tookMs] : [],
    );
    expect(took).toEqual([expect.any(Number)]);
    expect(events.filter((event) => event.sessionId === 'inspected/a/1')).not.toContainEqual(
      expect.objectContaining({ holdfast: expect.anything() }),
    );
    const known = new Set<string>();
    for (const event of events) {
      if (event.type === '@xstate.actor') known.add(event.sessionId);
      expect(known).toContain(event.sessionId);
    }
  },
);

test('what JSON cannot hold is shown as something like it', async () => {
  const { runtime, snapshots } = await rig();
  const ref = await runtime.spawn('inspected', { id: 'a' });
  ref.send({ type: 'odd' });
  await until(() =>
    expect(snapshots('inspected/a').at(-1)).toMatchObject({
      context: {
        odd: {
          map: { k: ['1'] },
          at: '1970-01-01T00:00:00.000Z',
          self: '[cycle]',
          error: { name: 'TypeError', message: 'bad' },
        },
      },
    }),
  );
});

test('an instance that crashed, with all that was below it, is stopped, and begins anew under its name', async () => {
  const { runtime, actor, actors, snapshots } = await rig(
    {},
    {
      config: {
        agents: {
          inspected: fixture('inspected', {
            threadId: 'first',
            supervision: { backoff: { minMs: 1, maxMs: 2, factor: 1, jitter: 0 } },
          }),
        },
      },
    },
  );
  const ref = await runtime.spawn('inspected', { id: 'a' });
  await until(() => expect(actor('inspected/a/1')).toBeDefined());
  ref.send({ type: 'crash' });
  await until(() => expect(actors().filter(({ sessionId }) => sessionId === 'inspected/a')).toHaveLength(2));
  await until(() =>
    expect(snapshots('inspected/a').at(-1)).toMatchObject({ status: 'active', value: 'idle' }),
  );
  expect(snapshots('inspected/a')).toContainEqual(expect.objectContaining({ status: 'stopped' }));
  expect(snapshots('inspected/a/1')).toContainEqual(expect.objectContaining({ status: 'stopped' }));
  await ref.stop();
  await until(() => expect(snapshots('inspected/a').at(-1)).toMatchObject({ status: 'stopped' }));
});

test('a filter leaves agents out, and an adapter that throws costs no event', async () => {
  const warn = vi.fn<() => void>();
  const quiet = { debug() {}, info() {}, warn, error() {} };
  const thrown = vi.fn<() => void>(() => {
    throw new Error('the viewer is gone');
  });
  const { runtime } = await rig(
    { adapter: { send: thrown }, filter: ({ agent }) => agent !== 'second' },
    { options: { logger: quiet } },
  );
  const ref = await runtime.spawn('inspected', { id: 'a' });
  for (let n = 0; n < 100; n++) ref.send({ type: 'told', value: n });
  expect(await ref.ask({ type: 'read' })).toBe(100);
  await until(() => expect(thrown).toHaveBeenCalled());
  await until(() => expect(warn.mock.calls).toHaveLength(1));

  const other = await rig({ filter: ({ agent }) => agent !== 'second' });
  await other.runtime.spawn('second', { id: 'b' });
  await other.runtime.spawn('inspected', { id: 'a' });
  await until(() => expect(other.actor('inspected/a')).toBeDefined());
  expect(other.actor('second/b')).toBeUndefined();
});

test('of a flood only a part is shown, that is counted, the last state is right, and no event is lost', async () => {
  const { runtime, snapshots, events } = await rig();
  const ref = await runtime.spawn('inspected', { id: 'a' });
  const sent = 5_000;
  for (let n = 0; n < sent; n += 500) {
    for (let i = n; i < n + 499; i++) ref.send({ type: 'told', value: i });
    await ref.deliver({ type: 'told', value: n + 499 }, { timeoutMs: 30_000 });
  }
  expect(await ref.ask({ type: 'read' }, { timeoutMs: 30_000 })).toBe(sent);
  const { inspection } = runtime.status();
  await until(() => {
    const { context } = snapshots('inspected/a').at(-1) as unknown as { context: { seen: unknown[] } };
    expect(context.seen.length).toBe(sent);
  });
  expect(events.length).toBeLessThan(2 * sent);
  expect(inspection?.sampled).toBeGreaterThan(0);
}, 60_000);

test('without inspection nothing in a thread observes, and the status says nothing of it', async () => {
  const runtime = await start({ agents });
  await runtime.spawn('inspected', { id: 'a' });
  expect(runtime.status().inspection).toBeUndefined();
});

test('a value that agents were shown is in no frame', async () => {
  const canary = 'CANARY-inspect-31af "9"';
  vi.stubEnv('INSPECT_CANARY', canary);
  onTestFinished(() => void vi.unstubAllEnvs());
  const secrets: Record<string, Grant> = {
    key: { ref: 'INSPECT_CANARY', mode: 'capability', capabilities: ['sign'], required: true },
  };
  const { runtime, events, snapshots } = await rig(
    {},
    {
      config: {
        externalSecrets: { provider: 'env' },
        agents: { inspected: fixture('inspected', { secrets }) },
      },
      options: { capabilities: [defineCapability('sign', () => 1)] },
    },
  );
  const ref = await runtime.spawn('inspected', { id: 'a' });
  const forms = [canary, Buffer.from(canary).toString('base64'), Buffer.from(canary).toString('hex')];
  for (const form of forms) ref.send({ type: 'told', value: { [form]: `see ${form}` } });
  await until(() => {
    const { context } = snapshots('inspected/a').at(-1) as unknown as { context: { seen: unknown[] } };
    expect(context.seen).toHaveLength(3);
  });
  const text = JSON.stringify(events);
  for (const form of forms) expect(text).not.toContain(JSON.stringify(form).slice(1, -1));
  expect(text).toContain('<redacted:secret>');
});

test('an instance that fails for good ends with its error', async () => {
  const { runtime, actor, snapshots } = await rig();
  const ref = await runtime.spawn('counter', { id: 'c' });
  await until(() => expect(actor('counter/c')).toBeDefined());
  ref.send({ type: 'fail' });
  await until(() =>
    expect(snapshots('counter/c').at(-1)).toMatchObject({
      status: 'error',
      error: { name: 'RangeError', code: 'E_RANGE', message: 'out of range' },
    }),
  );
});

test('options that make no sense are refused at the door, all at once', async () => {
  const inspect = { adapter: {}, page: 'mine', port: 70_000, allowSend: 'yes', filter: 'trader' };
  await expect(start({ agents }, { inspect: inspect as unknown as InspectOptions })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/`adapter`.*`page`.*`port`.*`allowSend`.*`filter`/),
  });
  await expect(start({ agents }, { inspect: 'remote' as 'local' })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining("'local', 'stately'"),
  });
});

test('a log is told where the page is, and is given no link to it', async () => {
  const lines: string[] = [];
  const log = (fields: object, message: string): void =>
    void lines.push(`${JSON.stringify(fields)} ${message}`);
  const logger = { debug: log, info: log, warn: log, error: log };
  const runtime = await start({ agents }, { inspect: 'local', logger });
  const { origin } = new URL(runtime.inspector?.link() ?? '');
  const told = lines.filter((line) => line.includes('inspector'));
  expect(told).toEqual([expect.stringContaining(`${origin}/"`)]);
  expect(lines.join()).not.toContain('token');
});

test('a config may ask for the page; the option goes before it', async () => {
  const bare = { agents, inspect: { allowSend: true } };
  const runtime = await start(bare);
  expect(runtime.inspector?.link()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=/);
  const { adapter } = view();
  const other = await start(bare, { inspect: { adapter } });
  expect(other.inspector).toBeUndefined();
  expect((await start({ agents })).inspector).toBeUndefined();
  await expect(
    start({ agents, inspect: { port: 70_000, pages: 'x' } as { port: number } }),
  ).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    problems: [{ path: ['inspect', 'port'] }, { path: ['inspect', 'pages'] }],
  });
});
