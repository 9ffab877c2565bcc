import { open } from 'node:fs/promises';
import { HoldfastError } from '../../base/errors.ts';
import { readServerSent } from './page/server-sent.ts';

/** Bytes of a file: beyond them the record ends. */
const mostBytes = 1024 * 1024 * 1024;
/** Milliseconds between two lines with the status, which is large where there are many instances. */
const STATUS_MS = 60_000;

export interface RecordOptions {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called with each batch that was written. */
  readonly wrote?: (events: number) => void;
  /** Default: 1 GiB. */
  readonly mostBytes?: number;
}

/** What came of a record. */
export interface Recorded {
  readonly events: number;
  readonly bytes: number;
  readonly end: 'signal' | 'full' | 'runtime';
}

/**
 * Writes what the page at this link is told into a new file that only its owner may read: each event a line of JSON as Stately's
 * inspector has it, and the status of the runtime every minute and at the end. Values of secrets are in it as little as on the page.
 *
 * @throws {HoldfastError} `OPTION_INVALID`: the file is there already, or cannot be written; `AGENT_STOPPED`: the page is not there
 */
export async function recordRun(link: string, file: string, options: RecordOptions): Promise<Recorded> {
  const { signal } = options;
  const most = options.mostBytes ?? mostBytes;
  const { origin } = new URL(link);
  const entered = await fetch(link, { signal });
  const [, session] = /<meta name="session" content="([\w-]+)"/.exec(await entered.text()) ?? [];
  if (!entered.ok || session === undefined)
    throw new HoldfastError(
      'OPTION_INVALID',
      'the link to the inspector has been used, or is too old; ask for another one',
    );
  const output = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    const advice = error.code === 'EEXIST' ? 'it is there already: name another one' : String(error.code);
    throw new HoldfastError('OPTION_INVALID', `${file} cannot be written (${advice})`, { cause: error });
  });
  const full = new AbortController();
  let [events, bytes, saidAt] = [0, 0, -Infinity];
  let status: string | undefined;
  let written: Promise<unknown> = Promise.resolve();
  const write = (text: string): void => {
    bytes += Buffer.byteLength(text);
    if (bytes > most) return full.abort();
    written = written.then(() => output.write(text));
  };
  const sayStatus = (): void => {
    if (status === undefined) return;
    // What the page counts by itself, and dead letters, are not of the status.
    const { fleets: _, letters: __, unlisted: ___, ...told } = JSON.parse(status) as Record<string, unknown>;
    write(`${JSON.stringify({ type: '@holdfast.status', createdAt: String(Date.now()), status: told })}\n`);
    status = undefined;
  };
  try {
    const both = AbortSignal.any([signal, full.signal]);
    const answer = await fetch(`${origin}/events?whole`, {
      headers: { Authorization: `Bearer ${session}` },
      signal: both,
    });
    if (answer.body !== null)
      await readServerSent(answer.body, (kind, data) => {
        if (kind === 'replay' || kind === 'events') {
          const told = JSON.parse(data) as object[];
          events += told.length;
          write(told.map((event) => `${JSON.stringify(event)}\n`).join(''));
          options.wrote?.(told.length);
        } else if (kind === 'status') {
          status = data;
          if (performance.now() - saidAt < STATUS_MS) return;
          saidAt = performance.now();
          sayStatus();
        }
      });
  } catch (error) {
    if (!signal.aborted && !full.signal.aborted && !isLost(error)) throw error;
  } finally {
    if (!full.signal.aborted) sayStatus();
    await written;
    await output.close();
  }
  return {
    events,
    bytes: Math.min(bytes, most),
    end: signal.aborted ? 'signal' : full.signal.aborted ? 'full' : 'runtime',
  };
}

/** The connection was ended by the other side. */
function isLost(error: unknown): boolean {
  return error instanceof TypeError;
}
