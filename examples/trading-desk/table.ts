import Table from 'cli-table3';

export interface AgentRow {
  readonly agent: string;
  readonly instances: number;
  /** The most threads that were alive at once. */
  readonly threads: number;
  readonly maxThreads: number;
  /** Handled by all instances together. */
  readonly events: number;
  /** How long the agent had work, in milliseconds. */
  readonly busyMs: number;
  readonly restarts: number;
  /** Labels of the grants the agent uses. */
  readonly secrets: readonly string[];
  /** How many instances were told of the rotation. */
  readonly rotationSeenBy: number;
}

const columns = [
  'agent',
  'instances',
  'threads',
  'events',
  'rate/s',
  'restarts',
  'secrets',
  'rotated',
] as const;
const bare = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** One line an agent, numbers to the right, at most 80 columns for the desk's own agents. */
export function agentTable(
  rows: readonly AgentRow[],
  heading: (text: string) => string = (text) => text,
): string {
  const table = new Table({
    chars: bare,
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'left', 'right'],
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  table.push(columns.map((column) => heading(column)));
  for (const row of rows) table.push(cells(row));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const number = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

function cells(row: AgentRow): string[] {
  const usesSecrets = row.secrets.length > 0;
  return [
    row.agent,
    number.format(row.instances),
    `${row.threads} of ${row.maxThreads}`,
    number.format(row.events),
    row.busyMs > 0 ? number.format((row.events / row.busyMs) * 1000) : '-',
    number.format(row.restarts),
    usesSecrets ? row.secrets.join(', ') : 'none',
    usesSecrets ? `${row.rotationSeenBy} of ${row.instances}` : '-',
  ];
}
