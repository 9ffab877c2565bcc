import { watch, type FSWatcher } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ProviderError } from './provider.ts';
import { systemCode } from './trusted-file.ts';

/** Milliseconds after the last event of a burst: writing a file makes several. */
const settleMs = 50;
/** Milliseconds until a folder that cannot be watched is tried again. */
const retryMs = 1_000;

export interface FileWatch {
  readonly signal: AbortSignal;
  /** The files that matter now. */
  files(): readonly string[];
  /** Folders that matter whatever the files. */
  folders(): readonly string[];
  /** Also watches the folder of what a link leads to. */
  readonly followLinks: boolean;
  /** Something has happened in one of the folders. Never rejects. */
  changed(): Promise<void>;
  /** Is given what to call when there are more files. */
  onMore(more: () => void): void;
  /** Hears that a folder cannot be watched, once until it can. */
  report?(trouble: ProviderError): void;
}

/**
 * Watches the folders of files, not the files: a file that is replaced by a rename is another one, and a watch would
 * stay with the old. Resolves when the signal aborts.
 */
export async function watchFiles(options: FileWatch): Promise<void> {
  const { signal } = options;
  const watched = new Map<string, FSWatcher>();
  const troubled = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let again = false;

  const later = (ms: number): void => {
    if (signal.aborted) return;
    clearTimeout(timer);
    // The process may end while it only waits for files.
    timer = setTimeout(() => void look(), ms).unref();
  };

  /** One look at a time; what happens during one leads to another. */
  const look = async (): Promise<void> => {
    again = running;
    if (running) return;
    running = true;
    const complete = await arm();
    if (!signal.aborted) await options.changed();
    running = false;
    if (again) later(settleMs);
    else if (!complete) later(retryMs);
  };

  const arm = async (): Promise<boolean> => {
    const wanted = new Set(options.folders());
    for (const file of options.files()) {
      wanted.add(dirname(file));
      const real = options.followLinks ? await realpath(file).catch(() => file) : file;
      wanted.add(dirname(real));
    }
    if (signal.aborted) return true;
    for (const [folder, watcher] of watched) if (!wanted.has(folder)) drop(folder, watcher);
    let complete = true;
    for (const folder of wanted) if (!watched.has(folder)) complete = start(folder) && complete;
    return complete;
  };

  const drop = (folder: string, watcher: FSWatcher): void => {
    watcher.close();
    if (watched.get(folder) === watcher) watched.delete(folder);
  };

  const start = (folder: string): boolean => {
    try {
      const watcher = watch(folder, { persistent: false }, (event) => {
        // It may be the folder itself that has gone, and with it what the watch can tell.
        if (event === 'rename') drop(folder, watcher);
        later(settleMs);
      });
      watcher.on('error', () => {
        drop(folder, watcher);
        later(retryMs);
      });
      watched.set(folder, watcher);
      troubled.delete(folder);
      return true;
    } catch (error) {
      if (!troubled.has(folder)) {
        troubled.add(folder);
        const text = `The folder ${folder} cannot be watched (${systemCode(error)}); its secrets are checked every cacheTTL.`;
        options.report?.(new ProviderError('transient', text));
      }
      return false;
    }
  };

  if (signal.aborted) return;
  const ended = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => ended.resolve(), { once: true });
  options.onMore(() => later(settleMs));
  await look();
  await ended.promise;
  clearTimeout(timer);
  for (const watcher of watched.values()) watcher.close();
}
