import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { waysTo } from './ways-to.ts';

/** Editors write in several steps; what comes within that time is one change. */
const SETTLE_MS = 300;
/** How often files are looked at whose folders cannot be watched. */
const POLL_MS = 2000;

export interface ConfigWatchOptions {
  /** One of the files is another than before. */
  readonly changed: () => void;
  /** A folder cannot be watched, and why; told once until it can. */
  readonly troubled: (folder: string, code: string) => void;
}

interface Watched {
  readonly watcher: FSWatcher;
  readonly folder: string;
  /** Of the folder: another one may come in its place. */
  readonly inode: bigint | undefined;
}

/**
 * Tells when one of some files has changed, also when it is replaced by another, or a link on the way to it leads elsewhere. Where
 * the system has no watch to give, it looks at the files every 2 s instead.
 */
export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  /** What each file was when it was last looked at. */
  #seen = new Map<string, string>();
  readonly #watched = new Map<string, Watched>();
  #names = new Map<string, ReadonlySet<string>>();
  readonly #troubled = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
  }

  /** From now on these files. What happened before to one that was followed already is told, too. */
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

  /** Has each folder watched that matters, as far as the system can. */
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
      // Before the watch: what comes in between is another one.
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

  /** The name of the folder itself: it was removed, or moved. */
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

/** What is another for another file, and for the same one with other bytes. */
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
