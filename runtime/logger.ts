/** pino's shape, fields first: a pino instance fits as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Warnings and errors on stderr; nothing else. The default. */
export const consoleLogger: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => console.warn(`holdfast: ${message}`, fields),
  error: (fields, message) => console.error(`holdfast: ${message}`, fields),
};
