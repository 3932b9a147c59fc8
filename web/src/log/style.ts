/** A colour: 0 to 15 of the palette that each theme has its own of, else TRUE_COLOR and 24 bits of RGB. */
export type Color = number

export const TRUE_COLOR = 1 << 24

/** How a stretch of text is drawn. */
export interface Style {
  readonly foreground: Color | null
  readonly background: Color | null
  readonly bold: boolean
  readonly dim: boolean
  readonly italic: boolean
  readonly underline: boolean
  readonly inverse: boolean
}

export const PLAIN: Style = {
  foreground: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
}

/** What each code of one number changes. */
const CODES: Record<number, Partial<Style>> = {
  0: PLAIN,
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  21: { underline: true }, // doubly
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  39: { foreground: null },
  49: { background: null },
}
for (let n = 0; n < 8; n++) {
  CODES[30 + n] = { foreground: n }
  CODES[40 + n] = { background: n }
  CODES[90 + n] = { foreground: n + 8 }
  CODES[100 + n] = { background: n + 8 }
}

/** Of the 256 colours those behind the palette: a cube of six steps a side, then greys (as xterm has them). */
function indexed(n: number): Color | null {
  if (!(n >= 0 && n < 256)) return null
  if (n < 16) return n
  if (n >= 232) return TRUE_COLOR | ((8 + 10 * (n - 232)) * 0x010101)
  const step = (i: number) => (i === 0 ? 0 : 55 + 40 * i)
  const cube = n - 16
  return rgb(step(Math.floor(cube / 36)), step(Math.floor(cube / 6) % 6), step(cube % 6))
}

const rgb = (red: number, green: number, blue: number): Color =>
  TRUE_COLOR | (Math.min(red, 255) << 16) | (Math.min(green, 255) << 8) | Math.min(blue, 255)

/** Reads what follows a 38 or 48: the colour, null where it is none, and how many numbers it took. */
function extended(numbers: readonly number[]): [Color | null, number] {
  const [kind, first = 0, second = 0, third = 0] = numbers
  if (kind === 5) return [indexed(first), 2]
  if (kind === 2) return [rgb(first, second, third), 4]
  return [null, numbers.length] // nobody knows where such a one ends
}

/** Applies "select graphic rendition" (ECMA-48 §8.3.117, ITU-T T.416 for 38 and 48) to a style. */
export function rendered(style: Style, parameters: string): Style {
  const next: { -readonly [Key in keyof Style]: Style[Key] } = { ...style }
  const groups = parameters.split(';').map((group) => group.split(':').map(Number))
  for (let at = 0; at < groups.length; at++) {
    const [code = 0, ...rest] = groups[at] ?? []
    if (code !== 38 && code !== 48) {
      // 4:0 takes an underline away; 4:3 is a curly one.
      Object.assign(next, code === 4 && rest[0] === 0 ? CODES[24] : CODES[code])
      continue
    }
    // With colons it is one group, in which a colour space may stand before the three; else the numbers follow.
    const own = rest.length > 4 ? [rest[0] ?? 0, ...rest.slice(2)] : rest
    const [color, used] = extended(own.length > 0 ? own : groups.slice(at + 1).map(([n = 0]) => n))
    if (own.length === 0) at += used
    if (color !== null) next[code === 38 ? 'foreground' : 'background'] = color
  }
  return next
}
