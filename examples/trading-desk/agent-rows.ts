import type { RuntimeStatus } from 'holdfast';
import type { SecrecyCheck, SignatureCheck } from './checks.ts';
import { KEY_LABEL } from './desk-config.ts';
import type { AgentRow } from './table.ts';
import type { TradingDay } from './trading-day.ts';

/** The table's rows: what the runtime counted, and what the desk timed. */
export function agentRows({ pools, instances }: RuntimeStatus, day: TradingDay): AgentRow[] {
  const row = (agent: string, own: Pick<AgentRow, 'busyMs' | 'secrets' | 'rotationSeenBy'>): AgentRow => {
    const mine = instances.filter((instance) => instance.agent === agent);
    const pool = pools.find(({ threadId }) => threadId === mine[0]?.threadId);
    return {
      agent,
      instances: mine.length,
      threads: pool?.peakThreads ?? 0,
      maxThreads: pool?.maxThreads ?? 0,
      events: mine.reduce((sum, { handled }) => sum + handled, 0),
      restarts: mine.reduce((sum, { restarts }) => sum + restarts, 0),
      ...own,
    };
  };
  const { busyMs, rotationSeenBy, scan } = day;
  return [
    row('trading-agent', {
      busyMs: busyMs.trading,
      secrets: [KEY_LABEL],
      rotationSeenBy: rotationSeenBy.traders,
    }),
    row('finance-agent', {
      busyMs: busyMs.finance,
      secrets: [KEY_LABEL],
      rotationSeenBy: rotationSeenBy.books,
    }),
    row('security-agent', { busyMs: scan.busyMs, secrets: [], rotationSeenBy: 0 }),
  ];
}

/** What is off, in sentences; the run fails when there is any. */
export function problemsOf(
  status: RuntimeStatus,
  day: TradingDay,
  rows: readonly AgentRow[],
  signatures: SignatureCheck,
  secrecy: SecrecyCheck,
): string[] {
  const { rotatedTo } = day;
  const missed = rows.filter(
    ({ secrets, instances, rotationSeenBy }) => secrets.length > 0 && rotationSeenBy < instances,
  );
  const problems = [
    [status.deadLetters > 0, `${status.deadLetters} events were not handled (dead letters)`],
    [signatures.orders === 0, 'no order was signed'],
    [signatures.wrong > 0, `${signatures.wrong} signatures do not verify`],
    [
      rotatedTo !== undefined && missed.length > 0,
      `not told of the rotation: instances of ${missed.map(({ agent }) => agent).join(', ')}`,
    ],
    [rotatedTo !== undefined && !signatures.byVersion.has(rotatedTo), 'nothing was signed with the new key'],
    [day.scan.skipped.length > 0, `files that could not be read: ${day.scan.skipped.join(', ')}`],
    [secrecy.hits.length > 0, 'the key was found where it must not be'],
    [!secrecy.trustworthy, 'the search for the key does not work'],
  ] as const;
  return problems.flatMap(([wrong, sentence]) => (wrong ? [sentence] : []));
}
