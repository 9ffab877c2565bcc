import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createRuntime, postgresStore, type Runtime } from 'holdfast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../fixtures/free-port.ts';
import { hasPostgres, type Server, startServer } from '../../store/postgres/fixtures/server.ts';
import { effectCluster } from '../fixtures/effect-cluster.ts';
import { agents } from '../fixtures/node-agents.ts';

const program = fileURLToPath(new URL('../fixtures/node-run.ts', import.meta.url));
const silent = { debug() {}, info() {}, warn() {}, error() {} };
/** As long as it may take until another node has what a killed one had: a machine that is busy is slower. */
const within = { timeout: 60_000 };
const DEPOSITS = 40;

describe.skipIf(!hasPostgres)('nodes that Effect gives their partitions', () => {
  let server: Server;
  let here: Runtime<{ agents: typeof agents }>;
  let there: ChildProcess;

  beforeAll(async () => {
    server = await startServer();
    const { url } = server;
    here = await createRuntime(
      { agents },
      {
        store: postgresStore({ url, schema: 'cluster' }),
        cluster: await effectCluster(url, `127.0.0.1:${await freePort()}`),
        logger: silent,
      },
    );
    there = fork(program, [url, 'effect', `127.0.0.1:${await freePort()}`], {
      execArgv: ['-C', 'holdfast-source', '--no-warnings'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(there, 'message');
  }, 120_000);
  afterAll(async () => {
    there?.kill('SIGKILL');
    await here?.stop();
    await server?.remove();
  });

  const isThere = (address: string): boolean => here.get(address)?.node === 1;
  /** Ids of instances that the other node has. */
  async function theirs(agent: string, count: number): Promise<string[]> {
    const found: string[] = [];
    await expect
      .poll(() => here.status().cluster?.nodes.map(({ partitions }) => partitions), within)
      .toEqual([32, 32]);
    for (let i = 0; found.length < count; i++) if (isThere(`${agent}/${i}`)) found.push(`${i}`);
    return found;
  }

  it('when one is killed, another goes on: what was acknowledged is there once, and what was to be done is done though nobody asks', async () => {
    const accounts = await Promise.all(
      (await theirs('account', 4)).map((id) => here.getOrSpawn('account', id)),
    );
    const received = `account/received`;
    const [errandId = ''] = await theirs('errand', 1);
    const errand = await here.getOrSpawn('errand', errandId);
    const event = { type: 'deposit', amount: 7 };
    await here.getOrSpawn('account', 'received');
    await errand.enqueue({ type: 'send', to: received, event, options: {} }, { at: Date.now() + 4000 });

    const killed = once(there, 'exit');
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
        if (acknowledged === DEPOSITS) there.kill('SIGKILL');
      }),
    );
    await Promise.all(deposits);
    await killed;
    for (const account of accounts) {
      expect(await account.ask({ type: 'history' })).toEqual({ total: DEPOSITS, deposits: DEPOSITS });
      expect(isThere(account.address)).toBe(false);
    }
    const history = (): unknown => here.get(received)?.ask({ type: 'history' });
    await expect.poll(history, within).toEqual({ total: 7, deposits: 1 });
    await expect
      .poll(() => here.status().cluster?.nodes, within)
      .toMatchObject([{ node: 0, partitions: 64 }]);
  });
});
