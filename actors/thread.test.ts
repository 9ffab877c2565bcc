import { createActor, fromCallback, setup, SimulatedClock } from 'xstate';
import { getShortestPaths, getSimplePaths } from 'xstate/graph';
import { describe, expect, test } from 'vitest';
import {
  threadMachine,
  type ThreadEvent,
  type ThreadInput,
  type ThreadReport,
  type WorkerCommand,
} from './thread.ts';

const input: ThreadInput = { threadId: 'p', n: 3, startTimeoutMs: 10_000 };

/** What is seen of one thread from outside. */
class Outside {
  readonly reports: ThreadReport[] = [];
  readonly commands: WorkerCommand[] = [];
  readonly workers: unknown[] = [];
  readonly broken: { start?: boolean; receive?: boolean };
  tell: (event: ThreadEvent) => void = () => {};

  constructor(broken: Outside['broken']) {
    this.broken = broken;
  }
}

let outside = new Outside({});
const worker = fromCallback<WorkerCommand, { threadId: string; n: number; name: string }>((scope) => {
  const { broken, commands, workers } = outside;
  workers.push(scope.input);
  if (broken.start) throw new Error('no thread for you');
  outside.tell = scope.sendBack;
  scope.receive((command) => {
    if (broken.receive) throw new Error('cannot hear you');
    commands.push(command);
  });
});
const note = ({ event }: { event: unknown }): void => void outside.reports.push(event as ThreadReport);
// Machines are made once: the walk below plays them tens of thousands of times.
const parentMachine = setup({
  actors: { thread: threadMachine.provide({ actors: { worker } }) },
}).createMachine({ invoke: { src: 'thread', id: 'thread', input }, on: { 'thread.*': { actions: note } } });

/** A thread under a parent that notes its reports, with a worker that notes its commands. */
function startThread(broken: Outside['broken'] = {}) {
  const clock = new SimulatedClock();
  outside = new Outside(broken);
  const { reports, commands, workers } = outside;
  const parent = createActor(parentMachine, { clock }).start();
  const thread = parent.getSnapshot().children['thread'] as unknown as {
    send(event: ThreadEvent): void;
    getSnapshot(): { status: string; value: string };
  };
  const emit = (event: ThreadEvent): void => {
    if (event.type.startsWith('worker.')) outside.tell(event);
    else if (thread.getSnapshot().status === 'active') thread.send(event);
  };
  return { emit, clock, reports, commands, workers, snapshot: () => thread.getSnapshot() };
}

/** Everything that can happen to a thread. */
const alphabet = {
  host: { type: 'host', address: 'a/1' },
  retire: { type: 'leave', cause: 'retired' },
  ready: { type: 'worker.ready' },
  fail: { type: 'worker.failed', cause: 'error', error: new Error('boom') },
  exit: { type: 'worker.exit', code: 1 },
  wait: 'the start timeout passes',
} as const;
type Letter = keyof typeof alphabet;
const letters = Object.keys(alphabet) as Letter[];

function play(word: readonly Letter[]): ReturnType<typeof startThread> {
  const thread = startThread();
  for (const letter of word) {
    const event = alphabet[letter];
    if (typeof event === 'string') thread.clock.increment(input.startTimeoutMs);
    else thread.emit(event);
  }
  return thread;
}

/** Every sequence of `length` letters; after the exit one more, as nothing may follow. */
function* words(length: number, before: readonly Letter[] = []): Generator<readonly Letter[]> {
  if (before.length === length || before.at(-2) === 'exit') yield before;
  else for (const letter of letters) yield* words(length, [...before, letter]);
}

