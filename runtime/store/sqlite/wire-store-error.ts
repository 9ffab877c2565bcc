import { HoldfastError, type HoldfastErrorCode } from '../../base/errors.ts';

/** An error as it crosses from the store's thread: structured clone keeps no class of ours. */
export interface WireStoreError {
  readonly code: HoldfastErrorCode;
  readonly message: string;
  readonly cause: unknown;
}

export function toWire({ code, message, cause }: HoldfastError): WireStoreError {
  return { code, message, cause };
}

export function fromWire({ code, message, cause }: WireStoreError): HoldfastError {
  return new HoldfastError(code, message, cause === undefined ? {} : { cause });
}
