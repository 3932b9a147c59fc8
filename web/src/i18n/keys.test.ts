// @vitest-environment node
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { en } from './en'
import { zhCN } from './zh-CN'
import { matchLocale } from '.'

type Tree = { [key: string]: string | Tree }

function flat(tree: Tree, prefix = ''): Map<string, string> {
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') found.set(prefix + key, value)
    else flat(value, `${prefix}${key}.`).forEach((text, path) => found.set(path, text))
  }
  return found
}

const english = flat(en)
const chinese = flat(zhCN)

const root = join(import.meta.dirname, '..')
const source = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(
    (name) => /\.(vue|ts)$/.test(name) && !/\.test\.ts$/.test(name) && !name.startsWith('i18n'),
  )
  .map((name) => readFileSync(join(root, name), 'utf8'))
  .join('\n')

/** Keys written out in full, wherever they stand: `$t('a.b')`, or a table of keys. */
const literal = new Set(
  [...source.matchAll(/'((?:[a-zA-Z]+\.)+[a-zA-Z_]+)'/g)]
    .map(([, key]) => key ?? '')
    .filter((key) => english.has(key)),
)
/** Keys whose last part is computed: `` $t(`severity.${severity}`) ``. */
const computed = [...source.matchAll(/t\(\s*`([a-zA-Z.]+\.)\$\{/g)].map(
  ([, prefix]) => prefix ?? '',
)

const placeholders = (text: string) => new Set(text.match(/\{\w+\}/g))

describe('messages', () => {
  it('finds keys in the source at all', () => {
    expect(literal.size).toBeGreaterThan(50)
    expect(computed.length).toBeGreaterThan(3)
  })

  it('exist in both languages', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort())
  })

  it.each([
    ['English', english],
    ['Chinese', chinese],
  ])('are none of them empty in %s', (_language, messages) => {
    expect([...messages].filter(([, text]) => text.trim() === '')).toEqual([])
  })

  it('take the same values in both languages', () => {
    const different = [...english].filter(([key, text]) => {
      const other = placeholders(chinese.get(key) ?? '')
      return [...placeholders(text)].some((name) => !other.has(name))
    })
    expect(different.map(([key]) => key)).toEqual([])
  })

  it('are defined where they are used', () => {
    const used = [...source.matchAll(/\bt\(\s*'([\w.]+)'/g)].map(([, key]) => key ?? '')
    expect(used.filter((key) => !english.has(key))).toEqual([])
    expect(
      computed.filter((prefix) => ![...english.keys()].some((key) => key.startsWith(prefix))),
    ).toEqual([])
  })

  it('are all used', () => {
    const unused = [...english.keys()].filter(
      (key) => !literal.has(key) && !computed.some((prefix) => key.startsWith(prefix)),
    )
    expect(unused).toEqual([])
  })
})

describe('the choice of a language', () => {
  it.each([
    [['de-DE', 'zh-Hant-TW', 'en'], 'zh-CN'],
    [['en-GB', 'zh'], 'en'],
    [['fr'], 'en'],
    [[], 'en'],
  ])('%j gives %s', (wanted, expected) => {
    expect(matchLocale(wanted)).toBe(expected)
  })
})
