/** The command line makes no sense, in what only the command itself can tell. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'USAGE';
}
