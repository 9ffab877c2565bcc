import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Finding } from './agents/credentials.ts';
import type { SecuritySummary } from './agents/security-agent.ts';
import type { DeskRuntime } from './runtime-of-desk.ts';
import type { RunState } from './run-state.ts';
import type { Witness } from './witness.ts';
import { createTally } from './tally.ts';

const SCAN_TIMEOUT_MS = 15_000;

/** The folder the example ships: configuration, deployment, backups and a home, some with planted credentials. */
export const deskFiles: string = fileURLToPath(new URL('./desk-files', import.meta.url));

export interface ScanResult {
  readonly findings: readonly Finding[];
  readonly scanned: number;
  readonly skipped: readonly string[];
  readonly busyMs: number;
}

/** Has one security agent for each folder in `root` read its files, all at once. */
export async function scanDesk(
  runtime: DeskRuntime,
  root: string,
  witness: Witness,
  state: RunState,
): Promise<ScanResult> {
  const parts = await partsOf(root);
  state.files = [...parts.values()].flat().length;
  let started: number | undefined;
  const summaries = await Promise.all([...parts].map(async ([id, files]) => await scanPart(id, files)));
  return {
    findings: summaries
      .flatMap((summary) => summary.findings)
      .toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line),
    scanned: summaries.reduce((sum, summary) => sum + summary.scanned, 0),
    skipped: summaries.flatMap((summary) => summary.skipped),
    busyMs: started === undefined ? 0 : performance.now() - started,
  };

  async function scanPart(id: string, files: readonly string[]): Promise<SecuritySummary> {
    const ref = await runtime.spawn('security-agent', { id, input: { folder: root } });
    witness.watch(ref);
    const done = createTally();
    ref.on('scanned', ({ findings }) => {
      state.filesScanned += 1;
      state.findings += findings.length;
      done.add(id);
    });
    ref.on('skipped', () => done.add(id));
    started ??= performance.now();
    for (const file of files) ref.send({ type: 'file', file });
    await done.until(id, files.length, SCAN_TIMEOUT_MS);
    const summary = (await ref.ask({ type: 'findings' })) as SecuritySummary;
    witness.note('reply', summary);
    return summary;
  }
}

/** The files of each top folder, by name, relative to `root`. */
export async function partsOf(root: string): Promise<Map<string, string[]>> {
  const files = (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length + 1))
    .toSorted();
  return Map.groupBy(files, (file) => file.split('/')[0] ?? '');
}
