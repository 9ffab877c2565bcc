import { storeName } from '../../config/store-name.ts';
import { loadForGateway } from '../../config/load.ts';
import { mixedGrants, mixedGrantsText } from '../../isolation/mixed-grants.ts';
import { isolationReport, openText, type PoolIsolation } from '../../isolation/report.ts';
import { configFile, noConfig } from '../config-file.ts';
import { durabilityOf, durabilityText, heavyTexts, writesOfGateway } from '../durability.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { paint, table, type Terminal } from '../terminal.ts';

export interface ExplainOptions {
  readonly config?: string;
  readonly json?: boolean;
  /** Exit with 1 when something is open in a pool that is to be closed, or agents of other grants share one. */
  readonly check?: boolean;
}

/**
 * What the pools of a config keep apart on this Node: each attack is tried from a thread of each. And which agents outlive
 * the process, and what that costs.
 */
export async function explain(
  { config: named, json, check }: ExplainOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stdout } = terminal;
  const file = configFile(named, terminal);
  if (file === undefined) throw noConfig();
  const config = await loadForGateway(file);
  const report = await isolationReport(config);
  const mixed = mixedGrants(config.agents).map(mixedGrantsText);
  const open = report.flatMap((pool) => (pool.isolation === 'thread' ? [] : (openText(pool) ?? [])));
  const ok = open.length === 0 && mixed.length === 0;
  const writes = await writesOfGateway(file, terminal);
  const agents = durabilityOf(config, writes);
  const heavy = heavyTexts(writes);
  if (json === true) {
    const store = config.store === undefined ? null : storeName(config.store);
    const found = { ok, node: process.version, pools: report, mixed, store, agents, heavy };
    stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  } else {
    stdout.write(explanation(report, [...mixed, ...open], terminal));
    stdout.write(`\n${durabilityText(config, agents, terminal.cwd)}`);
    const colour = paint(terminal);
    for (const text of heavy) stdout.write(`\n${colour('yellow', '!')} ${text}\n`);
  }
  return check === true && !ok ? EXIT.failed : EXIT.ok;
}

function explanation(
  report: readonly PoolIsolation[],
  problems: readonly string[],
  terminal: Terminal,
): string {
  const colour = paint(terminal);
  const outcome = (text: string): string =>
    text === 'closed' ? colour('green', text) : colour(text === 'open' ? 'yellow' : 'dim', text);
  const outcomes = (n: number): string[] => report.map(({ attacks }) => outcome(attacks[n]?.outcome ?? ''));
  const rows = (report[0]?.attacks ?? []).map(({ attack, tries }, n) => [attack, outcomes(n), tries].flat());
  const headings = [
    'what a thread tries',
    ...report.map(({ threadId, isolation }) => `${threadId} (${isolation})`),
    '',
  ];
  const said = problems.map((problem) => `${colour('red', '!')} ${problem}\n`).join('');
  return `On Node ${process.version}, tried from a thread of each pool:\n\n${table(headings, rows)}${said && `\n${said}`}`;
}
