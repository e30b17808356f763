const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a text is the whole id of a job, in small or capital letters. */
export function isJobId(text: string): boolean {
  return UUID.test(text);
}

/** The end of an id. The beginnings of UUIDv7 made within minutes are all alike. */
export function idTail(id: string): string {
  return id.slice(-8);
}
