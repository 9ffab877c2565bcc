import fc from 'fast-check';
import {
  assign,
  createActor,
  setup,
  toPromise,
  waitFor,
  type AnyActorRef,
  type AnyEventObject,
  type Snapshot,
} from 'xstate';
import { describe, expect, test } from 'vitest';
import { interceptEvents } from '../runtime/xstate/xstate5.ts';
import {
  createTwinLogic,
  MirroredChild,
  TwinSnapshot,
  type TwinEvent,
  type TwinLogic,
  type TwinRequest,
  type TwinState,
} from './twin.ts';

/** A port that notes what the twin asks of it and keeps user events, as the runtime's does. */
function fakePort() {
  const asked: string[] = [];
  const requests: TwinRequest[] = [];
  const starts: TwinRequest[] = [];
  const posted: AnyEventObject[] = [];
  let queue: (event: TwinEvent) => void = () => {};
  const logic = createTwinLogic({
    created(self: AnyActorRef, request) {
      asked.push('created');
      requests.push(request);
      queue = interceptEvents(self, (event) => void posted.push(event));
    },
    started(_self, request) {
      asked.push('started');
      starts.push(request);
    },
    stopped: () => void asked.push('stopped'),
  });
  /** The runtime tells the twin something. */
  const tell = (event: TwinEvent): void => queue(event);
  const mirror = (state: Partial<TwinState>): void => tell({ type: 'holdfast.mirror', state });
  return { logic, asked, requests, starts, posted, tell, mirror };
}

function startTwin(input?: unknown) {
  const port = fakePort();
  const twin = createActor(port.logic, { input }).start();
  return { ...port, twin };
}

/** A machine of the user that invokes an instance. */
const parentOf = (logic: TwinLogic) =>
  setup({ types: { context: {} as { result: unknown } }, actors: { agent: logic } }).createMachine({
    context: { result: undefined },
    initial: 'working',
    states: {
      working: {
        invoke: {
          id: 'agent',
          src: 'agent',
          input: { symbol: 'BTC' },
          onDone: { target: 'ended', actions: assign({ result: ({ event }) => event.output }) },
          onError: { target: 'failed', actions: assign({ result: ({ event }) => event.error }) },
        },
        on: { leave: 'left' },
      },
      ended: {},
      failed: {},
      left: {},
    },
  });

