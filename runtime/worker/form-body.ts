import { randomUUID } from 'node:crypto';

/**
 * A form as one body whose length is known: a stream of it would be sent in parts of unknown length, which many services
 * refuse. The files in it are read when it is sent.
 */
export function formBody(form: FormData): Blob {
  const boundary = `form-${randomUUID()}`;
  const parts: (string | Blob)[] = [];
  for (const [name, value] of form) {
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${quoted(name)}"`;
    if (typeof value === 'string') parts.push(`${head}\r\n\r\n${withBreaks(value)}\r\n`);
    else {
      const type = value.type === '' ? 'application/octet-stream' : value.type;
      parts.push(`${head}; filename="${quoted(value.name)}"\r\ncontent-type: ${type}\r\n\r\n`, value, '\r\n');
    }
  }
  parts.push(`--${boundary}--\r\n`);
  return new Blob(parts, { type: `multipart/form-data; boundary=${boundary}` });
}

/** Line breaks as forms have them. */
function withBreaks(text: string): string {
  return text.replaceAll(/\r\n|\r|\n/g, '\r\n');
}

function quoted(name: string): string {
  return withBreaks(name).replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
}
