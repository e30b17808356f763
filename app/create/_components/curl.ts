/** A shell word: in single quotes, with the quotes inside it led out. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The same request as a line for a shell. */
export function curlLine(url: string, body: string, key: string): string {
  return [
    `curl ${quote(url)}`,
    `  -H ${quote("Content-Type: application/json")}`,
    `  -H ${quote(`Idempotency-Key: ${key}`)}`,
    `  -d ${quote(body)}`,
  ].join(" \\\n");
}
