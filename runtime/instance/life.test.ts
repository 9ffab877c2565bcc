import fc from 'fast-check';
import { createActor, createMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../base/errors.ts';
import { toMermaid } from '../inspect/to-mermaid.ts';
import { LoneInstance, settled } from './fixtures/lone-instance.ts';
import { isOver, life, phaseAfter, type InstancePhase, type LifeEvent } from './life.ts';

const phases = Object.keys(life.states) as InstancePhase[];

/** What happens to an instance. */
const steps = [
  'place',
  'start',
  'start fails',
  'no place',
  'depart',
  'rest',
  'fail',
  'done',
  'wound down',
  'pause',
  'restart',
  'give up',
  'give up with another',
  'end',
  'fence',
  'stop',
  'shut down',
  'left',
  'died',
] as const;
type Step = (typeof steps)[number];

/** What is to be true of an instance, by the table alone and by what its thread and its supervisor may do. */
class Model {
  readonly #chart = createActor(createMachine(life)).start();
  incarnation = 1;
  due = true;
  seat: 'waiting' | 'begun' | undefined;
  /** What goes on when the thread has let go of it. */
  #leaving: (() => void)[] = [];
  #stopped = false;

  get phase(): InstancePhase {
    return this.#chart.getSnapshot().value as InstancePhase;
  }

  /** The event changes its life, or is none of it. */
  #lives(event: LifeEvent): boolean {
    const changes = this.#chart.getSnapshot().can({ type: event });
    this.#chart.send({ type: event });
    return changes;
  }

  #leave(then: () => void): void {
    if (this.seat === 'begun') this.#leaving.push(then);
    else then();
  }

  #finish(): void {
    if (this.#lives('finish')) this.seat = undefined;
  }

  #letGo(): void {
    const { seat, seats } = this;
    this.due = false;
    this.#leave(() => {
      if (this.seats === seats && this.seat === seat) this.seat = undefined;
    });
  }

  /** Seats that it ever had: whether it still has the same one. */
  seats = 0;

  /** Whether the step can come to an instance at all: a thread speaks only of those that sit there. */
  can(step: Step): boolean {
    if (step === 'start') return this.seat === 'waiting';
    if (step === 'start fails') return this.seat === 'waiting';
    if (step === 'fail' || step === 'done' || step === 'wound down') return this.seat === 'begun';
    if (step === 'depart' || step === 'rest') return this.seat === 'begun';
    // By its own failures, when it has failed.
    if (step === 'give up') return this.seat === undefined;
    return true;
  }

  take(step: Step): void {
    if (step === 'place') {
      if (!this.due || this.seat !== undefined || isOver(this.phase)) return;
      this.due = false;
      this.seat = 'waiting';
      this.seats += 1;
    } else if (step === 'start') {
      if (!isOver(this.phase) && this.#lives('run')) this.seat = 'begun';
    } else if (step === 'no place') {
      if (!this.due || isOver(this.phase)) return;
      if (this.phase === 'moving') return;
      this.due = false;
      this.#ends();
    } else if (step === 'start fails') this.#ends();
    else if (step === 'fail' || step === 'done' || step === 'wound down') this.#ends();
    else if (step === 'depart') {
      if (!this.#lives('depart')) return;
      this.due = true;
      this.seat = undefined;
    } else if (step === 'rest') {
      if (this.#lives('rest')) this.seat = undefined;
    } else if (step === 'pause') {
      if (this.#lives('pause')) this.#letGo();
    } else if (step === 'restart') {
      if (!this.#lives('restart')) return;
      this.incarnation += 1;
      this.due = true;
    } else if (step === 'give up') this.#lives('give-up');
    else if (step === 'give up with another') {
      if (this.#lives('give-up')) this.#letGo();
    } else if (step === 'end') this.#finish();
    else if (step === 'fence') {
      if (this.#lives('fence')) this.#leave(() => this.#finish());
    } else if (step === 'stop' || step === 'shut down') {
      if (this.#stopped) return;
      this.#stopped = true;
      if (this.#lives('stop')) this.#leave(() => this.#finish());
    } else for (const then of this.#leaving.splice(0)) then();
  }

  /** Somebody needs it. */
  wake(): void {
    if (this.#lives('wake')) this.due = true;
  }

  #ends(): void {
    this.seat = undefined;
    if (this.phase === 'starting') this.#finish();
    else this.#lives('end');
  }
}

function happen(to: LoneInstance, step: Step): void {
  const { instance, berths } = to;
  const error = new Error('it failed');
  if (step === 'place') to.place();
  else if (step === 'start') to.start();
  else if (step === 'start fails') instance.startFailed(error);
  else if (step === 'no place') instance.refused(new HoldfastError('POOL_EXHAUSTED', 'no'), 'error');
  else if (step === 'depart') instance.departed({ snapshot: {}, timers: [] });
  else if (step === 'rest') instance.rested();
  else if (step === 'fail') instance.failed(error);
  else if (step === 'done') instance.done({ output: 1, snapshot: { status: 'done' } });
  else if (step === 'wound down') instance.failed(error, 'stopped');
  else if (step === 'pause') instance.pause();
  else if (step === 'restart') instance.restart();
  else if (step === 'give up') instance.giveUp();
  else if (step === 'give up with another') instance.giveUp(new LoneInstance().instance);
  else if (step === 'end') instance.finishEnded();
  else if (step === 'fence') void instance.fenced(new HoldfastError('STORE_FAILED', 'another goes on'));
  // It rejects when the instance is fenced meanwhile.
  else if (step === 'stop') instance.stop().catch(() => {});
  else if (step === 'shut down') void instance.stop('shutdown');
  else if (step === 'left') for (const berth of berths) berth.left();
  else for (const berth of berths) berth.died();
}

/** An instance as others see it. It has one seat at most, gives up each once, and is gone once. */
function shown({ instance, twin, told, berths }: LoneInstance): string {
  const { phase, incarnation, over } = instance;
  const ended = told.filter((what) => what === 'end' || what === 'end without release').length;
  const gone = told.filter((what) => what === 'gone').length;
  // With the quarantine its twin has ended.
  const twinEnded = !twin.alive && instance.quarantine === undefined;
  return `${phase} ${incarnation} over: ${over} seats: ${berths.length}-${ended} gone: ${gone} twin: ${twinEnded}`;
}

function promised({ phase, incarnation, seats, seat }: Model): string {
  const ended = seats - (seat === undefined ? 0 : 1);
  const gone = phase === 'ended' ? 1 : 0;
  return `${phase} ${incarnation} over: ${isOver(phase)} seats: ${seats}-${ended} gone: ${gone} twin: ${phase === 'ended'}`;
}

const often = fc.constantFrom<Step>('place', 'start');
const now = fc.constantFrom<Step>('fail', 'done', 'depart', 'rest', 'restart', 'pause', 'left', 'give up');
const any = fc.constantFrom<Step>(...steps);
const walk = fc.array(
  fc.oneof({ weight: 8, arbitrary: often }, { weight: 6, arbitrary: now }, { weight: 1, arbitrary: any }),
  { maxLength: 60, size: 'max' },
);

describe('the life of an instance', () => {
  test('is what its table says, whatever happens to it in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(walk, async (steps) => {
        const [real, model] = [new LoneInstance(), new Model()];
        const { instance, twin } = real;
        const waiting: Promise<unknown>[] = [];
        const wrongs: string[] = [];
        for (const step of [...steps, 'stop', 'left'] as const) {
          if (!model.can(step)) continue;
          waiting.push(instance.seated().catch(() => {}));
          model.wake();
          happen(real, step);
          model.take(step);
          if (step === 'left' || step === 'died') await settled();
          if (shown(real) !== promised(model))
            wrongs.push(`after ${step}: ${shown(real)}, not ${promised(model)}`);
        }
        expect(wrongs).toEqual([]);
        expect([instance.phase, twin.late]).toEqual(['ended', []]);
        // Nobody waits any more.
        await Promise.all([...waiting, instance.started.catch(() => {})]);
      }),
      { numRuns: 500 },
    );
  });

  test('is drawn: each phase, and each way from one to another', () => {
    const chart = toMermaid(createMachine(life));
    for (const phase of phases) {
      for (const [event, next] of Object.entries(life.states[phase].on))
        expect(chart).toContain(`s_${phase} --> s_${next} : ${event}`);
    }
  });

  test('ends once, and nothing follows', () => {
    expect(Object.keys(life.states.ended.on)).toEqual([]);
    for (const phase of phases.filter((one) => one !== 'ended'))
      expect(phaseAfter(phase, 'finish')).toBe('ended');
  });

  test('takes nothing in the phases from which only somebody else can bring it back', () => {
    const isStuck = (phase: InstancePhase): boolean =>
      phaseAfter(phase, 'end') === undefined && phaseAfter(phase, 'wake') === undefined;
    expect(phases.filter(isOver)).toEqual(phases.filter(isStuck));
  });
});