/** What a thread must have said and done, told from the order of events alone. */
function expected(word: readonly Letter[]): { reports: string[]; commands: string[]; over: boolean } {
  const first = (letter: Letter, until = Infinity): number => {
    const at = word.indexOf(letter);
    return at === -1 || at > until ? Infinity : at;
  };
  const exit = first('exit');
  const leave = first('retire', exit);
  const timeout = first('wait', Math.min(exit, leave, first('ready')));
  const waited = (from: number): number => {
    const at = from < exit ? word.indexOf('wait', from + 1) : -1;
    return at !== -1 && at < exit ? at : Infinity;
  };
  const fails = Math.min(first('fail', exit), timeout < leave ? timeout : Infinity);
  const leaving = leave < fails ? leave : Infinity;
  // Whoever was given up as it left fails no more.
  const failing = fails < waited(leaving) ? fails : Infinity;
  const stuck = failing < exit ? waited(failing) : waited(leaving);
  const ready = first('ready', Math.min(exit, leaving, failing));
  const end = Math.min(exit, leaving, failing);
  const cause = failing < exit ? (failing === timeout ? 'init-timeout' : 'error') : undefined;
  const happened = (at: number, what: string): [number, string][] => (at === Infinity ? [] : [[at, what]]);
  const inOrder = (...all: [number, string][]): string[] =>
    all.sort(([a], [b]) => a - b).map(([, what]) => what);
  return {
    reports: inOrder(
      ...happened(ready, 'ready'),
      ...happened(failing, 'failing'),
      ...happened(stuck, 'stuck'),
      ...happened(exit, `exited ${cause ?? (leaving < exit ? 'retired' : 'exit')}`),
    ),
    commands: inOrder(
      ...word.flatMap((letter, at) => (letter === 'host' && at < end ? happened(at, 'host a/1') : [])),
      ...happened(leaving, 'shut-down retired'),
      ...happened(failing, `terminate ${cause}`),
      ...happened(stuck, 'abandon'),
    ),
    over: exit < Infinity,
  };
}

const told = (report: ThreadReport): string =>
  report.type.replace('thread.', '') + (report.type === 'thread.exited' ? ` ${report.cause}` : '');
const commanded = (command: WorkerCommand): string =>
  [command.type, command.type === 'host' ? command.address : 'cause' in command ? command.cause : '']
    .join(' ')
    .trim();

interface Seen {
  readonly word: readonly Letter[];
  readonly reports: readonly string[];
  readonly commands: readonly string[];
  readonly over: boolean;
}

const observe = (word: readonly Letter[]): Seen => {
  const { reports, commands, snapshot } = play(word);
  const over = snapshot().status === 'done';
  return { word, reports: reports.map(told), commands: commands.map(commanded), over };
};

const count = (said: readonly string[], what: string): number =>
  said.filter((one) => one.startsWith(what)).length;
const failsAlive = (word: readonly Letter[], reports: readonly string[]): boolean =>
  word.includes('fail') &&
  !word.slice(0, word.indexOf('fail')).includes('exit') &&
  // Nor was it given up before.
  !reports.includes('stuck');

describe('after every sequence of six events, the thread', () => {
  const walk = [...words(6)].map(observe);

  test('has told and done what those events call for', () => {
    expect(walk.length).toBeGreaterThan(20_000);
    const wrong = walk.filter(({ word, ...seen }) => JSON.stringify(seen) !== JSON.stringify(expected(word)));
    expect(wrong.slice(0, 3)).toEqual([]);
  });

  // The same promises, one by one, so that they do not hang on the model above.
  test.each<[string, (seen: Seen) => boolean]>([
    ['is over exactly if the worker has exited', ({ word, over }) => over === word.includes('exit')],
    [
      'has told its exit once if the worker has exited, as the last thing it said',
      ({ word, reports }) =>
        count(reports, 'exited') === (word.includes('exit') ? 1 : 0) &&
        (reports.at(-1)?.startsWith('exited') ?? false) === word.includes('exit'),
    ],
    [
      'has said that it is failing, once, if the worker failed before it exited',
      ({ word, reports }) =>
        count(reports, 'failing') <= 1 && (!failsAlive(word, reports) || reports.includes('failing')),
    ],
    [
      'has terminated the worker exactly if it is failing',
      ({ reports, commands }) => count(commands, 'terminate') === count(reports, 'failing'),
    ],
    [
      'has hosted nothing after it was told to leave',
      ({ word, commands }) =>
        !word.includes('retire') ||
        count(commands, 'host') <= count(word.slice(0, word.indexOf('retire')), 'host'),
    ],
  ])('%s', (_name, holds) => {
    expect(walk.filter((seen) => !holds(seen)).slice(0, 3)).toEqual([]);
  });
});

