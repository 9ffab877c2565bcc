import { expect, test } from 'vitest';
import type { InspectionEvent } from '../../wire/inspection.ts';
import { Audience, type Viewer } from './audience.ts';

const event = (sessionId: string, id: string): InspectionEvent => ({
  type: '@xstate.snapshot',
  rootId: 'supervisor',
  sessionId,
  createdAt: '0',
  id,
  _version: '0.7.2',
  event: { type: 'e' },
  snapshot: { status: 'active' } as never,
});

function hall() {
  const timers: { readonly run: () => void; readonly ms: number }[] = [];
  let listener: ((events: readonly InspectionEvent[]) => void) | undefined;
  let [now, cost] = [0, 0];
  let status = (): string => '"status"';
  const failures: unknown[] = [];
  const audience = new Audience({
    hub: {
      listen(heard) {
        listener = heard;
        return () => (listener = undefined);
      },
      replay: (ids) => Array.from(ids ?? ['all'], (id) => event(id, `replayed ${id}`)),
    },
    clock: {
      now: () => now,
      setTimeout: (run, ms) => timers.push({ run, ms }),
      clearTimeout: () => {},
    },
    now: () => (now += cost),
    status: () => status(),
    failed: (error) => void failures.push(error),
  });
  return {
    audience,
    failures,
    statusIs: (made: () => string) => (status = made),
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

function viewer() {
  const heard: string[] = [];
  const state = { isFull: false };
  const made: Viewer = {
    tell: (kind, text) =>
      void heard.push(`${kind} ${(JSON.parse(text) as InspectionEvent[]).map(({ id }) => id).join()}`),
    tellStatus: (text) => void heard.push(text),
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
  expect(heard).toEqual(['replay replayed all', '"status"', 'events 1,2', '"status"']);
  leave();
  expect(isListened()).toBe(false);
  expect(audience.size).toBe(0);
});

test('what is too much for the host is left out and counted, and the latest states follow', () => {
  const { audience, tell, costs, run, pass } = hall();
  const { made, heard } = viewer();
  audience.join(made);
  heard.length = 0;
  costs(3);
  tell(event('a', '1'));
  tell(event('a', '2'));
  tell(event('a', '3'), event('b', '4'));
  expect(audience.leftOut).toBe(2);
  costs(0);
  pass(100);
  expect(run(100)).toBe(1);
  tell(event('a', '5'));
  expect(heard).toEqual(['events 1', 'events 2', 'events replayed a,replayed b', 'events 5']);
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
  expect(slow.heard).toEqual(['"status"', 'replay replayed all', 'events 3']);
  expect(quick.heard).toEqual(['events 1', '"status"', 'events 2', '"status"', 'events 3']);
});

test('what cannot be shown in a timer ends nothing; when it goes better, all viewers get all that there is', () => {
  const { audience, tell, run, costs, pass, statusIs, failures } = hall();
  const { made, heard } = viewer();
  audience.join(made);
  heard.length = 0;
  const broken = new RangeError('the text is too long');
  statusIs(() => {
    throw broken;
  });
  expect(run(1000)).toBe(1);
  costs(10);
  tell(event('a', '1'));
  tell(event('a', '2'));
  costs(0);
  pass(100);
  expect(run(100)).toBe(1);
  statusIs(() => '"better"');
  expect(run(1000)).toBe(1);
  expect(failures).toEqual([broken]);
  expect(heard).toEqual(['"better"', 'replay replayed all']);
});
