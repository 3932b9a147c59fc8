/** A row of a table, with the line of the file on which it begins, the first being 1. */
export interface Row {
  line: number
  fields: string[]
}

/** On this line a quotation mark is open, or stands where none may. */
export class QuoteFault extends Error {
  readonly line: number
  constructor(line: number) {
    super(`line ${line}`)
    this.line = line
  }
}

/**
 * Reads a table (RFC 4180) as strictly as the command does: behind a quotation mark too many nobody
 * knows what belongs where. What others made for it are no modules, which the first page would pay for.
 */
export function readRows(text: string, separator: string): Row[] {
  const rows: Row[] = []
  let [at, line] = [0, 1]
  while (at < text.length) {
    const row: Row = { line, fields: [] }
    for (let more = true; more; at++) {
      const end = text[at] === '"' ? closing(text, at, line) + 1 : plainEnd(text, at, separator)
      const field = text.slice(at, end)
      row.fields.push(valueOf(field, line))
      line += field.split('\n').length - 1
      at = text.startsWith('\r\n', end) ? end + 1 : end
      more = text[at] === separator
      if (!more && at < text.length && text[at] !== '\n') throw new QuoteFault(line)
    }
    rows.push(row)
    line++
  }
  return rows
}

/** Where the field ends that begins with a quotation mark; two of them are one of its text. */
function closing(text: string, at: number, line: number): number {
  for (let end = text.indexOf('"', at + 1); end !== -1; end = text.indexOf('"', end + 2)) {
    if (text[end + 1] !== '"') return end
  }
  throw new QuoteFault(line)
}

function plainEnd(text: string, at: number, separator: string): number {
  const ends = [text.indexOf(separator, at), text.indexOf('\n', at)].filter((end) => end !== -1)
  const end = Math.min(text.length, ...ends)
  return text[end] === '\n' && text[end - 1] === '\r' && end > at ? end - 1 : end
}

function valueOf(field: string, line: number): string {
  if (field.startsWith('"')) return field.slice(1, -1).replaceAll('""', '"')
  if (field.includes('"')) throw new QuoteFault(line)
  return field
}
