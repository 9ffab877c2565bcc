import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts, startServer, type Owner } from './server-process.ts';

const run = promisify(execFile);
const HOST = '127.0.0.1';
/** Of Restate: each is worked by one core at a time. */
const PARTITIONS = 4;

/** A Redis that has each write on the disk before it answers. */
export async function startRedis(folder: string) {
  const [port = 0] = await freePorts(1);
  const password = randomBytes(16).toString('hex');
  const data = join(folder, 'redis');
  mkdirSync(data);
  const stop = await startServer({
    name: 'redis-server (of the package redis-server)',
    command: 'redis-server',
    args: ['-'],
    input: [
      `bind ${HOST}`,
      `port ${port}`,
      `requirepass ${password}`,
      `dir ${data}`,
      'appendonly yes',
      'appendfsync always',
      // The log has everything: no snapshots beside it.
      'save ""',
      'maxmemory-policy noeviction',
    ].join('\n'),
    isReady: () => accepts(port),
  });
  return { connection: { host: HOST, port, password }, stop };
}

/** A Postgres as it comes: each commit is on the disk before it is told. */
export async function startPostgres(folder: string) {
  const [port = 0] = await freePorts(1);
  const password = randomBytes(16).toString('hex');
  const owner = postgresOwner();
  const home = join(folder, 'postgres');
  const secret = join(home, 'password');
  mkdirSync(home);
  writeFileSync(secret, password, { mode: 0o600 });
  if (owner !== undefined) {
    chmodSync(folder, 0o711);
    for (const path of [home, secret]) chownSync(path, owner.uid, owner.gid);
  }
  const data = join(home, 'data');
  const bin = postgresPrograms();
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'bench', `--pwfile=${secret}`, '--auth=scram-sha-256', '-E', 'UTF8'],
    { stdio: ['ignore', 'ignore', 'inherit'], cwd: home, ...owner },
  );
  rmSync(secret);
  const stop = await startServer({
    name: 'postgres (of the package postgresql)',
    command: join(bin, 'postgres'),
    args: ['-D', data, '-p', `${port}`, '-c', `listen_addresses=${HOST}`, '-c', 'unix_socket_directories='],
    cwd: home,
    user: owner,
    signal: 'SIGINT',
    isReady: async () => {
      await run(join(bin, 'pg_isready'), ['-h', HOST, '-p', `${port}`]);
      return true;
    },
  });
  return { url: `postgresql://bench:${password}@${HOST}:${port}/postgres`, stop };
}

/** A Restate of one node. */
export async function startRestate(folder: string, binary: string) {
  const [ingress = 0, admin = 0, node = 0] = await freePorts(3);
  const stop = await startServer({
    name: 'restate-server',
    command: binary,
    args: ['--base-dir', join(folder, 'restate'), '--listen-mode', 'tcp', '--no-logo'],
    cwd: folder,
    env: {
      // 24 by default: enough for as many cores.
      RESTATE_DEFAULT_NUM_PARTITIONS: `${PARTITIONS}`,
      RESTATE_CLUSTER_NAME: 'bench',
      RESTATE_NODE_NAME: 'bench',
      RESTATE_BIND_ADDRESS: `${HOST}:${node}`,
      RESTATE_ADVERTISED_ADDRESS: `http://${HOST}:${node}/`,
      RESTATE_INGRESS__BIND_ADDRESS: `${HOST}:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `${HOST}:${admin}`,
      RESTATE_DISABLE_TELEMETRY: 'true',
      RESTATE_LOG_FILTER: 'warn',
    },
    isReady: async () =>
      (await fetch(`http://${HOST}:${admin}/health`)).ok &&
      (await fetch(`http://${HOST}:${ingress}/restate/health`)).ok,
  });
  return { ingress: `http://${HOST}:${ingress}`, admin: `http://${HOST}:${admin}`, stop };
}

/** Postgres refuses root: then it belongs to the user that Debian's package makes for it. */
function postgresOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Debian has a folder for each version, none of which is on the PATH. */
function postgresPrograms(): string {
  const versions = '/usr/lib/postgresql';
  if (!existsSync(versions)) throw new Error('there is no Postgres: apt-get install postgresql');
  const newest = readdirSync(versions).sort((a, b) => Number(b) - Number(a))[0];
  return join(versions, `${newest}`, 'bin');
}

/** What the system's packages brought. */
export function serverVersions(): Record<string, string> {
  if (spawnSync('redis-server', ['--version']).error !== undefined) {
    throw new Error('there is no redis-server: apt-get install redis-server');
  }
  const version = (command: string): string =>
    /\d+(\.\d+)+/.exec(execFileSync(command, ['--version'], { encoding: 'utf8' }))?.[0] ?? 'unknown';
  return {
    'redis-server': version('redis-server'),
    postgresql: version(join(postgresPrograms(), 'postgres')),
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
