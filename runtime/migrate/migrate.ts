import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { HoldfastError } from '../errors.ts';
import { dataFolder } from './data-folder.ts';
import { projectOf } from '../project.ts';
import { readOldFiles } from './old-files.ts';
import { choicesOf, type PlanFile } from './choices.ts';
import { type Change, type Plan, planMigration } from './plan.ts';
import { newestRecord, undo, writeRecord } from './record.ts';
import { keepValues } from './value-store.ts';

/** What a migration did, or would do. No value of a secret is in it. */
export interface Migration {
  readonly plan: Plan;
  /** In the order they were made. */
  readonly changes: readonly Change[];
  /** The ids of the values in the store, as `plan.kept` has them. */
  readonly ids: readonly string[];
}

export interface MigrateOptions {
  /** Nothing is written. */
  readonly dryRun?: boolean;
  /** What a person decided about an earlier plan. Default: as proposed. */
  readonly plan?: PlanFile;
  /** Where `XDG_DATA_HOME` is looked up. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes an old config one of ours. First each credential goes to the store and is read back, and the old texts to the record;
 * then come a backup without values, the files beside the config, and the config itself, each by a rename. To run it again
 * changes nothing more.
 */
export async function migrate(
  file: string,
  { dryRun, env, plan: decided }: MigrateOptions,
): Promise<Migration> {
  const data = dataFolder(env);
  const old = await readOldFiles(file);
  const plan = await planMigration(old, join(data, 'secrets'), decided && choicesOf(decided));
  const planned = plan.kept.map(({ id }) => id);
  if (dryRun === true) return { plan, ids: planned, changes: await plan.changes(planned) };
  const ids = await keepValues(plan.root, plan.kept);
  const changes = await plan.changes(ids);
  if (changes.length > 0) await writeRecord(recordsOf(data, plan.file), changes, new Date());
  for (const change of changes) await make(change);
  return { plan, ids, changes };
}

async function make({ file, before, after, mode }: Change): Promise<void> {
  const now = await readFile(file, 'utf8').catch(() => undefined);
  if (now !== before) {
    const message = `${basename(file)} was changed in the meantime; run holdfast migrate again`;
    throw new HoldfastError('CONFIG_INVALID', message);
  }
  await writeFileAtomic(file, after, mode === undefined ? {} : { mode });
}

/** Undoes the last migration of a config; undefined when there is none to undo. */
export async function undoMigration(
  file: string,
  { env }: MigrateOptions,
): Promise<{ restored: string[]; edited: string[]; record: string } | undefined> {
  const record = await newestRecord(recordsOf(dataFolder(env), file));
  return record === undefined ? undefined : { ...(await undo(record)), record };
}

function recordsOf(data: string, file: string): string {
  return join(data, 'migrations', projectOf(dirname(file)), basename(file));
}
