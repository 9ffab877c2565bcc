import { isLarge } from '../base/large-state.ts';
import type { NewTexts } from '../base/marked-text.ts';
import { encodeEvent, encodeState, encodeToldState } from '../wire/encoded-state.ts';
import { encodeError } from '../wire/errors.ts';
import { ToldTexts } from '../wire/long-texts.ts';
import { REPORT, type AnswerOf, type EncodedState, type TurnOf } from '../wire/protocol.ts';
import { dueAtOf, type PersistedState } from '../xstate/persisted-timer.ts';
import type { HostedActor } from '../xstate/xstate5.ts';
import type { CountedLink } from './counted-link.ts';
import type { Invocations } from './invocations.ts';
import type { Outlet } from './outlet.ts';
import type { Mirrored, Reports } from './reports.ts';

/** What few reports have. */
type More =
  | []
  | [endedStarts: readonly string[]]
  | [endedStarts: readonly string[] | undefined, texts: NewTexts]
  | [endedStarts: readonly string[] | undefined, texts: NewTexts | undefined, links: readonly number[]];

/** The most characters, or bytes, of an answer that is kept. */
const MOST_KEPT = 64 * 1024;
const NO_TEXTS: NewTexts = [];

export interface TurnReportOptions {
  readonly slot: number;
  readonly reports: Reports;
  readonly actor: () => Pick<
    HostedActor,
    'ref' | 'persist' | 'persistAsIs' | 'told' | 'isAsTold' | 'hasWork'
  >;
  /** The number of envelopes that a slot has handled, modulo 2^32: its own, or that of a link. */
  readonly handled: (slot?: number) => number;
  readonly ended: () => boolean;
  /** Whether no turn is under way. */
  readonly atRest: () => boolean;
  /** What the instance has let out since its state was last told. */
  readonly outlet: Pick<Outlet, 'take' | 'letOut' | 'drop' | 'fail' | 'isEmpty'> | undefined;
  /** The promises, callbacks and observables at work, whose steps are kept. */
  readonly work?: () => Pick<Invocations, 'startsIn' | 'takeEnded'> | undefined;
  /** More than 256 KiB of a state were told. */
  readonly large: () => void;
}

/**
 * Tells the host the encoded state of a durable instance after everything that may have changed it, once in each flush.
 * The host commits it before it lets out what comes after it.
 */
export class TurnReport implements Mirrored {
  readonly #options: TurnReportOptions;
  #changed = false;
  /** The answers since the last report that are kept. */
  #answers: AnswerOf[] | undefined;
  /** The links by which other agents send, and how much of each was told. Exists from the first one on. */
  #links: Map<CountedLink, number> | undefined;
  #isDropped = false;
  /** The long texts of the state that the host knows. */
  readonly #texts = new ToldTexts();

  constructor(options: TurnReportOptions) {
    this.#options = options;
  }

