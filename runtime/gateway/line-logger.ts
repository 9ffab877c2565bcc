import type { Logger } from '../logger.ts';

/** One JSON object a line, as services log: `time`, `level`, `message`, and the fields. */
export function lineLogger(write: (line: string) => void): Logger {
  const level =
    (name: keyof Logger) =>
    (fields: object, message: string): void => {
      const head = { time: new Date().toISOString(), level: name, message };
      write(`${JSON.stringify({ ...head, ...fields }, plainError)}\n`);
    };
  return { debug() {}, info: level('info'), warn: level('warn'), error: level('error') };
}

function plainError(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (!(value instanceof Error)) return value;
  const code = (value as { code?: unknown }).code;
  return {
    name: value.name,
    ...(code !== undefined && { code }),
    message: value.message,
    stack: value.stack,
  };
}
