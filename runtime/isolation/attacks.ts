import type * as childProcess from 'node:child_process';
import type * as inspector from 'node:inspector';
import type * as net from 'node:net';
import type * as sqlite from 'node:sqlite';
import type * as v8 from 'node:v8';
import type * as wasi from 'node:wasi';
import type * as workerThreads from 'node:worker_threads';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { join } from 'node:path';

/** `not-applicable`: there is nothing to try on this system, or the config allows it. */
export type Outcome = 'open' | 'closed' | 'not-applicable';

/** What the attacks are after; made by the host, and worth nothing. */
export interface Bait {
  /** A folder with the files `.env` and `bait.json`, which say `canary`. */
  readonly folder: string;
  readonly canary: string;
  /** What the config of the pool allows it, so that there is nothing to find. */
  readonly allowed: {
    readonly read: boolean;
    readonly write: boolean;
    readonly proc: boolean;
    readonly net: boolean;
  };
}

/** One thing that code in a thread can try against its host. */
export interface Attack {
  /** Stable; as in the table of `docs/isolation.md`. */
  readonly name: string;
  readonly tries: string;
  /** Whether there is anything to try. Default: there is. */
  readonly applies?: (bait: Bait) => boolean;
  /** Whether it came through. An error says that it did not, unless the canary is in it. */
  readonly run: (bait: Bait) => boolean | Promise<boolean>;
}

const require = createRequire(import.meta.url);
const onLinux = process.platform === 'linux';
const inProc = ({ allowed }: Bait): boolean => onLinux && !allowed.proc;
const readable = ({ allowed }: Bait): boolean => !allowed.read;

