import { expect, it, vi } from 'vitest';
import { createMachine, emit, fromCallback, setup } from 'xstate';
import { REPORT } from '../wire/protocol.ts';
import { host, openHosted } from './fixtures/hosted.ts';
import { HostedInstance } from './hosted-instance.ts';
import { Reports } from './reports.ts';
import type { HostBridge } from './thread-state.ts';

const kinds = (sent: readonly (readonly unknown[])[]): unknown[] => sent.flat().filter((_, i) => i % 3 === 0);

it.each(['all', 'latest'] as const)(
  'tells its last state once, with its end, when it mirrors %s',
  (mirror) => {
    const ending = createMachine({
      initial: 'on',
      states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
    });
    const { instance, reports, sent } = host(ending, { mirror, watched: true });
    reports.flush();
    sent.length = 0;
    instance.turn({ type: 'end' }, undefined);
    reports.flush();
    expect(kinds(sent)).toEqual([REPORT.done]);
  },
);

it('tells what it emitted before it failed to start, before the failure', () => {
  const failing = createMachine({
    entry: emit({ type: 'heard' }),
    invoke: {
      src: fromCallback(() => {
        throw new Error('no start');
      }),
    },
  });
  const sent: unknown[][] = [];
  const instance = new HostedInstance({
    request: {
      slot: 0,
      address: 'agent/one',
      id: 'one',
      incarnation: 1,
      moduleUrl: 'test:module',
      exportName: 'default',
      mirror: 'latest',
      watched: false,
      maxIterations: 1000,
    },
    logic: failing,
    // It comes to nothing that an agent would ask of its host.
    bridge: { self: { address: 'agent/one', threadId: 'pool', thread: 7, incarnation: 1 } } as HostBridge,
    reports: new Reports((items) => void sent.push(items)),
    clock: { setTimeout: () => 0, clearTimeout() {} },
    owner: { wake() {}, large() {}, ended() {}, late() {} },
  });
  expect(() => instance.start()).toThrow('no start');
  // And after it the state that it failed in.
  expect(kinds(sent)).toEqual([REPORT.emitted, REPORT.ahead]);
});

it('tells its state anew when a child has changed since an event brought it', () => {
  const failing = fromCallback(() => {
    throw new Error('no start');
  });
  const machine = setup({
    actors: { failing },
    types: { emitted: {} as { type: 'told' } },
  }).createMachine({
    initial: 'idle',
    states: {
      idle: { on: { go: { target: 'busy', actions: emit({ type: 'told' }) } } },
      busy: { invoke: { src: 'failing', id: 'child' } },
    },
  });
  const { instance, reports, sent } = openHosted(machine, { watched: true, mirror: 'all' });
  instance.start();
  instance.turn({ type: 'go' }, undefined);
  reports.flush();
  const states = sent.flat().flatMap((part, i, all) => (part === REPORT.snapshot ? [all[i + 2]] : []));
  expect(states.at(-1)).toMatchObject({ value: 'busy', children: { child: { status: 'error' } } });
});

it('shows what its actors do when it is asked to, and otherwise nothing', () => {
  const machine = createMachine({ on: { go: {} } });
  for (const inspected of [true, false]) {
    const observe = vi.fn<() => void>();
    const { ask } = host(machine, { inspected }, {}, { inspection: { observe, log: () => {} } });
    ask({ type: 'go' });
    expect(observe.mock.calls.length > 3).toBe(inspected);
    expect(observe.mock.calls.length > 0).toBe(inspected);
  }
});

it('shows how long an event waited, and the lines that its agent writes to the log', () => {
  const told: unknown[] = [];
  const inspection = {
    observe: (seen: object) => void told.push(seen),
    log: (line: object) => void told.push(line),
  };
  const { instance } = host(
    createMachine({ on: { go: {} } }),
    { inspected: true },
    {},
    { inspection, now: () => 112.5 },
  );
  instance.sentAt = 100;
  instance.turn({ type: 'go' }, undefined);
  instance.logged('warn', 'slow', { n: 1 });
  expect(told).toContainEqual(expect.objectContaining({ type: '@xstate.event', waitedMs: 12.5 }));
  expect(told).toContainEqual({
    sessionId: instance.address,
    level: 'warn',
    message: 'slow',
    fields: { n: 1 },
  });
});

it('observes its actor only while it is watched', () => {
  const observers: number[] = [];
  const count = ({ self }: { self: unknown }): void =>
    void observers.push((self as { observers: ReadonlySet<unknown> }).observers.size);
  const { instance, reports, sent } = host(createMachine({ on: { go: { actions: count } } }), {
    mirror: 'all',
  });
  const told = (): number =>
    sent
      .splice(0)
      .flat()
      .filter((part, i) => i % 3 === 0 && part === REPORT.snapshot).length;
  const turns = [false, true, true, false].map((watched) => {
    instance.watch(watched);
    instance.turn({ type: 'go' }, undefined);
    reports.flush();
    return told();
  });
  expect(observers).toEqual([0, 1, 1, 0]);
  // As it is watched, and after each turn.
  expect(turns).toEqual([0, 2, 2, 0]);
});
