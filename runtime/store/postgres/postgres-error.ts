import { HoldfastError } from '../../base/errors.ts';
import { corrupt } from '../columns/corrupt.ts';

/** An error that the server has told, with its SQLSTATE, or one of the network. */
interface PostgresError extends Error {
  readonly code?: string | undefined;
}

/** Errors of the network, and what else `pg` says of a connection that is gone. */
const LOST_CODES =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOENT|EAI_AGAIN|ENOTFOUND|08|57P0[1-5]|53300|58000)/;
const LOST_WORDS =
  /connection (terminated|ended|closed)|not queryable|timeout expired|server (login|closed)|pooler/i;

/** What Node says of a certificate, and `pg` of a server without one. */
const NO_TRUST = /CERT|ERR_TLS|ERR_SSL/;
const NO_TLS = /not support SSL/;

/** Whether the connection is gone, or is one that the server takes back: nobody knows what became of a statement. */
export function isLost(error: unknown): boolean {
  if (error instanceof HoldfastError || !(error instanceof Error)) return false;
  const { code } = error as PostgresError;
  return code === undefined ? LOST_WORDS.test(error.message) : LOST_CODES.test(code);
}

/** Whether the server has undone the statement, since another transaction was in its way: the same may come again. */
export function isUndone(error: unknown): boolean {
  const { code } = error as PostgresError;
  return code === '40001' || code === '40P01';
}

/** Whether the server lets this user not in: with another password it may. */
export function isRefused(error: unknown): boolean {
  const { code } = error as PostgresError;
  return code === '28P01' || code === '28000';
}

/** The error that a caller gets. `where`: the store as it is named to people, without user and password. */
export function storeError(error: unknown, where: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { code = '', message } = error as PostgresError;
  const failed = (what: string): HoldfastError =>
    new HoldfastError('STORE_FAILED', `${what} (${code === '' ? '' : `${code}: `}${message})`, {
      cause: error,
    });
  if (isLost(error))
    return failed(
      `the store ${where} cannot be reached: nobody knows whether this took effect, and the same call may come again. ` +
        'See whether PostgreSQL runs there, and takes one more connection',
    );
  if (NO_TRUST.test(code) || NO_TLS.test(message))
    return failed(
      `the store ${where} does not show a certificate that is known for its name: give its authority as tls.ca, and the name that is in it in the url`,
    );
  switch (code) {
    case '28000':
    case '28P01':
      return failed(
        `the store ${where} refuses this user: look at the user and the password in its url, and at pg_hba.conf`,
      );
    case '3D000':
      return failed(`the store ${where}: there is no such database; create it`);
    case '42501':
      return failed(
        `the store ${where}: this user lacks a right; let it create its schema (grant create on database …), or let its owner open the store`,
      );
    case '25006':
      return readOnly(where);
    case '57014':
      return failed(
        `the store ${where} was stopped by a time limit: nothing of this was written. Raise statement_timeout for this user`,
      );
    case '55P03':
      return failed(
        `the store ${where} is locked: nothing of this was written. See who holds locks on its tables, and for how long lock_timeout waits`,
      );
    case '53100':
      return failed(
        `the store ${where} has no room: nothing of this was written. Make room on the server's disk; it goes on by itself as soon as there is room`,
      );
    case '3F000':
    case '42P01':
    case '42883':
      return failed(
        `the tables of the store ${where} are gone: see who has dropped them, and open the store anew`,
      );
    case 'XX001':
    case 'XX002':
      return corrupt(`the store ${where} is damaged (${message})`, error);
    default:
      return failed(
        `the store ${where} failed; nobody knows whether this took effect, and the same call may come again`,
      );
  }
}

/** The error for a server that cannot be written. */
export function readOnly(where: string): HoldfastError {
  return new HoldfastError(
    'STORE_FAILED',
    `the store ${where} is read-only: this is a standby, or default_transaction_read_only is on. Name the primary in the url`,
  );
}