  /** Notes that the state may have changed. */
  touched(): void {
    if (this.#changed) return;
    this.#changed = true;
    this.#options.reports.changed(this);
  }

  mirror(): void {
    if (!this.#changed) return;
    const { slot, reports, handled, ended, atRest, outlet } = this.#options;
    if (!ended() && !atRest()) {
      // The flush came from within a turn, and a state in the middle of one is not for the host.
      queueMicrotask(() => reports.changed(this));
      return;
    }
    this.#changed = false;
    if (ended()) {
      if (this.#answers !== undefined) this.#unchanged(handled());
      return;
    }
    try {
      const actor = this.#options.actor();
      // Nothing is written for a turn that left everything as it was.
      if (actor.isAsTold) return this.#unchanged(handled());
      const starts = this.#options.work?.()?.startsIn(actor.ref);
      let state = withStarts(actor.persistAsIs(), starts);
      // Text holds no actor: who stands in a state needs functions.
      const marked = encodeToldState(state, this.#texts);
      const encoded = marked?.text ?? encodeState((state = withStarts(actor.persist(), starts)));
      const told: TurnOf = [
        handled(),
        encoded,
        state.version,
        dueAtOf(state) ?? null,
        actor.hasWork,
        outlet?.take(),
        this.#answers,
        ...this.#more(marked?.texts),
      ];
      this.#answers = undefined;
      actor.told();
      reports.add(REPORT.turn, slot, told);
      this.#letOut();
      if (isLarge(encoded, marked?.texts ?? NO_TEXTS)) this.#options.large();
    } catch (error) {
      outlet?.drop();
      this.#answers = undefined;
      this.#texts.forget();
      reports.add(
        REPORT.stateless,
        slot,
        error instanceof Error ? error.message : 'it threw something that is not an Error',
      );
    }
  }

  /** Whether the state may have changed since it was told. */
  get changed(): boolean {
    return this.#changed;
  }

  /** An ask whose answer is kept was answered. */
  answered(tag: number, value: unknown): void {
    this.#keep([tag, 'done', encodedAnswer(value)]);
  }

  /** An ask whose answer is kept has failed. */
  failed(tag: number, error: unknown): void {
    this.#keep([tag, 'failed', encodeError(error)]);
  }

  /** An ask whose answer is kept was put off; its token names it by the number `ask`, which is 0 for a stream. */
  putOff(tag: number, ask: number): void {
    this.#keep([tag, 'put-off', ask]);
  }

  /** The instance has failed: nothing that it let out since it last told its state is told. */
  drop(): void {
    this.#options.outlet?.fail();
    this.#answers = undefined;
    this.#isDropped = true;
  }

  #keep(answer: AnswerOf): void {
    if (this.#isDropped) return;
    (this.#answers ??= []).push(answer);
    this.touched();
  }

  /** Skips an envelope that is over without having been handled: no later incarnation is to see it again. */
  skip(): void {
    this.mirror();
    this.#unchanged(this.#options.handled() + 1);
  }

  /** Tells what the instance has let out in its end. */
  last(): void {
    const { outlet, handled } = this.#options;
    if (outlet?.isEmpty === false) this.#unchanged(handled());
  }

  #unchanged(handled: number): void {
    const { reports, slot, outlet } = this.#options;
    const [sends, answers, more] = [outlet?.take(), this.#answers, this.#more()];
    this.#answers = undefined;
    const isOnly = sends === undefined && answers === undefined && more.length === 0;
    const told: TurnOf | number = isOnly
      ? handled
      : [handled, undefined, undefined, null, false, sends, answers, ...more];
    reports.add(REPORT.turn, slot, told);
    this.#letOut();
  }

  /** What few turns tell. What ends with the instance has not ended: it goes on from its last state. */
  #more(texts: NewTexts = NO_TEXTS): More {
    const ended = this.#options.ended() ? undefined : this.#options.work?.()?.takeEnded();
    const links = this.#links && this.#handledOver(this.#links);
    if (links !== undefined) return [ended, texts.length > 0 ? texts : undefined, links];
    if (texts.length > 0) return [ended, texts];
    return ended === undefined ? [] : [ended];
  }

  #handledOver(links: Map<CountedLink, number>): number[] | undefined {
    let told: number[] | undefined;
    for (const [link, before] of links) {
      const handled = this.#options.handled(link.slot);
      if (handled === before) continue;
      links.set(link, handled);
      (told ??= []).push(link.key, handled);
    }
    return told;
  }

  /** Another agent sends by that link from now on. */
  joined(link: CountedLink): void {
    (this.#links ??= new Map()).set(link, this.#options.handled(link.slot));
  }

  /** Nothing more comes by that link. */
  dismissed(link: CountedLink): void {
    this.#links?.delete(link);
  }

  /** The link of which that slot counts what was handled. */
  linkOf(slot: number): number | undefined {
    for (const link of this.#links?.keys() ?? []) if (link.slot === slot) return link.key;
    return undefined;
  }

  #letOut(): void {
    const { reports, slot, outlet } = this.#options;
    outlet?.letOut((kind, payload) => reports.add(kind, slot, payload));
  }
}

function withStarts(state: PersistedState, starts: PersistedState['starts']): PersistedState {
  return starts === undefined ? state : { ...state, starts };
}

/** Null for an answer that cannot be kept: it is too long, or the store cannot say it. */
function encodedAnswer(value: unknown): EncodedState | null {
  try {
    const encoded = encodeEvent(value);
    return encoded.length > MOST_KEPT ? null : encoded;
  } catch {
    return null;
  }
}
