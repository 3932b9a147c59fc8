import { PLAIN, type Style } from './style'
import { Terminal, type Span } from './terminal'

/** A line of a log as it is shown. */
export interface Row {
  /** The byte that it begins at, and the one after its last: its line feed's, where it has one. */
  readonly at: number
  readonly end: number
  readonly spans: readonly Span[]
  /** How many characters there are. */
  readonly length: number
  /** The style that it begins in. */
  readonly style: Style
  /** Over how many lines of the screen it goes. */
  lines: number
}

/** A line without an end is divided when this much of it stands side by side. */
const ROW_BYTES = 16 << 10
/** What is decoded at once. */
const SLICE = 4 << 10

const LF = 10
const CR = 13

/** How many of the first bytes are whole characters: none is cut. */
function wholeRunes(bytes: Uint8Array, upTo: number): number {
  if (upTo >= bytes.length) return bytes.length
  for (let back = 0; back < 4 && back < upTo; back++) {
    if (((bytes[upTo - back] ?? 0) & 0xc0) !== 0x80) return upTo - back
  }
  return upTo // no text at all
}

/** Makes rows of a log's bytes, which may come in any pieces. */
export class LogParser {
  private readonly terminal: Terminal
  private readonly decoder = new TextDecoder()
  private style: Style
  private rowAt: number
  private at: number
  /** How many bytes came since the cursor was at the line's beginning. */
  private run = 0

  /** @param at the byte that the first one is, at which a line begins */
  constructor(at: number, style: Style = PLAIN) {
    this.rowAt = at
    this.at = at
    this.style = style
    this.terminal = new Terminal(style)
  }

  /** The byte after the last that was taken in. */
  get end(): number {
    return this.at
  }

  /** Takes in what follows. @returns the rows that were completed by it */
  push(bytes: Uint8Array): Row[] {
    const rows: Row[] = []
    for (let from = 0; from < bytes.length;) {
      const feed = bytes.indexOf(LF, from)
      const upTo = feed === -1 ? bytes.length : feed
      this.write(bytes.subarray(from, upTo), rows)
      if (feed !== -1) {
        this.terminal.write(this.decoder.decode())
        this.at++
        rows.push(this.cut())
      }
      from = upTo + 1
    }
    return rows
  }

  /** The last row as it stands, null where nothing of it is there. */
  open(): Row | null {
    return this.at > this.rowAt ? this.row() : null
  }

  private write(bytes: Uint8Array, rows: Row[]): void {
    for (let from = 0; from < bytes.length;) {
      const upTo = wholeRunes(bytes, from + SLICE)
      const slice = bytes.subarray(from, upTo)
      const back = slice.lastIndexOf(CR)
      if (back === -1 && this.run + slice.length > ROW_BYTES) rows.push(this.cut())
      this.terminal.write(this.decoder.decode(slice, { stream: true }))
      this.run = back === -1 ? this.run + slice.length : slice.length - back - 1
      this.at += slice.length
      from = upTo
    }
  }

  private row(): Row {
    const spans = this.terminal.line()
    const length = spans.reduce((sum, { text }) => sum + text.length, 0)
    return { at: this.rowAt, end: this.at, spans, length, style: this.style, lines: 1 }
  }

  /** Ends the row here. */
  private cut(): Row {
    const row = this.row()
    this.terminal.feed()
    this.rowAt = this.at
    this.run = 0
    this.style = this.terminal.style
    return row
  }
}
