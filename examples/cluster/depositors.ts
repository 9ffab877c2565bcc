import { type NodeProcess, request } from './nodes.ts';

/** A statement of an account, and the number of the node that has it. */
export interface Statement {
  readonly node: number;
  readonly statement: { readonly total: number; readonly deposits: number };
}

/** Milliseconds between two tries. */
const PAUSE_MS = 50;
/** Milliseconds for one deposit or statement, through however many nodes. */
const PATIENCE_MS = 60_000;

/** Asks one node after the other until one answers, the first being the one at `first`. */
async function ask(
  nodes: readonly NodeProcess[],
  first: number,
  path: string,
  init: RequestInit = {},
): Promise<unknown> {
  const until = Date.now() + PATIENCE_MS;
  for (let i = first; ; i++) {
    try {
      return await request(nodes[i % nodes.length] as NodeProcess, path, init);
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

export async function statementOf(nodes: readonly NodeProcess[], account: string): Promise<Statement> {
  return (await ask(nodes, 0, `/${account}`)) as Statement;
}

/** Makes deposits of 1, one after the other, each through another node. Resolves with the longest wait for one, in milliseconds. */
export async function makeDeposits(
  nodes: readonly NodeProcess[],
  account: string,
  count: number,
  made: () => void,
): Promise<number> {
  let longest = 0;
  for (let i = 0; i < count; i++) {
    const since = performance.now();
    await ask(nodes, i, `/${account}`, { method: 'POST', headers: { 'idempotency-key': `deposit ${i}` } });
    longest = Math.max(longest, performance.now() - since);
    made();
  }
  return longest;
}
