import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** The program of an MCP server, and all that it gets. */
export interface ServerProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface ServerProcess {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves with how it ended, in words, when nothing more comes of it. */
  readonly ended: Promise<string>;
  /** Ends it: by the end of its input, then by SIGTERM, then by SIGKILL. Idempotent. */
  end(): void;
}

/** Milliseconds from the end of the input to SIGTERM, and to SIGKILL: of the 8 s of a stop by default. */
const TERM_MS = 500;
const KILL_MS = 2000;
/** Milliseconds for the last output of a process that has ended, whose pipe another process may hold open. */
const LAST_OUTPUT_MS = 500;

/** The processes that live, for the end of this one. */
const living = new Set<number>();

/** Groups of processes are there on POSIX alone; with one, what the program has started ends with it. */
const inGroup = process.platform !== 'win32';

/** Starts a program with the environment that is given and nothing else; rejects when it cannot be started. */
export async function startProcess(program: ServerProgram): Promise<ServerProcess> {
  const { command, args, env, cwd } = program;
  const child = process.getBuiltinModule('node:child_process').spawn(command, args, {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: inGroup,
    windowsHide: true,
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      child.off('error', reject);
      resolve(running(child, child.pid as number));
    });
  });
}

function running(child: ChildProcess, pid: number): ServerProcess {
  const { stdin, stdout, stderr } = child as ChildProcess & {
    readonly stdin: Writable;
    readonly stdout: Readable;
    readonly stderr: Readable;
  };
  // Real time, whatever the clock of the runtime: a process knows no other.
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number, run: () => void): void => void timers.push(setTimeout(run, ms));
  let over = false;
  let ending = false;
  keep(pid);
  // What it could not be sent is told by its end.
  for (const stream of [stdin, stdout, stderr, child]) stream.on('error', () => {});
  child.once('exit', () => {
    over = true;
    // What it has started itself, and left.
    if (inGroup) signal(pid, 'SIGKILL');
    living.delete(pid);
    after(LAST_OUTPUT_MS, () => {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
    });
  });
  const ended = new Promise<string>((resolve) => {
    child.once('close', (code, signalled) => {
      for (const timer of timers) clearTimeout(timer);
      resolve(signalled === null ? `exit code ${code}` : `signal ${signalled}`);
    });
  });
  const end = (): void => {
    if (ending || over) return;
    ending = true;
    stdin.end();
    // Nobody reads it any more, and a process that cannot write does not end.
    stdout.resume();
    after(TERM_MS, () => over || signal(pid, 'SIGTERM'));
    after(KILL_MS, () => over || signal(pid, 'SIGKILL'));
  };
  // One that has closed its output answers no more.
  stdout.once('end', end);
  return { pid, stdin, stdout, stderr, ended, end };
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(inGroup ? -pid : pid, name);
  } catch {
    // It has ended.
  }
}

/** A process that ends without a stop of its runtime takes its servers with it, as far as it gets to run anything. */
function keep(pid: number): void {
  living.add(pid);
  // The same function is added once.
  process.off('exit', endAll);
  process.on('exit', endAll);
}

function endAll(): void {
  for (const pid of living) signal(pid, 'SIGKILL');
}
