import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { aSession, later, ok, refuse, serve, show, type Answer } from '@/testing'
import { useSession } from '@/stores/session'
import UserImport from './UserImport.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

const settled = (result: string, changes: string[] = [], hasPassword = false) =>
  ok({ result, changes, user: { username: '', disabled: false, has_password: hasPassword } })

const answers: Record<string, () => Answer | Promise<Answer>> = {
  'PUT /users/ada': () => settled('added', ['groups']),
  'PUT /users/bob': () => settled('changed', ['role'], true),
  'PUT /users/cem': () =>
    refuse(422, 'invalid', { errors: [{ field: 'groups', detail: 'There is no group none.' }] }),
  'POST /users/ada/reset-link': () => ({
    status: 201,
    body: { url: 'https://b.example/reset#t0ken', expires_at: '2026-01-01T01:00:00.000Z' },
  }),
}
const TABLE = 'username,role,groups\nada,,ops\nbob,admin,\ncem,,none\ndan,king,\n'

async function opened(text: string, more: typeof answers = {}) {
  const made = serve({ ...answers, ...more })
  useSession().adopt(aSession())
  const view = show(UserImport)
  const input = view.get('input[type=file]')
  const files = [new File([text], 'people.csv', { type: 'text/csv' })]
  Object.defineProperty(input.element, 'files', { value: files })
  await input.trigger('change')
  await vi.waitUntil(() => view.find('progress').exists() === false && view.text() !== '')
  await flushPromises()
  return { view, made }
}

type View = Awaited<ReturnType<typeof opened>>['view']
const outcomes = (view: View) => view.findAll('tbody td:last-child').map((cell) => cell.text())
const press = async (view: View, label: string) => {
  const button = view.findAll('button').find((one) => one.text() === label)
  await button!.trigger('click')
  await flushPromises()
}

it('tries each line, and does nothing until it is told to', async () => {
  const { view, made } = await opened(TABLE)
  await vi.waitUntil(() => outcomes(view).every(Boolean))
  expect(made).toEqual([
    'PUT /users/ada?dry_run=true',
    'PUT /users/bob?dry_run=true',
    'PUT /users/cem?dry_run=true',
  ])
  expect(outcomes(view)).toEqual([
    'To be added: groups',
    'To be changed: role',
    'There is no group none.',
    'The role is neither user nor admin.',
  ])
  made.length = 0
  await press(view, 'Import 2 people')
  await vi.waitUntil(() => view.text().includes('The import is done.'))
  expect(made).toEqual(['PUT /users/ada', 'PUT /users/bob', 'PUT /users/cem'])
  expect(outcomes(view).slice(0, 2)).toEqual(['Added: groups', 'Changed: role'])
  // Bob has a password, and Cem is not there.
  await press(view, 'Make 1 link')
  expect(made.at(-1)).toBe('POST /users/ada/reset-link')
  expect(view.text()).toContain('Download the links')
})

it('makes no more links once nobody is there to have them', async () => {
  const link = later<Answer>()
  const { view, made } = await opened('username\nada\neve\n', {
    'PUT /users/eve': () => settled('added'),
    'POST /users/ada/reset-link': () => link.promise,
  })
  await press(view, 'Import 2 people')
  await press(view, 'Make 2 links')
  view.unmount()
  link.resolve(ok({ url: '' }))
  await flushPromises()
  expect(made.at(-1)).toBe('POST /users/ada/reset-link')
})

it('goes on where it stopped', async () => {
  let there = false
  const { view, made } = await opened(TABLE, {
    'PUT /users/bob': () => (there ? settled('unchanged') : refuse(503, 'unavailable')),
  })
  await vi.waitUntil(() => view.text().includes('Stopped before line 3.'))
  expect(made).toEqual(['PUT /users/ada?dry_run=true', 'PUT /users/bob?dry_run=true'])
  there = true
  await press(view, 'Go on')
  await vi.waitUntil(() => view.text().includes('Import 1 person'))
  expect(made.slice(2)).toEqual(['PUT /users/bob?dry_run=true', 'PUT /users/cem?dry_run=true'])
})

it('shows what came to one thing alone', async () => {
  const { view } = await opened(TABLE)
  await vi.waitUntil(() => outcomes(view).every(Boolean))
  await view.get('input[value=refused]').setValue()
  expect(view.findAll('tbody th').map((cell) => cell.text())).toEqual(['cem', 'dan'])
})

it.each([
  ['username,password\nada,x\n', 'There is a column password.'],
  ['username\n"ada\n', 'From line 2 on'],
  ['', 'This file is empty'],
  ['username\nada\0\n', 'This is not UTF-8 text.'],
  ['username\n', 'There is nobody in this table.'],
])('asks nothing of the server for %j', async (text, said) => {
  const { view, made } = await opened(text)
  await vi.waitUntil(() => view.text().includes(said))
  expect(made).toEqual([])
})
