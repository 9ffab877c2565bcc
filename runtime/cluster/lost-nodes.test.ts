import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createRuntime, postgresStore, type Runtime } from 'holdfast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../fixtures/free-port.ts';
import { hasPostgres, type Server, startServer } from '../store/postgres/fixtures/server.ts';
import { cluster } from './cluster.ts';
import { agents } from './fixtures/node-agents.ts';

const program = fileURLToPath(new URL('./fixtures/node-run.ts', import.meta.url));
const silent = { debug() {}, info() {}, warn() {}, error() {} };
/** As long as it may take until another node has what a killed one had: a machine that is busy is slower. */
const within = { timeout: 60_000 };
const DEPOSITS = 40;

describe.skipIf(!hasPostgres)('nodes that come and go', () => {
  let server: Server;
  let here: Runtime<{ agents: typeof agents }>;
  const others: ChildProcess[] = [];

  /** Has a port, so that no node gets it. */
  const taken = createServer();

  beforeAll(async () => {
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    server = await startServer();
    const { url } = server;
    here = await createRuntime(
      { agents },
      {
        store: postgresStore({ url, schema: 'cluster' }),
        cluster: cluster({ listen: `127.0.0.1:${await freePort()}`, lockMs: 3000 }),
        logger: silent,
      },
    );
    for (let i = 0; i < 2; i++) {
      const other = fork(program, [url, 'listen', `127.0.0.1:${await freePort()}`], {
        execArgv: ['-C', 'holdfast-source', '--no-warnings'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      others.push(other);
      await once(other, 'message');
    }
  }, 120_000);
  afterAll(async () => {
    for (const other of others) other.kill('SIGKILL');
    await here?.stop();
    taken.close();
    await server?.remove();
  });

  const nodeOf = (address: string): number | undefined => here.get(address)?.node;
  /** How many partitions each node has that is there, by its number. */
  const shares = (): Record<string, number> =>
    Object.fromEntries(here.status().cluster?.nodes.map(({ node, partitions }) => [node, partitions]) ?? []);
  /** Ids of instances that a node has. */
  function idsOf(node: number, agent: string, count: number): string[] {
    const found: string[] = [];
    for (let i = 0; found.length < count; i++) if (nodeOf(`${agent}/${i}`) === node) found.push(`${i}`);
    return found;
  }

  it('a start that fails after it has joined leaves nothing of the node', async () => {
    const { port } = taken.address() as AddressInfo;
    const options = {
      store: postgresStore({ url: server.url, schema: 'cluster' }),
      cluster: cluster({ listen: `127.0.0.1:${port}`, lockMs: 3000 }),
      logger: silent,
    };
    await expect(createRuntime({ agents }, options)).rejects.toThrow('EADDRINUSE');
    expect(server.sql(`select node from cluster.cluster_nodes where port = ${port}`)).toBe('');
  });

  it('when one is killed, the others go on: what was acknowledged is there once, and what was to be done is done though nobody asks', async () => {
    await expect.poll(() => Object.values(shares()).toSorted((a, b) => a - b), within).toEqual([21, 21, 22]);
    const accounts = await Promise.all(idsOf(1, 'account', 4).map((id) => here.getOrSpawn('account', id)));
    const received = `account/received`;
    const [errandId = ''] = idsOf(1, 'errand', 1);
    const errand = await here.getOrSpawn('errand', errandId);
    const event = { type: 'deposit', amount: 7 };
    await here.getOrSpawn('account', 'received');
    await errand.enqueue({ type: 'send', to: received, event, options: {} }, { at: Date.now() + 4000 });

    const [victim] = others as [ChildProcess];
    const killed = once(victim, 'exit');
    let acknowledged = 0;
    const deposits = accounts.flatMap((account) =>
      Array.from({ length: DEPOSITS }, async (_, i) => {
        const id = `deposit ${i}`;
        const deposit = (): Promise<unknown> =>
          account
            .ask({ type: 'deposit', amount: 1 }, { id, timeoutMs: 2000 })
            .catch((error: unknown) => String(error));
        await expect.poll(deposit, within).toBeTypeOf('number');
        acknowledged++;
        if (acknowledged === DEPOSITS) victim.kill('SIGKILL');
      }),
    );
    await Promise.all(deposits);
    await killed;
    for (const account of accounts) {
      expect(await account.ask({ type: 'history' })).toEqual({ total: DEPOSITS, deposits: DEPOSITS });
      expect(nodeOf(account.address)).not.toBe(1);
    }
    const history = (): unknown => here.get(received)?.ask({ type: 'history' });
    await expect.poll(history, within).toEqual({ total: 7, deposits: 1 });
    await expect.poll(shares, within).toEqual({ 0: 32, 2: 32 });
  });

  it('one that stops hands what it has to the others, and gives its number back', async () => {
    const [id = ''] = idsOf(2, 'fragile', 1);
    const account = await here.getOrSpawn('fragile', id);
    expect(await account.ask({ type: 'deposit', amount: 3 })).toBe(3);
    const [, leaving] = others as [ChildProcess, ChildProcess];
    const ended = once(leaving, 'exit');
    leaving.send({ q: 0, address: account.address, method: 'stop', given: [] });
    expect(await ended).toEqual([0, null]);
    expect(server.sql('select node from cluster.cluster_nodes where node = 2')).toBe('');
    await expect.poll(shares, within).toEqual({ 0: 64 });
    expect(await account.ask({ type: 'history' })).toEqual({ total: 3, deposits: 1 });
    expect(nodeOf(account.address)).toBe(0);
  });
});
