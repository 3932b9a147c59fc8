// @vitest-environment node
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { baseCompile } from '@intlify/message-compiler'
import { describe, expect, it, vi } from 'vitest'
import { en } from './en'
import { enAdmin } from './en-admin'
import { enPages } from './en-pages'
import { zhCN } from './zh-CN'
import { i18n, matchLocale, setLocale } from '.'

type Tree = { [key: string]: string | Tree }

function flat(tree: Tree, prefix = ''): Map<string, string> {
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') found.set(prefix + key, value)
    else flat(value, `${prefix}${key}.`).forEach((text, path) => found.set(path, text))
  }
  return found
}

const english = flat({ ...en, ...enPages, ...enAdmin })
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

/** The files that are there before any page beside the inbox is fetched, and dialogs but for those that wait for the pages' words. */
function shell(name = 'main.ts', found = new Map<string, string>()): Map<string, string> {
  if (found.has(name)) return found
  const text = readFileSync(join(root, name), 'utf8')
  found.set(name, text)
  const withoutPages = text.replaceAll(/(?:page|lateDialog)\(\(\) => import\('[^']+'\)\)/g, '')
  for (const [, path = ''] of withoutPages.matchAll(/(?:from|import\()\s*'([@.]\/[^']+)'/g)) {
    const target = path.startsWith('@/') ? path.slice(2) : join(dirname(name), path)
    const file = [target, `${target}.ts`, `${target}/index.ts`].find(
      (candidate) => existsSync(join(root, candidate)) && statSync(join(root, candidate)).isFile(),
    )
    if (file && /\.(vue|ts)$/.test(file) && !/^i18n\/(?!index)/.test(file)) shell(file, found)
  }
  return found
}

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

  it.each([
    ['English', english],
    ['Chinese', chinese],
  ])('can all be compiled in %s, as the build does', (_language, messages) => {
    const faults: string[] = []
    const onError = (error: Error) => faults.push(error.message)
    for (const text of messages.values()) baseCompile(text, { onError })
    expect(faults).toEqual([])
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

  it('of the pages are not used before a page is there', () => {
    const files = shell()
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['App.vue', 'views/InboxView.vue', 'components/CoverScreen.vue']),
    )
    expect(files.has('views/SettingsView.vue')).toBe(false)
    const early = [...files].flatMap(([name, text]) =>
      Object.keys({ ...enPages, ...enAdmin })
        .filter((group) => new RegExp(`['\`]${group}\\.\\w`).test(text))
        .map((group) => `${name}: ${group}`),
    )
    expect(early).toEqual([])
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

it('the language chosen last is spoken, however long an older choice took', async () => {
  vi.stubGlobal('document', { documentElement: { lang: '' } })
  await Promise.all([setLocale('zh-CN'), setLocale('en')])
  expect(i18n.global.t('nav.lock')).toBe('Lock')
  await setLocale('zh-CN')
  expect(i18n.global.t('nav.lock')).toBe('锁定')
  expect(document.documentElement.lang).toBe('zh-CN')
  vi.unstubAllGlobals()
})
