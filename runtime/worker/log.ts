import { threadState, type LogLevel } from './thread-state.ts';

/**
 * Writes to the host's log, with the address of the instance whose turn it is, or with the thread alone outside a turn.
 * Never throws or waits. The values of secrets are removed, and a value that cannot be cloned is shown as text. Lines
 * of a thread beyond 10,000 within 30 s, the limit of journald, are left out and counted.
 *
 * Outside a Holdfast thread, in a unit test for example, lines go to the console.
 *
 * @example
 * ```ts
 * log.info('filled', { symbol: 'MSFT', quantity: 3 });
 * ```
 */
export interface Log {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /**
   * Returns the log of the instance of an actor system, for use at any time: an actor that continues after an `await`
   * is no longer in a turn. `fromPromise`, `fromCallback` and actions receive their `system`.
   */
  of(system: object): Omit<Log, 'of'>;
}

export const log: Log = {
  ...levels((level, message, fields) => {
    const { current, log } = threadState();
    (current?.log ?? log ?? toConsole)(level, message, fields);
  }),
  of: (system) =>
    levels((level, message, fields) => {
      const { bridges, log } = threadState();
      (bridges.get(system)?.log ?? log ?? toConsole)(level, message, fields);
    }),
};

type Write = (level: LogLevel, message: string, fields: object) => void;

function levels(write: Write): Omit<Log, 'of'> {
  const at =
    (level: LogLevel) =>
    (message: unknown, fields?: unknown): void => {
      // Accepts pino's order of arguments, so that those who are used to it lose no line.
      const [text, what] = typeof message === 'string' ? [message, fields] : [fields, message];
      write(level, typeof text === 'string' ? text : '', fieldsOf(what));
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function fieldsOf(what: unknown): object {
  if (what === undefined || what === null) return {};
  if (isError(what)) return { error: what };
  return typeof what === 'object' ? what : { value: what };
}

/** A value that cannot be examined is no error. */
function isError(what: unknown): what is Error {
  try {
    return what instanceof Error;
  } catch {
    return false;
  }
}

function toConsole(level: LogLevel, message: string, fields: object): void {
  console[level](message, fields);
}
