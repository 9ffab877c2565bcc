import type { LookupAddress, LookupAllOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { Agent, buildConnector } from 'undici';
import { HoldfastError } from '../../base/errors.ts';
import { Turns } from '../../base/turns.ts';
import type { InjectRules } from '../../config/resolve.ts';
import { createScrubber, type Scrubber } from '../scrub/scrubber.ts';
import type { WaitingRequests } from './exchange.ts';
import { addressGuard, loopbackGuard, type AddressGuard } from './address-guard.ts';

/** Finds the addresses of a host. */
export type LookupAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface RouteOptions {
  readonly now: () => number;
  /** Default: the system's. */
  readonly lookup?: LookupAll;
  /** Further certificates that are trusted, in PEM. For tests. */
  readonly ca?: string;
}

/** The way of one grant to its services: connections of its own, because a connection of one grant is not for another. */
export interface Route {
  readonly agent: Agent;
  /** Knows the versions of the secret that were sent on this route. */
  readonly scrubber: Scrubber;
  /** The requests that wait for a connection of this route. */
  readonly waiting: WaitingRequests;
  /** The turns of the requests to one origin: one that is given up while it waits is kept no longer. */
  readonly turns: (origin: string) => Turns;
}

/** Milliseconds until a connection must stand. */
const CONNECT_MS = 10_000;
/**
 * The most connections to one host at one time, for one grant. An answer that streams has one for itself until it is
 * over, and a request beyond them waits.
 */
const CONNECTIONS = 256;
/** The bytes of requests that may wait for a connection to one host. */
const WAITING_BYTES = 67_108_864;
/** The bytes that Node sends in headers at most: a value that was sent is searched for as a whole. */
const LONGEST_HEADER = 16 * 1024;

export async function openRoute(
  rules: InjectRules,
  { now, lookup = process.getBuiltinModule('node:dns').lookup, ca }: RouteOptions,
): Promise<Route> {
  const undici = await import('undici');
  const guarded = (guard: AddressGuard): buildConnector.connector =>
    guardedConnector(undici.buildConnector, guard, lookup, ca);
  const connectors = {
    'https:': guarded(addressGuard(rules.privateAddresses)),
    'http:': guarded(loopbackGuard),
  };
  const waiting: WaitingRequests = { count: 0 };
  const agent = new undici.Agent({
    connect(options, callback) {
      // When a request is aborted, undici connects anew for it, and only then finds that nobody wants the connection.
      if (waiting.count === 0) return callback(new Error('nobody waits for a connection'), null);
      connectors[options.protocol === 'http:' ? 'http:' : 'https:'](options, callback);
    },
    connections: CONNECTIONS,
    maxHeaderSize: 16_384,
  });
  const lines = new Map<string, Turns>();
  const turns = (origin: string): Turns => {
    const line = lines.get(origin) ?? new Turns(CONNECTIONS, WAITING_BYTES);
    lines.set(origin, line);
    return line;
  };
  return {
    agent,
    waiting,
    turns,
    scrubber: createScrubber({ now }, { inPacked: true, head: LONGEST_HEADER }),
  };
}

/** Connects only to addresses that the guard allows, and to the very address that it has checked. */
function guardedConnector(
  build: typeof buildConnector,
  guard: AddressGuard,
  lookup: LookupAll,
  ca: string | undefined,
): buildConnector.connector {
  const checked: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      // A refused address among others is no accident.
      const refused = error ?? (addresses.every(({ address }) => guard(address)) ? null : addressRefused());
      if (refused !== null) return callback(refused, []);
      const [first] = addresses;
      if (options.all === true || first === undefined) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
  const connect = build({ timeout: CONNECT_MS, lookup: checked, ...(ca !== undefined && { ca }) });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1');
    // An address needs no lookup, so the guard checks it here.
    if (isIP(host) !== 0 && !guard(host)) return callback(addressRefused(), null);
    connect({ ...options, hostname: host }, callback);
  };
}

function addressRefused(): HoldfastError {
  return new HoldfastError(
    'SECRET_DENIED',
    'The request was not sent: its host leads to an address that is not public. If that is meant, list the address under ' +
      '`privateAddresses` of the grant.',
  );
}
