import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type AgentRef, createRuntime, postgresStore, type Runtime } from 'holdfast';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { AnyEventObject } from 'xstate';
import { freePort } from '../fixtures/free-port.ts';
import { partitionOf } from '../base/partition.ts';
import { MAX_DEPTH } from '../mailbox/terms.ts';
import { hasPostgres, type Server, startServer } from '../store/postgres/fixtures/server.ts';
import { JOIN, type JoiningCluster } from '../system/cluster.ts';
import { PlacedNode } from './cluster-node.ts';
import { agents } from './fixtures/node-agents.ts';
import type { Order } from './fixtures/node-run.ts';
import { NodeLink } from './node-link.ts';
import { NodeRef } from './node-ref.ts';
import type { Placement, PlacementListener } from './placement.ts';
import { staticPlacement } from './static-placement.ts';

const program = fileURLToPath(new URL('./fixtures/node-run.ts', import.meta.url));
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let ids = 0;
/** An id of an agent that belongs to that node, another one each time. */
function idOf(node: number, agent = 'account'): string {
  for (;;) if (partitionOf(`${agent}/a${++ids}`) % 2 === node) return `a${ids}`;
}
const within = { timeout: 20_000 };
/** What has an errand send a deposit. */
const send = (to: string, amount: number) => ({
  type: 'send',
  to,
  event: { type: 'deposit', amount },
  options: {},
});

