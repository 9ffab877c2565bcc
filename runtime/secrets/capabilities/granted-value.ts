/** The version and the bytes that a grant stands for; the caller overwrites the bytes. */
export interface GrantedValue {
  readonly versionId: string;
  readonly bytes: Buffer;
}
