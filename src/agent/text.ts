/** Text rules of the conversation with a model: what is cut before it sees it. */

/** Keeps 70 % from the start and 20 % from the end of a text that is longer than `limit` characters; `note` says so between. */
export function headAndTail(text: string, limit: number, note: (left: number) => string): string {
  if (text.length <= limit) return text;
  const head = Math.floor(limit * 0.7);
  const tail = Math.floor(limit * 0.2);
  const start = text.slice(0, head).toWellFormed();
  const end = tail ? text.slice(-tail).toWellFormed() : "";
  return `${start}\n${note(text.length - head - tail)}\n${end}`;
}
