import { expect, test } from 'vitest';
import type { InspectionEvent } from '../../wire/inspection.ts';
import { Audience, type Viewer } from './audience.ts';

const event = (sessionId: string, id: string, type = '@xstate.snapshot'): InspectionEvent =>
  ({
    type,
    rootId: 'supervisor',
    sessionId,
    createdAt: '0',
    id,
    _version: '0.7.2',
    event: { type: 'e' },
    snapshot: { status: 'active' },
  }) as never;

function hall() {
  const timers: { readonly run: () => void; readonly ms: number }[] = [];
  let listener: ((events: readonly InspectionEvent[]) => void) | undefined;
  let [now, cost] = [0, 0];
  const failures: unknown[] = [];
  const audience = new Audience({
    hub: {
      listen(heard) {
        listener = heard;
        return () => (listener = undefined);
      },
      scrub: <T>(value: T): T => {
        const text = JSON.stringify(value);
        return text.includes('later') ? (JSON.parse(text.replaceAll('later', '[secret]')) as T) : value;
      },
    },
    clock: {
      now: () => now,
      setTimeout: (run, ms) => timers.push({ run, ms }),
      clearTimeout: () => {},
    },
    now: () => (now += cost),
    failed: (error) => void failures.push(error),
  });
  return {
    audience,
    failures,
    isListened: () => listener !== undefined,
    tell: (...events: InspectionEvent[]) => listener?.(events),
    costs: (ms: number) => (cost = ms),
    pass: (ms: number) => (now += ms),
    run: (ms: number) => {
      const due = timers.splice(0).filter((timer) => timer.ms === ms || timers.push(timer) === 0);
      for (const { run } of due) run();
      return due.length;
    },
  };
}

function viewer(parts = 0) {
  const heard: string[] = [];
  const state = { isFull: false, parts, fails: undefined as Error | undefined };
  const made: Viewer = {
    begin: () => void heard.push('all'),
    ...(parts > 0 && {
      more: () => {
        heard.push(`part ${state.parts}`);
        state.parts -= 1;
        return state.parts > 0;
      },
    }),
    tell(events) {
      heard.push(`events ${events.map(({ id }) => id).join()}`);
      return undefined;
    },
    catchUp: (missed) =>
      void heard.push(`latest ${missed.map(({ id, hasBegun }) => `${id}${hasBegun ? '!' : ''}`).join()}`),
    tick() {
      if (state.fails !== undefined) throw state.fails;
      heard.push('status');
    },
    isFull: () => state.isFull,
  };
  return { made, heard, state };
}

test('one who comes gets all that there is, then what happens; nothing is done while there is nobody', () => {
  const { audience, isListened, tell, run } = hall();
  expect(isListened()).toBe(false);
  const { made, heard } = viewer();
  const leave = audience.join(made);
  tell(event('a', '1'), event('b', '2'));
  expect(run(1000)).toBe(1);
  expect(heard).toEqual(['all', 'status', 'events 1,2', 'status']);
  leave();
  expect(isListened()).toBe(false);
  expect(audience.size).toBe(0);
});

test('what there is comes in parts, one in each window, while others are told what happens', () => {
  const { audience, tell, run } = hall();
  const { made, heard } = viewer(2);
  audience.join(made);
  tell(event('a', '1'));
  expect([run(100), run(100), run(100)]).toEqual([1, 1, 0]);
  expect(heard).toEqual(['all', 'status', 'events 1', 'part 2', 'part 1']);
});

test('what is too much for the host is left out and counted, and the latest states follow', () => {
  const { audience, tell, costs, run, pass } = hall();
  const { made, heard } = viewer();
  audience.join(made);
  heard.length = 0;
  costs(3);
  tell(event('a', '1'));
  tell(event('a', '2'));
  tell(event('a', '3'), event('b', '4', '@xstate.actor'), event('b', '5'));
  expect(audience.leftOut).toBe(3);
  costs(0);
  pass(100);
  expect(run(100)).toBe(1);
  tell(event('a', '6'));
  expect(heard).toEqual(['events 1', 'events 2', 'latest a,b!', 'events 6']);
});

