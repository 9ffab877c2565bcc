import { isIP } from 'node:net';

/** Where a database is, as its url says. */
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

/** Whether a text is meant as a url, of whatever. */
export function isMeantAsUrl(text: string): boolean {
  return text.includes('://');
}

/**
 * Reads the url of a database, or says all that is wrong with it. Without an `sslmode` a connection to another machine is
 * encrypted; `disable` has to be said. Every other mode but `prefer` and `allow`, which promise nothing, counts as
 * `verify-full`. No problem has anything of the url, as that may have a password, at any place if it is wrong.
 */
export function readPostgresUrl(
  url: string,
): { readonly place: PostgresPlace } | { readonly place?: never; readonly problems: readonly string[] } {
  const read = URL.canParse(url) ? new URL(url) : undefined;
  if (read === undefined || !/^postgres(ql)?:$/.test(read.protocol))
    return { problems: ['it has to be a url like postgresql://user@host:5432/database'] };
  const given = read.searchParams;
  const problems: string[] = [];
  if ([...given.keys()].some((name) => !PARAMETERS.includes(name)))
    problems.push(`it has a parameter that is not known; known are ${PARAMETERS.join(', ')}`);
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
  // A / or # of a password that is not encoded ends what stands before the @, and the rest would be taken for something else.
  if (/[/@]/.test(read.pathname.slice(1)) || url.includes('#'))
    problems.push(
      'it has a /, @ or # where there is none; percent-encode those in user, password and database',
    );
  if (host?.includes(',') === true)
    problems.push('it has to name one host: a proxy in front of several says which one is the primary');
  const mode = given.get('sslmode');
  if (mode !== null && mode !== 'disable' && !ENCRYPTED.includes(mode))
    problems.push(`sslmode has to be one of disable, ${ENCRYPTED.join(', ')}`);
  if (mode !== null && mode !== 'disable' && host?.startsWith('/') === true)
    problems.push('a connection by a socket is not encrypted; leave out sslmode');
  if (problems.length > 0) return { problems };
  return { place: { ...place, tls: mode === null ? !isHere(host) : mode !== 'disable' } };
}

/** How the schema `schema` of a database is named to people. */
export function sayPostgres({ host = 'localhost', port, database }: PostgresPlace, schema: string): string {
  const at = host.includes(':') ? `[${host}]` : host;
  return `${schema} in ${database ?? 'its database'} at ${at}${port === undefined ? '' : `:${port}`}`;
}

/** The same, where the url of the database is the value of a secret: it is named by that. */
export function sayPostgresOf(
  secret: { readonly id: string; readonly jsonKey?: string | undefined },
  schema: string,
): string {
  const { id, jsonKey } = secret;
  return `${schema} in the database of the secret "${id}${jsonKey === undefined ? '' : `#${jsonKey}`}"`;
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
