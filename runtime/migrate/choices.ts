import type { PlainCredential } from './old-files.ts';
import type { OldSecret, Proposal } from './proposed-grants.ts';

/** What a person decided about a plan. */
export interface Choices {
  /** The id under which a credential is to be kept. */
  idOf(places: readonly PlainCredential[]): string | undefined;
  /** Whom a secret is for. */
  grantOf(secret: OldSecret): Pick<Proposal, 'label' | 'agents' | 'grant'> | undefined;
  /** @throws {HoldfastError} `CONFIG_INVALID` when it speaks of what is not there */
  assertKnown(found: {
    readonly credentials: readonly PlainCredential[];
    readonly secrets: readonly OldSecret[];
    readonly agents: readonly string[];
  }): void;
}
