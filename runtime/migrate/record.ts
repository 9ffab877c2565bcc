import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import type { Change } from './plan.ts';

/** What a migration changed, so that it can be undone. */
export interface MigrationRecord {
  readonly version: 1;
  readonly at: string;
  readonly files: readonly RecordedFile[];
}

interface RecordedFile {
  readonly file: string;
  /** Its old text stands in this file of the record; absent for a file that the migration made. */
  readonly original?: string;
  readonly mode?: number;
  /** Of the text that the migration wrote. */
  readonly written: string;
}

const MANIFEST = 'manifest.json';

/** Keeps the old texts in a folder of this user, and reads them back; resolves with the folder. */
export async function writeRecord(folder: string, changes: readonly Change[], at: Date): Promise<string> {
  const record = join(folder, at.toISOString().replaceAll(/[:.]/g, '-'));
  await mkdir(record, { recursive: true, mode: 0o700 });
  const files: RecordedFile[] = [];
  for (const [n, { file, before, after }] of changes.entries()) {
    const written = digest(after);
    if (before === undefined) {
      files.push({ file, written });
      continue;
    }
    const original = String(n);
    const place = join(record, original);
    await writeFileAtomic(place, before, { mode: 0o600 });
    if ((await readFile(place, 'utf8')) !== before)
      throw new Error(`${place} does not read back as it was written`);
    files.push({ file, original, mode: (await stat(file)).mode & 0o777, written });
  }
  const manifest: MigrationRecord = { version: 1, at: at.toISOString(), files };
  await writeFileAtomic(join(record, MANIFEST), JSON.stringify(manifest, undefined, 2), { mode: 0o600 });
  return record;
}

/** The newest record; undefined when there is none. */
export async function newestRecord(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  if (names.length === 0) return undefined;
  return join(
    folder,
    names.reduce((newest, name) => (name > newest ? name : newest)),
  );
}

/** Puts the old texts back, all or none: what was edited since stays, and is told. */
export async function undo(record: string): Promise<{ restored: string[]; edited: string[] }> {
  const manifest = JSON.parse(await readFile(join(record, MANIFEST), 'utf8')) as MigrationRecord;
  const edited: string[] = [];
  for (const { file, original, written } of manifest.files) {
    const now = await readFile(file, 'utf8').catch(() => undefined);
    const isUndone = original === undefined && now === undefined;
    if (!isUndone && (now === undefined || digest(now) !== written)) edited.push(file);
  }
  if (edited.length > 0) return { restored: [], edited };
  // The config came last, so it goes back first.
  for (const { file, original, mode } of manifest.files.toReversed()) {
    if (original === undefined) await rm(file, { force: true });
    else {
      const text = await readFile(join(record, original), 'utf8');
      await writeFileAtomic(file, text, mode === undefined ? {} : { mode });
    }
  }
  await rm(record, { recursive: true });
  return { restored: manifest.files.map(({ file }) => file), edited };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
