/** Reads server-sent events to the end; an EventSource would, and cannot say who asks. */
export async function readServerSent(
  body: ReadableStream<Uint8Array>,
  told: (kind: string, data: string) => void,
): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let [kind, data] = ['', ''];
  let begun: string[] = [];
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const [first = '', ...others] = decoder.decode(chunk.value, { stream: true }).split('\n');
    begun.push(first);
    for (const next of others) {
      const line = begun.join('');
      begun = [next];
      if (line.startsWith('event: ')) kind = line.slice('event: '.length);
      else if (line.startsWith('data: ')) data = line.slice('data: '.length);
      else if (line === '') told(kind, data);
    }
  }
}
