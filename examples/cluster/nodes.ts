import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ClusterStatus } from 'holdfast/cluster';

/** A process that is one node. */
export interface NodeProcess {
  readonly url: string;
  readonly process: ChildProcess;
}

const program = fileURLToPath(new URL('./node.ts', import.meta.url));

/** Starts a node, and resolves when it serves. */
export async function startNode(databaseUrl: string, withPage: boolean): Promise<NodeProcess> {
  const [port, link] = [await freePort(), await freePort()];
  const child = fork(program, {
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      LISTEN: `127.0.0.1:${link}`,
      PORT: `${port}`,
      ...(withPage && { PAGE: '1' }),
    },
    execArgv: [...process.execArgv, '--no-warnings'],
  });
  const isReady = await Promise.race([
    once(child, 'message').then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  if (!isReady) throw new Error('a node has ended instead of starting; see what it has said above');
  return { url: `http://127.0.0.1:${port}`, process: child };
}

/** Asks a node; an error of it rejects. */
export async function request(node: NodeProcess, path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(`${node.url}${path}`, { signal: AbortSignal.timeout(4000), ...init });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** What a node knows of all nodes; resolves when that many share the partitions. */
export async function untilShared(node: NodeProcess, count: number): Promise<ClusterStatus> {
  for (const until = Date.now() + 60_000; Date.now() < until;) {
    const status = (await request(node, '/nodes')) as ClusterStatus;
    const shares = status.nodes.map(({ partitions }) => partitions);
    const all = shares.reduce((sum, share) => sum + share, 0);
    if (shares.length === count && all === 64 && Math.max(...shares) - Math.min(...shares) <= 2)
      return status;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${count} nodes did not share the partitions within a minute`);
}

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  taken.close();
  await once(taken, 'close');
  return port;
}
