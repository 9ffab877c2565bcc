import type { ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import { ProviderError } from './provider.ts';
import { systemCode } from './trusted-file.ts';

/** Milliseconds for processes that were killed to be gone; after that nobody waits for them any more. */
const killedMs = 1_000;

/** How a command is run. */
export interface Run {
  /** The absolute path of the file to run. */
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** What it reads on its standard input, which ends there. */
  readonly input: string;
  /** Milliseconds in all. */
  readonly timeoutMs: number;
  /** Milliseconds without any output; from `timeoutMs` on it does not count. */
  readonly noOutputTimeoutMs: number;
  /** Bytes of output at most, errors included. */
  readonly maxOutputBytes: number;
}

/**
 * Runs a command without a shell and resolves with its standard output. Whatever goes wrong, it and the processes it
 * started (those of its group) are killed and waited for, at most a second. What it prints gets into no error.
 *
 * @throws {ProviderError} `invalid` when it cannot be started, else `transient`; what the signal says when it aborts
 */
export function run(spec: Run, signal: AbortSignal): Promise<Buffer> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let silence: NodeJS.Timeout | undefined;
  let size = 0;
  let ending: Error | undefined;

  const child = start(spec);
  // Its input may be closed before it is written; what comes of that is said by its exit.
  child.stdin?.on('error', () => {});
  child.stdin?.end(spec.input);

  const settle = (settled: () => void): void => {
    for (const timer of timers) clearTimeout(timer);
    clearTimeout(silence);
    signal.removeEventListener('abort', abort);
    settled();
    for (const chunk of chunks) chunk.fill(0);
  };
  const end = (reason: Error): void => {
    if (ending !== undefined) return;
    ending = reason;
    kill(child);
    const timer = setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      settle(() => reject(reason));
    }, killedMs);
    timers.add(timer);
  };
  const abort = (): void => end(signal.reason as Error);
  const listen = (): void => {
    clearTimeout(silence);
    if (spec.noOutputTimeoutMs >= spec.timeoutMs) return;
    const text = `printed nothing for ${spec.noOutputTimeoutMs} ms`;
    silence = setTimeout(() => end(problem(spec, text)), spec.noOutputTimeoutMs);
  };
  const count = (chunk: Buffer): void => {
    size += chunk.length;
    listen();
    if (size > spec.maxOutputBytes) end(problem(spec, `printed more than ${spec.maxOutputBytes} bytes`));
  };

  listen();
  const text = `did not end within ${spec.timeoutMs} ms`;
  timers.add(setTimeout(() => end(problem(spec, text)), spec.timeoutMs));
  signal.addEventListener('abort', abort, { once: true });
  child.stdout?.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    count(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    count(chunk);
    chunk.fill(0);
  });
  child.once('error', (error) => settle(() => reject(notStarted(spec, error))));
  child.once('close', (code, signalName) => {
    const how = signalName === null ? `ended with the exit code ${code}` : `was ended by ${signalName}`;
    const failed = ending ?? (code === 0 ? undefined : problem(spec, how));
    settle(() => (failed === undefined ? resolve(Buffer.concat(chunks)) : reject(failed)));
  });
  return promise;
}

function start(spec: Run): ChildProcess {
  try {
    return process.getBuiltinModule('node:child_process').spawn(spec.command, spec.args, {
      cwd: dirname(spec.command),
      env: spec.env,
      shell: false,
      // A group of its own, so that all of it can be killed. On Windows that would open a window.
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: 'pipe',
    });
  } catch (error) {
    throw notStarted(spec, error);
  }
}

function kill(child: ChildProcess): void {
  const { pid } = child;
  try {
    if (pid !== undefined && process.platform !== 'win32') process.kill(-pid, 'SIGKILL');
    else child.kill('SIGKILL');
  } catch {
    // It is gone.
  }
}

function problem({ command }: Run, what: string): ProviderError {
  return new ProviderError('transient', `The command ${command} ${what}. Run it by hand to see why.`);
}

function notStarted({ command }: Run, error: unknown): ProviderError {
  const advice = 'Is it executable, and is what its first line names there?';
  return new ProviderError(
    'invalid',
    `The command ${command} cannot be started (${systemCode(error)}). ${advice}`,
  );
}
