import { setTimeout as pause } from 'node:timers/promises';
import type { AgentRef, Runtime } from 'holdfast';
import type { State } from './agents/subject.ts';
import { isSame, type Digest } from './digest.ts';
import type { Journal } from './journal.ts';
import { indexOf, MEMBERS, type Member } from './roster.ts';

/** How a life of a member that keeps its state ended: what it said it had. */
interface Will {
  readonly member: Member;
  readonly life: number;
  readonly digest: Digest;
}

/** Milliseconds until somebody who should run does, at the end. */
const CALM_MS = 30_000;

/** Sees to it that every member is there: spawns those that are not, resumes the quarantined, stops some. */
export class Crew {
  readonly runtime: Runtime;
  readonly #journal: Journal;
  readonly #memory: SharedArrayBuffer;
  readonly #wills: Will[] = [];
  /** Indices of those that are being spawned or stopped. */
  readonly #busy = new Set<number>();
  /** Nothing may be sent to them. */
  readonly #hushed = new Set<number>();
  readonly #pending = new Set<Promise<void>>();
  spawned = 0;
  stopped = 0;
  resumed = 0;
  refusedSpawns = 0;

  constructor(runtime: Runtime, journal: Journal, memory: SharedArrayBuffer) {
    this.runtime = runtime;
    this.#journal = journal;
    this.#memory = memory;
  }

  /** Those that events may be sent to; also those that are quarantined or wait for a restart. */
  at(index: number): AgentRef | undefined {
    const ref = this.runtime.get(MEMBERS[index]?.address as string);
    return this.#hushed.has(index) ? undefined : ref;
  }

  /** Spawns who is not there. */
  muster(): void {
    MEMBERS.forEach((member, index) => {
      if (this.runtime.get(member.address) !== undefined || this.#busy.has(index)) return;
      this.#do(index, () => this.#spawn(member, index));
    });
  }

  async #spawn({ team, id }: Member, index: number): Promise<void> {
    const { life } = this.#journal;
    life[index] = (life[index] as number) + 1;
    try {
      await this.runtime.spawn(team.agent, { id, input: { memory: this.#memory } });
      this.spawned += 1;
    } catch {
      // Its thread died while it started: the next muster tries again.
      this.refusedSpawns += 1;
    }
  }

  /** Ends a member that runs; whoever keeps a state says first what it has. */
  dismiss(index: number): boolean {
    const member = MEMBERS[index] as Member;
    const ref = this.at(index);
    if (ref === undefined || this.#busy.has(index)) return false;
    this.#do(index, async () => {
      this.#hushed.add(index);
      const may = !member.team.keepsState || (await this.#bequeath(member, ref));
      const stopping = may ? ref.stop() : undefined;
      // What is sent from here on is for the next life, or a letter.
      this.#hushed.delete(index);
      if (stopping === undefined) return;
      await stopping;
      this.stopped += 1;
    });
    return true;
  }

  /** Resumes one of the quarantined, `which` of them round. */
  resume(which: number): boolean {
    const all = this.quarantined();
    const index = indexOf(all[which % Math.max(1, all.length)] ?? '');
    if (index < 0 || this.#busy.has(index)) return false;
    this.#do(index, async () => {
      await this.at(index)
        ?.resume()
        .then(
          () => (this.resumed += 1),
          // It failed too often again.
          () => {},
        );
    });
    return true;
  }

  quarantined(): string[] {
    return this.#inState((state) => state === 'quarantined');
  }

  #inState(wanted: (state: string) => boolean): string[] {
    return this.runtime.status().instances.flatMap(({ address, state }) => (wanted(state) ? [address] : []));
  }

  /** Resolves when all members run and have nothing to do; with what is wrong when they do not in time. */
  async settled(withinMs: number): Promise<string[]> {
    const until = performance.now() + withinMs;
    for (;;) {
      this.muster();
      this.resume(0);
      const { instances } = this.runtime.status();
      const restless = instances.filter(({ state, mailbox }) => state !== 'running' || mailbox > 0);
      if (instances.length === MEMBERS.length && restless.length === 0 && this.#busy.size === 0) return [];
      if (performance.now() > until) {
        const there = `${instances.length} of ${MEMBERS.length} instances are there`;
        return [
          there,
          ...restless.map(({ address, state, mailbox }) => `${address} is ${state}, ${mailbox} wait`),
        ];
      }
      await pause(20);
    }
  }

  /** All that was begun has come to its end, and all members run. */
  async calmed(): Promise<string[]> {
    const wrong = await this.settled(CALM_MS);
    return wrong.map((what) => `${what}, ${CALM_MS} ms after the last fault`);
  }

  async #bequeath(member: Member, ref: AgentRef): Promise<boolean> {
    const life = this.#journal.life[indexOf(member.address)] as number;
    try {
      const { context } = (await ref.snapshot({ timeoutMs: 10_000 })) as unknown as { context: State };
      this.#wills.push({ member, life, digest: context.digest });
      return true;
    } catch {
      // It is quarantined, or did not come up in time: it lives on.
      return false;
    }
  }

  /** At the end: what those that keep their state say they have, compared with what they must have. */
  async judgeStates(): Promise<string[]> {
    const wrong: string[] = [];
    for (const member of MEMBERS) {
      const ref = this.runtime.get(member.address);
      if (!member.team.keepsState || ref === undefined) continue;
      if (!(await this.#bequeath(member, ref))) wrong.push(`${member.address} does not tell its state`);
    }
    return wrong;
  }

  /** Lives of members that keep their state, and how many of them were wrong. */
  judgeWills(): { readonly lives: number; readonly wrong: string[] } {
    const wrong = this.#wills.flatMap(({ member, life, digest }) => {
      const due = this.#journal.digestOf(indexOf(member.address), life);
      if (isSame(digest, due)) return [];
      const text = `${JSON.stringify(digest)}, and should have ${JSON.stringify(due)}`;
      return [`${member.address}, life ${life}: it has in its state ${text}`];
    });
    return { lives: this.#wills.length, wrong };
  }

  /** Waits for what was begun. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  #do(index: number, act: () => Promise<void>): void {
    this.#busy.add(index);
    const pending = act().finally(() => {
      this.#busy.delete(index);
      this.#pending.delete(pending);
    });
    this.#pending.add(pending);
  }
}
