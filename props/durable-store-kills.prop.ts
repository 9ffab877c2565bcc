import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test, vi } from 'vitest';

/** At least 50 in the nightly run: `HOLDFAST_RUNS=50 npx vitest run props/durable-store-kills.prop.ts`. */
const kills = Math.min(Number(process.env['HOLDFAST_RUNS'] ?? 6), 50);
const program = fileURLToPath(new URL('../runtime/store/sqlite/fixtures/committing.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-kills-'));
/** Groups that the program has under way. */
const UNDER_WAY = 3;

vi.setConfig({ testTimeout: 60_000 + 10_000 * kills });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the program until it has had so many answers, or kills itself; returns what it found and what was answered last. */
async function run(
  path: string,
  answers: number,
  fault: readonly string[] = [],
): Promise<{ found: number; answered: number; errors: string }> {
  const child = spawn(process.execPath, ['-C', 'holdfast-source', program, path, ...fault]);
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  let found = -1;
  let answered = 0;
  for await (const line of createInterface(child.stdout)) {
    const start = /^found (\d+)$/.exec(line);
    if (start !== null) found = answered = Number(start[1]);
    else answered = Number(line);
    if (found >= 0 && answered - found >= answers) child.kill('SIGKILL');
  }
  await gone;
  return { found, answered, errors };
}

test.each([[[]], [['before', '37']], [['within', '37']], [['after', '37']]])(
  'a store whose process is killed has what was answered, and each group whole: %j',
  async (fault) => {
    const path = join(folder, `${fault.join('-') || 'any'}.db`);
    let answered = 0;
    for (let i = 0; i < Math.ceil(kills / (fault.length === 0 ? 1 : 3)); i++) {
      const next = await run(path, fault.length === 0 ? 5 + ((i * 7919) % 90) : 1000, fault);
      expect(next.errors).toBe('');
      expect(next.found).toBeGreaterThanOrEqual(answered);
      expect(next.found).toBeLessThanOrEqual(answered + UNDER_WAY);
      ({ answered } = next);
    }
    expect(answered).toBeGreaterThan(0);
  },
);
