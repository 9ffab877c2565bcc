import type { Finding } from './agents/credentials.ts';
import type { SignedReport } from './agents/finance-agent.ts';
import type { SecrecyCheck, SignatureCheck } from './checks.ts';
import type { Paint } from './progress.ts';
import { shortVersion } from './run-state.ts';
import { type AgentRow, agentTable } from './table.ts';

/** All that the desk has to say at its end. */
export interface Outcome {
  readonly findings: readonly Finding[];
  readonly files: number;
  readonly reports: readonly SignedReport[];
  readonly signatures: SignatureCheck;
  readonly secrecy: SecrecyCheck;
  readonly rows: readonly AgentRow[];
  /** Sentences; none when all is well. */
  readonly problems: readonly string[];
}

const number = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const indent = ' '.repeat(11);
/** Lists wrap here: with the indent this stays within 80 columns. */
const LIST_WIDTH = 68;

export function closingText(outcome: Outcome, paint: Paint): string {
  const { findings, files, reports, signatures, rows, problems } = outcome;
  const dirty = new Set(findings.map(({ file }) => file)).size;
  const section = (name: string, lines: readonly string[]): string =>
    `${paint('bold', name.padEnd(11))}${lines.join(`\n${indent}`)}`;
  return [
    section('findings', [
      `${findings.length} credentials in plain text, in ${dirty} of ${files} files`,
      ...findings.map(({ file, line, kind }) => `${`${file}:${line}`.padEnd(32)} ${paint('dim', kind)}`),
    ]),
    section('books', reports.map(bookLine)),
    section('signatures', signatureLines(signatures, paint)),
    '',
    agentTable(rows, (text) => paint('dim', text)),
    '',
    section('proof', proofLines(outcome.secrecy, paint)),
    ...problems.map((problem) => paint('red', `wrong: ${problem}`)),
  ].join('\n');
}

function bookLine(report: SignedReport): string {
  const value = `${number.format(report.value)} on ${report.asOf}`;
  const drawdown = `drawdown ${(report.drawdown * 100).toFixed(1)} %`;
  return `${report.book.padEnd(8)} ${value}, ${drawdown}, ${number.format(report.trades)} trades`;
}

function signatureLines({ byVersion, orders, reports, wrong }: SignatureCheck, paint: Paint): string[] {
  const verdict = wrong === 0 ? paint('green', 'all verify') : paint('red', `${wrong} do not verify`);
  return [
    `${number.format(orders)} orders and ${reports} reports, ${verdict}`,
    ...[...byVersion].map(
      ([version, count]) => `${number.format(count)} with key version ${shortVersion(version)}`,
    ),
  ];
}

function proofLines(secrecy: SecrecyCheck, paint: Paint): string[] {
  const { hits, searched, megabytes, encodings, trustworthy } = secrecy;
  const total = [...searched.values()].reduce((sum, count) => sum + count, 0);
  const kinds = [...searched].map(([kind, count]) => `${number.format(count)} ${plural(kind, count)}`);
  const verdict =
    hits.length === 0
      ? paint('green', 'no trace of the key')
      : paint(
          'red',
          `${hits.length} traces of the key (${[...new Set(hits.map((hit) => hit.kind))].join(', ')})`,
        );
  return [
    `${verdict} in ${number.format(total)} records, ${megabytes.toFixed(1)} MB, in ${encodings} encodings:`,
    ...wrapped(kinds),
    trustworthy
      ? 'the same search finds a value that is planted'
      : paint('red', 'the search does not find a planted value'),
  ];
}

function plural(kind: string, count: number): string {
  if (count === 1) return kind;
  if (kind === 'reply') return 'replies';
  return kind.endsWith('s') ? `${kind}es` : `${kind}s`;
}

function wrapped(items: readonly string[]): string[] {
  const lines: string[] = [];
  for (const [index, item] of items.entries()) {
    const text = index < items.length - 1 ? `${item},` : item;
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + text.length <= LIST_WIDTH)
      lines[lines.length - 1] = `${last} ${text}`;
    else lines.push(text);
  }
  return lines;
}
