// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { dice } from '../../e2e/dice'
import { LogParser, type Row } from './parser'
import { PLAIN, rendered, TRUE_COLOR, type Style } from './style'

const bytesOf = (text: string) => new TextEncoder().encode(text)

function parse(text: string | Uint8Array, at = 0): Row[] {
  const parser = new LogParser(at)
  const rows = parser.push(typeof text === 'string' ? bytesOf(text) : text)
  const open = parser.open()
  return open ? [...rows, open] : rows
}
const textOf = (row: Row) => row.spans.map(({ text }) => text).join('')
const lines = (text: string | Uint8Array) => parse(text).map(textOf)

describe('a line of a log', () => {
  it.each([
    ['ends with a line feed, or CRLF', 'one\ntwo\r\nthree', ['one', 'two', 'three']],
    ['may be empty', '\n\na', ['', '', 'a']],
    ['is written over after a return', '10 %\r20 %\r100 %\n', ['100 %']],
    ['keeps what was not written over', 'loading…\rdone\n', ['doneing…']],
    ['is erased to the end', 'loading…\rdone\x1b[K\n', ['done']],
    ['is erased to the cursor', 'abcdef\x1b[3G\x1b[1K\n', ['   def']],
    ['is erased whole, where the cursor stays', 'abc\x1b[2Kd\n', ['   d']],
    ['is stepped back in', 'abc\b\bX\n', ['aXc']],
    ['has columns to go to', 'abc\x1b[1GX\x1b[6GY\x1b[2DZ\x1b[CW\n', ['Xbc ZYW']],
    ['keeps its tabs', 'a\tb\n', ['a\tb']],
    ['has tab stops where it is written over', 'a\tb\rX\tY\n', ['X       Y']],
    ['keeps marks on their letters', 'e\u0301a\rxb\n', ['xb']],
    ['has one column for each character', '进度 50%\r进度 60%\n', ['进度 60%']],
    ['drops other escapes', '\x1b(B\x1b[?25l\x1b[2Ja\x1b7b\x1b[1;1Hc\x1b=\n', ['abc']],
    [
      'drops titles and keeps the text of links',
      '\x1b]0;t\x07\x1b]8;;http://x\x1b\\go\x1b]8;;\x1b\\\n',
      ['go'],
    ],
    ['is not swallowed by a title without an end', '\x1b]0;title\nnext\n', ['', 'next']],
    ['drops what does not print', 'a\0\x07\x0bb\x7f\u009bc\n', ['abc']],
    ['drops an escape that is none', 'a\x1b[\x01mb\n', ['a[mb']],
  ])('%s', (_name, text, expected) => {
    expect(lines(text)).toEqual(expected)
  })

  it('has each place between the bytes', () => {
    const rows = parse('é\r\n\x1b[1mb\n\nc', 100)
    expect(rows.map(({ at, end }) => [at, end])).toEqual([
      [100, 104],
      [104, 110],
      [110, 111],
      [111, 112],
    ])
  })

  it('shows what is no text as a browser does', () => {
    const bytes = Uint8Array.of(0x61, 0xff, 0x62, 10, 0xe2, 0x82, 10, 0x63)
    expect(lines(bytes)).toEqual(['a\ufffdb', '\ufffd', 'c'])
  })

  it('is divided where it has no end, but not where it begins again and again', () => {
    const long = parse('é'.repeat(40_000))
    expect(long.length).toBeGreaterThan(3)
    expect(long.map(textOf).join('')).toBe('é'.repeat(40_000))
    expect(long.every(({ end }, i) => end === (long[i + 1]?.at ?? 80_000))).toBe(true)
    expect(lines('progress '.repeat(80).concat('\r').repeat(400).concat('done\x1b[K'))).toEqual([
      'done',
    ])
  })

  it('has no end of styles', () => {
    const [row] = parse(Array.from({ length: 2_000 }, (_, n) => `\x1b[3${n % 8}mx`).join(''))
    expect(row?.spans.length).toBe(500)
    expect(row?.length).toBe(2_000)
  })
})

