import { PLAIN, rendered, type Style } from './style'

/** A stretch of text in one style. */
export interface Span {
  readonly text: string
  readonly style: Style
}

interface Cell {
  text: string
  style: Style
}

const TAB = 8
/** How far to the right the cursor may be sent. */
const MOST_COLUMNS = 1_000
/** So many styles one line may have; what follows is drawn in the last. */
const MOST_SPANS = 500
/** An escape sequence that goes on for longer than this is none. */
const LONGEST_ESCAPE = 4_096

/**
 * Text, or one control function (ECMA-48): CSI, a control string (ended by BEL or ST, and with the
 * line or the next escape), any other escape, a single control character.
 */
const TOKEN =
  /([^\0-\x1f\x7f-\x9f]+)|\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b[^\\]))|\x1b[ -/]*[0-OQ-WYZ\\`-~]|([\0-\x1a\x1c-\x1f\x7f-\x9f])/y
/** What may become a control function with more text. */
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/y
/** Stands over what is before it: marks, joiners, variation selectors. */
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\u200d\ufe00-\ufe0f]$/u

/**
 * One line of a terminal: what is left of the text that was written to it, once carriage returns,
 * backspaces and erasures have had their way. A column is a character, whatever its width.
 */
export class Terminal {
  /** The style of what is written next; it outlasts the line. */
  style: Style
  private spans: Cell[] = []
  /** The line by columns, once something was written over; until then all goes to its end. */
  private cells: Cell[] | null = null
  private column = 0
  private returned = false
  private unfinished = ''

  constructor(style: Style = PLAIN) {
    this.style = style
  }

  /** Writes text without line feeds. A control function may come in pieces. */
  write(text: string): void {
    const all = this.unfinished + text
    this.unfinished = ''
    for (let at = 0; at < all.length;) {
      TOKEN.lastIndex = at
      const token = TOKEN.exec(all)
      if (token) {
        at = TOKEN.lastIndex
        this.take(token)
        continue
      }
      UNFINISHED.lastIndex = at
      if (all.length - at < LONGEST_ESCAPE && UNFINISHED.test(all)) {
        this.unfinished = all.slice(at)
        return
      }
      at++ // an escape that begins nothing
    }
  }

  /** The line as it stands. */
  line(): Span[] {
    const parts = this.cells ?? this.spans
    const line: Cell[] = []
    for (const { text, style } of parts) {
      const last = line.at(-1)
      if (last && (last.style === style || line.length === MOST_SPANS)) last.text += text
      else line.push({ text, style })
    }
    return line
  }

  /** Begins another line. */
  feed(): void {
    this.spans = []
    this.cells = null
    this.column = 0
    this.returned = false
    this.unfinished = ''
  }

  private take([, text, parameters, final, control]: RegExpExecArray): void {
    if (text !== undefined) this.print(text)
    else if (final !== undefined) this.control(final, parameters ?? '')
    else if (control !== undefined) this.single(control)
  }

  private single(control: string): void {
    // What follows a return is mostly the end of the line, which changes nothing.
    if (control === '\r') this.returned = true
    else if (control === '\b') this.move((column) => column - 1)
    else if (control === '\t') {
      if (this.cells || this.returned) this.move((column) => column - (column % TAB) + TAB)
      else this.print('\t') // where the text is only set, the browser does it, and a copy has it
    }
  }

  private control(final: string, parameters: string): void {
    if (final === 'm') {
      if (/^[\d;:]*$/.test(parameters)) this.style = rendered(this.style, parameters)
      return
    }
    const n = Math.max(1, parseInt(parameters) || 0)
    if (final === 'K') this.erase(parseInt(parameters) || 0)
    else if (final === 'G') this.move(() => n - 1)
    else if (final === 'C') this.move((column) => column + n)
    else if (final === 'D') this.move((column) => column - n)
  }

  private print(text: string): void {
    if (!this.cells && !this.returned) {
      const last = this.spans.at(-1)
      if (last?.style === this.style) last.text += text
      else this.spans.push({ text, style: this.style })
      return
    }
    const cells = this.divide()
    for (const character of text) {
      const before = cells[this.column - 1]
      if (before && character > '\u02ff' && ZERO_WIDTH.test(character)) {
        cells[this.column - 1] = { text: before.text + character, style: before.style }
        continue
      }
      this.fill(cells)
      cells[this.column++] = { text: character, style: this.style }
    }
  }

  /** Pads with spaces up to the cursor. */
  private fill(cells: Cell[]): void {
    while (cells.length < this.column) cells.push({ text: ' ', style: PLAIN })
  }

  private move(to: (column: number) => number): void {
    this.divide()
    this.column = Math.max(0, Math.min(to(this.column), Math.max(this.column, MOST_COLUMNS)))
  }

  /** Erases from the cursor to the end (0), from the beginning to the cursor (1), or all (2). */
  private erase(what: number): void {
    const cells = this.divide()
    if (what === 0) cells.length = Math.min(cells.length, this.column)
    else if (what === 2) cells.length = 0
    else if (what === 1) {
      for (let at = 0; at <= this.column && at < cells.length; at++)
        cells[at] = { text: ' ', style: PLAIN }
    }
  }

  /** The line by columns, from now on. */
  private divide(): Cell[] {
    if (!this.cells) {
      const { spans, style, returned } = this
      this.cells = []
      this.returned = false
      for (const span of spans) {
        this.style = span.style
        for (const part of span.text.split(/(\t)/)) {
          if (part === '\t') this.single('\t')
          else this.print(part)
        }
      }
      this.style = style
      this.returned = returned
    }
    if (this.returned) this.column = 0
    this.returned = false
    return this.cells
  }
}