/** Everything that is tried; none of it harms the host, also where it comes through. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'inspector',
    tries: 'evaluates code in the host with connectToMainThread()',
    run: async () => {
      const { Session } = require('node:inspector') as typeof inspector;
      const session = new Session();
      session.connectToMainThread();
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      session.post('Runtime.evaluate', { expression: 'process.pid' }, (error, answer) =>
        error === null ? resolve(answer.result.value) : reject(error),
      );
      const value = await promise;
      session.disconnect();
      return value === process.pid;
    },
  },
  {
    name: 'environ',
    tries: "reads the host's environment from /proc/self/environ",
    applies: inProc,
    run: () => readFileSync('/proc/self/environ').length > 0,
  },
  {
    name: 'memory',
    tries: "opens the process's memory, /proc/self/mem",
    applies: inProc,
    run: () => {
      closeSync(openSync('/proc/self/mem', 'r'));
      return true;
    },
  },
  {
    name: 'report',
    tries: "reads the host's environment from process.report",
    run: () => {
      // Names of hosts are looked up for it otherwise; not in the types yet.
      Object.assign(process.report, { excludeNetwork: true });
      const { environmentVariables } = process.report.getReport() as { environmentVariables?: object };
      return environmentVariables !== undefined;
    },
  },
  {
    name: 'read-file',
    tries: 'reads a file from elsewhere',
    applies: readable,
    run: ({ folder, canary }) => readFileSync(join(folder, '.env'), 'utf8').includes(canary),
  },
  {
    name: 'load-env-file',
    tries: 'reads a foreign .env with process.loadEnvFile',
    applies: readable,
    run: ({ folder, canary }) => {
      process.loadEnvFile(join(folder, '.env'));
      return process.env['HOLDFAST_BAIT'] === canary;
    },
  },
  {
    name: 'load-env',
    tries: 'loads a foreign .env as a module, with require and import',
    applies: readable,
    run: (bait) => loads(join(bait.folder, '.env'), bait),
  },
  {
    name: 'load-json',
    tries: 'loads a foreign .json as a module, with require and import',
    applies: readable,
    run: (bait) => loads(join(bait.folder, 'bait.json'), bait),
  },
  {
    name: 'write-file',
    tries: 'writes a file elsewhere',
    applies: ({ allowed }) => !allowed.write,
    run: ({ folder }) => {
      writeFileSync(join(folder, 'written'), '');
      return true;
    },
  },
  {
    name: 'sqlite',
    tries: 'writes a file elsewhere with node:sqlite',
    applies: ({ allowed }) => !allowed.write && isBuiltin('node:sqlite'),
    run: ({ folder }) => {
      const { DatabaseSync } = require('node:sqlite') as typeof sqlite;
      const database = new DatabaseSync(join(folder, 'written.db'));
      database.exec('create table bait(value)');
      database.close();
      return true;
    },
  },
  {
    name: 'child-process',
    tries: 'starts a program',
    run: () => {
      const { spawnSync } = require('node:child_process') as typeof childProcess;
      const { status } = spawnSync(process.execPath, ['--version'], { timeout: 5000 });
      return status === 0;
    },
  },
  {
    name: 'worker',
    tries: 'starts a thread without restrictions',
    run: () => {
      const { Worker } = require('node:worker_threads') as typeof workerThreads;
      void new Worker('', { eval: true, execArgv: [], env: {} }).terminate();
      return true;
    },
  },
  {
    name: 'addon',
    tries: 'loads native code with process.dlopen',
    run: ({ folder }) =>
      reaches(() => process.dlopen({ exports: {} }, join(folder, 'bait.json')), 'ERR_DLOPEN_FAILED'),
  },
  {
    name: 'ffi',
    tries: 'loads native code with node:ffi',
    applies: () => isBuiltin('node:ffi'),
    run: ({ folder }) => {
      const { dlopen } = require('node:ffi') as { dlopen: (path: string, functions: object) => void };
      return reaches(() => dlopen(join(folder, 'bait.json'), {}), 'ERR_FFI_CALL_FAILED');
    },
  },
  {
    name: 'binding',
    tries: "gets at Node's insides with process.binding",
    // Gone one day; it is not in the types any more.
    applies: () => 'binding' in process,
    run: () => (process as unknown as { binding: (name: string) => object }).binding('fs') !== undefined,
  },
  {
    name: 'wasi',
    tries: 'opens a folder for WebAssembly with node:wasi',
    run: ({ folder }) => {
      const { WASI } = require('node:wasi') as typeof wasi;
      const opened = new WASI({ version: 'preview1', preopens: { '/': folder } });
      return typeof opened === 'object';
    },
  },
  {
    name: 'signal',
    tries: 'signals the process with process.kill; SIGUSR1 opens the inspector, SIGTERM ends it',
    // Nothing is sent: 0 asks whether it could be.
    run: () => process.kill(process.pid, 0),
  },
  {
    name: 'v8-flags',
    tries: 'sets flags of V8 for the whole process',
    run: () => {
      const { setFlagsFromString } = require('node:v8') as typeof v8;
      // As it is already.
      setFlagsFromString('--no-trace-gc');
      return true;
    },
  },
  {
    name: 'network',
    tries: 'connects to a port',
    applies: ({ allowed }) => !allowed.net,
    run: async () => {
      const { connect } = require('node:net') as typeof net;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const socket = connect({ host: '127.0.0.1', port: 1, timeout: 1000 });
      socket.on('connect', () => resolve(true));
      socket.on('timeout', () => resolve(true));
      // That nobody listens there was found out through the network.
      socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ERR_ACCESS_DENIED'));
      return promise.finally(() => socket.destroy());
    },
  },
];

/** Tries one. */
export async function attempt({ applies, run }: Attack, bait: Bait): Promise<Outcome> {
  if (applies?.(bait) === false) return 'not-applicable';
  try {
    return (await run(bait)) ? 'open' : 'closed';
  } catch (error) {
    return tells(error, bait) ? 'open' : 'closed';
  }
}

/** Whether what a file says can be had by loading it, or from the error that this causes. */
async function loads(path: string, bait: Bait): Promise<boolean> {
  const ways = [
    () => require(path) as unknown,
    () => import(path, { with: { type: 'json' } }),
    () => import(path),
  ];
  for (const way of ways) {
    try {
      if (JSON.stringify(await way()).includes(bait.canary)) return true;
    } catch (error) {
      if (tells(error, bait)) return true;
    }
  }
  return false;
}

function tells(error: unknown, { canary }: Bait): boolean {
  return error instanceof Error && `${error.message}${error.stack}`.includes(canary);
}

/** Whether it gets as far as to fail like this: the bait is no library. */
function reaches(run: () => void, code: string): boolean {
  try {
    run();
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === code;
  }
}