test('of thousands of actors that were left out some are told of in each window', () => {
  const { audience, tell, costs, run, pass } = hall();
  const { made, heard } = viewer();
  audience.join(made);
  costs(10);
  tell(event('a', '1'));
  heard.length = 0;
  tell(...Array.from({ length: 1200 }, (_, n) => event(`b/${n}`, `${n}`)));
  costs(0);
  for (let n = 0; n < 4; n += 1) {
    pass(100);
    run(100);
  }
  const told = heard.map((line) => line.split(','));
  expect(told.map(({ length }) => length)).toEqual([500, 500, 200]);
  expect(new Set(told.flat()).size).toBe(1200);
});

test('one who is slow misses something, and gets all that there is when there is room again', () => {
  const { audience, tell, run } = hall();
  const [slow, quick] = [viewer(), viewer()];
  audience.join(slow.made);
  audience.join(quick.made);
  slow.heard.length = quick.heard.length = 0;
  slow.state.isFull = true;
  tell(event('a', '1'));
  run(1000);
  slow.state.isFull = false;
  tell(event('a', '2'));
  expect(slow.heard).toEqual([]);
  run(1000);
  tell(event('a', '3'));
  expect(slow.heard).toEqual(['all', 'status', 'events 3']);
  expect(quick.heard).toEqual(['events 1', 'status', 'events 2', 'status', 'events 3']);
});

test('what cannot be shown in a timer ends nothing; when it goes better, all viewers get all that there is', () => {
  const { audience, tell, run, failures } = hall();
  const { made, heard, state } = viewer();
  audience.join(made);
  heard.length = 0;
  const broken = new RangeError('the text is too long');
  state.fails = broken;
  expect(run(1000)).toBe(1);
  tell(event('a', '1'));
  state.fails = undefined;
  expect(run(1000)).toBe(1);
  expect(failures).toEqual([broken]);
  expect(heard).toEqual(['all', 'status']);
});

/** One of whose events those who come later are told; it is told of theirs. */
function remembering() {
  const recent: string[] = [];
  const made: Viewer = {
    begin: () => {},
    recall: (text) => void recent.push(text),
    tell: (events) => JSON.stringify(events),
    catchUp: () => {},
    isFull: () => false,
  };
  const ids = (n: number): unknown =>
    (JSON.parse(recent[n] ?? '') as (InspectionEvent[] | null)[]).map((batch) => batch?.map(({ id }) => id));
  return { made, recent, ids };
}

test('who comes is told what others were told before, where nobody was, and no value that is a secret by now', () => {
  const { audience, tell, costs, pass } = hall();
  const { made, ids } = remembering();
  const first = audience.join(made);
  tell(event('a', 'one'), event('a', 'of later'));
  audience.join({ ...made })();
  first();
  tell(event('a', 'unseen'));
  audience.join(made);
  expect([ids(0), ids(1), ids(2)]).toEqual([
    [],
    [['one', 'of [secret]']],
    [['one', 'of [secret]'], undefined],
  ]);
  // What was too much for the host was told nobody either.
  costs(10);
  tell(event('a', 'two'));
  tell(event('a', 'left out'), event('a', 'and this'));
  costs(0);
  pass(1000);
  tell(event('a', 'three'));
  audience.join({ ...made });
  expect(ids(3)).toEqual([['one', 'of [secret]'], undefined, ['two'], undefined, ['three']]);
});

test('what is remembered for those who come is bounded', () => {
  const { audience, tell } = hall();
  const { made, recent } = remembering();
  audience.join(made);
  for (let n = 0; n < 5; n += 1) tell(event('a', `${n} ${'x'.repeat(900_000)}`));
  audience.join({ ...made });
  const [, text = ''] = recent;
  expect(text.length).toBeLessThan(2_100_000);
  expect(text).not.toContain('"2 x');
  expect(text).toContain('"3 x');
  expect(text).toContain('"4 x');
});
