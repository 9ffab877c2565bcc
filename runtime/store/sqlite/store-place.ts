import { statfsSync, statSync } from 'node:fs';

/** Linux's names for file systems whose locks and writes pass a network, or a machine's border. */
const REMOTE: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x01021997, '9p'],
  [0x6a656a63, 'virtiofs'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
]);

/** Warns of a file on a network, where SQLite's log does not work, and of one that others may read. */
export function warnOfPlace(path: string, warn: (fields: object, message: string) => void): void {
  const system = remoteSystem(statfsSync(path).type);
  if (system !== undefined)
    warn(
      { path, fileSystem: system },
      `the store lies on ${system}: SQLite's locks and its log need a disk of this machine, and elsewhere the store may be ` +
        'damaged; move it',
    );
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
    warn(
      { path },
      'the file of the store is open to others: make it readable for its user alone (chmod 600)',
    );
}

/** The name of a file system that is not of this machine, by the type that `statfs` says; for Linux alone. */
export function remoteSystem(type: number, platform: NodeJS.Platform = process.platform): string | undefined {
  return platform === 'linux' ? REMOTE.get(type >>> 0) : undefined;
}
