import { expect, test } from 'vitest';
import { formBody } from './form-body.ts';

test('a form is one body of known length, which reads as the form that it was', async () => {
  const form = new FormData();
  form.append('plain', 'one\ntwo');
  form.append('odd "name"\n', 'tëxt');
  form.append('file', new Blob(['bytes'], { type: 'text/plain' }), 'a "file".txt');
  form.append('file', new Blob([new Uint8Array(9)]));

  const body = formBody(form);
  const read = await new Response(body, { headers: { 'content-type': body.type } }).formData();

  expect((await body.arrayBuffer()).byteLength).toBe(body.size);
  expect([...read.keys()]).toEqual(['plain', 'odd "name"\r\n', 'file', 'file']);
  expect(read.get('plain')).toBe('one\r\ntwo');
  expect(read.get('odd "name"\r\n')).toBe('tëxt');
  const [text, bytes] = read.getAll('file') as File[];
  expect([text?.name, text?.type, await text?.text()]).toEqual(['a "file".txt', 'text/plain', 'bytes']);
  expect([bytes?.name, bytes?.type, bytes?.size]).toEqual(['blob', 'application/octet-stream', 9]);
});