describe.skipIf(!hasPostgres)('two nodes over one database', () => {
  let server: Server;
  let here: Runtime<{ agents: typeof agents }>;
  let there: ChildProcess;
  let nodes: string[];
  let orders = 0;
  /** What tells this node of its partitions. */
  let partitions: PlacementListener;

  async function startThere(): Promise<void> {
    there = fork(program, [server.url, '1', nodes.join(',')], {
      execArgv: ['-C', 'holdfast-source', '--no-warnings'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(there, 'message');
  }
  /** What a reference of the other process gives. */
  function order(address: string, method: Order['method'], ...given: readonly unknown[]): Promise<unknown> {
    const q = ++orders;
    const child = there;
    return new Promise((resolve, reject) => {
      const answered = (message: { q: number; value?: unknown; message?: string; code?: string }): void => {
        if (message.q !== q) return;
        child.off('message', answered);
        if (message.message === undefined) resolve(message.value);
        else reject(Object.assign(new Error(message.message), { code: message.code }));
      };
      child.on('message', answered);
      child.send({ q, address, method, given });
    });
  }

  beforeAll(async () => {
    server = await startServer();
    nodes = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const fixed = staticPlacement({ nodes, index: 0 });
    const placement: Placement = {
      self: 0,
      start: (listener) => fixed.start((partitions = listener)),
      route: (partition) => fixed.route(partition),
      nodes: () => fixed.nodes(),
      stop: () => fixed.stop(),
    };
    const cluster: JoiningCluster = {
      nodes,
      index: 0,
      [JOIN]: (store) => new PlacedNode(store, { join: () => placement, tls: undefined, silentMs: 60_000 }),
    };
    here = await createRuntime(
      { agents },
      { store: postgresStore({ url: server.url, schema: 'cluster' }), cluster, logger: silent },
    );
    await startThere();
  }, 120_000);
  afterAll(async () => {
    there?.kill('SIGKILL');
    await here?.stop();
    await server?.remove();
  });

  it('each asks an instance that belongs to the other, and gets its answer', async () => {
    const theirs = await here.getOrSpawn('account', idOf(1));
    expect(theirs).toBeInstanceOf(NodeRef);
    expect(theirs.node).toBe(1);
    expect(await theirs.ask({ type: 'deposit', amount: 2 })).toBe(2);
    expect(here.get(theirs.address)).toBeInstanceOf(NodeRef);
    expect(here.status().instances.map(({ address }) => address)).not.toContain(theirs.address);
    const ours = `account/${idOf(0)}`;
    expect(await order(ours, 'ask', { type: 'deposit', amount: 3 })).toBe(3);
    expect(await here.get(ours)?.ask({ type: 'total' })).toBe(3);
  });

  it('the status lists the nodes, what each has and whether it is reached', async () => {
    await expect
      .poll(() => here.status().cluster, within)
      .toEqual({
        node: 0,
        nodes: nodes.map((at, node) => ({ node, at, partitions: 32, reachable: true })),
      });
  });

  it('an instance without an id starts here, and is reached from the other node', async () => {
    for (let n = 0; n < 3; n++) {
      const ref = await here.spawn('account');
      expect(ref.node).toBe(0);
      await ref.ask({ type: 'deposit', amount: 7 });
      expect(await order(ref.address, 'ask', { type: 'total' })).toBe(7);
    }
  });

  it('an instance is found where it is, and spawned where it belongs, with its input and its state', async () => {
    const id = idOf(1);
    expect(await here.find(`account/${id}`)).toBeUndefined();
    const theirs = await here.spawn('account', { id });
    expect(theirs.node).toBe(1);
    expect(await here.find(theirs.address)).toMatchObject({ address: theirs.address, resident: true });
    await expect(here.spawn('account', { id })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
    await theirs.ask({ type: 'deposit', amount: 4 });
    const copy = await here.spawn('account', { id: idOf(1), snapshot: await theirs.persist() });
    expect(await copy.ask({ type: 'total' })).toBe(4);
    await expect(here.spawn('nobody' as 'account', { id })).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' });
  });

  it('an instance that the config lists starts on the node that has its address, and on no other', async () => {
    const listed = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => `standing/${id}`);
    const ours = listed.filter((address) => partitionOf(address) % 2 === 0);
    expect(ours.length % listed.length).toBeGreaterThan(0);
    const started = here.status().instances.filter(({ agent }) => agent === 'standing');
    expect(started.map(({ address }) => address).toSorted()).toEqual(ours);
    for (const address of listed) expect(await here.find(address)).toMatchObject({ resident: true });
  });

  it('a reference to another node says what it is', () => {
    const theirs = here.get(`account/${idOf(1)}`);
    expect(theirs).toMatchObject({ agent: 'account', node: 1, thread: -1, incarnation: 0 });
  });

  it('what is sent and enqueued comes before what is asked later', async () => {
    const theirs = await here.getOrSpawn('account', idOf(1));
    theirs.send({ type: 'deposit', amount: 1 });
    void theirs.enqueue({ type: 'deposit', amount: 10 });
    expect(await theirs.ask({ type: 'history' })).toEqual({ total: 11, deposits: 2 });
  });

  it('an event with an id is handled once, by whatever way and node it comes', async () => {
    const id = idOf(1);
    const theirs = await here.getOrSpawn('account', id);
    const deposit = { type: 'deposit', amount: 5 };
    expect(await theirs.ask(deposit, { id: 'once' })).toBe(5);
    expect(await theirs.ask(deposit, { id: 'once' })).toBe(5);
    await theirs.enqueue(deposit, { id: 'once' });
    await order(theirs.address, 'deliver', deposit, { id: 'once' });
    expect(await theirs.ask({ type: 'history' })).toEqual({ total: 5, deposits: 1 });
  });

  it('an error of the instance comes as it is, and one that nobody is there for as at home', async () => {
    const theirs = await here.getOrSpawn('account', idOf(1));
    await expect(theirs.deliver({ type: 'overdraw', amount: 1 })).rejects.toMatchObject({
      message: 'overdrawn',
    });
    const nobody = here.get(`account/${idOf(1)}`) as AgentRef;
    await expect(nobody.ask({ type: 'total' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    await expect(nobody.enqueue({ type: 'total' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  });

  it('a reference does from another node what it does at home', async () => {
    const theirs = await here.getOrSpawn('account', idOf(1));
    await theirs.ask({ type: 'deposit', amount: 3 });
    expect(await theirs.can({ type: 'deposit', amount: 1 })).toBe(true);
    expect(await theirs.can({ type: 'nothing' })).toBe(false);
    await expect(theirs.can('nothing')).rejects.toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
    const kept = await theirs.persist();
    expect(kept).toMatchObject({ v: 1, address: theirs.address, version: '1', snapshot: { value: 'open' } });
    const copy = await here.spawn('account', { id: idOf(0), snapshot: kept });
    expect(await copy.ask({ type: 'total' })).toBe(3);
    await theirs.stop();
    await expect(theirs.ask({ type: 'total' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    await here.getOrSpawn('account', theirs.address.split('/')[1] as string);
    expect(await theirs.ask({ type: 'total' })).toBe(0);
  });

  it('a deadline and a signal end the wait for another node, and nobody gets an answer that was for another', async () => {
    const theirs = await here.getOrSpawn('deferring', idOf(1, 'deferring'));
    await expect(theirs.ask({ type: 'defer' }, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'ASK_TIMEOUT',
    });
    const controller = new AbortController();
    const { signal } = controller;
    const asked = theirs.ask({ type: 'defer' }, { signal }).catch((error: unknown) => error);
    expect(await theirs.ask({ type: 'read' })).toEqual(['defer', 'defer']);
    controller.abort(new Error('given up'));
    expect(await asked).toMatchObject({ message: 'given up' });
    await expect(theirs.deliver({ type: 'note' }, { signal })).rejects.toThrow('given up');
    expect(await theirs.ask({ type: 'read' })).toEqual(['defer', 'defer']);
    const third = theirs.ask({ type: 'defer' });
    for (const value of ['first', 'second', 'third']) await theirs.deliver({ type: 'answer', value });
    expect(await third).toBe('third');
    for (const call of ['ask', 'deliver', 'can'] as const)
      await expect(theirs[call]({ type: 'note' }, { timeoutMs: Number.NaN })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
  });

  describe('what an agent sends to one on another node', () => {
    it('leaves with its turn, and is there before what is asked after it', async () => {
      const ours = await here.spawn('errand', { id: idOf(0, 'errand') });
      const theirs = await here.getOrSpawn('account', idOf(1));
      await ours.deliver(send(theirs.address, 5));
      expect(await theirs.ask({ type: 'history' })).toEqual({ total: 5, deposits: 1 });
      const account = await here.spawn('account', { id: idOf(0) });
      await order(`errand/${idOf(1, 'errand')}`, 'deliver', send(account.address, 6));
      const history = (): Promise<unknown> => account.ask({ type: 'history' });
      await expect.poll(history, within).toEqual({ total: 6, deposits: 1 });
    });

    it('is handled although the word of it is lost', async () => {
      const ours = await here.spawn('errand', { id: idOf(0, 'errand') });
      const theirs = await here.getOrSpawn('account', idOf(1));
      await theirs.ask({ type: 'total' });
      const word = vi.spyOn(NodeLink.prototype, 'nudge').mockImplementation(() => {});
      onTestFinished(() => word.mockRestore());
      await ours.deliver(send(theirs.address, 5));
      expect(word).toHaveBeenCalledWith(theirs.address);
      const history = (): Promise<unknown> => theirs.ask({ type: 'history' });
      await expect.poll(history, within).toEqual({ total: 5, deposits: 1 });
    });
  });

  it('an agent starts and asks one that belongs to another node', async () => {
    const ours = await here.spawn('errand', { id: idOf(0, 'errand') });
    const to = `account/${idOf(1)}`;
    const event = { type: 'deposit', amount: 5 };
    expect(await ours.ask({ type: 'ask', to, event, options: {} })).toMatchObject({ code: 'AGENT_STOPPED' });
    await ours.deliver({ type: 'send', to, event });
    const theirs = here.get(to) as AgentRef;
    const history = (): Promise<unknown> => theirs.ask({ type: 'history' }).catch(() => undefined);
    await expect.poll(history, within).toEqual({ total: 5, deposits: 1 });
    expect(await ours.ask({ type: 'ask', to, event, options: {} })).toEqual({ answer: 10 });
    expect(await ours.ask({ type: 'deliver', to, event: { type: 'overdraw', amount: 1 } })).toMatchObject({
      message: 'overdrawn',
    });
    const begun = `account/${idOf(1)}`;
    expect(await ours.ask({ type: 'ask', to: begun, event })).toEqual({ answer: 5 });
    expect(here.deadLetters.list().filter(({ address }) => address === begun)).toEqual([]);
  });

  it('an agent hears of the end of one on another node when that ends, and not before', async () => {
    const ours = await here.spawn('errand', { id: idOf(0, 'errand') });
    const theirs = await here.getOrSpawn('account', idOf(1));
    const ended: unknown[] = [];
    const watching = ours.ask({ type: 'watch', to: theirs.address }, { timeoutMs: 20_000 });
    void watching.then((incarnation) => ended.push(incarnation));
    expect(await ours.ask({ type: 'here' })).toBe(true);
    await theirs.deliver({ type: 'deposit', amount: 1 });
    expect(ended).toEqual([]);
    await theirs.stop();
    expect(await watching).toBe(1);
    expect(await ours.ask({ type: 'watch', to: theirs.address })).toBe(0);
  });

  it('an agent that is asked from another node knows by whom', async () => {
    const ours = await here.spawn('errand', { id: idOf(0, 'errand') });
    const theirs = await here.getOrSpawn('accepting', idOf(1, 'accepting'));
    const event = { type: 'say', text: 'who?' };
    const whole = { ...event, mood: 'calm' };
    const asked = await ours.ask({ type: 'ask', to: theirs.address, event, options: {} });
    expect(asked).toEqual({ answer: { event: whole, from: ours.address } });
    expect(await theirs.ask(event)).toEqual({ event: whole, from: undefined });
  });

  it('asks that lead to each other from node to node are counted, and refused beyond as many as at home', async () => {
    const ours = await here.spawn('errand', { id: idOf(0, 'errand') });
    const theirs = await here.getOrSpawn('errand', idOf(1, 'errand'));
    let event: AnyEventObject = { type: 'here' };
    for (let n = 0; n < MAX_DEPTH + 2; n += 1)
      event = { type: 'ask', to: (n % 2 === 0 ? theirs : ours).address, event, options: {} };
    const first = [ours, theirs].find(({ address }) => address !== event['to']);
    let answer: unknown = await first?.ask(event, { timeoutMs: 20_000 });
    let asks = 0;
    for (; typeof answer === 'object' && answer !== null && 'answer' in answer; { answer } = answer)
      asks += 1;
    expect(answer).toMatchObject({ code: 'ASK_TOO_DEEP' });
    expect(asks).toBe(MAX_DEPTH);
  });

  it('an agent that is not durable is told that it does not reach those of another node, and nothing is started there', async () => {
    const ours = await here.spawn('fleeting', { id: 'a' });
    expect(ours.node).toBe(0);
    const to = `account/${idOf(1)}`;
    const event = { type: 'deposit', amount: 5 };
    expect(await ours.ask({ type: 'ask', to, event })).toMatchObject({ code: 'NOT_LOCAL' });
    await ours.deliver({ type: 'send', to, event });
    await expect
      .poll(() => here.deadLetters.list().filter(({ address }) => address === to), within)
      .toContainEqual(expect.objectContaining({ event, why: expect.stringContaining('NOT_LOCAL') }));
    expect(await here.find(to)).toBeUndefined();
  });

  it('instances of a partition that goes to another node end untold, and go on from what was committed', async () => {
    const id = idOf(0, 'deferring');
    const ours = await here.spawn('deferring', { id });
    const asked = ours.ask({ type: 'defer' }).catch((error: unknown) => error);
    expect(await ours.ask({ type: 'read' })).toEqual(['defer']);
    const part = [partitionOf(ours.address)];
    partitions.lost(part);
    expect(await asked).toMatchObject({ code: 'NODE_UNREACHABLE', retryable: true });
    await expect(ours.ask({ type: 'read' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    expect(here.get(ours.address)).toBeInstanceOf(NodeRef);
    const residents = (): string[] => here.status().instances.map(({ address }) => address);
    await expect.poll(residents, within).not.toContain(ours.address);
    await expect(here.getOrSpawn('deferring', id)).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
    await expect(order(ours.address, 'ask', { type: 'read' })).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
    });
    await partitions.take(part);
    const again = await here.getOrSpawn('deferring', id);
    expect(await again.ask({ type: 'read' })).toEqual(['defer']);
  });

  it('a node that is killed right after a commit ends what was asked of it, keeps what was sent, and goes on when it is back', async () => {
    const theirs = await here.getOrSpawn('account', idOf(1));
    expect(await theirs.ask({ type: 'deposit', amount: 1 })).toBe(1);
    const fragile = await here.getOrSpawn('fragile', idOf(1, 'fragile'));
    const overdraw = async (): Promise<void> => {
      await expect(fragile.deliver({ type: 'overdraw', amount: 1 })).rejects.toThrow('overdrawn');
      await expect(fragile.ask({ type: 'total' })).rejects.toMatchObject({ code: 'AGENT_QUARANTINED' });
    };
    await overdraw();
    await fragile.resume();
    expect(await fragile.ask({ type: 'total' })).toBe(0);
    await overdraw();
    const deferring = await here.getOrSpawn('deferring', idOf(1, 'deferring'));
    const parked = deferring.ask({ type: 'defer' }).catch((error: unknown) => error);
    const account = await here.spawn('account', { id: idOf(0) });
    const watcher = await here.spawn('errand', { id: idOf(0, 'errand') });
    const watching = watcher.ask({ type: 'watch', to: theirs.address }, { timeoutMs: 20_000 });
    expect(await watcher.ask({ type: 'here' })).toBe(true);
    const counts: number[] = [];
    theirs.subscribe(({ context }) => counts.push(context.count));
    await expect.poll(() => counts.at(-1), within).toBe(1);
    const sender = `errand/${idOf(1, 'errand')}`;
    await order(sender, 'die');
    const gone = once(there, 'exit');
    void order(sender, 'deliver', send(account.address, 5));
    await gone;
    expect(await parked).toMatchObject({ code: 'NODE_UNREACHABLE', retryable: true });
    expect(await watching).toBe(1);
    await expect(theirs.ask({ type: 'total' }, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      message: expect.stringContaining('it was not sent'),
    });
    const received = (): Promise<unknown> => account.ask({ type: 'history' });
    await expect.poll(received, within).toEqual({ total: 5, deposits: 1 });
    await theirs.enqueue({ type: 'deposit', amount: 10 });
    theirs.send({ type: 'deposit', amount: 100 });
    const waiting = theirs.ask({ type: 'history' }, { timeoutMs: 60_000 });
    await startThere();
    expect(await waiting).toEqual({ total: 111, deposits: 3 });
    await expect.poll(() => counts.at(-1), within).toBe(3);
    expect(await theirs.ask({ type: 'history' })).toEqual({ total: 111, deposits: 3 });
    await fragile.resume();
    expect(await fragile.ask({ type: 'total' })).toBe(0);
    await order(sender, 'deliver', send(account.address, 10));
    await expect.poll(received, within).toEqual({ total: 15, deposits: 2 });
  });
});
