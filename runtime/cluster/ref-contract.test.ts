import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server as NetServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  type AgentRef,
  createRuntime,
  defineCapability,
  type IncarnationEnd,
  postgresStore,
  type Runtime,
} from 'holdfast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toPromise, waitFor } from 'xstate';
import { freePort } from '../fixtures/free-port.ts';
import { fixture } from '../fixtures/start.ts';
import { partitionOf } from '../base/partition.ts';
import { hasPostgres, type Server, startServer } from '../store/postgres/fixtures/server.ts';
import { cluster } from './cluster.ts';
import { agents } from './fixtures/node-agents.ts';
import { NodeRef } from './node-ref.ts';

const program = fileURLToPath(new URL('./fixtures/node-run.ts', import.meta.url));
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const LONG = { timeoutMs: 20_000 };
const SOON = { timeout: 20_000 };

const CANARY = 'CANARY-link/7c1e"2';

/** Passes on what comes, and shows what leaves the side that connects. */
async function wire(from: number, to: number, carried: (bytes: Buffer) => void): Promise<NetServer> {
  const between = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: to });
    near.on('data', carried);
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
  });
  between.listen(from, '127.0.0.1');
  await once(between, 'listening');
  return between;
}

/** Reads a stream to its end, whatever that is. */
async function read(stream: AsyncIterable<unknown>): Promise<{ got: unknown[]; error?: unknown }> {
  const got: unknown[] = [];
  try {
    for await (const chunk of stream) got.push(chunk);
    return { got };
  } catch (error) {
    return { got, error };
  }
}

