import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

export interface SoakCommand {
  /** The script of package.json. */
  readonly script: string;
  /** What is soaked. */
  readonly what: string;
  /** Soaks for so long, with files in that folder; resolves with all that was wrong. */
  readonly soaked: (folder: string, ms: number, seed: number) => Promise<readonly string[]>;
}

/** Runs a soak as its command line says, tells what was wrong, and resolves with the exit code. */
export async function soakCommand({ script, what, soaked }: SoakCommand): Promise<number> {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string' } },
  });
  const ms = Number(values.minutes) * 60_000;
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  if (!(ms > 0) || !Number.isInteger(seed)) {
    console.error(`npm run ${script} -- --minutes n [--seed n]`);
    return 2;
  }
  console.log(`soak ${what}, ${ms / 1000} s, seed ${seed}, Node ${process.versions.node}`);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-'));
  try {
    const wrong = await soaked(folder, ms, seed);
    for (const one of wrong) console.log(`WRONG: ${one}`);
    console.log(wrong.length === 0 ? 'nothing was wrong' : `${wrong.length} wrong; seed ${seed}`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