describe('a twin', () => {
  test('asks for its instance when it is created, takes events for it, and has it run when it starts', () => {
    const { logic, asked, posted, requests } = fakePort();
    const twin = createActor(logic, { input: { symbol: 'BTC' } });
    expect([asked, requests]).toEqual([['created'], [{ input: { symbol: 'BTC' }, snapshot: undefined }]]);
    twin.send({ type: 'early' });
    twin.start();
    expect([asked, posted]).toEqual([['created', 'started'], [{ type: 'early' }]]);
  });

  test('is active and knows nothing before the first mirror', () => {
    const { status, value, context, output, error } = startTwin().twin.getSnapshot();
    expect([status, value, context, output, error]).toEqual([
      'active',
      ...Array<undefined>(4).fill(undefined),
    ]);
  });

  test('mirrors what it is told; what is not told stays as it was', () => {
    const { twin, mirror } = startTwin();
    const c = new MirroredChild({ id: 'c' });
    mirror({ value: 'a', context: { n: 1 }, tags: new Set(['busy']), children: { c } });
    mirror({ value: 'b' });
    expect(twin.getSnapshot()).toMatchObject({
      status: 'active',
      value: 'b',
      context: { n: 1 },
      children: { c },
    });
    expect(twin.getSnapshot().tags).toEqual(new Set(['busy']));
  });

  test('gives user events to its port, and no observer hears of them', () => {
    const { twin, posted, mirror } = startTwin();
    const seen: unknown[] = [];
    twin.subscribe(({ value }) => void seen.push(value));
    const events = Array.from({ length: 100 }, (_, i) => ({ type: 'tick', i }));
    for (const event of events) twin.send(event);
    expect([seen, posted]).toEqual([[], events]);
    mirror({ value: 'a' });
    expect(seen).toEqual(['a']);
  });

  test('without interception is not changed by events that are not for it', () => {
    const logic = createTwinLogic({ created() {}, started() {}, stopped() {} });
    const twin = createActor(logic).start();
    const before = twin.getSnapshot();
    twin.send({ type: 'tick' });
    expect(twin.getSnapshot()).toBe(before);
  });

  test('ends with the output of its instance', async () => {
    const { twin, tell } = startTwin();
    const seen: string[] = [];
    twin.subscribe({
      next: ({ status }) => void seen.push(status),
      complete: () => void seen.push('complete'),
    });
    const output = toPromise(twin);
    tell({ type: 'holdfast.done', output: 42, state: { value: 'end', context: { n: 2 } } });
    expect(await output).toBe(42);
    expect(twin.getSnapshot()).toMatchObject({ status: 'done', output: 42, value: 'end', context: { n: 2 } });
    expect(seen).toEqual(['done', 'complete']);
  });

  test('fails with the error of its instance, and keeps what was mirrored', async () => {
    const { twin, tell, mirror } = startTwin();
    const errors: unknown[] = [];
    twin.subscribe({ error: (error) => void errors.push(error) });
    const output = toPromise(twin);
    const error = new RangeError('too far');
    mirror({ value: 'a', context: { n: 1 } });
    tell({ type: 'holdfast.failed', error });
    await expect(output).rejects.toBe(error);
    expect(errors).toEqual([error]);
    expect(twin.getSnapshot()).toMatchObject({ status: 'error', error, value: 'a', context: { n: 1 } });
  });

  test('has its instance ended when it is stopped, once', () => {
    const { twin, asked } = startTwin();
    twin.stop();
    twin.stop();
    expect([twin.getSnapshot().status, asked]).toEqual(['stopped', ['created', 'started', 'stopped']]);
  });

  test('that has ended does not have its instance stopped', () => {
    const { twin, tell, asked } = startTwin();
    tell({ type: 'holdfast.done', output: 1, state: {} });
    twin.stop();
    expect(asked).toEqual(['created', 'started']);
  });

  test('that is started again after its stop asks for an instance that goes on from what is known', () => {
    const { twin, mirror, asked, starts } = startTwin('input');
    const again = (): void => {
      // What XState's React bindings do in strict mode, and with parts of a page that are hidden and shown.
      const saved = twin.getSnapshot();
      twin.stop();
      Object.assign(twin, { _processingStatus: 0, _snapshot: saved });
      twin.start();
    };
    again();
    mirror({ value: 'a', context: { n: 1 } });
    again();
    const known = { status: 'active', value: 'a', context: { n: 1 }, children: {} };
    expect(asked).toEqual(['created', 'started', 'stopped', 'started', 'stopped', 'started']);
    expect(starts).toMatchObject([
      { input: 'input', snapshot: undefined },
      { input: 'input', snapshot: undefined },
      { input: 'input', snapshot: known },
    ]);
  });

  test('works with waitFor and select', async () => {
    const { twin, mirror } = startTwin();
    const holding = waitFor(twin, (snapshot) => (snapshot as unknown as TwinSnapshot).matches('holding'), {
      timeout: 60_000,
    });
    const counts: unknown[] = [];
    const count = twin.select(({ context }) => (context as { n: number } | undefined)?.n);
    count.subscribe((n) => void counts.push(n));
    for (const n of [1, 1, 2]) mirror({ value: 'flat', context: { n } });
    mirror({ value: { holding: 'long' } });
    expect((await holding).value).toEqual({ holding: 'long' });
    expect([counts, count.get()]).toEqual([[1, 2], 2]);
  });

  test('knows what the sequence of mirrors and ends says, whatever it is', () => {
    const state = fc.record({ value: fc.string(), context: fc.nat() }, { requiredKeys: [] });
    const event = fc.oneof(
      { weight: 6, arbitrary: state.map((known): TwinEvent => ({ type: 'holdfast.mirror', state: known })) },
      fc
        .tuple(state, fc.nat())
        .map(([known, output]): TwinEvent => ({ type: 'holdfast.done', output, state: known })),
      fc.nat().map((error): TwinEvent => ({ type: 'holdfast.failed', error })),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        const { twin, tell } = startTwin();
        twin.subscribe({ error: () => {} });
        const end = events.findIndex(({ type }) => type !== 'holdfast.mirror');
        const heard = end === -1 ? events : events.slice(0, end + 1);
        for (const told of heard) tell(told);
        const expected = Object.assign({}, ...heard.map((told) => ('state' in told ? told.state : {})));
        const last = heard.at(-1);
        const status = { 'holdfast.done': 'done', 'holdfast.failed': 'error', 'holdfast.mirror': 'active' };
        expect(twin.getSnapshot()).toMatchObject({
          ...expected,
          status: status[last?.type ?? 'holdfast.mirror'],
        });
      }),
    );
  });
});

