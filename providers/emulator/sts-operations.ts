import { randomUUID } from 'node:crypto';
import type { Access, Principal } from './iam-access.ts';
import { ServiceError } from './secrets-manager-store.ts';

/** An answer of STS: it speaks AWS's query protocol, forms in and XML out. */
export interface XmlAnswer {
  readonly status: number;
  readonly xml: string;
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** Whether a request is one for STS; the other services name their operation in a header. */
export function isQuery(contentType: string | undefined): boolean {
  return contentType?.startsWith('application/x-www-form-urlencoded') === true;
}

/** The name of the operation that a form asks for. */
export function queryOperation(body: string): string {
  return /^\w+$/.exec(new URLSearchParams(body).get('Action') ?? '')?.[0] ?? 'Unknown';
}

/** Answers AssumeRole. @throws {ServiceError} for anything else */
export function runQuery(access: Access, caller: Principal, body: string): XmlAnswer {
  const form = new URLSearchParams(body);
  const action = queryOperation(body);
  if (action !== 'AssumeRole') throw new ServiceError('InvalidAction', `${action} is not emulated.`);
  const arn = form.get('RoleArn') ?? '';
  const session = form.get('RoleSessionName') ?? '';
  const seconds = Number(form.get('DurationSeconds') ?? 3600);
  if (!/^[\w+=,.@-]{2,64}$/.test(session))
    throw new ServiceError('ValidationError', 'RoleSessionName is missing or malformed.');
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43_200)
    throw new ServiceError('ValidationError', 'DurationSeconds must be from 900 to 43200.');
  const assumed = access.assumeRole(caller, arn, session, seconds);
  const result =
    element('AssumedRoleUser', element('AssumedRoleId', `AROA:${session}`) + element('Arn', assumed.arn)) +
    element(
      'Credentials',
      element('AccessKeyId', assumed.credentials.accessKeyId) +
        element('SecretAccessKey', assumed.credentials.secretAccessKey) +
        element('SessionToken', assumed.credentials.sessionToken) +
        element('Expiration', assumed.expiration.toISOString()),
    );
  return { status: 200, xml: answer(action, result) };
}

/** Its own names for what the other services call otherwise. */
const codes: Readonly<Record<string, string>> = {
  ExpiredTokenException: 'ExpiredToken',
  UnrecognizedClientException: 'InvalidClientTokenId',
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
};

/** An error in the form in which STS tells it. */
export function queryError({ code, message, status }: ServiceError): XmlAnswer {
  const error =
    element('Type', 'Sender') + element('Code', codes[code] ?? code) + element('Message', escape(message));
  return {
    status: code in codes ? 403 : status,
    xml: `<ErrorResponse xmlns="${namespace}">${element('Error', error)}${requestId()}</ErrorResponse>`,
  };
}

function answer(action: string, result: string): string {
  const body = element(`${action}Result`, result) + element('ResponseMetadata', requestId());
  return `<${action}Response xmlns="${namespace}">${body}</${action}Response>`;
}

const requestId = (): string => element('RequestId', randomUUID());

function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
