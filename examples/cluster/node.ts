// One node of several, that serves their accounts over HTTP. DATABASE_URL: the database of all; LISTEN: where the other nodes
// reach this one; PORT and HOST: of HTTP; TLS: a folder with ca.crt, tls.crt and tls.key, which nodes on several machines need;
// PAGE=1: with the inspector's page.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { agent, createRuntime } from 'holdfast';
import { cluster, postgresStore } from 'holdfast/cluster';
import type accountMachine from './agents/account.ts';

const { DATABASE_URL: url = '', LISTEN: listen = '', PORT, HOST = '127.0.0.1', TLS, PAGE } = process.env;
const pem = (name: string): string => readFileSync(`${TLS}/${name}`, 'utf8');
const tls = TLS === undefined ? undefined : { ca: pem('ca.crt'), cert: pem('tls.crt'), key: pem('tls.key') };

const runtime = await createRuntime(
  {
    agents: {
      account: agent<typeof accountMachine>({
        type: 'thread-bound',
        threadId: 'accounts',
        maxThreads: 1,
        module: new URL('./agents/account.ts', import.meta.url),
      }),
    },
  },
  {
    store: postgresStore({ url }),
    cluster: cluster({ listen, tls }),
    // SIGTERM: what is under way ends, and the other nodes get the accounts of this one.
    signals: true,
    ...(PAGE !== undefined && { inspect: 'local' as const }),
    logger: { debug() {}, info() {}, warn() {}, error: (...line) => console.error(...line) },
  },
);

/** Does what a request asks for, for any account, whatever node has it. */
async function answer({ method, url: path = '', headers }: IncomingMessage): Promise<unknown> {
  if (path === '/nodes') return runtime.status().cluster;
  const account = await runtime.getOrSpawn('account', path.slice(1));
  if (method === 'GET') return { node: account.node, statement: await account.ask({ type: 'statement' }) };
  // Who asks again with the same key, here or at another node, gets the answer of the first time.
  const id = String(headers['idempotency-key']);
  return account.ask({ type: 'deposit', amount: 1 }, { id, timeoutMs: 2000 });
}

createServer((request, response) => {
  answer(request).then(
    (value) => response.end(JSON.stringify(value)),
    (error: unknown) => response.writeHead(503).end(String(error)),
  );
}).listen(Number(PORT), HOST, () => process.send?.('ready'));
