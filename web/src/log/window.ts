import { LogParser, type Row } from './parser'
import { PLAIN, type Style } from './style'

/** So much is held together, and dropped together. */
const SEGMENT_ROWS = 500
const SEGMENT_BYTES = 64 << 10
/** What is held at most: some 24,000 lines, or 3 MiB. */
const MOST_SEGMENTS = 48
/** So many rows are added at most on either side of a reader, lest what they look at has to go for them. */
const MOST_ADDED = (MOST_SEGMENTS / 4) * SEGMENT_ROWS

const LF = 10

interface Segment {
  rows: Row[]
  /** Of the screen, all rows together. */
  lines: number
}

const startOf = ({ rows }: Segment) => rows[0]?.at ?? 0
const isFull = ({ rows }: Segment) =>
  rows.length >= SEGMENT_ROWS || (rows.at(-1)?.end ?? 0) - (rows[0]?.at ?? 0) >= SEGMENT_BYTES

/** Where the first line that begins in it begins; a log's first byte always begins one. */
export function firstLine(bytes: Uint8Array, at: number): number {
  if (at === 0) return 0
  const feed = bytes.indexOf(LF)
  if (feed !== -1 && feed < bytes.length - 1) return feed + 1
  // One line, longer than this: it is begun somewhere.
  let from = 0
  while (from < 3 && ((bytes[from] ?? 0) & 0xc0) === 0x80) from++
  return from
}

/** How much of a stretch goes in on both sides of a place: lines can be so short that all of it is too many. */
export function fitting(bytes: Uint8Array, place: number): [from: number, to: number] {
  let [from, to] = [place, place]
  for (let rows = 0; rows < MOST_ADDED && from > 0; rows++) {
    from = Math.max(0, bytes.lastIndexOf(LF, from - 1))
  }
  for (let rows = 0; rows < MOST_ADDED && to < bytes.length; rows++) {
    to = bytes.indexOf(LF, to) + 1 || bytes.length
  }
  return [from, to]
}

/** The window onto a place of a stretch. */
export function windowAt(place: number, bytes: Uint8Array, at: number): LogWindow {
  const [from, to] = fitting(bytes, Math.min(place - at, bytes.length))
  return new LogWindow(bytes.subarray(from, to), at + from)
}

/** The part of a log that is in memory, as rows. It can grow at both ends, and then shrinks at the other. */
export class LogWindow {
  private segments: Segment[] = []
  private parser: LogParser
  private start: number
  private open: Row | null = null
  /** How many characters go into a line of the screen. */
  private columns = Infinity

  /**
   * @param bytes a stretch of the log; what belongs to a line that begins before it is left out
   * @param at where it lies
   */
  constructor(bytes: Uint8Array, at: number, columns = Infinity) {
    const from = firstLine(bytes, at)
    this.columns = columns
    this.start = at + from
    this.parser = new LogParser(this.start)
    this.append(bytes.subarray(from))
  }

  /** The first byte, at which a row begins. */
  get from(): number {
    return this.start
  }

  /** The byte after the last. */
  get to(): number {
    return this.parser.end
  }

  /** How high it is, in lines of the screen. */
  get lines(): number {
    return this.segments.reduce((sum, { lines }) => sum + lines, 0) + (this.open?.lines ?? 0)
  }

  get isFull(): boolean {
    return this.segments.length >= MOST_SEGMENTS
  }

  /** Adds what follows; where it grows too large, the beginning goes. */
  append(bytes: Uint8Array): void {
    for (const row of this.parser.push(bytes)) {
      let last = this.segments.at(-1)
      if (!last || isFull(last)) this.segments.push((last = { rows: [], lines: 0 }))
      last.rows.push(this.laidOut(row))
      last.lines += row.lines
    }
    this.open = this.parser.open()
    if (this.open) this.laidOut(this.open)
    while (this.segments.length > MOST_SEGMENTS) this.segments.shift()
    this.start = this.segments[0] ? startOf(this.segments[0]) : (this.open?.at ?? this.to)
  }

  /** Adds what stands before; where it grows too large, the end goes. */
  prepend(bytes: Uint8Array, at: number): void {
    const from = firstLine(bytes, at)
    const parser = new LogParser(at + from)
    const rows = parser.push(bytes.subarray(from))
    const rest = parser.open()
    if (rest) rows.push(rest)
    const added: Segment[] = []
    for (const row of rows) {
      let last = added.at(-1)
      if (!last || isFull(last)) added.push((last = { rows: [], lines: 0 }))
      last.rows.push(this.laidOut(row))
      last.lines += row.lines
    }
    this.segments.unshift(...added)
    this.start = at + from
    if (this.segments.length > MOST_SEGMENTS) this.cutAfter(MOST_SEGMENTS)
  }

  /** Has rows that are wider than so many characters go over several lines. */
  wrap(columns: number): void {
    if (columns === this.columns) return
    this.columns = columns
    for (const segment of this.segments) {
      segment.lines = segment.rows.reduce((sum, row) => sum + this.laidOut(row).lines, 0)
    }
    if (this.open) this.laidOut(this.open)
  }

  /** Notes over how many lines a row goes that was seen on the screen. */
  measured(row: Row, lines: number): void {
    const segment = this.segments[this.segmentOf(row.at)]
    if (row !== this.open && segment?.rows.includes(row)) segment.lines += lines - row.lines
    row.lines = lines
  }

  /** How many lines stand above the row that has this byte, and the row. */
  find(at: number): { above: number; row: Row | null } {
    let above = 0
    const index = this.segmentOf(at)
    for (const { lines } of this.segments.slice(0, index)) above += lines
    for (const row of this.segments[index]?.rows ?? []) {
      if (at < row.end) return { above, row }
      above += row.lines
    }
    return { above, row: this.open }
  }

  /** The rows that can be seen in a stretch of lines, and how many lines stand above the first. */
  between(first: number, last: number): { above: number; rows: Row[] } {
    const rows: Row[] = []
    let [line, above] = [0, 0]
    const see = (row: Row) => {
      if (line + row.lines > first && line <= last) {
        if (rows.length === 0) above = line
        rows.push(row)
      }
      line += row.lines
    }
    for (const segment of this.segments) {
      if (line + segment.lines <= first || line > last) line += segment.lines
      else segment.rows.forEach(see)
    }
    if (this.open) see(this.open)
    return { above, rows }
  }

  /** Where the segment is that has a byte; behind all for the open row's. */
  private segmentOf(at: number): number {
    const behind = this.segments.findIndex((segment) => startOf(segment) > at)
    const index = behind === -1 ? this.segments.length - 1 : Math.max(0, behind - 1)
    const last = this.segments[index]?.rows.at(-1)
    return last && at >= last.end ? index + 1 : index
  }

  private cutAfter(segments: number): void {
    const next = this.segments[segments]
    this.segments.length = segments
    const style: Style = next?.rows[0]?.style ?? PLAIN
    this.parser = new LogParser(next ? startOf(next) : this.start, style)
    this.open = null
  }

  private laidOut(row: Row): Row {
    row.lines = Math.max(1, Math.ceil(row.length / this.columns))
    return row
  }
}
