// @vitest-environment node
import { expect, it } from 'vitest'
import { dice } from '../../e2e/dice'
import { LogParser, type Row } from './parser'
import { LogWindow } from './window'

const encoder = new TextEncoder()
const textOf = (row: Row) => row.spans.map(({ text }) => text).join('')

/** A log of lines of all lengths, some empty, some wide, some drawn over. */
function aLog(seed: number, lines: number): Uint8Array {
  const { below, pick } = dice(seed)
  const line = (n: number) =>
    pick(['', `${n}`, `line ${n} `.repeat(1 + below(3)), `漢字 ${n}`, `old ${n}\rnew`, `é${n}\r`])
  return encoder.encode(Array.from({ length: lines }, (_, n) => line(n)).join('\n'))
}

function parsed(log: Uint8Array): Row[] {
  const parser = new LogParser(0)
  const rows = parser.push(log)
  const open = parser.open()
  return open ? [...rows, open] : rows
}

/** What a window holds is what the log holds there, line by line, each byte once. */
function expectTrue(window: LogWindow, all: Row[]): void {
  const { above, rows } = window.between(-Infinity, Infinity)
  const within = all.filter(({ at, end }) => at >= window.from && end <= window.to)
  expect(above).toBe(0)
  expect(rows.map(textOf)).toEqual(within.map(textOf))
  expect(rows.map(({ at }) => at)).toEqual(within.map(({ at }) => at))
  expect(rows[0]?.at ?? window.to).toBe(window.from)
  expect(rows.at(-1)?.end ?? window.to).toBe(window.to)
  expect(window.lines).toBe(rows.reduce((sum, { lines }) => sum + lines, 0))
}

it('holds a stretch of a log that goes up and down, and never too much', () => {
  for (let seed = 0; seed < 2; seed++) {
    const log = aLog(seed, 40_000)
    const all = parsed(log)
    const { below, chance } = dice(seed)
    const at = below(log.length)
    const window = new LogWindow(log.subarray(at, at + 20_000), at, chance(0.5) ? 40 : Infinity)
    for (let step = 0; step < 24; step++) {
      if (chance(0.5)) {
        const upTo = Math.min(log.length, window.to + below(120_000))
        // A line is only whole where it ends: the model has no halves.
        const end = upTo === log.length ? upTo : (all.find((row) => row.end >= upTo)?.end ?? upTo)
        for (let from = window.to; from < end;) {
          const piece = log.subarray(from, Math.min(end, from + 1 + below(50_000)))
          window.append(piece)
          from += piece.length
        }
      } else {
        const from = Math.max(0, window.from - 1_000 - below(120_000))
        if (window.from > 0) window.prepend(log.subarray(from, window.from), from)
      }
      if (step % 10 === 0) window.wrap(chance(0.5) ? 30 : Infinity)
      expect(window.between(-Infinity, Infinity).rows.length).toBeLessThanOrEqual(24_501)
    }
    expectTrue(window, all)
  }
})

it('finds rows by their bytes and by their lines', () => {
  const log = encoder.encode('a\nbbbbbbbbbb\nc\nd')
  const window = new LogWindow(log, 0, 4)
  expect(window.lines).toBe(6)
  expect([0, 2, 5, 13, 15].map((at) => window.find(at).above)).toEqual([0, 1, 1, 4, 5])
  expect(window.find(99).row && textOf(window.find(99).row!)).toBe('d')
  expect(window.between(2, 4)).toMatchObject({ above: 1, rows: [{ at: 2 }, { at: 13 }] })
  expect(window.between(5, 5).rows.map(textOf)).toEqual(['d'])
  window.measured(window.find(2).row!, 2)
  expect([window.lines, window.find(13).above]).toEqual([5, 3])
  window.measured(window.find(15).row!, 3)
  expect(window.lines).toBe(7)
})

it('begins with a whole line, and where there is none with a whole character', () => {
  const from = (text: string, cut: number) => {
    const bytes = encoder.encode(text)
    return new LogWindow(bytes.subarray(cut), cut).from
  }
  expect(from('one\ntwo\n', 0)).toBe(0)
  expect(from('one\ntwo\n', 1)).toBe(4)
  expect(from('ééé', 1)).toBe(2)
  expect(from('a long line\n', 3)).toBe(3)
})

it('keeps the colour of what comes again at its end', () => {
  const line = '\x1b[31mred and more of it\n'
  const log = encoder.encode(line.repeat(170_000))
  const window = new LogWindow(log.subarray(1_000_000, 2_000_000), 1_000_000)
  while (!window.isFull) window.append(log.subarray(window.to, window.to + 100_000))
  const end = window.to
  window.prepend(log.subarray(window.from - 200_000, window.from), window.from - 200_000)
  expect(window.to).toBeLessThan(end)
  window.append(log.subarray(window.to, window.to + 10))
  expect(window.find(window.to - 1).row?.style.foreground).toBe(1)
})
