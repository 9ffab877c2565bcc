import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

export interface SoakCommand<Amount extends string> {
  /** The script of package.json. */
  readonly script: string;
  /** What is soaked. */
  readonly what: string;
  /** How long or how much of it there is: the options of the command line, with their defaults. */
  readonly amounts: Readonly<Record<Amount, number>>;
  /** Soaks, with files in that folder; resolves with all that was wrong. */
  readonly soaked: (
    folder: string,
    amounts: Readonly<Record<Amount, number>>,
    seed: number,
  ) => Promise<readonly string[]>;
}

/** Runs a soak as its command line says, tells what was wrong, and resolves with the exit code. */
export async function soakCommand<Amount extends string>({
  script,
  what,
  amounts: defaults,
  soaked,
}: SoakCommand<Amount>): Promise<number> {
  const names = Object.keys(defaults) as Amount[];
  const options = Object.fromEntries([...names, 'seed'].map((name) => [name, { type: 'string' as const }]));
  const values = parseArgs({ options }).values as Readonly<Record<string, string | undefined>>;
  const amounts = Object.fromEntries(
    names.map((name) => [name, Number(values[name] ?? defaults[name])]),
  ) as Record<Amount, number>;
  const seed = Number(values['seed'] ?? Math.floor(Math.random() * 2 ** 32));
  if (!names.every((name) => amounts[name] > 0) || !Number.isInteger(seed)) {
    console.error(`npm run ${script} -- ${names.map((name) => `[--${name} n]`).join(' ')} [--seed n]`);
    return 2;
  }
  const much = names.map((name) => `${amounts[name]} ${name}`).join(', ');
  console.log(`soak ${what}, ${much}, seed ${seed}, Node ${process.versions.node}`);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-'));
  try {
    const wrong = await soaked(folder, amounts, seed);
    for (const one of wrong) console.log(`WRONG: ${one}`);
    console.log(wrong.length === 0 ? 'nothing was wrong' : `${wrong.length} wrong; seed ${seed}`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
