import { describe, expect, it } from 'vitest';
import type { AgentRef, AskStream } from 'holdfast';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const agents = { dictating: fixture('dictating', { maxThreads: 1 }) };

/** Reads what is left; resolves with the chunks, and with the code of what cut them off. */
async function rest(stream: AsyncIterator<unknown>): Promise<readonly unknown[]> {
  const chunks: unknown[] = [];
  try {
    for (;;) {
      const { done, value } = await stream.next();
      if (done === true) return chunks;
      chunks.push(value);
    }
  } catch (error) {
    return [...chunks, (error as { code?: string }).code ?? (error as Error).message];
  }
}

const read = (stream: AskStream): Promise<readonly unknown[]> => rest(stream[Symbol.asyncIterator]());

const asked = (ref: AgentRef): Promise<unknown> => ref.ask({ type: 'asked' });

describe('amendment 21: the stream of a durable agent', () => {
  it('holds its first chunk until the turn that was asked is committed; later ones wait for no commit', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const ref = await runtime.spawn('dictating', { id: 'a' });
    const other = await runtime.spawn('dictating', { id: 'b' });
    gate.shut();
    const answer = ref.askStream({ type: 'write', n: 3, waitsAt: 1 });
    const chunks = answer[Symbol.asyncIterator]();
    const told: unknown[] = [];
    const first = chunks.next().then(({ value }) => told.push(value));
    const turn = await gate.next();
    // It was written within that turn, and is here.
    expect(turn.group.turns).toMatchObject([{ address: 'dictating/a' }]);
    expect(told).toEqual([]);
    turn.go();
    await first;
    expect(told).toEqual([0]);
    // Something else of the same thread is being written, and the store says nothing.
    const note = other.ask({ type: 'note' }).then((n) => told.push(`note ${String(n)}`));
    const stuck = await gate.next();
    ref.send({ type: 'go' });
    expect(await chunks.next()).toEqual({ done: false, value: 1 });
    ref.send({ type: 'go' });
    expect(await chunks.next()).toEqual({ done: false, value: 2 });
    void answer.result.then(() => told.push('end'));
    expect(told).toEqual([0]);
    gate.open();
    stuck.go();
    expect(await rest(chunks)).toEqual([]);
    await note;
    expect(told).toEqual([0, 'note 1', 'end']);
    expect(await answer.result).toEqual({ wrote: 3 });
  });

  it('lets nothing out of a turn that throws', async () => {
    const runtime = await start({ agents }, { store: memoryDurableStore() });
    const ref = await runtime.spawn('dictating', { id: 'a' });
    expect(await read(ref.askStream({ type: 'spoil' }))).toEqual(['spoiled']);
  });

  it('is asked once with an id: who asks again gets the reply, and is told that the chunks are not kept', async () => {
    const memory = durableMemory();
    const first = await start({ agents }, { store: memoryDurableStore(memory) });
    const ref = await first.spawn('dictating', { id: 'a' });
    const event = { type: 'write', n: 2, waitsAt: 1 };
    const wait = { id: 'one' };
    const answer = ref.askStream(event, wait);
    const chunks = answer[Symbol.asyncIterator]();
    expect(await chunks.next()).toEqual({ done: false, value: 0 });
    // It is being written.
    const joined = ref.askStream(event, wait);
    const plain = ref.ask(event, wait);
    await ref.deliver({ type: 'go' });
    expect(await rest(chunks)).toEqual([1]);
    const reply = { wrote: 2 };
    expect(await Promise.all([answer.result, joined.result, plain])).toEqual([reply, reply, reply]);
    expect(await read(joined)).toEqual(['ANSWER_NOT_KEPT']);
    await first.stop();
    const second = await start({ agents }, { store: memoryDurableStore(memory) });
    const later = await second.spawn('dictating', { id: 'a' });
    const again = later.askStream(event, wait);
    expect(await read(again)).toEqual(['ANSWER_NOT_KEPT']);
    expect(await again.result).toEqual(reply);
    const reused = later.askStream({ type: 'write', n: 9 }, wait);
    expect(await read(reused)).toEqual(['ID_REUSED']);
    expect(await asked(later)).toBe(1);
  });

  it('is asked anew with its id when it was cut: by the end of the process, or because its reader has stopped', async () => {
    const memory = durableMemory();
    const first = await start({ agents }, { store: memoryDurableStore(memory) });
    const before = await first.spawn('dictating', { id: 'a' });
    const event = { type: 'write', n: 2, waitsAt: 1 };
    const wait = { id: 'one' };
    const cut = before.askStream(event, wait)[Symbol.asyncIterator]();
    expect(await cut.next()).toEqual({ done: false, value: 0 });
    // As a process that is killed leaves it.
    const left = structuredClone(memory);
    await first.stop();
    expect(await rest(cut)).toEqual(['AGENT_STOPPED']);
    const second = await start({ agents }, { store: memoryDurableStore(left) });
    const ref = await second.spawn('dictating', { id: 'a' });
    const stopped = ref.askStream(event, wait);
    for await (const chunk of stopped) {
      expect(chunk).toBe(0);
      break;
    }
    await expect(stopped.result).rejects.toMatchObject({ code: 'STREAM_INTERRUPTED' });
    const anew = ref.askStream(event, wait);
    const chunks = anew[Symbol.asyncIterator]();
    expect(await chunks.next()).toEqual({ done: false, value: 0 });
    await ref.deliver({ type: 'go' });
    expect(await rest(chunks)).toEqual([1]);
    expect(await anew.result).toEqual({ wrote: 2 });
    expect(await asked(ref)).toBe(3);
  });

  it('takes an id of an instance that is durable alone', async () => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn('dictating', { id: 'a' });
    const answer = ref.askStream({ type: 'write', n: 1 }, { id: 'one' });
    expect(await read(answer)).toEqual(['OPTION_INVALID']);
  });
});
