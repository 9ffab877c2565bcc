import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../runtime/fixtures/free-port.ts';
import type { Server } from '../../runtime/store/postgres/fixtures/server.ts';
import type { Asked, Told } from './node-run.ts';
import { Wire } from './wire.ts';

const program = fileURLToPath(new URL('./node-run.ts', import.meta.url));
const SOCKET = '.s.PGSQL.5432';
/** Milliseconds for a node to be there, and for the partitions to be shared. */
const START_MS = 90_000;

/** A node, with all that it says to others and to the database in the hands of who has started it. */
export class NodeProcess {
  readonly child: ChildProcess;
  readonly peers: Wire;
  readonly database: Wire;
  readonly from: string;
  /** Its number. */
  node = -1;
  /** What it knew last of how many partitions each node has. */
  shares: Record<string, number> = {};
  isServing = false;
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>();
  #q = 0;

  private constructor(child: ChildProcess, peers: Wire, database: Wire, from: string) {
    this.child = child;
    this.peers = peers;
    this.database = database;
    this.from = from;
    child.on('message', (told: Told) => this.#told(told));
    child.on('exit', () => {
      this.isServing = false;
      for (const { reject } of this.#answers.values()) reject(new Error('EXIT'));
      this.#answers.clear();
      peers.close();
      database.close();
    });
  }

  static async start(server: Server, place: number): Promise<NodeProcess> {
    const folder = join(server.folder, `node-${place}`);
    mkdirSync(folder);
    const { uid, gid } = statSync(server.folder);
    chownSync(folder, uid, gid);
    const database = await Wire.open(join(folder, SOCKET), { path: join(server.folder, SOCKET) });
    const [port, own] = [await freePort(), await freePort()];
    const peers = await Wire.open(port, { port: own, host: '127.0.0.1' });
    const from = `127.0.1.${place + 1}`;
    const url = `postgresql:///postgres?host=${encodeURIComponent(folder)}&user=holdfast`;
    const child = fork(program, [url, `${port}`, `${own}`, from], {
      execArgv: ['-C', 'holdfast-source', '--no-warnings'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const started = new NodeProcess(child, peers, database, from);
    await until(`a node is there`, () => started.isServing || child.exitCode !== null);
    if (!started.isServing) throw new Error(`a node has ended at its start with ${child.exitCode}`);
    return started;
  }

  ask(asked: Omit<Asked, 'q'>): Promise<unknown> {
    if (!this.isServing) return Promise.reject(new Error('EXIT'));
    const q = this.#q++;
    const answer = Promise.withResolvers<unknown>();
    this.#answers.set(q, answer);
    // The node may be frozen: it does not say that it is late.
    const late = setTimeout(() => this.#settle(q, { error: 'SILENT' }), asked.timeoutMs + 500);
    this.child.send({ ...asked, q } satisfies Asked, (error) => {
      if (error) this.#settle(q, { error: 'EXIT' });
    });
    return answer.promise.finally(() => clearTimeout(late));
  }

  /** What the system says of it: `T` is frozen. */
  get state(): string | undefined {
    return /\) (\w)/.exec(readFileSync(`/proc/${this.child.pid}/stat`, 'utf8'))?.[1];
  }

  async end(signal: NodeJS.Signals): Promise<string> {
    const ended = once(this.child, 'exit') as Promise<[number | null, string | null]>;
    this.child.kill(signal);
    const [code, by] = await ended;
    return `${by ?? code}`;
  }

  #settle(q: number, { value, error }: { value?: unknown; error?: string }): void {
    const answer = this.#answers.get(q);
    this.#answers.delete(q);
    if (error === undefined) answer?.resolve(value);
    else answer?.reject(new Error(error));
  }

  #told(told: Told): void {
    if (told.kind === 'ready') {
      this.node = told.node;
      this.isServing = true;
    } else if (told.kind === 'shares') this.shares = told.shares;
    else this.#settle(told.q, told.kind === 'answer' ? { value: told.value } : { error: told.error });
  }
}

/** Waits until it is so; the deadline is an error. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + START_MS; !isSo();) {
    if (performance.now() > end) throw new Error(`not within ${START_MS / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether all of these know that they share the partitions among them. */
export function isShared(nodes: readonly NodeProcess[]): boolean {
  return nodes.every(({ shares }) => {
    const mine = nodes.map(({ node }) => shares[node] ?? 0);
    return (
      Object.keys(shares).length === nodes.length &&
      mine.reduce((sum, one) => sum + one, 0) === 64 &&
      Math.min(...mine) >= Math.floor(64 / nodes.length) - 4
    );
  });
}
