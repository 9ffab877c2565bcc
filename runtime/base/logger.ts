import { inspect } from 'node:util';
import { callUser } from './user-call.ts';
import type { Scrubbing } from './scrubbing.ts';
import { shownText } from './shown-text.ts';

/** A logger with the shape of pino's: fields first. A pino instance is one. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Wraps a logger so that no value of a secret reaches it in fields, messages or errors. The wrapper never throws: when
 * the logger fails, also by a promise that rejects, `failed` is called, once.
 */
export function scrubbedLogger(
  logger: Logger,
  { scrub, scrubText }: Scrubbing,
  failed: (error: unknown) => void = () => {},
): Logger {
  let told = false;
  // Whoever is told may want to log it.
  const tell = (error: unknown): void => {
    if (told) return;
    told = true;
    failed(error);
  };
  const level =
    (name: keyof Logger) =>
    (fields: object, message: string): void =>
      void callUser(() => logger[name](scrub(fields), scrubText(message)) as unknown, tell);
  return { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
}

/** Warnings and errors on stderr; nothing else. The default. */
export const consoleLogger: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => console.warn('%s', shown(fields, message)),
  error: (fields, message) => console.error('%s', shown(fields, message)),
};

/** As the console shows it, each line of it with nothing that steers a terminal; the message is one line. */
function shown(fields: object, message: string): string {
  const lines = inspect(fields).split('\n').map(shownText);
  return `holdfast: ${shownText(message)} ${lines.join('\n')}`;
}
