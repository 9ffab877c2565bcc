import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createRuntime, type AgentRef } from 'holdfast';
import { measure, print, ratio, type Row } from './rounds.ts';

const EVENTS = 200_000;
const ASKS = 20_000;
const INSTANCES = 32;
/** Events a producer sends before it lets the others in; the same for all variants. */
const BURST = 256;
/** Events under way at most; the same for all variants. */
const WINDOW = 4096;

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Host to thread through the whole path, beside a bare port that does nothing but count. */
export async function spine(rounds: number): Promise<boolean> {
  await using runtime = await createRuntime({
    agents: {
      counter: {
        type: 'thread-bound',
        threadId: 'bench',
        maxThreads: 1,
        module: new URL('./fixtures/counter.ts', import.meta.url),
        mailbox: { capacity: WINDOW },
      },
    },
  });
  const refs: AgentRef[] = [];
  for (let i = 0; i < INSTANCES; i++) refs.push(await runtime.spawn('counter', { id: String(i) }));
  const raw = new Worker(new URL('./fixtures/raw-worker.mjs', import.meta.url));
  await once(raw, 'online');

  const letters = (): unknown[] => runtime.deadLetters.list();
  const oneWay = await measure(
    {
      'raw postMessage, batches of 256': () => rawBatched(raw),
      'raw postMessage per event': () => rawPerEvent(raw),
      'holdfast send, 32 instances': () => sends(letters, refs),
      'holdfast send, 1 instance': () => sends(letters, refs.slice(0, 1)),
    },
    rounds,
    'events/s',
  );
  console.log(`one way, ${EVENTS} events a run, median of ${rounds}`);
  print(oneWay, 'raw postMessage, batches of 256');

  const asked = await measure(
    {
      'raw postMessage request and reply, 1': () => rawAsks(raw, 1),
      'holdfast ask, 1 in flight': () => asks(refs, 1),
      'raw postMessage request and reply, 1024': () => rawAsks(raw, 1024),
      'holdfast ask, 1024 in flight': () => asks(refs, 1024),
    },
    rounds,
    'asks/s  ',
  );
  console.log(`ask and reply, ${ASKS} asks a run (a tenth of it at 1 in flight), median of ${rounds}`);
  print(asked.slice(0, 2), 'raw postMessage request and reply, 1');
  print(asked.slice(2), 'raw postMessage request and reply, 1024');
  await raw.terminate();
  return gate(oneWay);
}

function gate(rows: readonly Row[]): boolean {
  const of = (name: string): Row => rows.find((row) => row.name.startsWith(name)) as Row;
  const reached = ratio(of('holdfast send, 32'), of('raw postMessage, batches'));
  const passed = reached >= 0.6;
  console.log(`gate: one way >= 0.60 of raw batched: ${reached.toFixed(2)} ${passed ? 'passed' : 'FAILED'}`);
  return passed;
}

const perSecond = (count: number, since: number): number => (count * 1000) / (performance.now() - since);

async function sends(deadLetters: () => unknown[], refs: readonly AgentRef[]): Promise<number> {
  const before = await total(refs);
  const started = performance.now();
  let under = 0;
  let room: (() => void) | undefined;
  for (let sent = 0; sent < EVENTS;) {
    for (let i = 0; i < BURST - 1; i++, sent++)
      (refs[sent % refs.length] as AgentRef).send({ type: 'tick', n: sent });
    // Every 256th send is a delivery: it tells how far the thread has come.
    under += BURST;
    void (refs[sent % refs.length] as AgentRef).deliver({ type: 'tick', n: sent }).then(() => {
      under -= BURST;
      room?.();
    });
    sent += 1;
    if (under >= WINDOW - BURST) await new Promise<void>((resolve) => (room = resolve));
    else await tick();
  }
  const after = await total(refs);
  const rate = perSecond(EVENTS, started);
  const expected = Math.ceil(EVENTS / BURST) * BURST;
  if (after - before !== expected || deadLetters().length > 0) {
    throw new Error(`${after - before} of ${expected} events arrived, ${deadLetters().length} dead letters`);
  }
  return rate;
}

