// npm run example:cluster [-- --page]
import { startServer } from '../../runtime/store/postgres/fixtures/server.ts';
import { makeDeposits, statementOf } from './depositors.ts';
import { type NodeProcess, startNode, untilShared } from './nodes.ts';

const withPage = process.argv.includes('--page');
const accounts = Array.from({ length: 12 }, (_, i) => `a-${i + 1}`);
const DEPOSITS = 20;

const { DATABASE_URL: yours } = process.env;
const ours = yours === undefined ? await startServer() : undefined;
const nodes: NodeProcess[] = [];
try {
  process.exitCode = await run(yours ?? ours?.url ?? '');
  if (withPage) await untilInterrupted();
} finally {
  for (const node of nodes) node.process.kill('SIGKILL');
  await ours?.remove();
}

async function run(databaseUrl: string): Promise<number> {
  for (let i = 0; i < 3; i++) nodes.push(await startNode(databaseUrl, withPage));
  const [first] = nodes as [NodeProcess];
  const shared = await untilShared(first, 3);
  const shares = shared.nodes.map(({ node, partitions }) => `node ${node} has ${partitions}`);
  console.log(`Three processes share the 64 partitions of a database: ${shares.join(', ')}.`);

  const before = await Promise.all(accounts.map((account) => statementOf(nodes, account)));
  const accountsOf = (number: number): string[] => accounts.filter((_, i) => before[i]?.node === number);
  const number = accountsOf(1).length < accountsOf(2).length ? 2 : 1;
  const victim = nodes[number] as NodeProcess;
  const its = accountsOf(number);
  console.log(
    `Each of ${accounts.length} accounts gets ${DEPOSITS} deposits, one after the other, each through another node than the one before.`,
  );
  let made = 0;
  const waits = await Promise.all(
    accounts.map((account) =>
      makeDeposits(nodes, account, DEPOSITS, () => {
        made += 1;
        if (made !== (accounts.length * DEPOSITS) / 3) return;
        victim.process.kill('SIGKILL');
        console.log(`After ${made} deposits node ${number} is killed. It has ${its.length} of the accounts.`);
      }),
    ),
  );

  const rest = nodes.filter((node) => node !== victim);
  const after = await Promise.all(accounts.map((account) => statementOf(rest, account)));
  const moved = its.filter((account) => after[accounts.indexOf(account)]?.node !== number);
  const longest = (which: (account: string) => boolean): string =>
    (Math.max(0, ...waits.filter((_, i) => which(accounts[i] as string))) / 1000).toFixed(1);
  console.log(
    `${moved.length} of them are on the others now. A deposit to one of them waited ${longest((one) => its.includes(one))} s at most, ` +
      `to another account ${longest((one) => !its.includes(one))} s.`,
  );
  const right = after.filter(
    ({ statement: { total, deposits } }) => total === DEPOSITS && deposits === DEPOSITS,
  ).length;
  const all = after.reduce((sum, { statement }) => sum + statement.deposits, 0);
  console.log(
    `${all} of ${accounts.length * DEPOSITS} deposits are there, each once; ${right} of ${accounts.length} accounts are right.`,
  );
  return right === accounts.length && moved.length === its.length ? 0 : 1;
}

function untilInterrupted(): Promise<void> {
  console.log('The pages of the two nodes that are left are above; Ctrl-C ends.');
  return new Promise((resolve) => process.once('SIGINT', () => resolve()));
}
