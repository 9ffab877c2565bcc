import type { Logger } from '../base/logger.ts';

/** The signals that ask a process to end: from an orchestrator, and from Ctrl-C. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

type Signal = (typeof SIGNALS)[number];

/** The exit codes that a shell shows for a process that a signal ended. */
const EXIT_CODES: Readonly<Record<Signal, number>> = { SIGTERM: 143, SIGINT: 130 };

/** A runtime that ends with its process. */
export interface Stoppable {
  stop(): Promise<void>;
  /** Returns the names of the threads that did not end. */
  stuck(): readonly string[];
  readonly logger: Logger;
}

const runtimes = new Set<Stoppable>();
let ending: Promise<void> | undefined;

/**
 * Makes SIGTERM and SIGINT stop the runtime and then end the process: with code 0, or by SIGKILL when a thread does not
 * end, because such a thread keeps Node from exiting. A second signal ends the process at once. All runtimes of the
 * process that asked for this are stopped before it ends. Returns a function that undoes it.
 */
export function stopOnSignals(runtime: Stoppable): () => void {
  if (runtimes.size === 0) for (const signal of SIGNALS) process.on(signal, onSignal);
  runtimes.add(runtime);
  return () => {
    runtimes.delete(runtime);
    // While the process ends, the listeners stay, so that a second signal ends it at once.
    if (runtimes.size === 0 && ending === undefined)
      for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  };
}

function onSignal(signal: Signal): void {
  if (ending !== undefined) process.exit(EXIT_CODES[signal]);
  ending = end(signal);
}

async function end(signal: Signal): Promise<void> {
  const all = [...runtimes];
  const begun = performance.now();
  for (const { logger } of all)
    logger.info({ signal }, 'the runtime drains and stops; a second signal ends it at once');
  await Promise.allSettled(all.map((runtime) => runtime.stop()));
  const stuck = all.flatMap((runtime) => runtime.stuck());
  const ms = Math.round(performance.now() - begun);
  for (const { logger } of all) {
    if (stuck.length === 0) logger.info({ signal, ms }, 'the runtime has stopped');
    else logger.error({ signal, ms, threads: stuck }, 'threads do not end; the process is killed');
  }
  // exit() would wait for ever for a thread that a system call holds.
  if (stuck.length > 0) process.kill(process.pid, 'SIGKILL');
  process.exit(0);
}
