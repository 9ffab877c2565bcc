import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** `$XDG_DATA_HOME/holdfast`, or `~/.local/share/holdfast`: outside of any project, and of its backups. */
export function dataFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const { XDG_DATA_HOME: data } = env;
  // The base directory specification ignores a relative path.
  const base = data !== undefined && isAbsolute(data) ? data : join(homedir(), '.local', 'share');
  return join(base, 'holdfast');
}