describe.skipIf(!hasPostgres)('a reference', () => {
  let server: Server;
  let runtime: Runtime<{ agents: typeof agents }>;
  let other: ChildProcess;
  let between: NetServer;
  /** What has left this node. */
  let carried: Buffer[] = [];
  let ids = 0;

  beforeAll(async () => {
    server = await startServer();
    process.env['LINK_CANARY'] = CANARY;
    const [here, there, open] = [await freePort(), await freePort(), await freePort()];
    between = await wire(open, there, (bytes) => carried.push(bytes));
    const nodes = [`127.0.0.1:${here}`, `127.0.0.1:${open}`];
    const store = postgresStore({ url: server.url, schema: 'cluster' });
    const joined = cluster({ nodes, index: 0, silentMs: 60_000 });
    const secrets = { key: { ref: 'LINK_CANARY', mode: 'capability', capabilities: ['sign'] } } as const;
    runtime = await createRuntime(
      {
        externalSecrets: { provider: 'env' },
        agents: { ...agents, granted: fixture('account', { secrets }) },
      },
      { store, cluster: joined, capabilities: [defineCapability('sign', () => 1)], logger: silent },
    );
    other = fork(program, [server.url, '1', `127.0.0.1:${here},127.0.0.1:${there}`], {
      execArgv: ['-C', 'holdfast-source', '--no-warnings'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(other, 'message');
  }, 120_000);
  afterAll(async () => {
    other?.kill('SIGKILL');
    await runtime?.stop();
    between?.close();
    await server?.remove();
    delete process.env['LINK_CANARY'];
  });

  /** A new instance that runs on that node. */
  async function on(at: number, agent = 'account'): Promise<AgentRef> {
    let id;
    do id = `c${++ids}`;
    while (partitionOf(`${agent}/${id}`) % 2 !== at);
    const ref = await runtime.getOrSpawn(agent, id);
    expect(ref instanceof NodeRef).toBe(at === 1);
    return ref as AgentRef;
  }

  describe.each([
    ['at home', 0],
    ['of another node', 1],
  ])('%s', (_where, at) => {
    it('shows the state after all that was sent before', async () => {
      const ref = await on(at);
      ref.send({ type: 'deposit', amount: 2 });
      await ref.deliver({ type: 'note', note: { at: new Date(5), all: new Set([1]) } });
      const snapshot = await ref.snapshot();
      expect(snapshot).toMatchObject({
        status: 'active',
        value: 'open',
        context: { total: 2, count: 1, note: { at: new Date(5), all: new Set([1]) } },
      });
      expect(snapshot.matches('open')).toBe(true);
      expect(snapshot.hasTag('any')).toBe(false);
      await expect(ref.snapshot({ timeoutMs: 'long' as never })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    });

    it('keeps the order in which one caller sends, delivers, enqueues and asks', async () => {
      const ref = await on(at, 'deferring');
      const names = Array.from({ length: 40 }, (_, n) => `n${n}`);
      const calls = names.map((type, n) => {
        if (n % 4 === 0) return Promise.resolve(ref.send({ type: 'note' }));
        const event = { type: n % 4 === 3 ? 'note' : 'defer' };
        if (n % 4 === 1) return ref.ask(event, { timeoutMs: 20_000, id: type }).catch(() => {});
        return n % 4 === 2 ? ref.enqueue(event) : ref.deliver(event, LONG);
      });
      const heard = (await ref.ask({ type: 'read' }, LONG)) as string[];
      expect(heard).toEqual(names.map((_, n) => (n % 4 === 0 || n % 4 === 3 ? 'note' : 'defer')));
      await ref.stop();
      await Promise.all(calls);
    });

    it('asks guards, and makes a copy from which another goes on', async () => {
      const ref = await on(at);
      expect(await ref.can({ type: 'deposit', amount: 1 })).toBe(true);
      expect(await ref.can({ type: 'nothing' })).toBe(false);
      await expect(ref.can('nothing')).rejects.toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
      await ref.deliver({ type: 'deposit', amount: 2 });
      expect(await ref.persist()).toMatchObject({ v: 1, address: ref.address, version: '1' });
    });

    it('refuses what cannot be handled with the codes of errors, and says why', async () => {
      const ref = await on(at, 'narrow');
      const refused = (event: unknown, wait = LONG): Promise<unknown> =>
        ref.ask(event as never, wait).catch(({ code }: { code: string }) => code);
      expect(await refused({ type: 'read', run: () => 1 })).toBe('MESSAGE_UNCLONABLE');
      expect(await refused('read')).toBe('MESSAGE_UNCLONABLE');
      expect(await refused({ type: 'xstate.stop' })).toBe('MESSAGE_UNCLONABLE');
      expect(await refused({ type: 'read', text: 'x'.repeat(2000) })).toBe('MESSAGE_TOO_LARGE');
      expect(await refused({ type: 'note' })).toBe('ASK_UNANSWERED');
      expect(await refused({ type: 'read' }, { timeoutMs: Number.NaN })).toBe('OPTION_INVALID');
      expect(await refused({ type: 'defer' }, { timeoutMs: 100 })).toBe('ASK_TIMEOUT');
      const asked = Array.from({ length: 10 }, () => ref.ask({ type: 'spin', ms: 100 }, LONG));
      const codes = await Promise.all(asked.map((one) => one.catch(({ code }: { code: string }) => code)));
      expect(codes).toContain('MAILBOX_FULL');
      const choosy = await on(at, 'accepting');
      await expect(choosy.ask({ type: 'order', items: 1 })).rejects.toMatchObject({
        code: 'EVENT_INVALID',
        issues: [expect.objectContaining({ path: ['items'] })],
      });
    });

    it('gives up with its signal, before and while it waits', async () => {
      const ref = await on(at, 'deferring');
      const controller = new AbortController();
      const { signal } = controller;
      const asked = ref.ask({ type: 'defer' }, { signal }).catch((error: unknown) => error);
      expect(await ref.ask({ type: 'read' })).toEqual(['defer']);
      controller.abort(new Error('given up'));
      expect(await asked).toMatchObject({ message: 'given up' });
      await expect(ref.deliver({ type: 'note' }, { signal })).rejects.toThrow('given up');
      expect(await read(ref.askStream({ type: 'note' }, { signal }))).toMatchObject({
        got: [],
        error: { message: 'given up' },
      });
      expect(await ref.ask({ type: 'read' })).toEqual(['defer']);
    });

    it('tells its watchers of the end once, and not those who have gone', async () => {
      const ref = await on(at);
      const ends: IncarnationEnd[] = [];
      ref.watch((end) => ends.push(end));
      const gone = ref.watch(() => expect.unreachable());
      expect(() => ref.watch('listener' as never)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
      await ref.ask({ type: 'total' });
      gone.unsubscribe();
      expect(ends).toEqual([]);
      await ref.deliver({ type: 'close' });
      await expect.poll(() => ends, SOON).toEqual([{ address: ref.address, incarnation: 1, reason: 'done' }]);
      await expect(ref.ask({ type: 'total' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
      await ref.stop();
    });

    describe('that is observed', () => {
      it('shows states as they come, each with what was emitted in it, and the end', async () => {
        const ref = await on(at);
        expect(ref.getSnapshot()).toMatchObject({ status: 'active', value: undefined });
        const heard: unknown[] = [];
        const counts: unknown[] = [];
        ref.on('deposited', (event) => heard.push([event, ref.getSnapshot().context]));
        ref.subscribe({
          next: ({ context }) => counts.push(context.count),
          complete: () => counts.push('over'),
        });
        for (let count = 1; count <= 3; count += 1) {
          ref.send({ type: 'deposit', amount: 2 });
          await waitFor(ref, ({ context }) => context?.count === count, { timeout: 20_000 });
        }
        const emitted = (count: number): unknown => [
          { type: 'deposited', total: 2 * count },
          { total: 2 * count, count },
        ];
        expect(heard).toEqual([1, 2, 3].map(emitted));
        const output = toPromise(ref as never);
        await ref.deliver({ type: 'close' });
        expect(await output).toBe(6);
        await expect.poll(() => counts.at(-1), SOON).toBe('over');
        expect(ref.getSnapshot()).toMatchObject({ status: 'done', value: 'closed', output: 6 });
        expect([...new Set(counts)]).toEqual([0, 1, 2, 3, 'over']);
      });

      it('tells those who come later the current state, and those who have gone nothing', async () => {
        const ref = await on(at);
        const [first, second, gone]: unknown[][] = [[], [], []];
        ref.subscribe(({ context }) => first?.push(context.count));
        await expect.poll(() => first?.at(-1), SOON).toBe(0);
        const going = ref.subscribe(({ context }) => gone?.push(context.count));
        const listening = ref.on('*', (event) => gone?.push(event));
        ref.subscribe(({ context }) => second?.push(context.count));
        await expect.poll(() => [second?.at(-1), gone?.at(-1)], SOON).toEqual([0, 0]);
        going.unsubscribe();
        listening.unsubscribe();
        gone?.splice(0);
        await ref.deliver({ type: 'deposit', amount: 2 });
        await expect.poll(() => [first?.at(-1), second?.at(-1)], SOON).toEqual([1, 1]);
        expect(gone).toEqual([]);
      });

      it('keeps errors, dates and sets, and refuses what is no observer', async () => {
        const ref = await on(at);
        const note = { at: new Date(5), all: new Set([1]), why: new RangeError('far') };
        await ref.deliver({ type: 'note', note });
        const { context } = await waitFor(ref, (snapshot) => snapshot.context?.note !== undefined);
        expect(context.note).toEqual(note);
        expect(context.note.why).toBeInstanceOf(RangeError);
        const refused = expect.objectContaining({ code: 'OPTION_INVALID' });
        expect(() => ref.subscribe('next' as never)).toThrow(refused);
        expect(() => ref.on('x', 'handler' as never)).toThrow(refused);
      });

      it('tells an error of the instance, and that it was stopped', async () => {
        const fragile = await on(at, 'fragile');
        const failed = new Promise((resolve) => void fragile.subscribe({ error: resolve }));
        await fragile.deliver({ type: 'overdraw', amount: 1 }).catch(() => {});
        expect(await failed).toMatchObject({ code: 'AGENT_QUARANTINED' });
        const ref = await on(at);
        const stopped = new Promise<void>((resolve) => void ref.subscribe({ complete: resolve }));
        await ref.stop();
        await stopped;
        expect(ref.getSnapshot().status).toBe('stopped');
      });
    });

    describe('of a stream', () => {
      it('reads what is written in order, and then the reply', async () => {
        const ref = await on(at, 'streaming');
        const stream = ref.askStream({ type: 'invoke', n: 1000 }, LONG);
        expect(await read(stream)).toEqual({ got: Array.from({ length: 1000 }, (_, n) => n) });
        expect(await stream.result).toEqual({ wrote: 1000 });
        const chunks = [null, undefined, 1n, new Map([[1, { a: 2 }]]), new Uint8Array([1, 2])];
        expect(await read(ref.askStream({ type: 'now', chunks, value: 1 }, LONG))).toEqual({ got: chunks });
        const plain = ref.askStream({ type: 'plain' }, LONG);
        expect(await read(plain)).toEqual({ got: [] });
        expect(await plain.result).toBe('as a reply');
        expect(() => ref.askStream({ type: 'plain' }, { timeoutMs: 'long' as never })).toThrow(
          expect.objectContaining({ code: 'OPTION_INVALID' }),
        );
      });

      it('ends with the error of the agent, after what was written', async () => {
        const ref = await on(at, 'streaming');
        const stream = ref.askStream({ type: 'stream', n: 3, fail: true }, LONG);
        const failure = { name: 'RangeError', message: 'the model broke', code: 'E_MODEL' };
        expect(await read(stream)).toMatchObject({ got: [0, 1, 2], error: failure });
        await expect(stream.result).rejects.toMatchObject(failure);
        const unanswered = ref.askStream({ type: 'nothing' }, LONG);
        expect(await read(unanswered)).toMatchObject({ got: [], error: { code: 'ASK_UNANSWERED' } });
      });

      it('holds the writer back while nobody takes what it writes', async () => {
        const ref = await on(at, 'streaming');
        const stream = ref.askStream({ type: 'stream', n: 10_000 }, LONG);
        const iterator = stream[Symbol.asyncIterator]();
        expect(await iterator.next()).toEqual({ done: false, value: 0 });
        let before = -1;
        await expect
          .poll(async () => {
            const [written] = ((await ref.ask({ type: 'written' }, LONG)) as number[]).slice(-1);
            const still = written === before;
            before = written as number;
            return still;
          }, SOON)
          .toBe(true);
        expect(before).toBeGreaterThan(60);
        expect(before).toBeLessThan(400);
        expect((await read({ [Symbol.asyncIterator]: () => iterator })).got.length).toBe(9999);
        expect(await stream.result).toEqual({ wrote: 10_000 });
      });

      it('has the agent stop when the reader does, and when its signal is aborted', async () => {
        const ref = await on(at, 'streaming');
        await ref.ask({ type: 'told' });
        for await (const _ of ref.askStream({ type: 'stream', n: 100_000 }, LONG)) break;
        const told: unknown[] = [];
        const hear = async (): Promise<unknown> =>
          told.push(...((await ref.ask({ type: 'told' }, LONG)) as unknown[]));
        await expect.poll(hear, SOON).toBe(2);
        const controller = new AbortController();
        const stream = ref.askStream({ type: 'stream', n: 100_000 }, { ...LONG, signal: controller.signal });
        const [{ error }] = await Promise.all([
          read(stream),
          ref.ask({ type: 'written' }, LONG).then(() => controller.abort(new Error('given up'))),
        ]);
        expect(error).toMatchObject({ message: 'given up' });
        await expect.poll(hear, SOON).toBe(4);
        expect(told.map((one) => (one as string[])[0])).toEqual(['aborted', 'stopped', 'aborted', 'stopped']);
      });

      it('waits no longer for the next chunk than it was told to', async () => {
        const ref = await on(at, 'streaming');
        const stream = ref.askStream({ type: 'stream', n: 2, paced: true }, { timeoutMs: 300 });
        expect(await read(stream)).toMatchObject({ got: [], error: { code: 'ASK_TIMEOUT' } });
      });

      it('gives the reply alone to who asks with the same id again', async () => {
        const ref = await on(at, 'streaming');
        const event = { type: 'stream', n: 3 };
        const once = { ...LONG, id: 'once' };
        expect(await read(ref.askStream(event, once))).toEqual({ got: [0, 1, 2] });
        const again = ref.askStream(event, once);
        expect(await read(again)).toMatchObject({ got: [], error: { code: 'ANSWER_NOT_KEPT' } });
        expect(await again.result).toEqual({ wrote: 3 });
      });
    });
  });

  it('of another node refuses the value of a secret before anything of it leaves', async () => {
    const ref = await on(1);
    carried = [];
    const refused = { code: 'SECRET_IN_SNAPSHOT' };
    for (const note of [CANARY, { deep: [`x${CANARY}`] }, new Map([[CANARY, 1]]), Buffer.from(CANARY)]) {
      const event = { type: 'note', note };
      for (const id of [undefined, 'one']) {
        const options = id === undefined ? {} : { id };
        await expect(ref.ask(event, options)).rejects.toMatchObject(refused);
        await expect(ref.deliver(event, options)).rejects.toMatchObject(refused);
        await expect(ref.enqueue(event, options)).rejects.toMatchObject(refused);
        await expect(ref.askStream(event, options).result).rejects.toMatchObject(refused);
      }
      await expect(ref.can(event)).rejects.toMatchObject(refused);
    }
    const id = ref.address.split('/')[1] as string;
    await expect(runtime.getOrSpawn('account', id, { input: CANARY })).rejects.toMatchObject(refused);
    await ref.deliver({ type: 'note', note: 'harmless' });
    const text = Buffer.concat(carried).toString();
    expect(text).toContain('harmless');
    expect(text).not.toContain('CANARY');
    for (const [, bytes = ''] of text.matchAll(/"bytes":"([^"]*)"/g))
      expect(Buffer.from(bytes, 'base64').toString('latin1')).not.toContain('CANARY');
    expect(await ref.snapshot()).toMatchObject({ context: { note: 'harmless', count: 0 } });
  });

  it('of a node that goes in the middle says that nobody knows what came of it', async () => {
    const ref = await on(1, 'streaming');
    const ends: IncarnationEnd[] = [];
    ref.watch((end) => ends.push(end));
    const stream = ref.askStream({ type: 'stream', n: 2, paced: true }, LONG);
    const reading = read(stream);
    await ref.deliver({ type: 'go' }, LONG);
    const left = ref.askStream({ type: 'stream', n: 2, paced: true }, { ...LONG, id: 'left' });
    await ref.ask({ type: 'written' }, LONG);
    other.kill('SIGKILL');
    const lost = { code: 'NODE_UNREACHABLE', message: expect.stringContaining('nobody knows') as string };
    expect((await reading).error).toMatchObject(lost);
    await expect(left.result).rejects.toMatchObject(lost);
    await expect
      .poll(() => ends, SOON)
      .toEqual([{ address: ref.address, incarnation: 1, reason: 'unreachable' }]);
    await expect(ref.snapshot({ timeoutMs: 100 })).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      message: expect.stringContaining('it was not sent') as string,
    });
  });
});
