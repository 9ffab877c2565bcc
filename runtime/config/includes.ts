import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { type ConfigDocument, parseDocument } from './document.ts';
import { type ConfigPath, type Finding, isRecord } from './finding.ts';
import { merge, type Piece } from './piece.ts';
import { readText, shownPath } from './read-text.ts';
import { plainText } from './received.ts';

/** One of the files that make up a config. */
export interface SourcePart {
  /** Absolute path. */
  readonly file: string;
  /** The path for messages: relative to the working directory when below it. */
  readonly shown: string;
  readonly document: ConfigDocument;
}

/** Files inside files inside files: as deep as OpenClaw goes. */
const DEEPEST = 10;
/** Each file may include many others, and they again; nobody writes so many by hand. */
const MOST_INCLUDES = 100;

const INCLUDE = '$include';

/** What a config is made of: its own file and those that it includes. */
export interface Included {
  /** Undefined when a part could not be read or makes no sense; `findings` says which. */
  readonly piece: Piece | undefined;
  readonly parts: readonly SourcePart[];
  /** All files that were looked for, the first among them, as they were named: also what was not there, or made no sense. */
  readonly looked: readonly string[];
  readonly findings: readonly Finding[];
}

/**
 * Puts the files that `$include` names where it stands: of one file its value, of several their objects joined in order;
 * keys beside it go over both. Paths are relative to the file they stand in, and lead nowhere outside the folder of the first, which
 * has two when it is a link. `read` may give texts that are not on disk yet.
 */
export async function include(main: SourcePart, read: typeof readText = readText): Promise<Included> {
  const [named, real] = [await realpath(dirname(main.file)), dirname(await realpath(main.file))];
  const reader = new IncludeReader(named === real ? [real] : [named, real], read);
  const piece = await reader.start(main);
  const { parts, findings, isWhole } = reader;
  const looked = [main.file, ...reader.looked];
  return { piece: isWhole ? piece : undefined, parts, looked, findings };
}

class IncludeReader {
  readonly parts: SourcePart[] = [];
  readonly findings: Finding[] = [];
  readonly looked = new Set<string>();
  isWhole = true;
  /** That of the config as it was named, and that of the file when it is a link. */
  readonly #folders: readonly string[];
  readonly #read: typeof readText;
  #included = 0;

  constructor(folders: readonly string[], read: typeof readText) {
    this.#folders = folders;
    this.#read = read;
  }

  async start(main: SourcePart): Promise<Piece | undefined> {
    return this.#part(main, [await realpath(main.file)]);
  }

  /** `chain` are the files that lead here, this one last. */
  async #part(part: SourcePart, chain: readonly string[]): Promise<Piece | undefined> {
    const known = this.parts.findIndex(({ file }) => file === part.file);
    const number = known >= 0 ? known : this.parts.push(part) - 1;
    if (known < 0) {
      this.findings.push(...part.document.findings.map((finding) => ({ ...finding, part: number })));
    }
    if (part.document.value === undefined) {
      this.isWhole = false;
      return undefined;
    }
    return this.#piece(part.document.value, { number, path: [], chain });
  }

  async #piece(value: unknown, at: Place): Promise<Piece | undefined> {
    const origin = { part: at.number, path: at.path };
    if (Array.isArray(value)) {
      const items: Piece[] = [];
      for (const [n, item] of value.entries()) {
        const piece = await this.#piece(item, inside(at, n));
        if (piece !== undefined) items.push(piece);
      }
      return { origin, content: { items } };
    }
    if (!isRecord(value)) return { origin, content: { scalar: value } };
    const members = new Map<string, Piece>();
    for (const [key, member] of Object.entries(value)) {
      if (key === INCLUDE) continue;
      const piece = await this.#piece(member, inside(at, key));
      if (piece !== undefined) members.set(key, piece);
    }
    const own: Piece = { origin, content: { members } };
    if (!Object.hasOwn(value, INCLUDE)) return own;
    const found = await this.#named(value[INCLUDE], inside(at, INCLUDE));
    if (found === undefined) return own;
    if (members.size === 0) return found;
    if (!('members' in found.content)) {
      return this.#refuse(at, 'wrong-type', 'a file that is included beside other keys must hold an object');
    }
    return merge(found, own);
  }

  async #named(written: unknown, at: Place): Promise<Piece | undefined> {
    if (typeof written === 'string') return this.#file(written, at);
    const isList = Array.isArray(written) && written.length > 0;
    if (!isList || !written.every((item): item is string => typeof item === 'string')) {
      return this.#refuse(at, 'wrong-type', 'expected the path of a file, or a list of paths');
    }
    let joined: Piece | undefined;
    for (const [n, path] of written.entries()) {
      const piece = await this.#file(path, inside(at, n));
      if (piece === undefined) continue;
      if (!('members' in piece.content)) {
        return this.#refuse(
          inside(at, n),
          'wrong-type',
          'each of several included files must hold an object',
        );
      }
      joined = joined === undefined ? piece : merge(joined, piece);
    }
    return joined;
  }

  async #file(written: string, at: Place): Promise<Piece | undefined> {
    this.#included += 1;
    if (this.#included > MOST_INCLUDES) {
      const message = `a config includes at most ${MOST_INCLUDES} files; join some of them`;
      return this.#refuse(at, 'include-too-many', message);
    }
    const from = this.parts[at.number]?.file ?? '';
    const named = resolve(dirname(from), written);
    this.looked.add(named);
    const file = await realpath(named).catch(() => named);
    if (this.#folders.every((folder) => isOutside(folder, file))) {
      const message = 'leads out of the folder of the config; only files in it or below can be included';
      return this.#refuse(at, 'include-outside', message);
    }
    if (at.chain.includes(file)) {
      return this.#refuse(at, 'include-cycle', 'this file includes itself, directly or by another');
    }
    if (at.chain.length > DEEPEST) {
      return this.#refuse(at, 'include-too-deep', `files include others at most ${DEEPEST} deep`);
    }
    const known = this.parts.find((part) => part.file === file);
    if (known !== undefined) return this.#part(known, [...at.chain, file]);
    const text = await this.#read(file);
    if (typeof text !== 'string')
      return this.#refuse(at, text.code, `${plainText(written)}: ${text.message}`);
    return this.#part({ file, shown: shownPath(file), document: parseDocument(text) }, [...at.chain, file]);
  }

  #refuse({ number, path }: Place, code: string, message: string): undefined {
    this.isWhole = false;
    this.findings.push({ code, path, at: 'value', message, part: number });
  }
}

/** Where in which file, and which files led to it. */
interface Place {
  readonly number: number;
  readonly path: ConfigPath;
  readonly chain: readonly string[];
}

function isOutside(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way.startsWith('..') || isAbsolute(way);
}

function inside(place: Place, key: string | number): Place {
  return { ...place, path: [...place.path, key] };
}
