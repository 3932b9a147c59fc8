// @vitest-environment node
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { contrast, GROUND, lookOf, pairsOf } from './colors'
import { PLAIN, TRUE_COLOR, type Style } from './style'

const SIXTEEN = Array.from({ length: 16 }, (_, n) => n)
/** Corners and middles of the cube of true colours. */
const CUBE = [0, 0x80, 0xff].flatMap((red) =>
  [0, 0x80, 0xff].flatMap((green) =>
    [0, 0x80, 0xff].map((blue) => TRUE_COLOR | (red << 16) | (green << 8) | blue),
  ),
)
const COLORS = [null, ...SIXTEEN, ...CUBE]

function worst(style: Partial<Style>): number {
  const { text, ground } = pairsOf({ ...PLAIN, ...style })
  return Math.min(contrast(text[0], ground[0]), contrast(text[1], ground[1]))
}

describe('colours', () => {
  it('can be read in both themes, on every ground, whatever is asked for', () => {
    const unreadable = COLORS.flatMap((foreground) =>
      COLORS.flatMap((background) =>
        [false, true].flatMap((inverse) =>
          [false, true]
            .map((dim) => ({ foreground, background, inverse, dim }))
            .filter((style) => worst(style) < 4.5),
        ),
      ),
    )
    expect(unreadable).toEqual([])
  })

  it('are of the theme as they are, where they are of the palette', () => {
    expect(lookOf({ ...PLAIN, foreground: 1 }).style).toEqual({
      color: 'light-dark(#b3261e, #ff8a80)',
    })
  })

  it('are left alone where they can be read, and moved where they cannot', () => {
    const navy = pairsOf({ ...PLAIN, foreground: TRUE_COLOR | 0x000080 }).text
    expect(navy[0]).toBe(0x000080)
    expect(navy[1]).not.toBe(0x000080)
  })

  it('leave plain text to the page', () => {
    expect(lookOf(PLAIN)).toEqual({ class: '', style: {} })
    expect(lookOf({ ...PLAIN, bold: true, italic: true, underline: true })).toEqual({
      class: 'font-semibold italic underline',
      style: {},
    })
  })

  it('presume the grounds that the page has', () => {
    const css = readFileSync(join(import.meta.dirname, '../main.css'), 'utf8')
    const [day, night] = GROUND.map((rgb) => `#${rgb.toString(16)}`)
    expect(css).toContain(`--sunken: light-dark(${day}, ${night})`)
  })
})
