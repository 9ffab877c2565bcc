import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { postgresStore } from 'holdfast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '../base/partition.ts';
import { fixture } from '../fixtures/start.ts';
import { hasPostgres, type Server, startServer } from '../store/postgres/fixtures/server.ts';
import { ClusterNodeRuntime } from './cluster-node.ts';
import type { Order } from './fixtures/node-run.ts';
import { NodeRef } from './node-ref.ts';
import { staticPlacement } from './static-placement.ts';

const program = fileURLToPath(new URL('./fixtures/node-run.ts', import.meta.url));
const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  taken.close();
  await once(taken, 'close');
  return port;
}

let ids = 0;
/** An id of an account that belongs to that node, another one each time. */
function idOf(node: number): string {
  for (;;) if (partitionOf(`account/a${++ids}`) % 2 === node) return `a${ids}`;
}

describe.skipIf(!hasPostgres)('two nodes over one database', () => {
  let server: Server;
  let here: ClusterNodeRuntime;
  let there: ChildProcess;
  let nodes: string[];
  let orders = 0;

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
    here = await ClusterNodeRuntime.open(
      { agents: { account: fixture('account') } },
      {
        store: postgresStore({ url: server.url, schema: 'cluster' }),
        placement: staticPlacement({ nodes, index: 0 }),
        logger: silent,
        silentMs: 60_000,
      },
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
    expect((theirs as NodeRef).node).toBe(1);
    expect(await theirs.ask({ type: 'deposit', amount: 2 })).toBe(2);
    expect(here.runtime.get(theirs.address)).toBeUndefined();
    const ours = `account/${idOf(0)}`;
    expect(await order(ours, 'ask', { type: 'deposit', amount: 3 })).toBe(3);
    expect(await here.runtime.get(ours)?.ask({ type: 'total' })).toBe(3);
  });

  it('what is sent and enqueued comes before what is asked later', async () => {
    const theirs = (await here.getOrSpawn('account', idOf(1))) as NodeRef;
    theirs.send({ type: 'deposit', amount: 1 });
    void theirs.enqueue({ type: 'deposit', amount: 10 });
    expect(await theirs.ask({ type: 'history' })).toEqual({ total: 11, deposits: 2 });
  });

  it('an event with an id is handled once, by whatever way and node it comes', async () => {
    const id = idOf(1);
    const theirs = (await here.getOrSpawn('account', id)) as NodeRef;
    const deposit = { type: 'deposit', amount: 5 };
    expect(await theirs.ask(deposit, { id: 'once' })).toBe(5);
    expect(await theirs.ask(deposit, { id: 'once' })).toBe(5);
    await theirs.enqueue(deposit, { id: 'once' });
    await order(theirs.address, 'deliver', deposit, { id: 'once' });
    expect(await theirs.ask({ type: 'history' })).toEqual({ total: 5, deposits: 1 });
  });

  it('an error of the instance comes as it is, and one that nobody is there for as at home', async () => {
    const theirs = (await here.getOrSpawn('account', idOf(1))) as NodeRef;
    await expect(theirs.deliver({ type: 'overdraw', amount: 1 })).rejects.toMatchObject({
      message: 'overdrawn',
    });
    const nobody = here.ref(`account/${idOf(1)}`) as NodeRef;
    await expect(nobody.ask({ type: 'total' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
    await expect(nobody.enqueue({ type: 'total' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  });

  it('a node that is killed ends what was asked of it, keeps what was sent, and goes on when it is back', async () => {
    const id = idOf(1);
    const theirs = (await here.getOrSpawn('account', id)) as NodeRef;
    expect(await theirs.ask({ type: 'deposit', amount: 1 })).toBe(1);
    const parked = theirs.ask({ type: 'kill' }).catch((error: unknown) => error);
    expect(await parked).toMatchObject({ code: 'NODE_UNREACHABLE', retryable: true });
    await expect(theirs.ask({ type: 'total' }, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      message: expect.stringContaining('it was not sent'),
    });
    await theirs.enqueue({ type: 'deposit', amount: 10 });
    theirs.send({ type: 'deposit', amount: 100 });
    const waiting = theirs.ask({ type: 'history' }, { timeoutMs: 60_000 });
    await startThere();
    expect(await waiting).toEqual({ total: 111, deposits: 3 });
    expect(await theirs.ask({ type: 'history' })).toEqual({ total: 111, deposits: 3 });
  });
});
