import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { peerVersions } from './peers.ts';

/** What the figures were measured on and with. */
export interface MachineInfo {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly os: string;
  readonly node: string;
  /** When the run began, ISO 8601. */
  readonly at: string;
  readonly packages: Readonly<Record<string, string>>;
}

export function describeMachine(): MachineInfo {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    node: process.version.slice(1),
    at: new Date().toISOString(),
    packages: {
      holdfast: versionIn('../../package.json'),
      comlink: versionIn('../../node_modules/comlink/package.json'),
      xstate: versionIn('../../node_modules/xstate/package.json'),
      ...peerVersions(),
    },
  };
}

function versionIn(path: string): string {
  const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
