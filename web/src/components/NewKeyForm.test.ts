import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { aSession, refuse, serve, show } from '@/testing'
import { useSession } from '@/stores/session'
import NewKeyForm from './NewKeyForm.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

function opened() {
  const sent: unknown[] = []
  const fields = [{ field: 'mapping.severity.from', detail: 'A path.' }]
  serve({
    'POST /keys': ({ body }) => {
      sent.push(body)
      const { mapping } = body as { mapping?: { severity?: { from: string } } }
      if (mapping?.severity?.from === 'state') return refuse(422, 'invalid', { errors: fields })
      return { status: 201, body: { id: 7, name: 'ci', key: 'bfk_1', hook_secret: 'bfh_1' } }
    },
  })
  useSession().adopt(aSession())
  const view = show(NewKeyForm, { attempt: (action: () => Promise<void>) => action() })
  const save = async () => {
    await view.get('form').trigger('submit')
    await flushPromises()
  }
  const caller = () => view.findAll('select').at(-1)!
  return { view, sent, save, caller }
}

it('makes a key that GitHub calls with', async () => {
  const { view, sent, save, caller } = opened()
  await view.get('input').setValue(' ci ')
  await caller().setValue('github')
  await save()
  expect(sent).toEqual([{ name: 'ci', scopes: ['notices:write'], hook: 'github' }])
  expect(view.emitted('created')).toHaveLength(1)
})

it('tells on which line a mapping is wrong, before it is sent and after', async () => {
  const { view, sent, save, caller } = opened()
  await view.get('input').setValue('ci')
  await caller().setValue('custom')
  await view.get('textarea').setValue('{\n  "title": "$.a",\n  "titel": "$.a"\n}')
  await save()
  expect(view.get('[role=alert]').text()).toBe('Line 3: there is no “titel”.')
  expect(sent).toEqual([])
  await view.get('textarea').setValue('{\n  "severity": {\n    "from": "state"\n  }\n}')
  await save()
  expect(view.get('[role=alert]').text()).toBe('Line 3: A path.')
  expect(view.emitted('created')).toBeUndefined()
  await view.get('[role=alert] button').trigger('click')
  const { selectionStart, selectionEnd, value } = view.get('textarea').element
  expect(value.slice(selectionStart, selectionEnd)).toBe('    "from": "state"')
  await view.get('textarea').setValue('{"title": "$.a"}')
  await save()
  expect(sent.at(-1)).toMatchObject({ mapping: { title: '$.a' } })
  expect(view.emitted('created')).toHaveLength(1)
})

it('asks nothing of senders for a key that sends nothing', async () => {
  const { view, sent, save, caller } = opened()
  await view.get('input').setValue('host')
  await caller().setValue('custom')
  await view.get('input[value=notices]').setValue(false)
  await view.get('input[value=tickets]').setValue(true)
  expect(view.find('textarea').exists()).toBe(false)
  await save()
  expect(sent).toEqual([{ name: 'host', scopes: ['tickets:write'] }])
})
