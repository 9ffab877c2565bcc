import { isIP } from 'node:net';
import { HoldfastError } from '../../base/errors.ts';

/** Where a store is, as its url says. */
export interface PostgresPlace {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly applicationName: string | undefined;
  /** Whether the connection is encrypted, and its server has to show a certificate for its name. */
  readonly tls: boolean;
}

const PARAMETERS = ['host', 'port', 'dbname', 'user', 'password', 'sslmode', 'application_name'];
const ENCRYPTED = ['require', 'verify-ca', 'verify-full'];

/**
 * Reads the url of a database. Without an `sslmode` a connection to another machine is encrypted; `disable` has to be said.
 * Every other mode but `prefer` and `allow`, which promise nothing, counts as `verify-full`.
 *
 * @throws {HoldfastError} `OPTION_INVALID`, with all that is wrong; it never has the url, as that may have a password
 */
export function readPlace(url: string): PostgresPlace {
  const read = URL.canParse(url) ? new URL(url) : undefined;
  if (read === undefined || !/^postgres(ql)?:$/.test(read.protocol))
    throw invalid(['it has to be a url like postgresql://user@host:5432/database']);
  const given = read.searchParams;
  const problems: string[] = [];
  for (const name of new Set(given.keys()))
    if (!PARAMETERS.includes(name))
      problems.push(`the parameter ${name} is not known; known are ${PARAMETERS.join(', ')}`);
  const one = (name: string, ofUrl: string): string | undefined => {
    const value = given.get(name) ?? decoded(ofUrl);
    if (value === undefined) problems.push(`what it has for ${name} is not percent-encoded`);
    return value === '' ? undefined : value;
  };
  const host = one('host', read.hostname.replace(/^\[(.*)\]$/, '$1'));
  const place = {
    host,
    port: Number(given.get('port') ?? read.port) || undefined,
    database: one('dbname', read.pathname.slice(1)),
    user: one('user', read.username),
    password: one('password', read.password),
    applicationName: given.get('application_name') ?? undefined,
  };
  if (host?.includes(',') === true)
    problems.push('it has to name one host: a proxy in front of several says which one is the primary');
  const mode = given.get('sslmode');
  if (mode !== null && mode !== 'disable' && !ENCRYPTED.includes(mode))
    problems.push(`sslmode has to be one of disable, ${ENCRYPTED.join(', ')}`);
  if (mode !== null && mode !== 'disable' && host?.startsWith('/') === true)
    problems.push('a connection by a socket is not encrypted; leave out sslmode');
  if (problems.length > 0) throw invalid(problems);
  return { ...place, tls: mode === null ? !isHere(host) : mode !== 'disable' };
}

/** How a store is named to people. */
export function sayPlace({ host = 'localhost', port, database }: PostgresPlace, schema: string): string {
  const at = host.includes(':') ? `[${host}]` : host;
  return `${schema} in ${database ?? 'its database'} at ${at}${port === undefined ? '' : `:${port}`}`;
}

function isHere(host: string | undefined): boolean {
  if (host === undefined || host === 'localhost' || host.startsWith('/')) return true;
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function invalid(problems: readonly string[]): HoldfastError {
  return new HoldfastError('OPTION_INVALID', `postgresStore(): url: ${problems.join('; ')}`);
}
