import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch } from './batch.ts';
import { envelopesOf } from './fixtures/envelopes.ts';
import { createRig, type Rig } from './fixtures/outbox-with-thread.ts';
import { nextTurn } from './fixtures/fake-thread.ts';
import { Mailbox } from './mailbox.ts';
import type { Attachment } from './outbox.ts';

const MAX_BATCH = 24;
const MAX_IN_FLIGHT = 3;
const WINDOW = 100;
const QUANTUM = 4;

/** An instance that may move from slot to slot, as it does when it restarts. */
interface Instance {
  readonly mailbox: Mailbox;
  /** Every slot it ever had, in order. */
  readonly slots: number[];
  attachment: Attachment | undefined;
  /** Events that were accepted, in order; those that cannot be cloned are objects. */
  readonly sent: unknown[];
  readonly overflowed: unknown[];
}

type Step =
  | { readonly do: 'send'; readonly to: number; readonly count: number; readonly bad: boolean }
  | { readonly do: 'work'; readonly turns: number }
  | { readonly do: 'tick' }
  | { readonly do: 'say' }
  | { readonly do: 'leave'; readonly who: number }
  | { readonly do: 'return'; readonly who: number };

const who = fc.nat({ max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      to: who,
      count: fc.integer({ min: 1, max: 60 }),
      bad: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('work' as const), turns: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('say' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('return' as const), who }) },
);

class World {
  readonly rig: Rig = createRig({
    maxBatch: MAX_BATCH,
    maxInFlight: MAX_IN_FLIGHT,
    window: WINDOW,
    quantum: QUANTUM,
    deliver: (batch) => {
      this.#mayLeave(batch);
      return this.rig.thread.deliver(batch);
    },
  });
  readonly instances: Instance[];
  /** Slots that had more under way than they may. */
  readonly overrun: number[] = [];
  #slots = 0;
  #events = 0;

  constructor(capacity: number) {
    this.instances = Array.from({ length: 4 }, () => ({
      mailbox: new Mailbox(capacity),
      slots: [],
      attachment: undefined,
      sent: [],
      overflowed: [],
    }));
    for (const instance of this.instances) this.return(instance);
  }

  async run(step: Step): Promise<void> {
    if (step.do === 'send') this.send(this.instances[step.to] as Instance, step.count, step.bad);
    else if (step.do === 'work') await this.rig.thread.work(step.turns);
    else if (step.do === 'tick') await nextTurn();
    else if (step.do === 'say') this.rig.outbox.acknowledge(this.rig.thread.takeAck());
    else if (step.do === 'leave') this.leave(this.instances[step.who] as Instance);
    else this.return(this.instances[step.who] as Instance);
  }

  send(instance: Instance, count: number, bad: boolean): void {
    for (let n = 0; n < count; n++) {
      const event = bad && n === count >> 1 ? { n: this.#events++, run() {} } : this.#events++;
      const fits = instance.mailbox.offer(event, 0);
      (fits ? instance.sent : instance.overflowed).push(event);
      if (fits && instance.attachment) this.rig.outbox.ready(instance.attachment);
    }
  }

  /** As the host does it: what the thread has handled is settled, the rest waits again. */
  leave(instance: Instance): void {
    const { attachment } = instance;
    if (attachment === undefined) return;
    const { thread, outbox } = this.rig;
    thread.ended.add(attachment.slot);
    const handled = thread.progress.get(attachment.slot) ?? 0;
    outbox.detach(attachment, handled);
    instance.attachment = undefined;
  }

  return(instance: Instance): void {
    if (instance.attachment !== undefined) return;
    const slot = this.#slots++;
    instance.slots.push(slot);
    instance.attachment = this.rig.outbox.attach(instance.mailbox, slot);
  }

  /** Beyond a full window, an instance has one turn of its own. */
  #mayLeave(batch: Batch): void {
    const attached = this.instances.filter(({ attachment }) => attachment !== undefined);
    const leaving = envelopesOf(batch).length;
    const before = attached.reduce((sum, { mailbox }) => sum + mailbox.inFlight, -leaving);
    if (this.rig.outbox.inFlight < MAX_IN_FLIGHT && before < WINDOW) return;
    const slots = new Set(envelopesOf(batch).map(({ slot }) => slot));
    for (const { attachment } of attached) {
      if (attachment === undefined || !slots.has(attachment.slot)) continue;
      if (attachment.mailbox.inFlight > QUANTUM) this.overrun.push(attachment.slot);
    }
  }

  handledBy({ slots }: Instance): unknown[] {
    return this.rig.thread.handled.filter(({ slot }) => slots.includes(slot)).map(({ event }) => event);
  }

  refusedOf({ slots }: Instance): unknown[] {
    return this.rig.unclonable.filter(({ slot }) => slots.includes(slot)).map(({ event }) => event);
  }
}

describe('an outbox with many instances on a thread that takes its time', () => {
  it('has every envelope handled once and in order, or reported, through any coming and going', async () => {
    const steps = fc.array(step, { minLength: 5, maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(20, 200, 5000), async (steps, capacity) => {
        const world = new World(capacity);
        for (const step of steps) await world.run(step);
        for (const instance of world.instances) world.return(instance);
        await world.rig.thread.workOff();

        for (const instance of world.instances) {
          const clonable = instance.sent.filter((event) => typeof event === 'number');
          expect(world.handledBy(instance)).toEqual(clonable);
          const bad = instance.sent.filter((event) => typeof event !== 'number');
          expect(world.refusedOf(instance)).toEqual(bad);
          expect(instance.mailbox.depth).toBe(0);
        }
        const { thread, outbox } = world.rig;
        expect(Math.max(0, ...thread.sizes)).toBeLessThanOrEqual(MAX_BATCH);
        expect(world.overrun).toEqual([]);
        expect(outbox.inFlight).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
