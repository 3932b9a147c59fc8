import { TRUE_COLOR, type Color, type Style } from './style'

/** A colour by day and by night, as 24 bits of RGB. */
type Pair = readonly [day: number, night: number]

/** What WCAG 2.2 asks of text (1.4.3). */
const LEAST_CONTRAST = 4.5

/** The ground that a log stands on, and its text; `--sunken` and `--ink` of main.css, which see. */
export const GROUND: Pair = [0xf3f1ea, 0x161a20]
const INK: Pair = [0x1c1f24, 0xeceae4]

/** The sixteen as text on the ground of each theme. */
const TEXT: readonly Pair[] = [
  [0x1c1f24, 0x8b949e],
  [0xb3261e, 0xff8a80],
  [0x1a6b2e, 0x56c271],
  [0x7d5700, 0xe3b341],
  [0x0b5cad, 0x79b8ff],
  [0x8a2f8f, 0xd2a8ff],
  [0x0a6570, 0x56d4dd],
  [0x4a5058, 0xd0d4da],
  [0x5b6370, 0x9aa3af],
  [0xc2311f, 0xffa198],
  [0x1f7535, 0x7ee787],
  [0x875f00, 0xf2cc60],
  [0x1463bd, 0xa5d6ff],
  [0x9a38a0, 0xe2c5ff],
  [0x0b6f7b, 0x8ae9ef],
  [0x1c1f24, 0xffffff],
]

/** The sixteen as grounds, by day and night alike. */
const FILL: readonly number[] = [
  0x1c1f24, 0xb3261e, 0x1a7432, 0xe3b341, 0x0b5cad, 0x8a2f8f, 0x0f7f8c, 0xd0d4da, 0x5b6370,
  0xe5534b, 0x56c271, 0xf2cc60, 0x539bf5, 0xc678dd, 0x56d4dd, 0xffffff,
]

const channels = (rgb: number) => [(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255]

/** Relative luminance (WCAG 2.2). */
function luminance(rgb: number): number {
  const [red = 0, green = 0, blue = 0] = channels(rgb).map((value) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** The contrast of two colours: 1 to 21. */
export function contrast(one: number, other: number): number {
  const [a, b] = [luminance(one), luminance(other)]
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
}

/** A colour that is so much of another. */
function mixed(rgb: number, other: number, share: number): number {
  const more = channels(other)
  return channels(rgb).reduce(
    (sum, value, i) => (sum << 8) | Math.round(value + ((more[i] ?? 0) - value) * share),
    0,
  )
}

/** The colour, or as little lighter or darker as it can be read on the ground. */
function readable(rgb: number, ground: number): number {
  const end = contrast(0xffffff, ground) > contrast(0, ground) ? 0xffffff : 0
  for (let share = 0; share < 1; share += 0.05) {
    const tried = mixed(rgb, end, share)
    if (contrast(tried, ground) >= LEAST_CONTRAST) return tried
  }
  return end
}

const both = (one: Pair, two: Pair, act: (one: number, two: number) => number): Pair => [
  act(one[0], two[0]),
  act(one[1], two[1]),
]

const asText = (color: Color): Pair =>
  color >= TRUE_COLOR ? [color - TRUE_COLOR, color - TRUE_COLOR] : (TEXT[color] ?? INK)

function asFill(color: Color): Pair {
  const rgb = color >= TRUE_COLOR ? color - TRUE_COLOR : (FILL[color] ?? 0)
  return [rgb, rgb]
}

/** Text and ground, whichever of the themes is worn. */
export function pairsOf(style: Style): { text: Pair; ground: Pair } {
  const { foreground, background } = style
  let text = foreground === null ? INK : asText(foreground)
  let ground = background === null ? GROUND : asFill(background)
  if (style.inverse) {
    ground = foreground === null ? INK : asFill(foreground)
    text = background === null ? GROUND : asText(background)
  }
  if (style.dim) text = both(text, ground, (one, two) => mixed(one, two, 0.35))
  return { text: both(text, ground, readable), ground }
}

const css = (pair: Pair) =>
  `light-dark(${pair.map((rgb) => `#${rgb.toString(16).padStart(6, '0')}`).join(', ')})`

/** A style as the document has it: what is as elsewhere is left out. */
export interface Look {
  class: string
  style: { color?: string; backgroundColor?: string }
}

const looks = new WeakMap<Style, Look>()

export function lookOf(style: Style): Look {
  let look = looks.get(style)
  if (!look) looks.set(style, (look = lookAt(style)))
  return look
}

function lookAt(style: Style): Look {
  const { text, ground } = pairsOf(style)
  const named = [
    style.bold && 'font-semibold',
    style.italic && 'italic',
    style.underline && 'underline',
  ]
  const painted = style.background !== null || style.inverse
  const colored = painted || style.foreground !== null || style.dim
  return {
    class: named.filter(Boolean).join(' '),
    style: {
      ...(colored && { color: css(text) }),
      ...(painted && { backgroundColor: css(ground) }),
    },
  }
}
