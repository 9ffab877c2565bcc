import { threadState, type LogLevel } from './thread-state.ts';

/**
 * Writes to the host's log, with the address of the instance whose turn it is, else with its thread alone. Never throws
 * and never waits. The values of secrets are taken out, what cannot be cloned is shown as text, and of a flood (10,000 lines
 * of a thread within 30 s, as in journald) the rest is left out and counted.
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
   * The same for the instance of an actor system, at any time: an actor that goes on after an `await` is in no turn any
   * more. `fromPromise`, `fromCallback` and actions are given their `system`.
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
      // As pino has it: whoever is used to that should not lose a line.
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

/** What cannot be asked is none. */
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
