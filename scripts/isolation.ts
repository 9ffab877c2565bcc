// Tries what a thread can do to its host and prints the table of docs/isolation.md, for the Node it runs on or for those
// that are named: npm run isolation [-- 22 24 26]
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { binary, lines, root } from './node-lines.ts';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((line) => !lines.has(line));
if (unknown.length > 0)
  throw new Error(`known are ${[...lines.keys()].join(', ')}; not ${unknown.join(', ')}`);
for (const line of wanted) {
  execFileSync(binary(line), ['-C', 'holdfast-source', fileURLToPath(import.meta.url)], {
    cwd: root,
    stdio: 'inherit',
  });
}
if (wanted.length === 0) await table();

async function table(): Promise<void> {
  const { isolationReport } = await import('../runtime/isolation/report.ts');
  const { loadConfig } = await import('../runtime/config/load.ts');
  const agent = { type: 'thread-bound', maxThreads: 1 } as const;
  const module = new URL('../runtime/base/version.ts', import.meta.url);
  const config = await loadConfig({
    agents: {
      open: { ...agent, module, threadId: 'thread' },
      closed: { ...agent, module, threadId: 'thread+permissions' },
    },
    threads: { 'thread+permissions': { isolation: 'thread+permissions' } },
  });
  const report = await isolationReport(config);
  const cells = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  console.log(`\nNode ${process.version}, ${process.platform}\n`);
  console.log(cells(['attack', ...report.map(({ isolation }) => `\`${isolation}\``), 'what it tries']));
  console.log(cells(['---', ...report.map(() => '---'), '---']));
  for (const [n, { attack, tries }] of (report[0]?.attacks ?? []).entries()) {
    const outcomes = report.map(({ attacks }) => attacks[n]?.outcome ?? '');
    console.log(cells([`\`${attack}\``, ...outcomes, tries]));
  }
}
