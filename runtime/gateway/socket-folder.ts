import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../base/errors.ts';
import { listening, netServer } from '../base/guarded-server.ts';
import { gatewayFolder } from './running.ts';

/** The room in `sun_path` of a socket's address, without its last zero byte: Linux has 108, the BSDs and macOS 104. */
const MOST_BYTES = process.platform === 'linux' ? 107 : 103;

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of a service process's socket, its own and for this user alone. */
export interface SocketFolder {
  readonly folder: string;
  readonly socket: string;
}

/** The places where it may be, the best first. */
export function socketPlaces(config: string, env: Environment): string[] {
  const { XDG_RUNTIME_DIR: ofUser } = env;
  return [tmpdir(), ...(ofUser === undefined ? [] : [ofUser]), '/tmp', gatewayFolder(config, env)];
}

/**
 * Makes a folder in the first place that will do. Each process gets a new one, so that it does not matter who has
 * cleaned up the one before.
 *
 * @throws {HoldfastError} `CONFIG_INVALID` when no place will do, with the reason
 */
export async function socketFolder(places: readonly string[]): Promise<SocketFolder> {
  const problems: string[] = [];
  for (const place of new Set(places)) {
    try {
      return await madeIn(place);
    } catch (error) {
      problems.push(`\n  ${place}: ${(error as Error).message}`);
    }
  }
  throw new HoldfastError(
    'CONFIG_INVALID',
    `the processes of the gateway need a folder for the socket between them, and none of these will do; set TMPDIR to one that can be written to, with a short path:${problems.join('')}`,
  );
}

async function madeIn(place: string): Promise<SocketFolder> {
  const form = join(place, 'holdfast-XXXXXX', 's');
  const bytes = Buffer.byteLength(form);
  if (bytes > MOST_BYTES) {
    throw new Error(`a socket there has a path of ${bytes} bytes, and the system allows ${MOST_BYTES}`);
  }
  await mkdir(place, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(place, 'holdfast-'));
  const socket = join(folder, 's');
  try {
    await tried(socket);
    return { folder, socket };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Not every file system has sockets. */
async function tried(socket: string): Promise<void> {
  const server = netServer(
    {},
    (client) => client.destroy(),
    () => {},
  );
  await listening(server, (done) => server.listen(socket, done));
  // Closing removes the socket again.
  await new Promise<void>((resolve) => void server.close(() => resolve()));
}
