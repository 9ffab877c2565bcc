import type { ConfigPath, Span } from '../config/finding.ts';

/** A text or number with the name that it has. */
export interface NamedValue {
  /** As one would write it: `agents.trader.env.API_KEY`; empty where names have no place. */
  readonly path: string;
  /** The last part of it that is a name. */
  readonly name: string;
  /** The name of what it stands in. */
  readonly container?: string;
  readonly value: string;
  readonly isNumber?: boolean;
  /** Its place is a line of whatever, and says less than one of a config. */
  readonly isLoose?: boolean;
  /** 1-based. */
  readonly line: number;
  /** Where it stands: in JSON5 with its quotes. */
  readonly span: Span;
}

/** One of a JSON5 document. */
export interface NamedJsonValue extends NamedValue {
  readonly keys: ConfigPath;
}