describe('a mirrored snapshot', () => {
  const snapshot = new TwinSnapshot({
    value: { open: { order: 'sent' } },
    context: { n: 1 },
    tags: new Set(['busy']),
    input: 'canary',
  });

  test.each([
    ['open', true],
    [{ open: 'order' }, true],
    [{ open: { order: 'sent' } }, true],
    [{ open: { order: 'filled' } }, false],
    ['closed', false],
  ])('matches %j: %s', (value, expected) => {
    expect(snapshot.matches(value)).toBe(expected);
  });

  test('answers hasTag and getMeta without the machine, and knows nothing before the first mirror', () => {
    expect([snapshot.hasTag('busy'), snapshot.hasTag('idle'), snapshot.getMeta()]).toEqual([true, false, {}]);
    const unknown = new TwinSnapshot({});
    expect([unknown.matches('open'), unknown.hasTag('busy')]).toEqual([false, false]);
  });

  test('can() throws and says what to call', () => {
    expect(() => snapshot.can()).toThrow(/await ref\.can\(event\)/);
    expect(() => snapshot.can()).toThrow(expect.objectContaining({ code: 'NOT_MIRRORED' }) as Error);
  });

  test('a mirrored child that is sent to throws and says whom to send to', () => {
    const refused = expect.objectContaining({ name: 'HoldfastError', code: 'NOT_MIRRORED' }) as Error;
    expect(() => new MirroredChild({}).send()).toThrow(refused);
  });

  test('becomes JSON with its tags, and without its input', () => {
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual({
      status: 'active',
      value: { open: { order: 'sent' } },
      context: { n: 1 },
      tags: ['busy'],
    });
  });
});

describe('a twin under a machine', () => {
  test.each([
    ['done', 'ended', { type: 'holdfast.done', output: 7, state: {} }, 7],
    ['failed', 'failed', { type: 'holdfast.failed', error: 'boom' }, 'boom'],
  ] as const)('is heard in the machine when it is %s', (_name, value, event, result) => {
    const { logic, tell, requests } = fakePort();
    const parent = createActor(parentOf(logic)).start();
    expect(requests[0]?.input).toEqual({ symbol: 'BTC' });
    tell(event);
    expect(parent.getSnapshot()).toMatchObject({ value, context: { result } });
  });

  test('has its instance ended when the machine leaves the state', () => {
    const { logic, asked } = fakePort();
    createActor(parentOf(logic)).start().send({ type: 'leave' });
    expect(asked).toEqual(['created', 'started', 'stopped']);
  });

  test('with mirrored children is stopped like any other', () => {
    const { logic, asked, mirror } = fakePort();
    const parent = createActor(parentOf(logic)).start();
    mirror({ children: { c: new MirroredChild({ id: 'c', sessionId: 'agent/1/1', status: 'done' }) } });
    const twin = parent.getSnapshot().children['agent'] as AnyActorRef;
    const child = (twin.getSnapshot() as TwinSnapshot).children['c'];
    expect([child?.id, child?.getSnapshot()]).toEqual(['c', { status: 'done' }]);
    expect(() => child?.send()).toThrow(/passes on with sendTo/);
    parent.send({ type: 'leave' });
    expect([parent.getSnapshot().value, asked]).toEqual(['left', ['created', 'started', 'stopped']]);
  });

  /** The machine is persisted as JSON and continues elsewhere. */
  const moved = (from: ReturnType<typeof fakePort>, before: () => void) => {
    const first = createActor(parentOf(from.logic)).start();
    before();
    const persisted = JSON.parse(JSON.stringify(first.getPersistedSnapshot())) as Snapshot<unknown>;
    const to = fakePort();
    const parent = createActor(parentOf(to.logic), { snapshot: persisted }).start();
    return { ...to, parent };
  };

  test('continues from what was mirrored, in a form a machine can be restored from', () => {
    const from = fakePort();
    const agent = setup({}).createMachine({
      context: { n: 0 },
      initial: 'flat',
      states: { flat: {}, holding: { initial: 'long', states: { long: {} } } },
    });
    const { requests, asked, parent } = moved(from, () =>
      from.mirror({ value: { holding: 'long' }, context: { n: 3 } }),
    );
    const restored = createActor(agent, { snapshot: requests[0]?.snapshot as never });
    expect(restored.getSnapshot()).toMatchObject({ value: { holding: 'long' }, context: { n: 3 } });
    expect(asked).toEqual(['created', 'started']);
    expect(parent.getSnapshot().children['agent']?.getSnapshot()).toMatchObject({ context: { n: 3 } });
  });

  test('begins anew with its input when nothing was mirrored', () => {
    expect(moved(fakePort(), () => {}).requests).toEqual([{ input: { symbol: 'BTC' }, snapshot: undefined }]);
  });

  test.each([
    [
      'had ended',
      ({ tell }: ReturnType<typeof startTwin>) => tell({ type: 'holdfast.done', output: 1, state: {} }),
    ],
    ['was stopped', ({ twin }: ReturnType<typeof startTwin>) => void twin.stop()],
  ])('that %s when it was persisted does not run its instance again', (_name, end) => {
    const first = startTwin();
    end(first);
    const { logic, asked } = fakePort();
    const again = createActor(logic, { snapshot: first.twin.getPersistedSnapshot() }).start();
    const { status, output } = first.twin.getSnapshot();
    expect(again.getSnapshot()).toMatchObject({ status, output });
    expect(asked).toEqual(['created']);
  });
});
