import { lstat, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** A config is a few KiB, and so is what lies beside it. */
const LARGEST_FILE = 1024 * 1024;
/** Files that are read at most: a folder of backups, not a disk. */
const MOST_FILES = 1000;

export interface AuditedFile {
  /** Absolute path. */
  readonly file: string;
  readonly text: string;
  /** A backup, or a version of before. */
  readonly isResidue: boolean;
}

/** What could not be read, and why. */
export interface UnreadFile {
  readonly file: string;
  readonly why: string;
}

export interface AuditedFiles {
  readonly files: readonly AuditedFile[];
  readonly unread: readonly UnreadFile[];
}

/** Names beside a config that hold what it held: `.env`, versions of before, and folders of backups. */
const BESIDE = /^(?:\.env(?:\..+)?|secrets?\.json5?|credentials\.json5?|auth[-_.].*\.json5?)$/i;
const RESIDUE =
  /(?:\.bak|\.backup|\.old|\.orig|\.save|\.rejected|\.prev|~)(?:[.-][\w.-]+)?$|\.\d{8,}|\.bak\b/i;
const BACKUPS = /^\.?(?:backups?|bak|old)$/i;
/** Texts for people to fill in. */
const EXAMPLE = /\.(?:example|sample|template|dist)$/i;

/** The config, what lies beside it and may hold its secrets, and its backups. */
export async function filesBeside(config: string): Promise<AuditedFiles> {
  const folder = dirname(config);
  const own = basename(config);
  const stem = own.replace(/\.json5?$/, '');
  const found: string[] = [];
  for (const entry of await entriesOf(folder)) {
    const { name } = entry;
    const isOfConfig = name === own || (name.startsWith(stem) && name !== own);
    const isBeside = (isOfConfig || BESIDE.test(name)) && !EXAMPLE.test(name);
    if (entry.isFile() && isBeside) found.push(join(folder, name));
    if (entry.isDirectory() && BACKUPS.test(name)) {
      const inner = await entriesOf(join(folder, name));
      found.push(...inner.flatMap((file) => (file.isFile() ? [join(folder, name, file.name)] : [])));
    }
  }
  return readAll(found, config);
}

/** The files that were named, whatever they are called. */
export async function filesNamed(paths: readonly string[], cwd: string): Promise<AuditedFiles> {
  const all = await Promise.all(
    paths.map(async (path) => {
      const file = resolve(cwd, path);
      const found = await lstat(file).catch(() => undefined);
      if (found?.isDirectory() !== true) return [file];
      return filesBelow(file);
    }),
  );
  return readAll(all.flat(), undefined);
}

/** All of a folder, without what was installed or is a repository's own. */
async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isFile()) found.push(path);
    const isOwn = entry.isDirectory() && entry.name !== 'node_modules' && entry.name !== '.git';
    if (isOwn && found.length <= MOST_FILES) found.push(...(await filesBelow(path)));
  }
  return found;
}

async function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

async function readAll(found: readonly string[], config: string | undefined): Promise<AuditedFiles> {
  const files: AuditedFile[] = [];
  const unread: UnreadFile[] = [];
  const names = found.toSorted();
  for (const file of names.slice(0, MOST_FILES)) {
    try {
      const { size } = await lstat(file);
      if (size > LARGEST_FILE) unread.push({ file, why: 'it is larger than 1 MiB' });
      else
        files.push({
          file,
          text: await readFile(file, 'utf8'),
          isResidue: file !== config && isResidue(file),
        });
    } catch (error) {
      unread.push({ file, why: (error as NodeJS.ErrnoException).code ?? 'it cannot be read' });
    }
  }
  for (const file of names.slice(MOST_FILES)) unread.push({ file, why: `only ${MOST_FILES} files are read` });
  return { files, unread };
}

function isResidue(file: string): boolean {
  return RESIDUE.test(basename(file)) || BACKUPS.test(basename(dirname(file)));
}
