import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { waysTo } from './ways-to.ts';

/** Milliseconds within which changes count as one, because editors write in several steps. */
const SETTLE_MS = 300;
/** Milliseconds between two looks at files whose folders cannot be watched. */
const POLL_MS = 2000;

export interface ConfigWatchOptions {
  /** Called when one of the files has changed. */
  readonly changed: () => void;
  /** Called when a folder cannot be watched, with the reason; once until it can. */
  readonly troubled: (folder: string, code: string) => void;
}

interface Watched {
  readonly watcher: FSWatcher;
  readonly folder: string;
  /** The inode of the folder, because another folder may take its place. */
  readonly inode: bigint | undefined;
}

/**
 * Reports a change of one of some files, including its replacement by another file, or a link on the way to it that
 * leads elsewhere. Where the system has no watch to give, it looks at the files every 2 s instead.
 */
export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  /** The state of each file at the last look. */
  #seen = new Map<string, string>();
  readonly #watched = new Map<string, Watched>();
  #names = new Map<string, ReadonlySet<string>>();
  readonly #troubled = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
  }

  /** Follows these files from now on. An earlier change of a file that was followed already is reported, too. */
  follow(files: readonly string[]): void {
    this.#seen = new Map(files.map((file) => [file, this.#seen.get(file) ?? fingerprint(file)]));
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#poll);
    for (const folder of this.#watched.keys()) this.#drop(folder);
    this.#seen.clear();
  }

  /** Watches each folder that matters, as far as the system can. */
  #arm(): void {
    const ways = Map.groupBy([...this.#seen.keys()].flatMap(waysTo), (path) => dirname(path));
    this.#names = new Map(
      Array.from(ways, ([folder, paths]) => [folder, new Set(paths.map((path) => basename(path)))]),
    );
    for (const [folder, { inode }] of this.#watched)
      if (!this.#names.has(folder) || inode !== inodeOf(folder)) this.#drop(folder);
    let isWhole = true;
    for (const folder of this.#names.keys()) isWhole = this.#isWatched(folder) && isWhole;
    clearTimeout(this.#poll);
    if (!isWhole) this.#poll = setTimeout(() => this.#look(), POLL_MS).unref();
  }

  #isWatched(folder: string): boolean {
    if (this.#watched.has(folder)) return true;
    try {
      // Read before the watch begins, so that a folder that comes in between counts as another one.
      const inode = inodeOf(folder);
      const watcher = watch(folder, (_event, name) => this.#heard(folder, name));
      watcher.on('error', () => {
        if (this.#watched.get(folder)?.watcher === watcher) this.#drop(folder);
        this.#soon();
      });
      this.#watched.set(folder, { watcher, folder, inode });
      this.#troubled.delete(folder);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!this.#troubled.has(folder)) this.#options.troubled(folder, code ?? String(error));
      this.#troubled.add(folder);
      return false;
    }
  }

  /** The name is that of the folder itself: it was removed, or moved. */
  #heard(folder: string, name: string | null): void {
    if (name === null || name === basename(folder) || this.#names.get(folder)?.has(name) === true)
      this.#soon();
  }

  #soon(): void {
    if (this.#seen.size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), SETTLE_MS);
  }

  #look(): void {
    this.#arm();
    let isOther = false;
    for (const [file, before] of this.#seen) {
      const now = fingerprint(file);
      isOther ||= now !== before;
      this.#seen.set(file, now);
    }
    if (isOther) this.#options.changed();
  }

  #drop(folder: string): void {
    this.#watched.get(folder)?.watcher.close();
    this.#watched.delete(folder);
  }
}

/** A text that differs for another file, and for the same file with other bytes. */
function fingerprint(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}

function inodeOf(folder: string): bigint | undefined {
  try {
    return statSync(folder, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}
