import { assign, createActor, sendTo, setup, type AnyActor, type AnyActorLogic } from 'xstate';
import type { Chart, Scenario, Step } from './chart.ts';
import { printStep } from './print-chart.ts';
import {
  describeError,
  isRunning,
  observe,
  seeEnd,
  seeEvent,
  type Entry,
  type Observed,
  type Questions,
  type Trace,
} from './trace.ts';

/** Where charts run: as plain actors, or as agents. */
export interface Place {
  /** The chart as logic that `createActor` and machines take. */
  load(chart: Chart): Promise<AnyActorLogic>;
  /** Of `createActor`. */
  readonly options: object;
  /** An actor of the loaded chart that runs already, or why it does not. */
  spawn(options: StartOptions): Promise<Observed>;
  advance(ms: number): Promise<void>;
  /** Resolves when everything that happens without time is over. */
  settled(): Promise<void>;
  /** All that a running actor can be asked. */
  ask(actor: Observed): Promise<Questions>;
  stop(actor: Observed): Promise<void>;
}

export interface StartOptions {
  readonly input?: unknown;
  readonly snapshot?: unknown;
}

/** Runs a chart through its steps and writes down all that can be seen from outside. */
export async function runScenario(place: Place, { chart, as, steps }: Scenario): Promise<Trace> {
  const logic = await place.load(chart);
  const run = new Run(place, logic);
  if (as === 'child') await run.asChild(steps);
  else await run.alone(as, steps);
  return run.entries;
}

const INPUT = { count: 1 };

class Run {
  readonly entries: Entry[] = [];
  readonly #place: Place;
  readonly #logic: AnyActorLogic;

  constructor(place: Place, logic: AnyActorLogic) {
    this.#place = place;
    this.#logic = logic;
  }

  async alone(as: 'actor' | 'spawned', steps: readonly Step[]): Promise<void> {
    const start = as === 'actor' ? this.#create : this.#spawn;
    let actor = await start({ input: INPUT });
    for (const step of steps) {
      if (actor === undefined || !isRunning(actor)) return;
      this.entries.push({ at: 'step', step: printStep(step) });
      if ('send' in step) {
        for (const event of step.send) {
          // XState's development build writes what comes after the end to the console, and ignores it.
          if (isRunning(actor)) actor.send({ ...event });
        }
      } else if ('advance' in step) {
        await this.#place.advance(step.advance);
      } else {
        const { persisted } = await this.#place.ask(actor);
        // XState cannot persist everything, and says so here and there.
        if (persisted.error !== undefined) continue;
        await this.#place.stop(actor);
        actor = await start({ snapshot: persisted.value });
        continue;
      }
      await this.#rest(actor);
    }
    if (actor !== undefined) await this.#place.stop(actor);
  }

  /** Observed from its first state on. */
  readonly #create = async (options: StartOptions): Promise<Observed | undefined> => {
    const { entries } = this;
    const actor = createActor(this.#logic, { ...this.#place.options, ...options } as never) as AnyActor;
    let started = false;
    observe(actor as unknown as Observed, (entry) => {
      // A twin shows itself when it starts, before the first mirror; of a plain actor it is the first state.
      if (started || entry.at !== 'snapshot' || !isTwin(actor)) entries.push(entry);
    });
    actor.start();
    started = true;
    await this.#rest(actor as unknown as Observed);
    return actor as unknown as Observed;
  };

  /** Observed once it runs. */
  readonly #spawn = async (options: StartOptions): Promise<Observed | undefined> => {
    const { entries } = this;
    try {
      const actor = await this.#place.spawn(options);
      await this.#place.settled();
      let open = !isRunning(actor);
      if (!open) {
        // An agent tells every new observer its current state; that one is in the answers that follow.
        observe(actor, (entry) => open && entries.push(entry));
        await this.#place.settled();
        open = true;
      }
      await this.#rest(actor);
      return actor;
    } catch (error) {
      entries.push({ at: 'error', error: describeError(error) });
      return undefined;
    }
  };

  async #rest(actor: Observed): Promise<void> {
    await this.#place.settled();
    const rest = isRunning(actor) ? await this.#place.ask(actor) : { seen: seeEnd(actor.getSnapshot()) };
    this.entries.push({ at: 'rest', ...rest });
  }

  /** Invoked by a machine, which tells what it hears. */
  async asChild(steps: readonly Step[]): Promise<void> {
    const parent = createActor(parentOf(this.#logic, this.entries), this.#place.options);
    parent.start();
    await this.#restOfChild(parent);
    for (const step of steps) {
      if (!parent.getSnapshot().matches('invoking')) break;
      // A parent cannot be restored together with its agent.
      if ('restart' in step) continue;
      this.entries.push({ at: 'step', step: printStep(step) });
      if ('advance' in step) await this.#place.advance(step.advance);
      else {
        for (const event of step.send) {
          parent.send({ type: 'pass on', event: { ...event } });
          // A parent hears of its agent in a later tick; with two events in one it would matter when.
          await this.#place.settled();
        }
      }
      await this.#restOfChild(parent);
    }
    parent.stop();
    await this.#place.settled();
  }

  async #restOfChild(parent: AnyActor): Promise<void> {
    await this.#place.settled();
    const child = (parent.getSnapshot() as { children: Record<string, Observed> }).children['chart'];
    if (child === undefined || !isRunning(child)) return;
    this.entries.push({ at: 'rest', ...(await this.#place.ask(child)) });
  }
}

function isTwin(actor: object): boolean {
  return 'address' in actor;
}

function parentOf(logic: AnyActorLogic, entries: Entry[]) {
  const note = ({ event }: { event: { type: string } }): void => {
    const heard = seeEvent(event);
    if (heard !== undefined) entries.push({ at: 'heard', heard });
  };
  return setup({
    types: { context: {}, events: {} as { type: string; event?: { type: string } } },
    actors: { chart: logic },
  }).createMachine({
    context: {},
    initial: 'invoking',
    states: {
      invoking: {
        invoke: {
          id: 'chart',
          src: 'chart',
          input: INPUT,
          onDone: { target: 'invoked', actions: note },
          onError: { target: 'invoked', actions: note },
          onSnapshot: { actions: note },
        },
        on: {
          'pass on': { actions: sendTo('chart', ({ event }) => event.event as never) },
          '*': { actions: [note, assign({})] },
        },
      },
      invoked: { on: { '*': { actions: note } } },
    },
  });
}
