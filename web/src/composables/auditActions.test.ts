// @vitest-environment node
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { enAdmin } from '@/i18n/en-admin'
import { AUDIT_ACTIONS } from './auditActions'

const services = join(import.meta.dirname, '../../../services')

/** What the server's sources record, as far as an action is written out in one piece. */
const recorded = new Set(
  readdirSync(services)
    .filter((name) => name.endsWith('.go') && !name.endsWith('_test.go'))
    .flatMap((name) => [
      ...readFileSync(join(services, name), 'utf8').matchAll(/Action: "([a-z_]+\.[a-z_]+)"/g),
    ])
    .map(([, action]) => action ?? ''),
)

const named = Object.entries(AUDIT_ACTIONS).flatMap(([noun, verbs]) =>
  verbs.map((verb) => `${noun}.${verb}`),
)

it('names every action that the server records', () => {
  expect(recorded.size).toBeGreaterThan(15)
  expect([...recorded].filter((action) => !named.includes(action))).toEqual([])
})

it('has words for each, and for nothing else', () => {
  const words = Object.entries(enAdmin.audit.action).flatMap(([noun, verbs]) =>
    Object.keys(verbs).map((verb) => `${noun}.${verb}`),
  )
  expect(words.sort()).toEqual([...named].sort())
  expect(Object.keys(enAdmin.audit.noun).sort()).toEqual(Object.keys(AUDIT_ACTIONS).sort())
})