describe('a style', () => {
  const of = (...changes: string[]) => changes.reduce(rendered, PLAIN)

  it.each<[string, string, Partial<Style>]>([
    ['a colour', '32', { foreground: 2 }],
    ['a bright one, on another', '91;104', { foreground: 9, background: 12 }],
    ['of 256, in the palette', '38;5;9', { foreground: 9 }],
    ['of 256, in the cube', '38;5;208', { foreground: TRUE_COLOR | 0xff8700 }],
    ['of 256, a grey', '48;5;240', { background: TRUE_COLOR | 0x585858 }],
    ['of 24 bits', '38;2;1;2;255;1', { foreground: TRUE_COLOR | 0x0102ff, bold: true }],
    ['with colons', '38:2::1:2:3;4', { foreground: TRUE_COLOR | 0x010203, underline: true }],
    ['with colons, of 256', '48:5:196', { background: TRUE_COLOR | 0xff0000 }],
    ['that is none', '38;5;300;1', { bold: true }],
    [
      'all at once',
      '1;2;3;4;7',
      { bold: true, dim: true, italic: true, underline: true, inverse: true },
    ],
    ['a curly line', '4:3', { underline: true }],
    ['nothing, which is all as it was', '', {}],
    ['unknown ones', '5;53;999;x', {}],
  ])('%s', (_name, parameters, expected) => {
    expect(of(parameters)).toEqual({ ...PLAIN, ...expected })
  })

  it('ends', () => {
    expect(of('1;2;3;4;7;31;42', '22;23;24;27;39;49')).toEqual(PLAIN)
    expect(of('1;31', '')).toEqual(PLAIN)
    expect(of('4', '4:0')).toEqual(PLAIN)
  })

  it('goes on in the next line', () => {
    const rows = parse('\x1b[31mred\nstill\x1b[0m not\n')
    expect(rows[1]?.spans.map(({ text, style }) => [text, style.foreground])).toEqual([
      ['still', 1],
      [' not', null],
    ])
    expect(rows[1]?.style.foreground).toBe(1)
    expect(rows[0]?.style).toBe(PLAIN)
  })
})

/** A terminal's line at its plainest: a character a turn, one cell each. */
function model(text: string): string[][] {
  const rows: string[][] = []
  let [cells, column, bold]: [string[], number, boolean] = [[], 0, false]
  let rest = [...text]
  const put = (character: string) => {
    while (cells.length < column) cells.push(' ')
    cells[column++] = bold ? character.toUpperCase() : character
  }
  while (rest.length > 0) {
    const [character = '', ...more] = rest
    rest = more
    if (character === '\n') {
      rows.push(cells)
      ;[cells, column] = [[], 0]
    } else if (character === '\r') column = 0
    else if (character === '\b') column = Math.max(0, column - 1)
    else if (character === '\x1b') {
      rest.shift() // [
      let digits = ''
      while (/\d/.test(rest[0] ?? '')) digits += rest.shift()
      const final = rest.shift()
      const n = Number(digits)
      if (final === 'm') bold = n === 1
      else if (final === 'G') column = Math.max(1, n) - 1
      else if (final === 'C') column += Math.max(1, n)
      else if (final === 'D') column = Math.max(0, column - Math.max(1, n))
      else if (n === 0) cells.length = Math.min(cells.length, column)
      else if (n === 2) cells = []
      else for (let at = 0; at <= column && at < cells.length; at++) cells[at] = ' '
    } else put(character)
  }
  rows.push(cells)
  return rows
}

describe('whatever is written', () => {
  const WORDS = ['a', 'bc', 'é', '漢字', '😀', ' ', '\r', '\r\n', '\n', '\b', '\b\b']
  const ESCAPES = ['K', '1K', '2K', 'G', '3G', 'C', '4C', 'D', '2D', '1m', 'm', '0m'].map(
    (escape) => `\x1b[${escape}`,
  )

  const seeds = process.env.SEED
    ? [Number(process.env.SEED)]
    : Array.from({ length: 300 }, (_, seed) => seed)

  it('reads as on a terminal', () => seeds.forEach(readsAsOnTerminal))

  function readsAsOnTerminal(seed: number) {
    const { pick, below } = dice(seed)
    const text = Array.from({ length: 60 }, () => pick([...WORDS, ...ESCAPES])).join('')
    const bytes = bytesOf(text)
    const parser = new LogParser(0)
    const rows: Row[] = []
    for (let at = 0; at < bytes.length;) {
      const upTo = at + 1 + below(9)
      rows.push(...parser.push(bytes.subarray(at, upTo)))
      at = upTo
    }
    // Each piece as any other way of cutting it, each byte in one row.
    expect(rows).toEqual(parser.open() ? parse(text).slice(0, -1) : parse(text))
    rows.forEach(({ end }, i) =>
      expect(end).toBe(rows[i + 1]?.at ?? parser.open()?.at ?? bytes.length),
    )
    // And each line as it would be seen: what is bold in capitals, which stand for the style.
    const open = parser.open()
    const shown = [...rows, ...(open ? [open] : [])].map(({ spans }) =>
      spans.map(({ text, style }) => (style.bold ? text.toUpperCase() : text)).join(''),
    )
    const seen = model(text).map((cells) => cells.join(''))
    if (!open) expect(seen.pop()).toBe('')
    expect(shown, `SEED=${seed}`).toEqual(seen)
  }
})
