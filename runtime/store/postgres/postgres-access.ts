import { type PostgresPlace, readPostgresUrl, sayPostgres, sayPostgresOf } from '../../base/postgres-url.ts';
import { HoldfastError } from '../../base/errors.ts';
import type { StoreContext } from '../durable-store.ts';
import type { StoreKeyObject } from '../store-keys.ts';

/** PEM texts. */
export interface PostgresTls {
  /** The certificates of who may sign for the server. */
  readonly ca?: string | undefined;
  /** What this side shows of itself, and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface PostgresAccessOptions {
  readonly url: string | StoreKeyObject;
  readonly schema: string;
  readonly tls?: PostgresTls | (() => PostgresTls | Promise<PostgresTls>) | undefined;
}

/** What the driver is given for a connection: the part of its own type that is set here, as `pg` is not there for all who import. */
export interface PostgresConnection {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly ssl: (PostgresTls & { readonly rejectUnauthorized: boolean }) | false;
  readonly application_name: string;
}

/** What a store connects with. */
export interface PostgresAccess {
  /** The store as it is named to people: without user and password, and where the url is a secret by the name of that. */
  readonly where: string;
  /** The secret that has the url. */
  readonly urlRef: StoreKeyObject | undefined;
  /**
   * Looks everything up anew, for one connection. `isRefused`: the server has refused what was given for the last one.
   *
   * @throws {HoldfastError} `STORE_FAILED` for a secret that cannot be had or is no url, or files that cannot be read
   */
  config(readUrl: StoreContext['url'], isRefused: boolean): Promise<PostgresConnection>;
}

/** @throws {HoldfastError} `OPTION_INVALID`, with all that is wrong with the url */
export function postgresAccess({ url, schema, tls }: PostgresAccessOptions): PostgresAccess {
  if (typeof url === 'string') {
    const place = placeOf(url, (problems) => invalid(problems));
    const where = sayPostgres(place, schema);
    return { where, urlRef: undefined, config: async () => configOf(place, tls) };
  }
  const where = sayPostgresOf(url, schema);
  return {
    where,
    urlRef: url,
    async config(readUrl, isRefused) {
      const text = await secretUrl(readUrl, isRefused, where);
      const place = placeOf(text, (problems) =>
        failed(`the store ${where} has no url in that secret: ${problems.join('; ')}`),
      );
      return configOf(place, tls);
    },
  };
}

async function secretUrl(readUrl: StoreContext['url'], isRefused: boolean, where: string): Promise<string> {
  if (readUrl === undefined)
    throw new HoldfastError(
      'OPTION_INVALID',
      `the store ${where}: its url is in a secret, which a runtime fetches; where there is none, give the url itself`,
    );
  let bytes: Uint8Array;
  try {
    bytes = await readUrl(isRefused);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw failed(`the store ${where} cannot be reached, as its url cannot be had: ${why}`, error);
  }
  try {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString().trim();
  } finally {
    bytes.fill(0);
  }
}

function placeOf(url: string, error: (problems: readonly string[]) => HoldfastError): PostgresPlace {
  const read = readPostgresUrl(url);
  if (read.place === undefined) throw error(read.problems);
  return read.place;
}

async function configOf(
  place: PostgresPlace,
  tls: PostgresAccessOptions['tls'],
): Promise<PostgresConnection> {
  const { host, port, database, user, password, applicationName: application_name = 'holdfast' } = place;
  const pems = place.tls && (typeof tls === 'function' ? await tls() : tls);
  const ssl = place.tls && { ...pems, rejectUnauthorized: true };
  return { host, port, database, user, password, ssl, application_name };
}

function failed(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError('STORE_FAILED', message, { cause });
}

function invalid(problems: readonly string[]): HoldfastError {
  return new HoldfastError('OPTION_INVALID', `postgresStore(): url: ${problems.join('; ')}`);
}
