import { isFramingHeader } from '../../config/grant-checks.ts';

/**
 * The name as the least careful servers read it: gateways to CGI, WSGI, Rack and PHP take every character that is no
 * letter or digit for the same.
 */
export function readAlike(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
}

/** Whether some service takes one header for the other, such as `X_Authorization` for `Authorization`. */
export function mayStandFor(name: string, other: string): boolean {
  return bare(name) === bare(other);
}

const bare = (name: string): string => readAlike(name).replace(/^(?:http-)?(?:x-)?(?=.)/, '');

/**
 * The host says which encodings it understands, and with a range an echo of the secret would come in unrecognised
 * parts.
 */
const OF_THE_HOST = new Set([
  'accept-encoding',
  'cookie',
  'cookie2',
  'if-range',
  'max-forwards',
  'range',
  // Other names of compressed differences, and of parts.
  'a-im',
]);

/**
 * Names of headers by which a proxy tells a server what the request was before, or who makes it. A server that
 * believes them takes another method, path, host or user than the grant was checked for. `User-Agent` and the project
 * of Google are neither.
 */
const TOLD_BY_PROXIES =
  /forward|original|originating|rewrit|override|impersonat|authenticated|webauth|principal|envoy|middleware|client-?(?:cert|verify)|(?:^|-)(?:remote|proxy|ssl|ip|sudo|consumer|auth-request|user(?!-(?:agent|project)(?:-|$))|accel|invoke)(?:-|$)/;

/**
 * Names that end with a part of a request or with who makes it: `X-HTTP-Method`, `X-Matched-Path`, `X-Username`.
 * Methods are included only where the name says whose they are, since client libraries name their own.
 */
const PART_OF_A_REQUEST =
  /(?:^|-)(?:verb|path|path-info|script-name|[a-z]*ur[il]|query-string|prefix|host|hostname|server-name|(?:client|real|socket|true)ip|addr|userid|username|login|subject|dn|groups?|roles?|on-behalf-of|(?:copy|rename)-source)$|(?:^|(?:^|-)(?:x|http|request|restli|real|tunnell?(?:ed)?)-)methods?$/;

/** Whether an agent must not set the header; the headers of the connection are included. */
export function isRefusedHeader(name: string): boolean {
  const alike = readAlike(name);
  return (
    isFramingHeader(name) ||
    isFramingHeader(alike) ||
    OF_THE_HOST.has(alike) ||
    TOLD_BY_PROXIES.test(alike) ||
    PART_OF_A_REQUEST.test(alike)
  );
}
