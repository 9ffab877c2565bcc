import { readFile, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { HoldfastError } from '../../base/errors.ts';
import { parsePlan, planFile } from '../../migrate/plan-file.ts';
import { migrate } from '../../migrate/migrate.ts';
import { version } from '../../base/version.ts';
import { configFile, noConfig } from '../config-file.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted, type Terminal } from '../terminal.ts';
import { migrationText } from './migrate.ts';

export interface ConfigureOptions {
  readonly planOut?: string;
}

export interface ApplyOptions {
  readonly from: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Writes a plan for the credentials of a config, for a person to look at and to change. Nothing else is written. */
export async function secretsConfigure(
  named: string | undefined,
  { planOut }: ConfigureOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, env, cwd } = terminal;
  const file = configFile(named, terminal);
  if (file === undefined) throw noConfig();
  const { plan } = await migrate(file, { env, dryRun: true });
  const text = `${JSON.stringify(planFile(plan, `holdfast ${version}`), undefined, 2)}\n`;
  if (planOut === undefined) {
    stdout.write(text);
    return EXIT.ok;
  }
  await writeFile(resolve(cwd, planOut), text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
    throw new HoldfastError('CONFIG_INVALID', `${planOut} exists already; name another file, or remove it`);
  });
  const { length } = plan.kept;
  stdout.write(
    `${planOut}: ${counted(length, 'credential')}. Change what is not as you want it, then: holdfast secrets apply --from ${planOut}\n`,
  );
  return EXIT.ok;
}

/** Does what a plan says: the same steps as a migration, with its undo. */
export async function secretsApply(
  { from, dryRun = false, json }: ApplyOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout, env, cwd } = terminal;
  const text = await readFile(resolve(cwd, from), 'utf8').catch(() => {
    throw new HoldfastError('CONFIG_INVALID', `${from} cannot be read; make one: holdfast secrets configure`);
  });
  const plan = parsePlan(text);
  const migration = await migrate(plan.config, { env, dryRun, plan });
  if (json === true) {
    const { todos: warnings } = migration.plan;
    const report = {
      mode: dryRun ? 'dry-run' : 'write',
      changed: migration.changes.length > 0,
      changedFiles: migration.changes.map(({ file }) => relative(cwd, file)),
      warningCount: warnings.length,
      warnings,
    };
    stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  } else stdout.write(migrationText(migration, { dryRun }, terminal));
  return EXIT.ok;
}
