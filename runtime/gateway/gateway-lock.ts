import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { listening, netServer } from '../base/guarded-server.ts';
import { withSocketName } from './socket-name.ts';

/** Milliseconds for an answer. A process answers at once, unless it stands still: then it is taken for a holder. */
const ANSWER_MS = 5000;
/** Milliseconds within which several contenders are done, which takes some rounds. */
const ACQUIRE_MS = 15_000;
const ROUND_MS = 20;
/** Milliseconds after which an unpublished name belongs to no live process. */
const UNPUBLISHED_MS = 60_000;

const PUBLISHED = '.lock';
const UNPUBLISHED = '.new';

/** The process that has the lock. */
export interface LockHolder {
  /** The process id that it names; undefined when it does not answer. */
  readonly pid: number | undefined;
}

type Answer = 'go' | 'first' | 'unclear' | 'dead' | LockHolder;

/**
 * A lock that dies with its owner, whatever the cause: a socket that the kernel closes with the process, and that
 * nobody else can listen at in its place, since each name is used once. A process number would be another's by then,
 * or this process's own.
 *
 * A contender publishes a socket in the folder first, and asks all others afterwards: of two, at least one sees the
 * other. A process that is asked answers that it holds the lock, or that it comes first, or lets the other go before
 * and asks again.
 */
export class GatewayLock {
  readonly file: string;
  readonly #folder: string;
  readonly #name = `${randomBytes(8).toString('hex')}${PUBLISHED}`;
  // An error of accepting leaves the other process without an answer, and it asks again.
  readonly #server = netServer(
    {},
    (socket) => this.#asked(socket),
    () => {},
  );
  #state: 'contends' | 'yields' | 'holds' | 'over' = 'contends';

  private constructor(folder: string) {
    this.#folder = folder;
    this.file = join(folder, this.#name);
    this.#server.unref();
  }

  /**
   * Acquires the lock of a folder, or names its holder.
   *
   * @throws {Error} of the file system, when the folder can have no socket
   */
  static async acquire(folder: string): Promise<GatewayLock | LockHolder> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const lock = new GatewayLock(folder);
    try {
      await lock.#publish();
      const until = performance.now() + ACQUIRE_MS;
      for (;;) {
        lock.#state = 'contends';
        const found = await lock.#askAll();
        if (found === 'go' && lock.#hold()) return lock;
        if (typeof found === 'object' || performance.now() > until) {
          await lock.release();
          return typeof found === 'object' ? found : { pid: undefined };
        }
        await delay(ROUND_MS);
      }
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Frees the lock. A process that waits for the end of the holder hears of that when the process ends. */
  async release(): Promise<void> {
    this.#state = 'over';
    await rm(this.file, { force: true });
    this.#server.close();
  }

  /** Nobody finds the name before it listens, because a name without a listener is taken for dead. */
  async #publish(): Promise<void> {
    const before = `${this.file}${UNPUBLISHED}`;
    try {
      await withSocketName(before, (name) =>
        listening(this.#server, (done) => this.#server.listen(name, done)),
      );
      await rename(before, this.file);
    } catch (error) {
      await rm(before, { force: true });
      throw error;
    }
  }

  #hold(): boolean {
    if (this.#state !== 'contends') return false;
    this.#state = 'holds';
    return true;
  }

  async #askAll(): Promise<'go' | 'first' | 'unclear' | LockHolder> {
    let found: 'go' | 'first' | 'unclear' = 'go';
    for (const name of await readdir(this.#folder)) {
      if (name.endsWith(UNPUBLISHED)) await this.#forget(name);
      if (name === this.#name || !name.endsWith(PUBLISHED)) continue;
      const file = join(this.#folder, name);
      const answer = await ask(file, this.#name);
      if (typeof answer === 'object') return answer;
      // The name is never used again.
      if (answer === 'dead') await rm(file, { force: true });
      else if (answer !== 'go') found = answer;
    }
    return found;
  }

  async #forget(name: string): Promise<void> {
    const file = join(this.#folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > UNPUBLISHED_MS) await rm(file, { force: true });
  }

  /** The connection stays open: its end is that of this process. */
  #asked(socket: Socket): void {
    let text = '';
    socket.on('error', () => {});
    socket.setEncoding('utf8').unref();
    socket.on('data', (more: string) => {
      if (text.endsWith('\n') || text.length > 256) return;
      text += more;
      if (text.endsWith('\n')) socket.write(`${this.#answerTo(text.trimEnd())}\n`);
    });
  }

  #answerTo(name: string): string {
    if (this.#state === 'holds') return `held ${process.pid}`;
    if (this.#state === 'contends' && name > this.#name) return 'first';
    if (this.#state === 'contends') this.#state = 'yields';
    return 'go';
  }
}

/** Whether a lock has its owner: `missing` when the file is not there, which says nothing. */
export async function lockState(file: string): Promise<'held' | 'free' | 'missing'> {
  const socket = await connected(file);
  if (typeof socket === 'string') return socket;
  socket.destroy();
  return 'held';
}

/** Whether a process has the lock of a folder, or is about to. */
export async function isLockHeld(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => name.endsWith(PUBLISHED)).map((name) => join(folder, name));
  for (const file of files) if ((await lockState(file)) === 'held') return true;
  return false;
}

/** Resolves with true when the owner of a lock has ended, with false when the signal aborts before that. */
export async function ended(file: string, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const socket = await connected(file);
    if (typeof socket === 'string') {
      if (socket !== 'held') return true;
    } else {
      await closed(socket, signal);
    }
    // An owner without free descriptors accepts nobody and lives.
    if (!signal.aborted) await delay(ROUND_MS);
  }
  return false;
}

function closed(socket: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      signal.removeEventListener('abort', over);
      socket.destroy();
      resolve();
    };
    // It may have closed while its name was given back.
    if (socket.closed) return resolve();
    socket.once('close', over).resume();
    signal.addEventListener('abort', over, { once: true });
  });
}

/** A connection to the owner, or its state without one. */
async function connected(file: string): Promise<Socket | 'held' | 'free' | 'missing'> {
  try {
    return await withSocketName(file, (name) => {
      return new Promise<Socket>((resolve, reject) => {
        const socket = connect(name);
        const late = setTimeout(() => socket.destroy(new Error('no connection')), ANSWER_MS);
        socket.once('error', (error) => {
          clearTimeout(late);
          reject(error);
        });
        socket.once('connect', () => {
          clearTimeout(late);
          socket.removeAllListeners('error').on('error', () => {});
          resolve(socket);
        });
      });
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') return 'free';
    return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENOTSOCK' || code === 'ENAMETOOLONG'
      ? 'missing'
      : 'held';
  }
}

async function ask(file: string, mine: string): Promise<Answer> {
  const socket = await connected(file);
  if (socket === 'free' || socket === 'missing') return 'dead';
  if (socket === 'held') return { pid: undefined };
  return new Promise((resolve) => {
    let text = '';
    const settle = (answer: Answer): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(answer);
    };
    const late = setTimeout(() => settle({ pid: undefined }), ANSWER_MS);
    socket.once('close', () => settle('unclear'));
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (text.endsWith('\n')) settle(answerIn(text.trimEnd()));
    });
    socket.write(`${mine}\n`);
  });
}

function answerIn(text: string): Answer {
  if (text === 'go' || text === 'first') return text;
  const pid = Number(text.replace(/^held /, ''));
  return { pid: Number.isSafeInteger(pid) ? pid : undefined };
}
