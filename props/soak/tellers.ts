import { setTimeout as pause } from 'node:timers/promises';
import type { AgentRef, DeadLetter, Runtime } from 'holdfast';
import type { TellerEvent, Told } from './agents/teller.ts';
import type { Chance } from './chance.ts';
import { isSame, NOTHING, withNumber, withoutNumber } from './digest.ts';

export const TELLERS = 200;
/** So many are at work at a time; the others have nothing to do, and leave memory. */
const AT_WORK = 24;
/** Events under way. */
const IN_FLIGHT = 48;
/** Milliseconds in which everything that was begun comes to its end. */
const SETTLED_MS = 180_000;
/** The most events of a teller of which nobody knows whether they were handled. */
const MOST_UNSURE = 10;
/** Numbers of events of which it is remembered what became of them. */
const REMEMBERED = 20_000;

const FAULTS = ['fail', 'fail', 'fail', 'fail', 'exit', 'hang'] as const;
const HOWS = ['send', 'ask', 'deliver', 'enqueue', 'enqueue'] as const;

/** Sends events to tellers, and keeps the books: what each has to have is compared when nothing is under way. */
export class Tellers {
  runtime: Runtime;
  readonly counts: Record<string, number> = {};
  readonly codes: Record<string, number> = {};
  readonly letters: Record<string, number> = {};
  readonly wrong: string[] = [];
  compared = 0;
  readonly #chance: Chance;
  /** Events by teller of which nobody has said in time whether they were handled. */
  readonly #unsure = new Map<number, TellerEvent[]>();
  readonly #due: Told[] = Array.from({ length: TELLERS }, () => empty());
  /** Events that were taken back: a rejection and a letter may tell of the same. */
  readonly #back = new Map<string, string>();
  /** What happened to each event, in words, for who looks for the cause of a difference. */
  readonly #stories = new Map<number, string[]>();
  #n = 0;
  #first = 0;

  constructor(runtime: Runtime, chance: Chance) {
    this.runtime = runtime;
    this.#chance = chance;
  }

  /** Goes on with another runtime. Each teller has a record from then on. */
  async follow(runtime: Runtime): Promise<void> {
    this.runtime = runtime;
    runtime.on('dead-letter', (letter) => this.#letter(letter));
    for (let i = 0; i < TELLERS; i++) await this.#ref(i);
  }

  /** Load for so long; then all of it comes to its end, and is compared. */
  async run(ms: number): Promise<void> {
    const until = performance.now() + ms;
    const moving = setInterval(() => (this.#first += 7), 250);
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (performance.now() < until) await this.#post();
      }),
    );
    clearInterval(moving);
    await this.compare();
  }

  async #post(): Promise<void> {
    const { below, of, next } = this.#chance;
    const to = (this.#first + below(AT_WORK)) % TELLERS;
    const n = ++this.#n;
    const isFault = next() < 0.0007;
    const event = isFault ? { type: of(FAULTS), n } : this.#event(n, (to + below(AT_WORK)) % TELLERS);
    const how = of(HOWS);
    const named = how !== 'send' && next() < 0.3 ? { id: `n${n}` } : {};
    const ref = await this.#ref(to);
    if (!isFault) this.#book(to, event, withNumber);
    const began = performance.now();
    this.#tell(n, `${how}${'id' in named ? ' with an id' : ''} of ${JSON.stringify(event)} to teller/${to}`);
    count(this.counts, isFault ? event.type : how);
    if ('id' in named) count(this.counts, 'with an id');
    try {
      if (how === 'send') ref.send(event);
      else if (how === 'enqueue')
        await ref.enqueue(event, { ...named, ...(next() < 0.1 && { at: Date.now() + 300 }) });
      else {
        const answer = await ref[how](event, { ...named, timeoutMs: SETTLED_MS });
        if (how === 'ask' && answer !== n) this.wrong.push(`ask ${n} was answered ${String(answer)}`);
      }
      this.#tell(n, `resolved after ${Math.round(performance.now() - began)} ms`);
      // Nobody waits for a send.
      if (how === 'send') await pause(1);
    } catch (error) {
      const { code = 'its error' } = error as { code?: string };
      count(this.codes, code);
      const why = `rejected with ${code}`;
      this.#tell(n, `${why} after ${Math.round(performance.now() - began)} ms: ${(error as Error).message}`);
      const isLate = code === 'ASK_TIMEOUT';
      if (isFault || !(isLate || code.startsWith('THREAD_'))) this.#takeBack(to, event, why);
      // With an id it is handled all the same. Without, its turn may be committed, and the answer late, or gone with the thread.
      else if (!isLate || !('id' in named)) this.#unsure.set(to, [...(this.#unsure.get(to) ?? []), event]);
    }
  }

  #event(n: number, other: number): TellerEvent {
    const kind = this.#chance.below(20);
    if (kind < 4) return { type: 'pass', n, to: `teller/${other}` };
    if (kind === 4) return { type: 'arm', n, ms: 20 + this.#chance.below(1500) };
    return { type: 'note', n };
  }

