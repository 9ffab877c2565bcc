import { bar, type Paint, type Status } from './progress.ts';

/** Numbers of the run, changed as it goes and shown as it goes. */
export interface RunState {
  ticks: number;
  orders: number;
  files: number;
  filesScanned: number;
  findings: number;
  /** Trading instances. */
  instances: number;
  /** How many of them were told of the rotation. */
  rotationSeenBy: number;
  /** Short names of the key's versions, oldest first. */
  readonly keyVersions: string[];
  /** When trading began and should end, on the clock of `performance.now()`. */
  trading: { readonly from: number; readonly to: number } | undefined;
}

export function newRunState(): RunState {
  return {
    ticks: 0,
    orders: 0,
    files: 0,
    filesScanned: 0,
    findings: 0,
    instances: 0,
    rotationSeenBy: 0,
    keyVersions: [],
    trading: undefined,
  };
}

const number = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function runStatus(state: RunState, now: number, paint: Paint): Status {
  const { ticks, orders, files, filesScanned, findings, trading } = state;
  const elapsed = trading ? now - trading.from : 0;
  const share = trading ? Math.min(1, elapsed / (trading.to - trading.from)) : 0;
  const rate = elapsed > 0 ? (ticks / elapsed) * 1000 : 0;
  const traded = `${number.format(ticks)} prices, ${number.format(orders)} signed orders`;
  const key = keyText(state);
  const row = (name: string, part: number, text: string): string =>
    `${paint('bold', name.padEnd(11))}${paint('cyan', bar(part))}  ${text}`;
  return {
    lines: [
      '',
      row('trading', share, `${traded} ${paint('dim', `${number.format(rate)}/s`)}`),
      row(
        'security',
        files === 0 ? 0 : filesScanned / files,
        `${filesScanned} of ${files} files, ${findings} findings`,
      ),
      `${paint('bold', 'key'.padEnd(11))}${key}`,
    ],
    line: trading && `trading ${Math.round(share * 100)} %: ${traded}, ${number.format(rate)}/s; key ${key}`,
  };
}

function keyText({ keyVersions, rotationSeenBy, instances }: RunState): string {
  const versions = keyVersions.join(' -> ');
  return keyVersions.length < 2
    ? versions
    : `${versions}, known to ${rotationSeenBy} of ${instances} traders`;
}

/** Enough of a version id to tell two apart. */
export const shortVersion = (versionId: string): string => versionId.slice(0, 8);
