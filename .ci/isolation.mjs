// Tries what a thread can do to its host and prints the table of docs/isolation.md, for the Node it runs on or for those
// that are named: npm run isolation [-- 22 24 26]
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { binary, lines, root } from './node-lines.mjs';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((line) => !(line in lines));
if (unknown.length > 0)
  throw new Error(`known are ${Object.keys(lines).join(', ')}; not ${unknown.join(', ')}`);
for (const line of wanted) {
  execFileSync(binary(lines[line]), ['-C', 'holdfast-source', fileURLToPath(import.meta.url)], {
    cwd: root,
    stdio: 'inherit',
  });
}
if (wanted.length === 0) await table();

async function table() {
  const { isolationReport } = await import('../runtime/isolation/report.ts');
  const pools = ['thread', 'thread+permissions'].map((isolation) => ({
    threadId: isolation,
    isolation,
    permissions: { read: [], write: [], net: false },
    env: {},
  }));
  const moduleUrl = new URL('../runtime/base/version.ts', import.meta.url).href;
  const agents = pools.map(({ threadId }) => ({ threadId, moduleUrl }));
  const report = await isolationReport({ agents, pools });
  const cells = (row) => `| ${row.join(' | ')} |`;
  console.log(`\nNode ${process.version}, ${process.platform}\n`);
  console.log(cells(['attack', ...report.map(({ isolation }) => `\`${isolation}\``), 'what it tries']));
  console.log(cells(['---', ...report.map(() => '---'), '---']));
  for (const [n, { attack, tries }] of report[0].attacks.entries()) {
    console.log(cells([`\`${attack}\``, ...report.map(({ attacks }) => attacks[n].outcome), tries]));
  }
}
