import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { syncFolder } from './store-file.ts';

/** A file appears whole, under its name, on the disk, and readable for its user alone; or not at all. */
export function written(
  path: string,
  write: (draft: string) => unknown,
  before: () => unknown = () => {},
): void {
  const draft = `${path}.new-${process.pid}`;
  rmSync(draft, { force: true });
  try {
    closeSync(openSync(draft, 'wx', 0o600));
    write(draft);
    const file = openSync(draft, 'r+');
    fsyncSync(file);
    closeSync(file);
    before();
    renameSync(draft, path);
    syncFolder(path);
  } finally {
    rmSync(draft, { force: true });
  }
}
