import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Editors write in several steps; what comes within that time is one change. */
const SETTLE_MS = 300;

/** Tells when one of some files has changed, also when it is replaced by another. */
export class ConfigWatch {
  readonly #changed: () => void;
  #watchers: FSWatcher[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** From now on these files. */
  follow(files: readonly string[]): void {
    this.#close();
    const byFolder = Map.groupBy(files, (file) => dirname(file));
    this.#watchers = Array.from(byFolder, ([folder, inFolder]) => {
      const names = new Set(inFolder.map((file) => basename(file)));
      // A file that is replaced is another file: its folder tells of both.
      const watcher = watch(folder, (_event, name) => {
        if (name !== null && !names.has(name)) return;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(this.#changed, SETTLE_MS);
      });
      watcher.on('error', () => {});
      return watcher;
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#close();
  }

  #close(): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}