async function total(refs: readonly AgentRef[]): Promise<number> {
  const counts = await Promise.all(refs.map((ref) => ref.ask({ type: 'read' }, { timeoutMs: 60_000 })));
  return (counts as number[]).reduce((sum, count) => sum + count, 0);
}

async function asks(refs: readonly AgentRef[], inFlight: number): Promise<number> {
  const wanted = inFlight === 1 ? ASKS / 10 : ASKS;
  let begun = 0;
  let answered = 0;
  const lane = async (): Promise<void> => {
    while (begun < wanted) {
      const reply = await (refs[begun++ % refs.length] as AgentRef).ask({ type: 'read' });
      if (typeof reply === 'number') answered += 1;
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  const rate = perSecond(wanted, started);
  if (answered !== wanted) throw new Error(`${answered} of ${wanted} asks were answered`);
  return rate;
}

async function rawRead(raw: Worker): Promise<number> {
  raw.postMessage({ read: true, id: 0 });
  const [{ n }] = (await once(raw, 'message')) as [{ n: number }];
  return n;
}

async function rawReset(raw: Worker): Promise<void> {
  raw.postMessage({ reset: true });
  await once(raw, 'message');
}

async function rawBatched(raw: Worker): Promise<number> {
  await rawReset(raw);
  const started = performance.now();
  let under = 0;
  let room: (() => void) | undefined;
  const acked = ({ ack = 0 }: { ack?: number }): void => {
    under -= ack;
    room?.();
  };
  raw.on('message', acked);
  for (let sent = 0; sent < EVENTS;) {
    const batch: unknown[] = [];
    for (let i = 0; i < BURST; i++, sent++) batch.push(sent % INSTANCES, { type: 'tick', n: sent });
    under += BURST;
    raw.postMessage({ batch });
    if (under >= WINDOW - BURST) await new Promise<void>((resolve) => (room = resolve));
    else await tick();
  }
  raw.off('message', acked);
  const n = await rawReadAfterAcks(raw);
  const rate = perSecond(EVENTS, started);
  const expected = Math.ceil(EVENTS / BURST) * BURST;
  if (n !== expected) throw new Error(`${n} of ${expected} events arrived`);
  return rate;
}

async function rawReadAfterAcks(raw: Worker): Promise<number> {
  return new Promise((resolve) => {
    const read = ({ n }: { n?: number }): void => {
      if (n === undefined) return;
      raw.off('message', read);
      resolve(n);
    };
    raw.on('message', read);
    raw.postMessage({ read: true, id: 0 });
  });
}

async function rawPerEvent(raw: Worker): Promise<number> {
  await rawReset(raw);
  const started = performance.now();
  for (let sent = 0; sent < EVENTS;) {
    for (let i = 0; i < BURST && sent < EVENTS; i++, sent++) {
      raw.postMessage({ to: sent % INSTANCES, event: { type: 'tick', n: sent } });
    }
    await tick();
  }
  const n = await rawRead(raw);
  const rate = perSecond(EVENTS, started);
  if (n !== EVENTS) throw new Error(`${n} of ${EVENTS} events arrived`);
  return rate;
}

async function rawAsks(raw: Worker, inFlight: number): Promise<number> {
  const wanted = inFlight === 1 ? ASKS / 10 : ASKS;
  const pending = new Map<number, () => void>();
  const answer = ({ id }: { id: number }): void => {
    pending.get(id)?.();
    pending.delete(id);
  };
  raw.on('message', answer);
  let begun = 0;
  let answered = 0;
  const lane = async (): Promise<void> => {
    while (begun < wanted) {
      const id = ++begun;
      await new Promise<void>((resolve) => {
        pending.set(id, resolve);
        raw.postMessage({ read: true, id });
      });
      answered += 1;
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  const rate = perSecond(wanted, started);
  raw.off('message', answer);
  if (answered !== wanted) throw new Error(`${answered} of ${wanted} requests were answered`);
  return rate;
}
