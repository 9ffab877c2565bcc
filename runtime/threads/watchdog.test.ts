import { describe, expect, test } from 'vitest';
import { FakeClock } from '../mailbox/fixtures/fake-clock.ts';
import { Watchdog, type WatchdogOptions } from './watchdog.ts';

interface Rig {
  readonly clock: FakeClock;
  readonly told: readonly string[];
  readonly pings: () => number;
  readonly looks: () => number;
  readonly dog: Watchdog;
  readonly thread: {
    slot: number;
    turn: number;
    share: number | undefined;
    awaited: boolean;
    answers: boolean;
  };
}

function rig(options: Partial<WatchdogOptions> = {}): Rig {
  const clock = new FakeClock();
  const told: string[] = [];
  const thread: Rig['thread'] = { slot: -1, turn: 0, share: 0, awaited: false, answers: true };
  let pings = 0;
  let looks = 0;
  const dog = new Watchdog({
    clock: { ...timesOf(clock), random: () => 0 },
    warnMs: 1000,
    killMs: 15_000,
    progress: { inHand: () => thread.slot, turns: () => thread.turn, look: () => void (looks += 1) },
    utilization: () => thread.share,
    ping() {
      pings += 1;
      return thread.answers ? Promise.resolve() : new Promise(() => {});
    },
    awaited: () => thread.awaited,
    debugged: () => false,
    slow: (slot, ms) => void told.push(`slow ${slot} ${ms}`),
    hung: (slot, ms) => void told.push(`hung ${slot} ${ms}`),
    ...options,
  });
  return { clock, told, pings: () => pings, looks: () => looks, dog, thread };
}

function timesOf(clock: FakeClock) {
  return {
    now: () => clock.now(),
    date: () => clock.date(),
    setTimeout: (run: () => void, ms: number) => clock.setTimeout(run, ms),
    clearTimeout: (handle: unknown) => clock.clearTimeout(handle),
  };
}

describe('a watchdog', () => {
  test('has the thread know of each look, at least four in a second', () => {
    const { clock, dog, looks } = rig();
    dog.watch();
    clock.pass(1000);
    expect(looks()).toBe(4);
    dog.end();
  });

  test('warns of a turn after its time, once, and ends the thread when the turn goes on', () => {
    const { clock, told, dog, thread } = rig();
    dog.watch();
    Object.assign(thread, { slot: 3, turn: 1, share: 1 });
    clock.pass(1249);
    expect(told).toEqual([]);
    clock.pass(1);
    expect(told).toEqual(['slow 3 1000']);
    clock.pass(13_999);
    expect(told).toEqual(['slow 3 1000']);
    clock.pass(251);
    expect(told).toEqual(['slow 3 1000', 'hung 3 15000']);
    clock.pass(60_000);
    expect([told.length, clock.pending]).toEqual([2, 0]);
  });

  test('counts each turn by itself, however many one instance has in a row', async () => {
    const { clock, told, dog, thread } = rig();
    dog.watch();
    for (let turn = 1; turn <= 100; turn++) {
      Object.assign(thread, { slot: 0, turn, share: 1 });
      clock.pass(900);
      // Between two turns it answers.
      await Promise.resolve();
    }
    expect(told).toEqual([]);
  });

  test('does not believe a thread that tells of ever new turns and answers nothing', () => {
    const { clock, told, dog, thread } = rig();
    Object.assign(thread, { share: 1, answers: false });
    dog.watch();
    for (let turn = 1; turn <= 70; turn++) {
      Object.assign(thread, { slot: turn % 2 === 0 ? -1 : 3, turn });
      clock.pass(250);
    }
    expect(told.map((one) => one.split(' ')[0])).toEqual(['slow', 'hung']);
  });

  test('nor one that idles and answers nothing of what it is asked', () => {
    const { clock, told, dog, thread } = rig();
    Object.assign(thread, { share: 0.1, awaited: true, answers: false });
    dog.watch();
    clock.pass(15_500);
    expect(told).toEqual(['slow -1 1000', 'hung -1 15000']);
  });

  test('counts what runs outside of turns from a ping that has no answer', async () => {
    const { clock, told, pings, dog, thread } = rig();
    thread.share = 1;
    dog.watch();
    for (let i = 0; i < 20; i++) {
      clock.pass(250);
      await Promise.resolve();
    }
    expect(told).toEqual([]);
    expect(pings()).toBeGreaterThan(5);
    thread.answers = false;
    const before = pings();
    clock.pass(500);
    await Promise.resolve();
    clock.pass(14_750);
    expect(pings() - before).toBeLessThanOrEqual(2);
    expect(told[0]).toMatch(/^slow -1/);
    clock.pass(500);
    expect(told.at(-1)).toMatch(/^hung -1/);
  });

  test('never pings a thread that is idle or has pauses', () => {
    const { clock, pings, dog, thread } = rig();
    dog.watch();
    clock.pass(10_000);
    thread.share = 0.9;
    clock.pass(10_000);
    expect(pings()).toBe(0);
  });

  test('does not count time in which the host itself was late', () => {
    const clock = new FakeClock();
    let late = 0;
    const { told, dog, thread } = rig({
      clock: { ...timesOf(clock), now: () => clock.now() + late, random: () => 0 },
    });
    Object.assign(thread, { slot: 0, turn: 1, share: 1 });
    dog.watch();
    clock.pass(500);
    late = 60_000;
    clock.pass(250);
    expect(told).toEqual([]);
    clock.pass(1000);
    expect(told).toEqual(['slow 0 1000']);
  });

  test('does not end a thread that a debugger holds, nor at once when that is gone', () => {
    let debugged = true;
    const { clock, told, dog, thread } = rig({ debugged: () => debugged });
    Object.assign(thread, { slot: 0, turn: 1, share: 1 });
    dog.watch();
    clock.pass(60_000);
    expect(told).toEqual(['slow 0 1000']);
    debugged = false;
    clock.pass(250);
    expect(told).toHaveLength(1);
    clock.pass(15_000);
    expect(told).toHaveLength(2);
  });

  test('of a thread that nobody can look into looks only while something is awaited of it', async () => {
    const { clock, told, dog, thread } = rig();
    Object.assign(thread, { share: undefined, awaited: true, answers: true });
    dog.watch();
    clock.pass(250);
    await Promise.resolve();
    thread.awaited = false;
    clock.pass(250);
    expect(clock.pending).toBe(0);
    Object.assign(thread, { awaited: true, answers: false });
    dog.watch();
    clock.pass(20_000);
    expect(told.map((one) => one.slice(0, 7))).toEqual(['slow -1', 'hung -1']);
  });

  test('with 0 never warns, or never ends, and with both has no timer', () => {
    const busy = { slot: 0, turn: 1, share: 1 };
    const quiet = rig({ warnMs: 0 });
    Object.assign(quiet.thread, busy);
    quiet.dog.watch();
    quiet.clock.pass(20_000);
    expect(quiet.told).toEqual(['hung 0 15000']);
    const kind = rig({ killMs: 0 });
    Object.assign(kind.thread, busy);
    kind.dog.watch();
    kind.clock.pass(100_000);
    expect(kind.told).toEqual(['slow 0 1000']);
    const off = rig({ warnMs: 0, killMs: 0 });
    off.dog.watch();
    expect(off.clock.pending).toBe(0);
  });
});
