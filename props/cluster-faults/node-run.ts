import { Server, Socket } from 'node:net';
import { createRuntime, type AgentRef, type Runtime } from 'holdfast';
import { cluster, postgresStore } from 'holdfast/cluster';

/**
 * A process that is a node: `url, port, own`. Others reach it at `port`, where its parent stands between; it listens at `own`, and
 * connects from an address of loopback that says who it is. It asks on references what its parent says.
 */
const [url = '', port = '', own = '', from = ''] = process.argv.slice(2);

export interface Asked {
  readonly q: number;
  readonly address: string;
  readonly event: unknown;
  readonly id?: string | undefined;
  readonly timeoutMs: number;
}

export type Told =
  | { readonly kind: 'ready'; readonly node: number }
  | { readonly kind: 'answer'; readonly q: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly q: number; readonly error: string }
  | { readonly kind: 'shares'; readonly shares: Record<string, number> };

type Method = (this: unknown, ...given: unknown[]) => never;
const { connect } = Socket.prototype as unknown as Record<'connect', Method>;
const { listen } = Server.prototype as unknown as Record<'listen', Method>;
Object.assign(Socket.prototype, {
  connect(...given: unknown[]) {
    const [first] = given;
    const options = (Array.isArray(first) ? first[0] : first) as Record<string, unknown> | undefined;
    if (options?.['host'] === '127.0.0.1') options['localAddress'] = from;
    return connect.apply(this, given);
  },
});
Object.assign(Server.prototype, {
  listen(at: { readonly port?: unknown } | undefined, ...given: unknown[]) {
    return listen.apply(this, [at?.port === Number(port) ? { ...at, port: Number(own) } : at, ...given]);
  },
});

const tell = (told: Told): void => void (process.connected && process.send?.(told));
const runtime: Runtime = await createRuntime(
  {
    agents: {
      cell: {
        type: 'thread-bound',
        threadId: 'cells',
        maxThreads: 1,
        module: new URL('./agents/cell.ts', import.meta.url),
      },
    },
  },
  {
    store: postgresStore({ url, schema: 'cluster' }),
    cluster: cluster({ listen: `127.0.0.1:${port}` }),
    signals: true,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  },
);
const refs = new Map<string, AgentRef>();
process.on('message', async ({ q, address, event, id, timeoutMs }: Asked) => {
  try {
    let ref = refs.get(address);
    if (ref === undefined) {
      ref = await runtime.getOrSpawn('cell', address.slice('cell/'.length));
      // One that is here may go elsewhere: what is asked next is to find it.
      if (runtime.status().cluster?.node !== ref.node) refs.set(address, ref);
    }
    const value = await ref.ask(event, { timeoutMs, ...(id !== undefined && { id }) });
    tell({ kind: 'answer', q, value });
  } catch (error) {
    refs.delete(address);
    tell({ kind: 'error', q, error: String((error as { code?: unknown }).code) });
  }
});
setInterval(() => {
  const nodes = runtime.status().cluster?.nodes ?? [];
  tell({
    kind: 'shares',
    shares: Object.fromEntries(nodes.map(({ node, partitions }) => [node, partitions])),
  });
}, 250).unref();
tell({ kind: 'ready', node: runtime.status().cluster?.node ?? -1 });
