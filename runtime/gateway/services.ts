import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { HoldfastError } from '../base/errors.ts';
import type { InEffect } from './messages.ts';
import { ServiceProcess, type ServiceProcessOptions } from './service-process.ts';
import { type SocketFolder, socketFolder, socketPlaces } from './socket-folder.ts';

/** Milliseconds for a process to be prepared: to load its modules and secrets. */
const PREPARE_MS = 60_000;
/** Milliseconds for a process to restore what the store keeps; states beyond that are not looked at. */
const CHECK_MS = 60_000;
/** Milliseconds besides: to fetch the key, to start threads, and for the last state. */
const CHECK_MORE_MS = 30_000;

export interface ServicesOptions extends Omit<ServiceProcessOptions, 'socket'> {
  /** The config, as an absolute path. */
  readonly file: string;
  readonly ownerDigest: string;
  /** Read for each process: whether it handles nothing until it is told to. */
  readonly isPaused: () => boolean;
  /** A process has ended; with the connections that it was given and had not confirmed. */
  readonly exited: (service: ServiceProcess, untaken: readonly Socket[]) => void;
}

/** All service processes of a front, each from its fork until it has exited and its folder is gone. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #all = new Map<ServiceProcess, Promise<void>>();
  #isOver = false;

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  /**
   * Starts a process that has everything it needs and serves nobody yet. A missing part that the gateway can do
   * without fails only the first process. It uses the config in effect, or else the one on disk.
   *
   * @throws {HoldfastError} the failure of the process, which is ended
   */
  async prepared(isFirst: boolean, inEffect?: InEffect): Promise<ServiceProcess> {
    const { file, ownerDigest, isPaused } = this.#options;
    const place = await socketFolder(socketPlaces(file, process.env));
    let service: ServiceProcess | undefined;
    try {
      if (this.#isOver) throw new HoldfastError('RUNTIME_STOPPED', 'the gateway stops');
      service = this.#forked(place);
      const of = { file, socket: service.socket, ownerDigest, isFirst, isPaused: isPaused() };
      const message = { type: 'prepare', ...of, ...(inEffect && { inEffect }) } as const;
      const { version, certificate } = await service.ask(message, 'prepared', PREPARE_MS);
      service.version = version;
      service.certificate = certificate;
      return service;
    } catch (error) {
      if (service === undefined) await removed(place.folder);
      service?.kill();
      throw error;
    }
  }

  /**
   * Prepares a process to take the place of another one, which goes on meanwhile and has the store: with states in it that
   * are none for the machines of the new one, it fails, unless that is forced.
   *
   * @throws {HoldfastError} the failure of the process, which is ended
   */
  async preparedToFollow(isForced: boolean): Promise<ServiceProcess> {
    const service = await this.prepared(false);
    if (isForced) return service;
    try {
      await service.ask({ type: 'check', ms: CHECK_MS }, 'checked', CHECK_MS + CHECK_MORE_MS);
      return service;
    } catch (error) {
      service.kill();
      throw error;
    }
  }

  /**
   * Prepares a process that has handed over to serve once more, with the config that it had.
   *
   * @throws {HoldfastError} the failure of the process
   */
  async again(service: ServiceProcess, inEffect: InEffect): Promise<void> {
    const { file, ownerDigest, isPaused } = this.#options;
    const { folder, socket } = await socketFolder(socketPlaces(file, process.env));
    void service.exited.then(() => removed(folder));
    service.again(socket);
    const of = { file, socket, ownerDigest, isFirst: false, isPaused: isPaused(), inEffect };
    await service.ask({ type: 'prepare', ...of }, 'prepared', PREPARE_MS);
  }

  /** Ends all processes, and starts no more. Requests have `ms`. */
  async end(ms: number): Promise<void> {
    this.#isOver = true;
    await Promise.all(
      Array.from(this.#all, async ([service, gone]) => {
        await service.end(ms);
        await gone;
      }),
    );
  }

  #forked({ folder, socket }: SocketFolder): ServiceProcess {
    const { log, control, lost, exited } = this.#options;
    const service = new ServiceProcess({ socket, log, control, lost });
    const gone = service.exited.then(async () => {
      exited(service, service.untaken());
      await removed(folder);
      this.#all.delete(service);
    });
    this.#all.set(service, gone);
    return service;
  }
}

/** The rest of the folder does no harm. */
async function removed(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => {});
}
