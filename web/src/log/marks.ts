import { lookOf, type Look } from './colors'
import type { Row } from './parser'

/** A part of a row as the document has it. */
export interface Part {
  text: string
  look: Look
  found: boolean
}

/** A row in parts, each of one look, where what a pattern finds stands apart. */
export function partsOf(row: Row, pattern: RegExp | null): Part[] {
  const whole = pattern ? row.spans.map(({ text }) => text).join('') : ''
  const found = pattern ? [...whole.matchAll(pattern)] : []
  const parts: Part[] = []
  let at = 0
  for (const { text, style } of row.spans) {
    const edges = new Set([0, text.length])
    for (const match of found) {
      edges.add(Math.min(text.length, Math.max(0, match.index - at)))
      edges.add(Math.min(text.length, Math.max(0, match.index + match[0].length - at)))
    }
    const sorted = [...edges].sort((one, other) => one - other)
    sorted.slice(1).forEach((edge, i) => {
      const from = sorted[i] ?? 0
      const inside = ({ index, 0: match }: RegExpExecArray) =>
        index <= at + from && at + edge <= index + match.length
      parts.push({ text: text.slice(from, edge), look: lookOf(style), found: found.some(inside) })
    })
    at += text.length
  }
  return parts
}
