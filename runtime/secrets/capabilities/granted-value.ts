/** The version and the bytes that a grant stands for; the bytes are the caller's to overwrite. */
export interface GrantedValue {
  readonly versionId: string;
  readonly bytes: Buffer;
}