describe('the thread', () => {
  test('is named for its pool and number, and starts one worker with that name', () => {
    const { workers, reports } = startThread();
    expect(workers).toEqual([{ threadId: 'p', n: 3, name: 'holdfast:p:3' }]);
    expect(reports).toEqual([]);
  });

  test('is given up when it has not started in time, to the millisecond', () => {
    const { clock, commands, emit, reports, snapshot } = startThread();
    clock.increment(input.startTimeoutMs - 1);
    expect([snapshot().value, reports]).toEqual(['starting', []]);
    clock.increment(1);
    expect(commands).toEqual([{ type: 'terminate', cause: 'init-timeout' }]);
    expect(reports).toEqual([{ type: 'thread.failing', n: 3 }]);
    emit({ type: 'worker.exit', code: 1 });
    expect(reports.at(-1)).toEqual({ type: 'thread.exited', n: 3, cause: 'init-timeout' });
  });

  test('that has started, or was told to leave, is not given up', () => {
    for (const event of [alphabet.ready, alphabet.retire]) {
      const { clock, commands, emit, reports } = startThread();
      emit(event);
      clock.increment(1_000_000);
      expect(reports.filter(({ type }) => type === 'thread.failing')).toEqual([]);
      expect(commands.filter(({ type }) => type === 'terminate')).toEqual([]);
    }
  });

  test.each([
    [[{ type: 'leave', cause: 'shutdown' }], 'shutdown'],
    [[{ type: 'leave', cause: 'retired' }], 'retired'],
    [[{ type: 'worker.failed', cause: 'oom', error: undefined }], 'oom'],
    [[alphabet.retire, alphabet.fail], 'error'],
    [[alphabet.fail, { type: 'worker.failed', cause: 'oom', error: undefined }], 'error'],
    [[alphabet.ready], 'exit'],
  ] as [ThreadEvent[], string][])('after %j the cause of its exit is %s', (events, cause) => {
    const { emit, reports } = startThread();
    for (const event of [...events, alphabet.exit]) emit(event);
    expect(reports.at(-1)).toEqual({ type: 'thread.exited', n: 3, cause });
  });

  test('whose worker could not be made is over at once, so that its place is free again', () => {
    const { reports, snapshot } = startThread({ start: true });
    expect(snapshot().status).toBe('done');
    expect(reports).toEqual([{ type: 'thread.exited', n: 3, cause: 'error' }]);
  });

  test('whose worker breaks while it is alive keeps its place until the exit was seen', () => {
    const { emit, reports, snapshot } = startThread({ receive: true });
    emit(alphabet.ready);
    emit(alphabet.host);
    expect([snapshot().status, reports.map(told)]).toEqual(['active', ['ready', 'failing']]);
    emit(alphabet.exit);
    expect(reports.map(told)).toEqual(['ready', 'failing', 'exited error']);
  });

  test('keeps its place when the worker breaks at its first word, before it was up', () => {
    const { emit, reports, snapshot } = startThread({ receive: true });
    emit(alphabet.host);
    expect([snapshot().status, reports.map(told)]).toEqual(['active', ['failing']]);
    emit(alphabet.exit);
    expect(reports.map(told)).toEqual(['failing', 'exited error']);
  });
});

