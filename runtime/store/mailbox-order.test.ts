import fc from 'fast-check';
import type { AgentRef, HoldfastError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import type { DurableStore } from './durable-store.ts';
import { durableMemory, memoryDurableStore, type DurableMemory } from './memory-durable-store.ts';

const agents = { diary: fixture('diary', { mailbox: { capacity: 4 } }) };

type Way = 'enqueue' | 'enqueue-id' | 'ask' | 'ask-id' | 'deliver' | 'deliver-id';

const ways = fc.array(
  fc.constantFrom<Way>('enqueue', 'enqueue-id', 'ask', 'ask-id', 'deliver', 'deliver-id'),
  { minLength: 4, maxLength: 40 },
);

/** Sends note `n` in that way. */
function send(ref: AgentRef, way: Way, n: number): Promise<unknown> {
  const event = { type: 'note', n };
  const options = way.endsWith('-id') ? { id: `note-${n}` } : {};
  if (way.startsWith('enqueue')) return ref.enqueue(event, options);
  return way.startsWith('ask') ? ref.ask(event, options) : ref.deliver(event, options);
}

/** Sends it until the mailbox has room for it, as whoever sends again does. */
async function sendAgain(ref: AgentRef, way: Way, n: number): Promise<void> {
  for (let isSent = false; !isSent;) {
    isSent = await send(ref, way, n).then(
      () => true,
      (error: HoldfastError) => {
        if (error.code !== 'MAILBOX_FULL') throw error;
        return false;
      },
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const notesOf = async (ref: AgentRef): Promise<readonly number[]> =>
  ((await ref.snapshot()) as { context: { notes: number[] } }).context.notes;

describe('a mailbox over the end of its process', () => {
  it('keeps the order of all calls, has each that resolved once, and does none twice that comes again', async () => {
    await fc.assert(
      fc.asyncProperty(
        ways,
        fc.nat({ max: 6 }),
        fc.array(fc.nat({ max: 40 })),
        async (calls, commits, pauses) => {
          const memory = durableMemory();
          const inner = memoryDurableStore(memory);
          let left: DurableMemory | undefined;
          let [isCalling, lefts] = [false, commits];
          const store: DurableStore = {
            ...inner,
            async commit(group) {
              // What is in the store before this commit is what a process that ends now leaves to the next.
              if (isCalling && lefts-- === 0) left = structuredClone(memory);
              return inner.commit(group);
            },
          };
          const first = await start({ agents }, { store });
          const ref = (await first.spawn('diary', { id: 'a' })) as AgentRef;
          isCalling = true;
          const refused = new Set<number>();
          const before: number[] = [];
          const outcomes: Promise<unknown>[] = [];
          for (const [n, way] of calls.entries()) {
            const outcome = send(ref, way, n).then(
              () => left === undefined && before.push(n),
              () => refused.add(n),
            );
            outcomes.push(outcome);
            if (pauses.includes(n)) await new Promise((resolve) => setImmediate(resolve));
          }
          await Promise.all(outcomes);
          left ??= structuredClone(memory);
          await expect.poll(() => memory.rows.size).toBe(0);
          expect(await notesOf(ref)).toEqual(calls.map((_, n) => n).filter((n) => !refused.has(n)));
          await first.stop();

          const after = left;
          const second = await start({ agents }, { store: memoryDurableStore(after) });
          const next = (await second.spawn('diary', { id: 'a' })) as AgentRef;
          await expect.poll(() => after.rows.size).toBe(0);
          const notes = await notesOf(next);
          expect(notes).toEqual(notes.toSorted((a, b) => a - b));
          for (const n of before) expect(notes.filter((other) => other === n)).toEqual([n]);
          const again = calls.flatMap((way, n) => (way.endsWith('-id') ? [{ way, n }] : []));
          for (const { way, n } of again) await sendAgain(next, way, n);
          await expect.poll(() => after.rows.size).toBe(0);
          const last = await notesOf(next);
          expect(new Set(last).size).toBe(last.length);
          for (const { n } of again) expect(last).toContain(n);
          await second.stop();
        },
      ),
      { numRuns: 12, endOnFailure: true },
    );
  });
});
