import { AssertionError } from 'node:assert';
import {
  createActor,
  fromTransition,
  type Actor,
  type AnyActorLogic,
  type AnyEventObject,
  type ActorRefFrom,
  type InputFrom,
  type TransitionActorLogic,
} from 'xstate';
import {
  checkCall,
  finite,
  listener,
  milliseconds,
  objectWith,
  string,
  type Rule,
  type Rules,
} from '../base/call-check.ts';
import { isEvent } from '../instance/admission.ts';
import { createChild } from '../xstate/xstate5.ts';
import type { Timeline } from './timeline.ts';
import type { Timers } from './timers.ts';

/** The event that is expected: one of a type, or one that a function accepts. */
export type Expected<E extends AnyEventObject> =
  | string
  | ((event: AnyEventObject) => event is E)
  | ((event: AnyEventObject) => boolean);

type ProbeLogic = TransitionActorLogic<undefined, AnyEventObject, undefined>;

/**
 * An actor that records the events it is sent. It is an XState actor, and so can be a target of `sendTo`, a listener
 * (`ref.on('*', probe.send)`) or a parent.
 */
export interface Probe extends Actor<ProbeLogic> {
  /** Sends an event to the probe; bound, so that it may be passed on as a listener. */
  readonly send: (event: AnyEventObject) => void;
  /** All events received, oldest first. */
  readonly events: readonly AnyEventObject[];
  /**
   * Resolves with the oldest matching event that no earlier call has returned; events before it may still be expected
   * later. Waits until everything has settled; then lets up to `withinMs` (default 0) of the manual clock pass; then,
   * for work that no clock controls, such as reading a file, up to `realMs` (default 1000) of real time. Rejects with a
   * list of the events that came.
   */
  expectEvent<E extends AnyEventObject = AnyEventObject>(
    expected: Expected<E>,
    options?: { readonly withinMs?: number; readonly realMs?: number },
  ): Promise<E>;
  /** Starts an actor of `logic` (`runtime.logic('agent')`, or any other) as a child of this probe. */
  run<TLogic extends AnyActorLogic>(
    logic: TLogic,
    options?: { readonly id?: string; readonly input?: InputFrom<TLogic> },
  ): ActorRefFrom<TLogic>;
}

interface Patience {
  readonly withinMs?: number;
  readonly realMs?: number;
}

const anEvent: Rule = { what: 'an object with a string "type"', is: isEvent };

const ofPatience: Rules<Patience> = { withinMs: finite, realMs: milliseconds };

const anExpected: Rule = {
  what: 'the type of an event, or a function',
  is: (value) => string.is(value) || listener.is(value),
};

interface Run {
  readonly id?: string;
  readonly input?: unknown;
}

const ofRun: Rules<Run> = {
  id: string,
  input: { what: 'anything', is: () => true },
};

const logicRule = objectWith('actor logic of XState', ['transition', 'getInitialSnapshot']);

export interface ProbeOptions {
  readonly name: string;
  readonly timeline: Timeline;
  readonly timers: Timers;
  readonly time: { readonly now: number };
  readonly hint: string;
}

export function createProbe({ name, timeline, timers, time, hint }: ProbeOptions): Probe {
  const events: AnyEventObject[] = [];
  const taken = new Set<AnyEventObject>();
  const came = new Set<() => void>();
  let children = 0;
  const logic: ProbeLogic = fromTransition((state: undefined, event: AnyEventObject) => {
    events.push(event);
    for (const tell of came) tell();
    return state;
  }, undefined);
  const actor = createActor(logic, { id: name, clock: timers }).start();

  function take(expected: Expected<AnyEventObject>): AnyEventObject | undefined {
    const matches = typeof expected === 'string' ? ({ type }: AnyEventObject) => type === expected : expected;
    const found = events.find((event) => !taken.has(event) && matches(event));
    if (found !== undefined) taken.add(found);
    return found;
  }

  async function expectEvent(
    expected: Expected<AnyEventObject>,
    options?: Patience,
  ): Promise<AnyEventObject> {
    const given = { expected: [expected, anExpected] } as const;
    const { withinMs = 0, realMs = 1000 } = checkCall<Patience>(
      'probe.expectEvent()',
      given,
      options,
      ofPatience,
    );
    let found = take(expected);
    if (found === undefined) await timeline.settled();
    const until = time.now + withinMs;
    while ((found ??= take(expected)) === undefined && (await timeline.advanceToNext(until)));
    return found ?? (await waitFor(expected, realMs));
  }

  /** In real time. */
  function waitFor(expected: Expected<AnyEventObject>, ms: number): Promise<AnyEventObject> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = take(expected);
        if (found === undefined) return;
        over();
        resolve(found);
      };
      const timer = setTimeout(() => {
        over();
        reject(missing(expected));
      }, ms);
      const over = (): void => {
        clearTimeout(timer);
        came.delete(look);
      };
      came.add(look);
      look();
    });
  }

  function missing(expected: Expected<AnyEventObject>): AssertionError {
    const what = typeof expected === 'string' ? `"${expected}"` : 'accepted event';
    const types = events.map((event) => (taken.has(event) ? `(${event.type})` : event.type));
    const seen = types.length === 0 ? 'nothing came' : `came, taken ones in brackets: ${types.join(', ')}`;
    return new AssertionError({ message: `no ${what} came to the probe ${name}; ${seen}. ${hint}` });
  }

  const send = actor.send.bind(actor);
  const more: Omit<Probe, Exclude<keyof Actor<ProbeLogic>, 'send'>> = {
    events,
    send(event) {
      checkCall('probe.send()', { event: [event, anEvent] });
      send(event);
    },
    expectEvent: expectEvent as Probe['expectEvent'],
    run(child, options) {
      const checked = checkCall<Run>('probe.run()', { logic: [child, logicRule] }, options, ofRun);
      const { id = `${name}.${++children}`, input } = checked;
      return createChild(child, { id, parent: actor, input }).start() as never;
    },
  };
  return Object.assign(actor, more);
}
