import { readFileSync } from 'node:fs';

/** From source the manifest lies two folders up, from `dist/runtime/base` three. */
const manifest = new URL(
  import.meta.url.endsWith('.ts') ? '../../package.json' : '../../../package.json',
  import.meta.url,
);

/** The version of this package. */
export const version = readVersion();

/** In a bundle the manifest is elsewhere. What such a program lacks besides, its first thread tells. */
function readVersion(): string {
  try {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}
