import type { Deed, Files } from '../agents/clerk.ts';
import type { Line, Told } from './office-run.ts';
import { clerkOf, eventOf, hasId, howOf, recipientOf, waitOf } from './plan.ts';

/** Ids that are asked again although their answer is known, in each process. */
const REPEATED = 8;

/** What is wrong with what a process has found, and must never be. */
export interface Wrong {
  readonly doubled: string[];
  readonly torn: string[];
}

/** What is known of all processes together: what was sent, what was acknowledged, and what the clerks have told. */
export class Known {
  #next = 1;
  readonly sent = new Set<number>();
  /** With the answers of asks. */
  readonly acknowledged = new Map<number, unknown>();
  readonly refused = new Set<number>();
  /** Those that were sent again after a crash, behind others. */
  readonly again = new Set<number>();
  readonly wrong: string[] = [];
  readonly counts = { woke: 0, passive: 0, repeated: 0, steps: 0 };
  #told: readonly Files[] = [];

  note(line: Line): void {
    if ('sent' in line) {
      this.sent.add(line.sent);
      this.#next = Math.max(this.#next, line.sent + 1);
    } else if ('acknowledged' in line) this.#acknowledge(line.acknowledged, line.answer);
    else if ('refused' in line) this.refused.add(line.refused);
    else if ('happened' in line) this.counts[line.happened] += 1;
    else if ('letter' in line) this.#letter(line.letter, line.event);
  }

  #acknowledge(n: number, answer: unknown): void {
    if (!this.acknowledged.has(n)) return void this.acknowledged.set(n, answer);
    this.counts.repeated += 1;
    const before = this.acknowledged.get(n);
    if (before !== answer) this.wrong.push(`ask ${n} was answered ${String(before)}, then ${String(answer)}`);
  }

  #letter(reason: string, event: unknown): void {
    const { n } = event as { n: number };
    if (reason !== 'mailbox-full') this.wrong.push(`a dead letter of ${n}: ${reason}`);
  }

  /** What the next process is to send. */
  plan(): Told {
    const again = [...this.sent].filter((n) => hasId(n) && !this.acknowledged.has(n) && !this.refused.has(n));
    for (const n of again) this.again.add(n);
    const asked = [...this.acknowledged.keys()].filter(
      (n) => hasId(n) && howOf(n) === 'ask' && waitOf(n) === 0,
    );
    return { again, repeated: asked.slice(-REPEATED), next: this.#next };
  }

  /** Judges what the clerks tell; what is missing may still be on its way. */
  judge(files: readonly Files[], deeds: readonly Deed[]): Wrong & { readonly missing: string[] } {
    const [missing, doubled, torn]: [string[], string[], string[]] = [[], [], []];
    const got = files.map((one) => new Set(one.got));
    for (const [i, { seen, got: gotten, rang, done, sum }] of files.entries()) {
      const worked = done.map(({ n }) => n);
      for (const [as, list] of Object.entries({ seen, got: gotten, rang, done: worked })) {
        const before = new Set<number>();
        for (const n of list) {
          if (before.has(n)) doubled.push(`${n} of clerk ${i}, ${as}`);
          before.add(n);
        }
      }
      if (sum !== [...seen, ...gotten, ...rang, ...worked].reduce((a, b) => a + b, 0))
        torn.push(`clerk ${i} has half a turn`);
      const [handled, rung] = [new Set(seen), new Set(rang)];
      for (const n of seen) {
        if (clerkOf(n) !== i || !this.sent.has(n)) torn.push(`clerk ${i} has ${n}, which it was not sent`);
        if (this.refused.has(n)) torn.push(`clerk ${i} has ${n}, which was refused`);
        const { type } = eventOf(n);
        if (type === 'pass' && got[recipientOf(n)]?.has(n) !== true)
          missing.push(`${n}, which clerk ${i} passed on`);
        if (type === 'arm' && !rung.has(n)) missing.push(`the timer ${n} of clerk ${i}`);
        if (type === 'work' && !worked.includes(n)) missing.push(`the work ${n} of clerk ${i}`);
      }
      for (const n of rang) if (!handled.has(n)) torn.push(`the timer ${n} of clerk ${i} rang for no turn`);
      for (const n of gotten)
        if (files[clerkOf(n)]?.seen.includes(n) !== true)
          torn.push(`clerk ${i} got ${n} of a turn that never was`);
      this.#judgeOrder(i, seen, torn);
    }
    const handled = new Set(files.flatMap(({ seen }) => seen));
    for (const [n, answer] of this.acknowledged) {
      if (!handled.has(n)) missing.push(`${n} of clerk ${clerkOf(n)}`);
      else if (typeof answer === 'number' && files[clerkOf(n)]?.seen[answer - 1] !== n)
        torn.push(`ask ${n} was answered ${answer}, and is not there in the files`);
    }
    this.#judgeDeeds(files, deeds, torn);
    if (doubled.length + torn.length === 0) this.#told = files;
    return { missing, doubled, torn };
  }

  /** A step is done again until the store has what it gave, and never after that: so all that follows was given the same. */
  #judgeDeeds(files: readonly Files[], deeds: readonly Deed[], torn: string[]): void {
    const [given, keys] = [new Map<number, string>(), new Map<string, number>()];
    const paid = new Set<string>();
    this.counts.steps = deeds.length;
    for (const [what, n, receipt, key] of deeds) {
      if ((keys.get(key) ?? n) !== n) torn.push(`${n} was done with the key of ${keys.get(key)}`);
      keys.set(key, n);
      if (what === 'pay') paid.add(receipt);
      else if ((given.get(n) ?? receipt) !== receipt) torn.push(`${n} was paid again after it was shipped`);
      else given.set(n, receipt);
      if (!paid.has(receipt)) torn.push(`${n} was shipped for a payment that never was`);
    }
    for (const { n, paid: receipt } of files.flatMap(({ done }) => done))
      if (given.get(n) !== receipt) torn.push(`${n} is done with another payment than it was shipped for`);
  }

  /** What was told stays as it was, and what the host sent is handled in its order. */
  #judgeOrder(i: number, seen: readonly number[], torn: string[]): void {
    const told = this.#told[i]?.seen ?? [];
    if (told.some((n, at) => seen[at] !== n)) torn.push(`clerk ${i} takes back what it has told`);
    const inOrder = seen.filter((n) => !this.again.has(n) && waitOf(n) === 0);
    if (inOrder.some((n, at) => at > 0 && n < (inOrder[at - 1] as number)))
      torn.push(`clerk ${i} has changed the order`);
  }

  /** How many of what there is to be were seen. */
  get figures(): Readonly<Record<string, number>> {
    const all = [...this.acknowledged.keys()];
    const of = (is: (n: number) => boolean): number => all.filter((n) => is(n)).length;
    return {
      sent: this.sent.size,
      acknowledged: all.length,
      enqueued: of((n) => howOf(n) === 'enqueue' || waitOf(n) > 0),
      'with ids': of(hasId),
      'sent again': this.again.size,
      'asked again': this.counts.repeated,
      'passed on': of((n) => eventOf(n).type === 'pass'),
      timers: of((n) => eventOf(n).type === 'arm'),
      steps: this.counts.steps,
      refused: this.refused.size,
      passive: this.counts.passive,
      woke: this.counts.woke,
    };
  }
}