describe('a thread that is replaced', () => {
  const recycle = (force: boolean) => ({ type: 'recycle', timeoutMs: 500, force }) as const;

  function replaced(force: boolean): ReturnType<typeof startThread> {
    const thread = startThread();
    thread.emit({ type: 'worker.ready' });
    thread.emit(recycle(force));
    return thread;
  }

  test('has its instances go, and leaves when the pool says that they have', () => {
    const { emit, commands, reports } = replaced(true);
    expect(commands).toEqual([{ type: 'move-out', hold: true }]);
    emit({ type: 'leave', cause: 'recycled' });
    emit({ type: 'worker.exit', code: 1 });
    expect(commands.at(-1)).toEqual({ type: 'shut-down', cause: 'recycled' });
    expect(reports.at(-1)).toEqual({ type: 'thread.exited', n: 3, cause: 'recycled' });
  });

  test.each(['worker.vacated', 'a second'])(
    'at its time hurries those that can go, and ends with the others after %s',
    (end) => {
      const { emit, clock, commands, reports } = replaced(true);
      clock.increment(500);
      expect(commands.at(-1)).toEqual({ type: 'hurry' });
      if (end === 'worker.vacated') emit({ type: 'worker.vacated' });
      else clock.increment(1000);
      expect(commands.at(-1)).toEqual({ type: 'wind-down' });
      expect(reports.at(-1)).toEqual({ type: 'thread.failing', n: 3 });
    },
  );

  test.each(['worker.emptied', 'five seconds', 'leave'])(
    'stops those that are left before it ends, which it does after %s',
    (end) => {
      const { emit, clock, commands } = replaced(true);
      emit({ type: 'worker.vacated' });
      expect(commands.at(-1)).toEqual({ type: 'wind-down' });
      if (end === 'five seconds') clock.increment(5000);
      else emit(end === 'leave' ? { type: end, cause: 'shutdown' } : { type: 'worker.emptied' });
      expect(commands.at(-1)).toEqual({ type: 'shut-down', cause: 'recycled' });
    },
  );

  test('is given up when it is still alive a second after it was told to end', () => {
    const { emit, clock, commands, reports } = replaced(true);
    emit({ type: 'leave', cause: 'recycled' });
    clock.increment(1000);
    expect(commands.at(-1)).toEqual({ type: 'abandon' });
    expect(reports.at(-1)).toEqual({ type: 'thread.stuck', n: 3 });
  });

  test('that need not be keeps those that have not gone', () => {
    const { clock, commands, reports, snapshot } = replaced(false);
    clock.increment(500);
    expect(commands.at(-1)).toEqual({ type: 'stay' });
    expect([reports.at(-1), snapshot().value]).toEqual([{ type: 'thread.ready', n: 3 }, 'ready']);
  });

  test('and crashes meanwhile has crashed', () => {
    const { emit, reports } = replaced(true);
    emit({ type: 'worker.failed', cause: 'oom', error: new Error('full') });
    emit({ type: 'worker.exit', code: 1 });
    expect(reports.slice(1)).toEqual([
      { type: 'thread.failing', n: 3 },
      { type: 'thread.exited', n: 3, cause: 'oom' },
    ]);
  });
});

describe('the chart of the thread', () => {
  const noop = (): void => {};
  // Alone it has no pool to tell and no worker: only its states are walked here.
  const chart = threadMachine.provide({
    actors: { worker: fromCallback(noop) as never },
    actions: {
      tellHost: noop,
      tellReady: noop,
      tellFailing: noop,
      tellExited: noop,
      shutDown: noop,
      terminate: noop,
    },
  });
  const timeout = { type: 'xstate.after.startTimeout.thread.starting' } as unknown as ThreadEvent;
  const events = [...Object.values(alphabet).filter((event) => typeof event !== 'string'), timeout];
  const options = {
    input,
    events,
    serializeState: ({ value }: { value: unknown }) => String(value),
    stopWhen: ({ status }: { status: string }) => status === 'done',
  };

  test('reaches each state by a shortest path', () => {
    const broken = { type: 'xstate.error.actor.worker' } as unknown as ThreadEvent;
    const paths = getShortestPaths(chart, { ...options, events: [...events, broken] });
    const lengths = paths.map(({ state, steps }) => [state.value, steps.length - 1]);
    expect(Object.fromEntries(lengths)).toEqual({
      starting: 0,
      ready: 1,
      ending: 1,
      failed: 1,
      lost: 2,
      exited: 1,
    });
  });

  test('every simple path that ends is ended by the exit of the worker', () => {
    const ends = getSimplePaths(chart, options).filter(({ state }) => state.status === 'done');
    expect(ends.length).toBeGreaterThan(4);
    expect(new Set(ends.map(({ steps }) => steps.at(-1)?.event.type))).toEqual(new Set(['worker.exit']));
  });
});
