import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 60_000;
const STOP_MS = 10_000;

export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Whose process it becomes: some servers refuse root. */
  readonly user?: Owner | undefined;
  /** What it is told by its standard input. */
  readonly input?: string;
  /** The signal that it ends soon and properly by. */
  readonly signal?: 'SIGTERM' | 'SIGINT';
  /** Whether it serves; may throw for no. */
  readonly isReady: () => Promise<boolean>;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Starts a server, and waits until it serves. It ends with this process at the latest. */
export async function startServer(server: ServerCommand): Promise<() => Promise<void>> {
  const { name, command, args, env, cwd, user, input = '', signal = 'SIGTERM', isReady } = server;
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
    ...user,
  });
  let said = '';
  const hear = (text: Buffer): void => void (said = `${said}${String(text)}`.slice(-4000));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.once('error', (error) => (said += error.message));
  // Who ends at once reads nothing; what it said then is told below.
  child.stdin.once('error', () => {}).end(input);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const isOver = (): boolean =>
    child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  const deadline = performance.now() + START_MS;
  while (!(await isReady().catch(() => false))) {
    if (isOver() || performance.now() > deadline) {
      kill();
      throw new Error(`${name} did not start: ${said}`);
    }
    await sleep(50);
  }
  return async () => {
    process.removeListener('exit', kill);
    if (isOver()) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    if (await Promise.race([exit.then(() => false), sleep(STOP_MS, true)])) kill();
    await exit;
  };
}

/** Ports of the loopback that nobody has. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
