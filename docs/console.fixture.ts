import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/** A command of a session, and what it printed: both of its outputs, as a terminal has them. */
export interface Step {
  readonly command: string;
  readonly output: string;
}

/** The steps of a `console` block: lines that begin with `$`, each with what follows. */
export function steps(text: string): Step[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\n');
      return { command: part.slice(0, end), output: part.slice(end + 1) };
    });
}

/**
 * A shell in which `npx holdfast` is the command as it is here, and `npm install` links what a new project needs; `npm pack` does
 * nothing. `cd` holds for the commands after it.
 */
export async function sessionIn(home: string): Promise<(command: string) => Promise<string>> {
  const bin = join(home, 'bin');
  await mkdir(bin, { recursive: true });
  const node = process.execPath;
  const main = join(root, 'runtime/cli/main.ts');
  const scripts = {
    npx: `shift\nexec '${node}' -C holdfast-source '${main}' "$@"`,
    npm: `[ "$1" = install ] || exit 0\nmkdir -p node_modules\nln -s '${root}' node_modules/holdfast\nln -s '${root}/node_modules/xstate' node_modules/xstate`,
  };
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  }
  const env = {
    ...process.env,
    PATH: `${bin}:${dirname(node)}:${process.env['PATH'] ?? ''}`,
    XDG_STATE_HOME: join(home, 'state'),
    XDG_DATA_HOME: join(home, 'data'),
    HOLDFAST_TOKEN: '',
    NO_COLOR: '1',
  };
  let cwd = home;
  return async (command) => {
    const [, folder] = /^cd (\S+)$/.exec(command) ?? [];
    if (folder !== undefined) {
      cwd = join(cwd, folder);
      return '';
    }
    return new Promise((resolve, reject) => {
      execFile('sh', ['-c', `{ ${command}\n} 2>&1`], { cwd, env, timeout: 120_000 }, (error, stdout) => {
        if (error?.killed === true) reject(new Error(`${command} took too long:\n${stdout}`));
        else resolve(stdout);
      });
    });
  };
}

/** Without what differs from run to run: numbers, how busy a thread is, and with them the widths of columns; where the clone is. */
export function stable(output: string): string {
  return output
    .replaceAll(/npm pack \S+/g, 'npm pack <clone>')
    .replaceAll(/\d+ %/g, '')
    .replaceAll(/v?\d[\d.,]*/g, 'N')
    .replaceAll(/[ ^|]+/g, ' ')
    .trimEnd();
}