  async #ref(i: number): Promise<AgentRef> {
    for (;;) {
      try {
        return this.runtime.get(`teller/${i}`) ?? (await this.runtime.getOrSpawn('teller', String(i)));
      } catch {
        // Its thread ended while it started.
        count(this.counts, 'spawned again');
        await pause(20);
      }
    }
  }

  #tell(n: number, what: string): void {
    const story = this.#stories.get(n);
    if (story !== undefined) return void story.push(what);
    this.#stories.set(n, [what]);
    this.#stories.delete(n - REMEMBERED);
  }

  /** What comes of an event when it is handled. */
  #book(to: number, event: TellerEvent, change: typeof withNumber): void {
    const alter = (i: number, as: keyof Told, n: number): void => {
      const due = this.#due[i] as Told;
      this.#due[i] = { ...due, [as]: change(due[as], n) };
    };
    if (event.type === 'got') alter(to, 'got', event.n);
    if (event.type === 'note' || event.type === 'pass' || event.type === 'arm') alter(to, 'seen', event.n);
    if (event.type === 'pass') alter(numberOf(event.to), 'got', event.n);
    if (event.type === 'arm') alter(to, 'rang', event.n);
  }

  #takeBack(to: number, event: TellerEvent, why: string): void {
    if (!('n' in event)) return;
    this.#tell(event.n, `${event.type} taken back: ${why}`);
    const key = keyOf(event);
    const before = this.#back.get(key);
    if (before !== undefined) return void this.#back.set(key, `${before}, ${why}`);
    this.#back.set(key, why);
    for (const [oldest] of this.#back) {
      if (this.#back.size <= REMEMBERED) break;
      this.#back.delete(oldest);
    }
    this.#book(to, event, withoutNumber);
  }

  #letter({ address, event, reason, replays }: DeadLetter): void {
    count(this.letters, reason);
    if (replays === 0) this.#takeBack(numberOf(address), event as TellerEvent, `letter ${reason}`);
  }

  /** Waits until nothing is under way, and compares what each has with what it has to have. */
  async compare(): Promise<void> {
    const until = performance.now() + SETTLED_MS;
    for (const [i, events] of this.#unsure) {
      const unsure = events.filter((event) => !this.#back.has(keyOf(event))).slice(0, MOST_UNSURE);
      while (!this.#resolved(i, await this.#read(i), unsure) && performance.now() < until) await pause(50);
    }
    this.#unsure.clear();
    for (let i = 0; i < TELLERS; i++) {
      for (;;) {
        const told = await this.#read(i);
        const due = this.#due[i] as Told;
        const isRight = told !== undefined && FILES.every((as) => isSame(told[as], due[as]));
        if (isRight) break;
        if (performance.now() > until) {
          this.wrong.push(this.#difference(i, told, due));
          break;
        }
        await pause(50);
      }
      this.compared += 1;
    }
  }

  /** In words; with what became of the event, if it is one. */
  #difference(i: number, told: Told | undefined, due: Told): string {
    const found = `teller/${i} has ${JSON.stringify(told)}, and should have ${JSON.stringify(due)}`;
    const stories = FILES.flatMap((as) => {
      const [more, less] = [told?.[as].sum ?? 0, due[as].sum];
      return [more - less, less - more].flatMap((n) => this.#stories.get(n) ?? []);
    });
    return [found, ...stories].join('; ');
  }

  /** Takes back those of the events that the teller has not seen; whether what it has fits any of them. */
  #resolved(i: number, told: Told | undefined, unsure: readonly TellerEvent[]): boolean {
    for (let some = 0; some < 2 ** unsure.length; some++) {
      const unseen = unsure.filter((_, bit) => (some & (1 << bit)) !== 0) as { n: number }[];
      const seen = unseen.reduce((digest, { n }) => withoutNumber(digest, n), (this.#due[i] as Told).seen);
      if (told === undefined || !isSame(told.seen, seen)) continue;
      for (const event of unseen) this.#takeBack(i, event as TellerEvent, 'not seen');
      return true;
    }
    return false;
  }

  async #read(i: number): Promise<Told | undefined> {
    const ref = await this.#ref(i);
    return ref.ask({ type: 'read' }).catch(() => undefined) as Promise<Told | undefined>;
  }

  /** Ends some, with all that they have: they begin anew when they are next sent something. */
  async dismiss(): Promise<void> {
    for (let i = 0; i < TELLERS / 20; i++) {
      const which = this.#chance.below(TELLERS);
      await (await this.#ref(which)).stop();
      this.#due[which] = empty();
      await this.#ref(which);
      count(this.counts, 'stopped');
    }
  }
}

const FILES = ['seen', 'got', 'rang'] as const;

function keyOf(event: TellerEvent): string {
  return 'n' in event ? `${event.n} ${event.type}` : event.type;
}

function empty(): Told {
  return { seen: NOTHING, got: NOTHING, rang: NOTHING };
}

function numberOf(address: string): number {
  return Number(address.slice('teller/'.length));
}

function count(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}
